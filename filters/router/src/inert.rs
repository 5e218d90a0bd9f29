//! What a rule may have without effect yet: faults, mirrors, CORS policies, delegates. All are checked as Istio checks
//! them, so that a file that passes here keeps its meaning when they take effect.

use crate::code;
use crate::config::{Abort, CorsPolicy, Delay, Delegate, Fault, HttpRoute, Percent, StringMatch};
use crate::duration;
use crate::header::is_token;
use crate::report::{Place, Report};
use crate::target::{self, Naming};
use crate::text::{Allowed, Pattern};

const METHODS: [&str; 10] = ["*", "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE"];
const GRPC_STATUSES: [&str; 17] = [
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
];
/// Envoy counts in millionths.
const SMALLEST_PERCENTAGE: f64 = 0.0001;

/// Checks and reports everything of a rule that has no effect yet.
pub fn report(rule: &HttpRoute, naming: Naming<'_>, place: &Place, report: &mut Report<'_>) {
    if let Some(fault) = &rule.fault {
        let place = place.key("fault");
        report.no_effect(&place, "fault", "requests are neither delayed nor aborted");
        check_fault(fault, &place, report);
    }
    report_mirrors(rule, naming, place, report);
    if let Some(cors) = &rule.cors_policy {
        let place = place.key("corsPolicy");
        report.no_effect(&place, "corsPolicy", "preflights go to the service like every other request");
        check_cors(cors, &place, report);
    }
    if let Some(delegate) = &rule.delegate {
        let place = place.key("delegate");
        check_delegate(delegate, &place, report);
    }
}

fn check_fault(fault: &Fault, place: &Place, report: &mut Report<'_>) {
    if fault.delay.is_none() && fault.abort.is_none() {
        report.error(place, code::INERT_VALUE, "the fault has neither `delay` nor `abort`", "add one of them");
    }
    if let Some(delay) = &fault.delay {
        check_delay(delay, &place.key("delay"), report);
    }
    if let Some(abort) = &fault.abort {
        check_abort(abort, &place.key("abort"), report);
    }
}

fn check_delay(delay: &Delay, place: &Place, report: &mut Report<'_>) {
    check_percentage(delay.percentage.as_ref(), &place.key("percentage"), report);
    check_whole_percent(delay.percent, &place.key("percent"), report);
    if delay.exponential_delay.is_some() {
        let message = "`exponentialDelay` was never supported";
        report.error(&place.key("exponentialDelay"), code::INERT_VALUE, message, "use `fixedDelay`");
    } else if delay.fixed_delay.is_none() {
        report.error(place, code::INERT_VALUE, "the delay has no `fixedDelay`", "add it, such as 5s");
    }
    duration::resolve(delay.fixed_delay.as_ref(), &place.key("fixedDelay"), report);
}

fn check_abort(abort: &Abort, place: &Place, report: &mut Report<'_>) {
    check_percentage(abort.percentage.as_ref(), &place.key("percentage"), report);
    if abort.http2_error.is_some() {
        let message = "`http2Error` was never supported";
        report.error(&place.key("http2Error"), code::INERT_VALUE, message, "use `httpStatus` or `grpcStatus`");
    } else if abort.http_status.is_some() == abort.grpc_status.is_some() {
        let help = "write exactly one of the two";
        report.error(place, code::CONFLICT, "an abort has `httpStatus` or `grpcStatus`", help);
    }
    if let Some(status) = abort.http_status.filter(|status| !(200..=599).contains(status)) {
        let message = format!("{status} is not a status to answer with");
        report.error(&place.key("httpStatus"), code::INERT_VALUE, message, "use a number from 200 to 599");
    }
    if let Some(status) = abort.grpc_status.as_ref().filter(|status| !GRPC_STATUSES.contains(&status.as_str())) {
        let message = format!("`{status}` is not the name of a gRPC status");
        report.error(
            &place.key("grpcStatus"),
            code::INERT_VALUE,
            message,
            "write its name in capitals, such as UNAVAILABLE",
        );
    }
}

