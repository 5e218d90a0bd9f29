//! Ending without cutting anything off.
//!
//! Draining has two steps. First nothing new is taken in: listeners close, idle connections end, busy ones finish
//! their request. Then, after the grace or at a second signal, what is left is aborted.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::runtime::Handle;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// Shared by everything that has to end; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Drain(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// What begins and aborts this one with itself.
    parent: Option<Drain>,
    draining: CancellationToken,
    /// The same as `draining`, without its lock.
    is_draining: AtomicBool,
    aborted: CancellationToken,
    /// What was left when it was aborted.
    left: OnceLock<usize>,
    tasks: TaskTracker,
    /// Those of the whole, of which this is a part.
    whole: Option<TaskTracker>,
}

/// What a drain waits for, until it is dropped.
#[derive(Debug)]
pub struct Tracked {
    _task: TaskTrackerToken,
    _of_whole: Option<TaskTrackerToken>,
}

/// How a drain ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Everything finished within the grace.
    Completed,
    /// So many connections and tasks had to be aborted.
    Aborted(usize),
}

impl Drain {
    /// A drain for a part, such as one listener: it begins and is aborted by itself or with this one, and what it tracks
    /// this one waits for too. A part has no parts of its own.
    #[must_use]
    pub fn child(&self) -> Self {
        Self(Arc::new(Shared {
            parent: Some(self.clone()),
            draining: self.0.draining.child_token(),
            aborted: self.0.aborted.child_token(),
            whole: Some(self.0.tasks.clone()),
            ..Shared::default()
        }))
    }

    /// Takes nothing new in from now on.
    pub fn begin(&self) {
        self.0.is_draining.store(true, Ordering::Release);
        self.0.draining.cancel();
        self.0.tasks.close();
    }

    /// Ends everything at once: the grace is over, or somebody asked twice.
    pub fn abort(&self) {
        self.begin();
        self.0.left.get_or_init(|| self.0.tasks.len());
        self.0.aborted.cancel();
    }

    /// Begins, and waits until all that is tracked has ended; aborts what has not after the grace.
    pub async fn finish(&self, grace: Duration) -> Drained {
        self.begin();
        tokio::select! {
            biased;
            () = self.0.aborted.cancelled() => {}
            () = self.0.tasks.wait() => return Drained::Completed,
            () = tokio::time::sleep(grace) => self.abort(),
        }
        match self.0.left.get() {
            None | Some(0) => Drained::Completed,
            Some(left) => Drained::Aborted(*left),
        }
    }

    /// Whether it has begun.
    pub fn is_draining(&self) -> bool {
        self.0.is_draining.load(Ordering::Acquire) || self.0.parent.as_ref().is_some_and(Self::is_draining)
    }

    /// Resolves once it has begun.
    pub fn signal(&self) -> DrainSignal {
        // A child has its own lock, so connections on several workers do not meet in one.
        let token = self.0.draining.child_token();
        DrainSignal { drain: self.clone(), cancelled: Box::pin(token.cancelled_owned()), registered: false }
    }

    /// Resolves once what is left is being aborted.
    pub async fn aborted(&self) {
        self.0.aborted.cancelled().await;
    }

    /// Resolves once it has begun and all that is tracked has ended.
    pub async fn finished(&self) {
        self.0.tasks.wait().await;
    }

    /// Makes the drain wait until the token is dropped.
    pub fn track(&self) -> Tracked {
        Tracked { _task: self.0.tasks.token(), _of_whole: self.0.whole.as_ref().map(TaskTracker::token) }
    }

    /// Runs a task on the current runtime that the drain waits for, and that is aborted with the rest.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let (drain, tracked) = (self.clone(), self.track());
        drop(tokio::spawn(async move {
            tokio::select! {
                biased;
                () = task => {}
                () = drain.aborted() => {}
            }
            drop(tracked);
        }));
    }

    /// Does something to its end although whoever waits for it may give up: what is left of it then goes on in a task like
    /// those of [`spawn`](Self::spawn). Until then it runs where it is waited for, which costs no task.
    pub async fn complete<W>(&self, work: W) -> W::Output
    where
        W: Future + Send + 'static,
        W::Output: Send,
    {
        Completed { drain: self, work: Some(Box::pin(work)), tracked: None }.await
    }

    /// How many connections and tasks are tracked.
    pub fn tracked(&self) -> usize {
        self.0.tasks.len()
    }
}

