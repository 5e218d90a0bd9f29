//! Which request this thread is working on right now, so that the log can say it.

use super::context::SpanContext;
use std::cell::Cell;

thread_local! {
    static CURRENT: Cell<Option<SpanContext>> = const { Cell::new(None) };
}

/// Until it is dropped, what this thread logs belongs to a request. Never held over an `.await`.
#[derive(Debug)]
#[must_use]
pub struct Entered(bool);

/// Begins to work on a request; without a context, which there is none of when traces are off, it does nothing.
pub(super) fn enter(context: Option<SpanContext>) -> Entered {
    if context.is_some() {
        CURRENT.set(context);
    }
    Entered(context.is_some())
}

/// The place of the request that this thread is working on.
pub(crate) fn current() -> Option<SpanContext> {
    CURRENT.get()
}

impl Drop for Entered {
    fn drop(&mut self) {
        if self.0 {
            CURRENT.set(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_works_on_a_request_until_it_does_not() {
        let context = SpanContext::root(|_| true);
        let entered = enter(Some(context));
        assert_eq!(current(), Some(context));
        drop(entered);
        assert_eq!(current(), None);
        drop(enter(None));
        assert_eq!(current(), None);
    }
}