fn report_mirrors(rule: &HttpRoute, naming: Naming<'_>, place: &Place, report: &mut Report<'_>) {
    let happens = "no copies are sent";
    if let Some(mirror) = &rule.mirror {
        let place = place.key("mirror");
        report.no_effect(&place, "mirror", happens);
        target::destination(mirror, naming, &place, report);
    }
    if !rule.mirrors.is_empty() {
        report.no_effect(&place.key("mirrors"), "mirrors", happens);
    }
    for (index, mirror) in rule.mirrors.iter().enumerate() {
        let place = place.key("mirrors").index(index);
        target::required(mirror.destination.as_ref(), naming, &place, report);
        check_percentage(mirror.percentage.as_ref(), &place.key("percentage"), report);
    }
    check_percentage(rule.mirror_percentage.as_ref(), &place.key("mirrorPercentage"), report);
    if rule.mirror_percent.is_some() {
        let place = place.key("mirrorPercent");
        report.warning(&place, code::DEPRECATED, "`mirrorPercent` is deprecated", "use `mirrorPercentage.value`");
        check_whole_percent(rule.mirror_percent, &place, report);
    }
}

fn check_percentage(percentage: Option<&Percent>, place: &Place, report: &mut Report<'_>) {
    let value = percentage.and_then(|percentage| percentage.value).unwrap_or(0.0);
    let in_range = value == 0.0 || (SMALLEST_PERCENTAGE..=100.0).contains(&value);
    if !in_range {
        let message = format!("{value} is not a percentage");
        report.error(&place.key("value"), code::INERT_VALUE, message, "use 0, or a number from 0.0001 to 100");
    }
}

fn check_whole_percent(percent: Option<i64>, place: &Place, report: &mut Report<'_>) {
    if let Some(percent) = percent.filter(|percent| !(0..=100).contains(percent)) {
        report.error(place, code::INERT_VALUE, format!("{percent} is not a percentage"), "use a number from 0 to 100");
    }
}

fn check_cors(cors: &CorsPolicy, place: &Place, report: &mut Report<'_>) {
    if !cors.allow_origin.is_empty() {
        let help = "use `allowOrigins` with `exact`";
        report.warning(&place.key("allowOrigin"), code::DEPRECATED, "`allowOrigin` is deprecated", help);
    }
    check_origins(&cors.allow_origins, &place.key("allowOrigins"), report);
    for (index, method) in cors.allow_methods.iter().enumerate() {
        if !METHODS.contains(&method.as_str()) {
            let place = place.key("allowMethods").index(index);
            let help = "use a method of HTTP in capitals, or `*`";
            report.error(&place, code::INERT_VALUE, format!("`{method}` is not a method"), help);
        }
    }
    for (list, member) in [(&cors.allow_headers, "allowHeaders"), (&cors.expose_headers, "exposeHeaders")] {
        for (index, name) in list.iter().enumerate().filter(|(_, name)| !is_token(name)) {
            let place = place.key(member).index(index);
            let message = format!("`{name}` is not the name of a header");
            report.error(&place, code::HEADER_NAME, message, "use letters, digits and hyphens, or `*`");
        }
    }
    duration::resolve(cors.max_age.as_ref(), &place.key("maxAge"), report);
}

fn check_origins(origins: &[StringMatch], place: &Place, report: &mut Report<'_>) {
    for (index, origin) in origins.iter().enumerate() {
        // Only the diagnostics matter: nothing compares origins yet.
        let _checked = Pattern::resolve(origin, Allowed::Value, &place.index(index), report);
    }
}

fn check_delegate(delegate: &Delegate, place: &Place, report: &mut Report<'_>) {
    if delegate.name.as_ref().is_none_or(String::is_empty) {
        report.error(place, code::DELEGATE, "the delegate has no name", "add `name` of another VirtualService");
    }
}
