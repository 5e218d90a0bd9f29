//! What is seen of a proxy whose filter fails.

use super::Way;
use super::origin::Origin;
use crate::port;
use crate::wait;
use anyhow::Result;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

/// How long a change may take to be in force.
const SOON: Duration = Duration::from_secs(10);
/// How long the failing request is ahead of the one beside it.
const AHEAD: Duration = Duration::from_millis(200);

/// What was seen. A request without an answer in five seconds has none.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Of the request that fails, or of the change.
    pub(crate) outcome: String,
    /// Of another request while it fails.
    pub(crate) beside: Option<u16>,
    /// Of the one after it.
    pub(crate) next: Option<u16>,
    /// What counts it.
    pub(crate) counter: Option<String>,
}

/// A running proxy.
pub(crate) trait Proxy {
    /// Where it takes requests.
    fn address(&self) -> SocketAddr;
    /// Its counters, by name and labels.
    fn counters(&self) -> BTreeMap<String, u64>;
    /// Has the filter trap when it is configured anew.
    fn reconfigure(&mut self) -> Result<()>;
    /// Replaces the component's file by one that sets `x-filter-response`.
    fn replace(&mut self) -> Result<()>;

    /// Tries one way out.
    fn try_out(&mut self, way: Way, origin: &Origin) -> Result<Seen> {
        let before = self.counters();
        let garbage = origin.garbage();
        let (outcome, beside) = match way {
            Way::Request(mode, body) => {
                let address = self.address();
                let failing = thread::spawn(move || ask(address, Some(mode), body));
                pause(AHEAD);
                let beside = status(ask(address, None, "").as_deref());
                let answer = failing.join().unwrap_or_default();
                (described(answer.as_deref(), mode), beside)
            }
            Way::Boot => unreachable!("there is nothing running to ask"),
            Way::Update => {
                self.reconfigure()?;
                let counted = |proxy: &Self| proxy.counters() != before;
                wait::until(SOON, || counted(self));
                let beside = status(ask(self.address(), None, "").as_deref());
                // What it changes to traps, so nobody else could answer.
                let outcome = if beside == Some(200) { "the version before stays" } else { "no version is left" };
                (outcome.to_owned(), beside)
            }
            Way::Replace => {
                self.replace()?;
                let address = self.address();
                let renewed = || {
                    ask(address, None, "")
                        .is_some_and(|answer| answer.to_ascii_lowercase().contains("x-filter-response"))
                };
                let in_force = wait::until(SOON, renewed);
                let outcome = if in_force { "in force" } else { "not in force after 10 s" };
                (outcome.to_owned(), status(ask(address, None, "").as_deref()))
            }
        };
        let next = status(ask(self.address(), None, "").as_deref());
        let garbage = origin.garbage() - garbage;
        let outcome = if garbage > 0 { format!("{outcome}; upstream connection out of step") } else { outcome };
        let after = self.counters();
        let more = after.into_iter().find(|(name, count)| before.get(name).is_none_or(|before| before < count));
        Ok(Seen { outcome, beside, next, counter: more.map(|(name, _)| name) })
    }
}

/// The whole answer; none when there is none.
pub(crate) fn ask(address: SocketAddr, mode: Option<&str>, body: &str) -> Option<String> {
    let fail = mode.map(|mode| format!("x-fail: {mode}"));
    let headers: Vec<&str> = ["Host: origin"].into_iter().chain(fail.as_deref()).collect();
    let method = if body.is_empty() { "GET" } else { "POST" };
    port::send(address, method, "/", &headers, body).ok().filter(|answer| !answer.is_empty())
}

/// The status of an answer.
pub(crate) fn status(answer: Option<&str>) -> Option<u16> {
    answer?.split(' ').nth(1)?.parse().ok()
}

fn described(answer: Option<&str>, mode: &str) -> String {
    let Some(status) = status(answer) else { return "no answer".into() };
    let edited = mode == "early" && answer.is_some_and(|answer| answer.to_ascii_lowercase().contains("x-early: yes"));
    if edited { format!("{status}, edited") } else { status.to_string() }
}

#[allow(clippy::disallowed_methods, reason = "this program serves nobody; there is no worker to block")]
fn pause(time: Duration) {
    thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_described_by_its_status_and_what_was_edited() {
        assert_eq!(described(None, "spin"), "no answer");
        assert_eq!(described(Some("HTTP/1.1 503 Service Unavailable\r\n\r\n"), "spin"), "503");
        assert_eq!(described(Some("HTTP/1.1 200 OK\r\nX-Early: yes\r\n\r\n"), "early"), "200, edited");
    }
}
