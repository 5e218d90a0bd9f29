//! Turns of clients that send little at a time.
//!
//! To hear a few bytes costs a worker as much as to hear a request. A thousand clients that send a byte at the same
//! moment would be a queue in front of everybody else; so a worker hears some of them, then whatever else has come
//! meanwhile, then the next. While there is nothing else to do, nobody waits.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::Instant;

/// Fewer bytes than this in the middle of a message are little.
const LITTLE: usize = 64;
/// How many are heard before others are.
const IN_A_ROW: usize = 16;
/// A worker that hears no more than that in such a time has no queue.
const CALM: Duration = Duration::from_micros(500);

thread_local! {
    static WORKER: RefCell<Worker> = const { RefCell::new(Worker { heard: 0, since: None, waiting: VecDeque::new() }) };
}

struct Worker {
    /// How many were heard since the others were, or are about to be.
    heard: usize,
    since: Option<Instant>,
    /// Somebody calls them up while there are any.
    waiting: VecDeque<Waker>,
}

/// The turns of one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Turn {
    /// It does not send little at a time, or not that anybody knows.
    #[default]
    Free,
    /// It has just sent a little; whether there is more may be looked at once.
    Heard,
    /// The next that it sends is likely to be little.
    Due,
    /// It waits to be called up.
    Waiting,
}

impl Turn {
    /// What it is after a read of so many bytes, with a message begun or not.
    pub(super) const fn after(read: usize, within: bool) -> Self {
        if within && read < LITTLE { Self::Heard } else { Self::Free }
    }

    /// There was nothing to read.
    pub(super) fn rest(&mut self) {
        if *self != Self::Free {
            *self = Self::Due;
        }
    }

    /// Ready when the connection may be read from.
    pub(super) fn poll(&mut self, context: &Context<'_>) -> Poll<()> {
        // Who is polled while waiting was called up, and is counted already.
        if *self == Self::Due && !WORKER.with_borrow_mut(|worker| worker.hears(context.waker())) {
            *self = Self::Waiting;
            return Poll::Pending;
        }
        Poll::Ready(())
    }
}

impl Worker {
    /// Whether one more is heard now; if not, it is called up later.
    fn hears(&mut self, waker: &Waker) -> bool {
        if self.waiting.is_empty() {
            let now = Instant::now();
            if self.since.is_none_or(|since| now - since > CALM) {
                (self.since, self.heard) = (Some(now), 0);
            }
            if self.heard < IN_A_ROW {
                self.heard += 1;
                return true;
            }
            tokio::spawn(call_up());
        }
        self.waiting.push_back(waker.clone());
        false
    }
}

/// Calls up those who wait, some at a time.
async fn call_up() {
    loop {
        yield_now().await;
        let next = WORKER.with_borrow_mut(|worker| {
            let some = worker.waiting.len().min(IN_A_ROW);
            (worker.since, worker.heard) = (Some(Instant::now()), some);
            worker.waiting.drain(..some).collect::<Vec<_>>()
        });
        next.into_iter().for_each(Waker::wake);
        if WORKER.with_borrow(|worker| worker.waiting.is_empty()) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    async fn hear(mut turn: Turn, heard: Arc<AtomicUsize>) {
        poll_fn(|context| turn.poll(context)).await;
        heard.fetch_add(1, Ordering::Relaxed);
    }

    /// How many of a hundred were heard each time that others had their turn, until all were.
    async fn rounds(turn: Turn) -> Vec<usize> {
        let heard = Arc::<AtomicUsize>::default();
        (0..100).for_each(|_| drop(tokio::spawn(hear(turn, Arc::clone(&heard)))));
        let mut rounds = Vec::new();
        while rounds.iter().sum::<usize>() < 100 && rounds.len() < 1000 {
            yield_now().await;
            rounds.push(heard.load(Ordering::Relaxed) - rounds.iter().sum::<usize>());
        }
        rounds
    }

    #[tokio::test(start_paused = true)]
    async fn a_crowd_that_sends_little_is_heard_some_at_a_time() {
        let rounds = rounds(Turn::Due).await;
        assert!(rounds.iter().all(|heard| *heard <= IN_A_ROW), "{rounds:?}");
        assert_eq!(rounds.iter().sum::<usize>(), 100, "{rounds:?}");
    }

    #[tokio::test]
    async fn others_do_not_wait() {
        // The runtime looks at its clock in between.
        assert!(rounds(Turn::Free).await.len() <= 2);
        assert!(rounds(Turn::Heard).await.len() <= 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_little_now_and_then_is_heard_at_once() {
        for _ in 0..3 {
            for _ in 0..IN_A_ROW {
                let mut turn = Turn::Due;
                assert!(poll_fn(|context| Poll::Ready(turn.poll(context))).await.is_ready());
            }
            tokio::time::sleep(CALM * 2).await;
        }
    }

    #[test]
    fn what_ends_a_message_or_is_not_little_is_no_reason_to_wait() {
        let mut turn = Turn::after(1, true);
        turn.rest();
        assert_eq!(turn, Turn::Due);
        for (read, within) in [(1, false), (LITTLE, true)] {
            let mut turn = Turn::after(read, within);
            turn.rest();
            assert_eq!(turn, Turn::Free, "{read} bytes");
        }
    }
}
