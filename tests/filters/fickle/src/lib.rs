//! For tests of the rollout: one component that a test makes many versions of, by writing over a word in it.
//!
//! The word stands in [`BEHAVIOUR`] behind a marker, so that a test finds it in the component's bytes.
//!
//! | word | what the version does |
//! |---|---|
//! | `good` | goes on |
//! | `traps` | traps on every hundredth call of an instance |
//! | `broken` | traps on every call |
//! | `path` | traps on requests for `/trap` |
//! | `slow` | works for 20 ms, then goes on |
//! | `leaks` | keeps a mebibyte, then goes on |
//! | `wrong` | answers 403 |
//! | `errors` | answers 500 |
//!
//! Every response has `x-fickle: WORD`, and `x-calls` says how many calls the instance has had, this one included.

use sluicegate_sdk::prelude::*;
use std::cell::Cell;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Bytes of the word, spaces included.
const LENGTH: usize = 8;
/// What stands before it.
const MARKER: &[u8; 8] = b"FICKLE:=";
/// What this version does; tests write over what follows the marker.
static BEHAVIOUR: [u8; 16] = *b"FICKLE:=good    ";
/// How long the slow one works: under the deadline that its test sets.
const WORK: Duration = Duration::from_millis(20);

/// What the leaking one keeps of each call, in bytes.
const LEAK: usize = 1 << 20;

/// Counts its calls.
#[derive(Debug, Default)]
pub struct Fickle {
    calls: Cell<u64>,
}

/// Read anew on each call, as the compiler must not know what it is.
fn behaviour() -> String {
    let bytes = *black_box(&BEHAVIOUR);
    String::from_utf8_lossy(bytes.get(MARKER.len()..MARKER.len() + LENGTH).unwrap_or_default()).trim().to_owned()
}

impl RequestFilter for Fickle {
    fn on_request(&self, request: &Request<'_>) -> RequestDecision {
        self.calls.set(self.calls.get() + 1);
        let behaviour = behaviour();
        match behaviour.as_str() {
            "traps" if self.calls.get().is_multiple_of(100) => fall_over(),
            "broken" => fall_over(),
            "path" if request.path() == "/trap" => fall_over(),
            "slow" => work(),
            "leaks" => std::mem::forget(black_box(vec![1_u8; LEAK])),
            "wrong" => return respond(403).text("not here").into(),
            "errors" => return respond(500).text("no idea").into(),
            _ => {}
        }
        next()
            .with_response(set_header("x-fickle", behaviour))
            .with_response(set_header("x-calls", self.calls.get().to_string()))
            .into()
    }
}

#[inline(never)]
fn fall_over() -> ! {
    panic!("this version falls over")
}

fn work() {
    let begun = Instant::now();
    while begun.elapsed() < WORK {
        black_box(());
    }
}

sluicegate_sdk::export!(Fickle, hooks: [request]);

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_sdk::testing::TestRequest;

    #[test]
    fn as_it_is_built_it_is_good_and_counts() {
        let fickle = Fickle::default();
        let second = [(); 2].map(|()| fickle.on_request(&TestRequest::get("/").request())).into_iter().last();
        let expected = next().with_response(set_header("x-fickle", "good")).with_response(set_header("x-calls", "2"));
        assert_eq!(second, Some(expected.into()));
    }
}
