//! Faults that a rule injects: requests that wait, and requests that fail.
//!
//! Both are drawn for themselves, and the wait comes first. An aborted request reaches no service, so neither retries
//! nor the timeout of the rule apply to it.

use crate::code;
use crate::config::{Abort as WrittenAbort, Delay as WrittenDelay, Fault as Written};
use crate::duration;
use crate::grpc::{self, Status};
use crate::report::{Place, Report};
use crate::share::Share;
use crate::view::View;
use sluicegate_sdk::{Answer, respond};

/// What Envoy says, and people search for.
const MESSAGE: &str = "fault filter abort";
/// The longest that the host waits, in milliseconds.
const LONGEST_DELAY: u64 = 5 * 60 * 1000;
/// Statuses whose response has no body (RFC 9110, section 6.4.1), and 205, which must not make one.
const WITHOUT_BODY: [u16; 3] = [204, 205, 304];

/// Tells the draws for the two apart.
const DELAY: &str = "fault.delay";
const ABORT: &str = "fault.abort";

/// The resolved faults of a rule.
#[derive(Debug, Default)]
pub struct Fault {
    delay: Option<(u64, Share)>,
    abort: Option<(Abort, Share)>,
}

/// How a request fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Abort {
    /// With a status of HTTP.
    Http(u16),
    /// With a status of gRPC.
    Grpc(Status),
}

impl Fault {
    /// Resolves the faults that stand at `place`.
    pub fn resolve(written: &Written, place: &Place, report: &mut Report<'_>) -> Self {
        if written.delay.is_none() && written.abort.is_none() {
            report.error(place, code::POLICY_VALUE, "the fault has neither `delay` nor `abort`", "add one of them");
        }
        let delay = written.delay.as_ref().and_then(|delay| resolve_delay(delay, &place.key("delay"), report));
        let abort = written.abort.as_ref().and_then(|abort| resolve_abort(abort, &place.key("abort"), report));
        Self { delay, abort }
    }

    /// How long a request waits, in milliseconds.
    pub fn delay(&self, view: &View<'_>) -> Option<u64> {
        let (delay, share) = self.delay?;
        share.takes(DELAY, view).then_some(delay)
    }

    /// How a request fails, if it does.
    pub fn abort(&self, view: &View<'_>) -> Option<Abort> {
        let (abort, share) = self.abort?;
        share.takes(ABORT, view).then_some(abort)
    }

    /// Whether requests may wait.
    pub fn delays(&self) -> bool {
        self.delay.is_some()
    }

    /// The shares, for people to read; none where nothing is drawn.
    pub fn shares(&self) -> Vec<String> {
        let drawn = |share: Share| share != Share::NONE && share != Share::ALL;
        let delay = self.delay.filter(|(_, share)| drawn(*share));
        let abort = self.abort.filter(|(_, share)| drawn(*share));
        let delay = delay.map(|(_, share)| format!("{share} are delayed"));
        delay.into_iter().chain(abort.map(|(_, share)| format!("{share} are aborted"))).collect()
    }
}

impl Abort {
    /// What the client gets: to gRPC a response without body or trailers.
    pub fn answer(self, view: &View<'_>) -> Answer {
        if grpc::is_spoken(view) {
            let status = match self {
                Self::Grpc(status) => status,
                Self::Http(status) => Status::of_http(status),
            };
            return status.answer(MESSAGE);
        }
        let status = match self {
            Self::Http(status) => status,
            Self::Grpc(status) => status.to_http(),
        };
        if WITHOUT_BODY.contains(&status) {
            return respond(status);
        }
        respond(status).header("content-type", "text/plain").body(MESSAGE)
    }
}

impl std::fmt::Display for Abort {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Http(status) => write!(formatter, "{status}"),
            Self::Grpc(status) => formatter.write_str(status.name()),
        }
    }
}

fn resolve_delay(written: &WrittenDelay, place: &Place, report: &mut Report<'_>) -> Option<(u64, Share)> {
    let whole = written.percent.map(|percent| {
        let place = place.key("percent");
        report.warning(&place, code::DEPRECATED, "`percent` is deprecated", "use `percentage.value`");
        Share::whole(percent, &place, report)
    });
    let share = match (&written.percentage, whole) {
        (None, Some(whole)) => whole,
        (percentage, _) => Share::of_fault(percentage.as_ref(), &place.key("percentage"), report),
    };
    warn_of_nothing(written.percentage.is_none() && whole.is_none(), "delayed", place, report);
    if written.exponential_delay.is_some() {
        let message = "`exponentialDelay` was never supported";
        report.error(&place.key("exponentialDelay"), code::POLICY_VALUE, message, "use `fixedDelay`");
    } else if written.fixed_delay.is_none() {
        report.error(place, code::POLICY_VALUE, "the delay has no `fixedDelay`", "add it, such as 5s");
    }
    let place = place.key("fixedDelay");
    let delay = duration::resolve(written.fixed_delay.as_ref(), &place, report)?;
    if delay > LONGEST_DELAY {
        let help = "no client waits that long";
        report.warning(&place, code::POLICY_VALUE, "requests wait for five minutes at most", help);
    }
    Some((delay, share))
}

fn resolve_abort(written: &WrittenAbort, place: &Place, report: &mut Report<'_>) -> Option<(Abort, Share)> {
    let share = Share::of_fault(written.percentage.as_ref(), &place.key("percentage"), report);
    warn_of_nothing(written.percentage.is_none(), "aborted", place, report);
    if written.http2_error.is_some() {
        let message = "`http2Error` was never supported";
        report.error(&place.key("http2Error"), code::POLICY_VALUE, message, "use `httpStatus` or `grpcStatus`");
        return None;
    }
    let http = written.http_status.map(|number| http_status(number, &place.key("httpStatus"), report));
    let grpc = written.grpc_status.as_ref().map(|name| grpc_status(name, &place.key("grpcStatus"), report));
    if http.is_some() == grpc.is_some() {
        let help = "write exactly one of the two";
        report.error(place, code::CONFLICT, "an abort has `httpStatus` or `grpcStatus`", help);
    }
    let abort = http.flatten().map(Abort::Http).or(grpc.flatten().map(Abort::Grpc))?;
    Some((abort, share))
}

/// Istio takes a fault without a share for one of 0 %, which surprises.
fn warn_of_nothing(absent: bool, what: &str, place: &Place, report: &mut Report<'_>) {
    if absent {
        let message = format!("no request is {what}: without `percentage` it is 0 %");
        report.warning(place, code::POLICY_VALUE, message, "add `percentage: {value: 100}`, or a smaller share");
    }
}

fn http_status(number: i64, place: &Place, report: &mut Report<'_>) -> Option<u16> {
    let status = u16::try_from(number).ok().filter(|status| (200..=599).contains(status));
    if status.is_none() {
        let message = format!("{number} is not a status to answer with");
        report.error(place, code::POLICY_VALUE, message, "use a number from 200 to 599");
    }
    status
}

fn grpc_status(name: &str, place: &Place, report: &mut Report<'_>) -> Option<Status> {
    let status = Status::named(name);
    if status.is_none() {
        let message = format!("`{name}` is not the name of a gRPC status");
        report.error(place, code::POLICY_VALUE, message, "write its name in capitals, such as UNAVAILABLE");
    }
    status
}