/// Work that is completed, also when this is dropped before it is.
struct Completed<'drain, W: Future<Output: Send> + Send + 'static> {
    drain: &'drain Drain,
    /// None once it is done, or failed.
    work: Option<Pin<Box<W>>>,
    /// The drain waits for it, which a connection whose streams are tasks does not.
    tracked: Option<Tracked>,
}

impl<W: Future<Output: Send> + Send + 'static> Future for Completed<'_, W> {
    type Output = W::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<W::Output> {
        // Taken out meanwhile, so that work that panics is not tried once more.
        let Some(mut work) = self.work.take() else { return Poll::Pending };
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            let drain = self.drain;
            self.tracked.get_or_insert_with(|| drain.track());
            self.work = Some(work);
        }
        polled
    }
}

impl<W: Future<Output: Send> + Send + 'static> Drop for Completed<'_, W> {
    fn drop(&mut self) {
        // Without a runtime, the process is ending and nothing goes on.
        if let (Some(work), Ok(_)) = (self.work.take(), Handle::try_current()) {
            self.drain.spawn(async move {
                // Who has given up does not want to know.
                let _ = work.await;
            });
        }
    }
}

/// Resolves when a drain begins. Belongs to one task: after the first poll it costs one load of an atomic.
#[derive(Debug)]
pub struct DrainSignal {
    drain: Drain,
    cancelled: Pin<Box<WaitForCancellationFutureOwned>>,
    registered: bool,
}

impl Future for DrainSignal {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.drain.is_draining() {
            return Poll::Ready(());
        }
        if self.registered {
            return Poll::Pending;
        }
        self.registered = true;
        self.cancelled.as_mut().poll(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn waits_for_tracked_tasks_and_wakes_those_that_listen() {
        let drain = Drain::default();
        let signal = drain.signal();
        drain.spawn(signal);
        assert_eq!(drain.finish(Duration::from_secs(10)).await, Drained::Completed);
    }

    #[tokio::test]
    async fn aborts_what_outlives_the_grace() {
        let drain = Drain::default();
        drain.spawn(std::future::pending());
        assert_eq!(drain.finish(Duration::from_millis(10)).await, Drained::Aborted(1));
        drain.finished().await;
    }

    #[tokio::test]
    async fn what_is_to_be_completed_goes_on_when_nobody_waits_for_it_any_more() {
        let drain = Drain::default();
        assert_eq!(drain.complete(std::future::ready(7)).await, 7);
        assert_eq!(drain.complete(tokio::task::yield_now().map(|()| 8)).await, 8);
        assert_eq!(drain.tracked(), 0, "who waits needs no task");
        let (sender, receiver) = oneshot::channel();
        let work = async move {
            tokio::task::yield_now().await;
            sender.send(()).unwrap();
        };
        let mut completed = Box::pin(drain.complete(work));
        assert!(completed.as_mut().now_or_never().is_none());
        assert_eq!(drain.tracked(), 1, "a drain waits for it where it is");
        drop(completed);
        assert_eq!(drain.tracked(), 1, "it goes on in a task");
        receiver.await.unwrap();
    }

    #[tokio::test]
    async fn a_part_ends_by_itself_and_with_the_whole() {
        let whole = Drain::default();
        let (one, other) = (whole.child(), whole.child());
        let held = one.track();
        one.begin();
        one.signal().await;
        assert!(one.is_draining() && !other.is_draining() && !whole.is_draining());
        other.spawn(other.signal());
        one.abort();
        one.aborted().await;
        let finishing = whole.finish(Duration::from_secs(10));
        drop(held);
        assert_eq!(finishing.await, Drained::Completed);
        assert!(other.is_draining());
    }

    #[tokio::test]
    async fn a_part_waits_for_its_own_tasks_alone() {
        let whole = Drain::default();
        let part = whole.child();
        whole.spawn(std::future::pending());
        let held = part.track();
        assert_eq!((part.tracked(), whole.tracked()), (1, 2));
        assert_eq!(part.finish(Duration::from_millis(10)).await, Drained::Aborted(1));
        drop(held);
        part.finished().await;
        assert!(!whole.is_draining());
    }

    #[tokio::test]
    async fn a_second_signal_ends_the_grace_at_once() {
        let drain = Drain::default();
        drain.spawn(std::future::pending());
        let second = drain.clone();
        tokio::spawn(async move { second.abort() });
        assert_eq!(drain.finish(Duration::from_mins(1)).await, Drained::Aborted(1));
    }
}
