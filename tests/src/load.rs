//! A steady stream of requests, and what became of each.

use crate::Times;
use crate::background;
use crate::client::{Answer, Request};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

/// Kept connections that share the rate; enough that a slow answer on one does not lower it much.
const CONNECTIONS: u32 = 20;
/// An answer that takes longer counts as lost.
const LIMIT: Duration = Duration::from_secs(10);
/// How often a request is sent that nobody looks at.
const SENDINGS: u32 = 3;
/// Of all that went wrong a test shows this many.
const SHOWN: usize = 10;

/// How connections are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// HTTP/1.1, each for as long as the proxy keeps it.
    Kept,
    /// HTTP/1.1, each for one request.
    Fresh,
    /// HTTP/2, each for as long as the proxy keeps it.
    Http2,
}

/// Requests that go on until the load is stopped.
#[derive(Debug)]
pub struct Load {
    stop: Arc<AtomicBool>,
    report: Arc<Mutex<LoadReport>>,
    connections: Vec<tokio::task::AbortHandle>,
}

/// What became of the requests.
#[derive(Debug, Clone, Default)]
pub struct LoadReport {
    /// Requests that were sent.
    pub sent: u64,
    /// Whole answers, by their status.
    pub statuses: BTreeMap<u16, u64>,
    /// Whole answers by the value of the header that was asked for, such as a filter's version.
    pub values: BTreeMap<String, u64>,
    /// Requests that got no whole answer, and why: the first few.
    pub failures: Vec<String>,
    /// How many requests got no whole answer.
    pub failed: u64,
    /// The longest time from sending to the end of the answer.
    pub slowest: Duration,
    /// The time of each request, in the order in which they ended.
    pub times: Vec<Duration>,
}

impl LoadReport {
    /// Whether every request that was sent got this status.
    pub fn all_were(&self, status: u16) -> bool {
        self.sent > 0 && self.failed == 0 && self.statuses.get(&status) == Some(&self.sent)
    }

    /// How many requests did not get this status, or no whole answer at all.
    pub fn not(&self, status: u16) -> u64 {
        self.sent - self.statuses.get(&status).copied().unwrap_or(0)
    }

    /// The times of the requests that ended after an earlier report.
    pub fn since(&self, earlier: &Self) -> Times {
        self.times.iter().skip(earlier.times.len()).copied().collect()
    }

    /// The time within which so many of a hundred requests ended.
    pub fn percentile(&self, percent: usize) -> Duration {
        self.times.iter().copied().collect::<Times>().percentile(percent)
    }
}

impl Load {
    /// Sends the request this many times a second, spread over a few kept connections, until [`Load::stop`].
    ///
    /// Answers are also counted by the value of `header`, if one is named.
    pub fn start(address: SocketAddr, per_second: u32, request: &Request, header: Option<&'static str>) -> Self {
        Self::with(Use::Kept, (address, per_second), request, header)
    }

    /// The same on connections that are used like this.
    pub fn with(
        usage: Use,
        (address, per_second): (SocketAddr, u32),
        request: &Request,
        header: Option<&'static str>,
    ) -> Self {
        let (stop, report) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(LoadReport::default())));
        let connections = (0..CONNECTIONS)
            .map(|number| {
                let sender = Connection { usage, address, header, idle: None, report: Arc::clone(&report) };
                let pace = Duration::from_secs(1) * CONNECTIONS / per_second.max(1);
                // One after the other: all at once would be a burst, again and again.
                let first = Instant::now() + pace * number / CONNECTIONS;
                background::spawn(sender.send_until(Arc::clone(&stop), first, pace, request.clone()))
            })
            .collect();
        Self { stop, report, connections }
    }

    /// What has happened so far.
    pub fn report(&self) -> LoadReport {
        self.report.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stops sending, waits for the answers that are still to come, and tells what happened.
    #[track_caller]
    pub fn stop(self) -> LoadReport {
        self.stop.store(true, Ordering::SeqCst);
        crate::wait_until(LIMIT * 2, || self.connections.iter().all(tokio::task::AbortHandle::is_finished));
        self.report()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.connections.iter().for_each(tokio::task::AbortHandle::abort);
    }
}

/// One of the load's connections.
struct Connection {
    usage: Use,
    address: SocketAddr,
    header: Option<&'static str>,
    idle: Option<Sender>,
    report: Arc<Mutex<LoadReport>>,
}

impl Connection {
    async fn send_until(mut self, stop: Arc<AtomicBool>, first: Instant, pace: Duration, request: Request) {
        let mut ticks = interval_at(first.into(), pace);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !stop.load(Ordering::SeqCst) {
            ticks.tick().await;
            let start = Instant::now();
            let answer = match timeout(LIMIT, self.exchange(request.clone())).await {
                Ok(answer) => answer,
                Err(_) => Err(format!("no answer within {LIMIT:?}")),
            };
            self.count(answer, start.elapsed());
        }
    }

