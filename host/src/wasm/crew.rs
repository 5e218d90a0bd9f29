//! The threads that compile a component, whose functions are independent of each other.

use std::num::NonZero;
use std::thread;

/// With more, a component of usual size is not done sooner: it waits for its largest function.
const MOST: usize = 4;

/// How many threads compile a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crew {
    /// One: for what may take long beside requests, which are not to feel it.
    One,
    /// As many as there are processors, up to four: for what somebody waits for.
    Several,
}

impl Crew {
    /// Runs `work`, which divides itself with rayon. The threads have the priority of the one that asks, and end with `work`.
    ///
    /// # Errors
    /// When the system has no threads left.
    pub(super) fn run<R: Send>(self, work: impl FnOnce() -> R + Send) -> Result<R, rayon::ThreadPoolBuildError> {
        let threads = match self {
            Self::One => 1,
            Self::Several => thread::available_parallelism().map_or(1, NonZero::get).min(MOST),
        };
        let pool =
            rayon::ThreadPoolBuilder::new().num_threads(threads).thread_name(|_| "compile".to_owned()).build()?;
        Ok(pool.install(work))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_one_and_several_are_no_more_than_there_are_processors() {
        let processors = thread::available_parallelism().unwrap().get();
        assert_eq!(Crew::One.run(rayon::current_num_threads).unwrap(), 1);
        assert_eq!(Crew::Several.run(rayon::current_num_threads).unwrap(), processors.min(MOST));
    }

    #[test]
    fn threads_have_the_priority_of_the_one_that_asks() {
        let nice = || rustix::process::getpriority_process(None).unwrap();
        let asks = move || {
            rustix::process::setpriority_process(None, 7).unwrap();
            Crew::Several.run(|| rayon::broadcast(|_| nice())).unwrap()
        };
        let nices = thread::spawn(asks).join().unwrap();
        assert!(nices.iter().all(|nice| *nice == 7), "{nices:?}");
    }
}
