//! Faults of the proxy's own code: panics, on whatever thread. Each is counted, and logged with its place in the source.

use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// Counts and logs panics from now on, in place of what Rust prints of them.
pub fn install() {
    std::panic::set_hook(Box::new(note));
}

/// How many there were since [`install`].
pub fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

fn note(panic: &PanicHookInfo<'_>) {
    COUNT.fetch_add(1, Ordering::Relaxed);
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = std::thread::current().name().unwrap_or_default().to_owned();
    // A message that was put together may quote what a client sent; one that stands in the source does not.
    let message =
        panic.payload().downcast_ref::<&'static str>().copied().unwrap_or("(its message may quote a request)");
    tracing::error!(place, thread, message, "a fault of the proxy itself; please report it");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::log::{self, Format};

    #[test]
    fn a_panic_is_counted_and_logged_with_its_place_and_without_what_it_quotes() {
        let lines = log::tests::Lines::default();
        let output = lines.clone();
        let (subscriber, _levels) = log::subscriber("info", Format::Json, move || output.clone()).unwrap();
        let former = std::panic::take_hook();
        install();
        let before = count();
        tracing::subscriber::with_default(subscriber, || {
            let secret = String::from("token-123");
            let caught = std::panic::catch_unwind(|| panic!("it is {secret}"));
            assert!(caught.is_err());
            assert!(std::panic::catch_unwind(|| panic!("said in the source")).is_err());
        });
        std::panic::set_hook(former);
        let text = lines.text();
        assert!(count() >= before + 2);
        assert!(text.contains("faults.rs:") && text.contains("said in the source"), "{text}");
        assert!(!text.contains("token-123"), "{text}");
    }
}