    /// Sends on the kept connection. What the proxy says that it has not looked at is sent on another: no request is lost by
    /// that, and every client does so.
    async fn exchange(&mut self, request: Request) -> Result<Answer, String> {
        let request = match self.usage {
            Use::Http2 => request.into_http2(),
            Use::Kept | Use::Fresh => request.into_http1(),
        };
        let mut failure = String::new();
        for _ in 0..SENDINGS {
            let mut sender = match self.idle.take() {
                Some(sender) if !sender.is_closed() => sender,
                _ => Sender::connect(self.address, self.usage).await?,
            };
            match sender.try_send(request.clone()).await {
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    let body = body.collect().await.map_err(|error| format!("half an answer: {error}"))?;
                    self.idle = Some(sender).filter(|_| self.usage != Use::Fresh);
                    return Ok(Answer::from_parts(head, body));
                }
                Err(mut error) => {
                    let is_unsent = error.take_message().is_some();
                    let error = error.into_error();
                    failure = format!("{error:?}");
                    if !is_unsent && !is_unseen(&error) {
                        break;
                    }
                }
            }
        }
        Err(failure)
    }

    fn count(&self, answer: Result<Answer, String>, took: Duration) {
        let mut report = self.report.lock().unwrap_or_else(PoisonError::into_inner);
        report.sent += 1;
        report.slowest = report.slowest.max(took);
        report.times.push(took);
        match answer {
            Ok(answer) => {
                *report.statuses.entry(answer.status).or_default() += 1;
                if let Some(value) = self.header.and_then(|name| answer.header(name)) {
                    *report.values.entry(value.to_owned()).or_default() += 1;
                }
            }
            Err(failure) => {
                report.failed += 1;
                if report.failures.len() < SHOWN {
                    report.failures.push(failure);
                }
            }
        }
    }
}

/// Whether the connection was closing, and the request was not looked at (RFC 9113, section 6.8).
fn is_unseen(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    cause.is_some_and(|cause| cause.is_go_away() && cause.is_remote() && cause.reason() == Some(h2::Reason::NO_ERROR))
}

/// The sending side of a connection.
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Sender {
    async fn connect(address: SocketAddr, usage: Use) -> Result<Self, String> {
        let failed = |error: &dyn std::fmt::Display| format!("no connection: {error}");
        let stream = TcpStream::connect(address).await.map_err(|error| failed(&error))?;
        // So that a request is whole in one piece, and no later one waits for an acknowledgement.
        stream.set_nodelay(true).map_err(|error| failed(&error))?;
        let io = TokioIo::new(stream);
        match usage {
            Use::Kept | Use::Fresh => {
                let (mut sender, connection) = http1::handshake(io).await.map_err(|error| failed(&error))?;
                tokio::spawn(connection);
                sender.ready().await.map_err(|error| failed(&error))?;
                Ok(Self::Http1(sender))
            }
            Use::Http2 => {
                let handshake = http2::handshake(TokioExecutor::new(), io).await;
                let (sender, connection) = handshake.map_err(|error| failed(&error))?;
                tokio::spawn(connection);
                Ok(Self::Http2(sender))
            }
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    async fn try_send(
        &mut self,
        request: http::Request<Full<Bytes>>,
    ) -> Result<http::Response<Incoming>, TrySendError<http::Request<Full<Bytes>>>> {
        match self {
            Self::Http1(sender) => sender.try_send_request(request).await,
            Self::Http2(sender) => sender.try_send_request(request).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::upstream::{Behaviour, Upstream};

    #[test]
    fn the_rate_is_kept_and_every_answer_counted() {
        let upstream = Upstream::start();
        let start = Instant::now();
        let load = Load::start(upstream.address(), 500, &Request::get("http://shop/"), Some("content-type"));
        crate::wait_until(Duration::from_secs(20), || load.report().sent >= 200);
        // 200 at 500 a second take 0.4 s.
        assert!(start.elapsed() > Duration::from_millis(250), "too fast: {:?}", start.elapsed());
        let report = load.stop();
        assert!(report.all_were(200), "{report:?}");
        assert_eq!(report.values.get("text/plain"), Some(&report.sent));
        assert_eq!(report.sent, upstream.requests().len() as u64);
    }

    #[test]
    fn a_lost_request_is_seen() {
        let upstream = Upstream::scripted([Behaviour::text("ok"), Behaviour::Reset, Behaviour::text("ok")]);
        let load = Load::start(upstream.address(), 200, &Request::get("http://shop/"), None);
        crate::wait_until(Duration::from_secs(20), || load.report().sent >= 30);
        let report = load.stop();
        assert!(!report.all_were(200));
        assert_eq!(report.failed, 1, "{report:?}");
    }
}
