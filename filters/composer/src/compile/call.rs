//! Calls of services.

use super::status::{duration, statuses};
use super::{Compiled, Compiler, IN_CALLS, check_size, matching};
use crate::code;
use crate::composition::{Call, Each, PassedHeaders, Path, ServiceCall};
use crate::document;
use crate::host;
use crate::part::{Body, CallLimits};
use crate::percent;
use crate::report::{Place, Report, did_you_mean};
use crate::schema::Shape;
use crate::template::build::node;
use crate::template::parse::Piece as Written;
use crate::template::resolve::Resolver;
use crate::template::{Chain, Node, Piece, Text};
use serde_json::Value;
use sluicegate_sdk::{CachePolicy, Destination, RetryCondition, RetryPolicy};

/// The elements that a call is made for unless it says otherwise: a page of results.
const ITEMS: u32 = 16;
/// The most elements that a call can be made for: the calls that the host makes for one plan.
const MOST_ITEMS: u32 = 64;
/// The largest body that a call can ask for, in bytes: what the host takes in.
const LARGEST_BODY: u64 = 8 << 20;
/// How often a call can be made again: each time multiplies the load of a service in trouble.
const ATTEMPTS: u32 = 10;
/// The base of the backoff unless the document says otherwise, in milliseconds.
const BACKOFF: u64 = 25;
/// The name of an element unless the document gives another.
const ITEM: &str = "item";
/// Methods that ask for something again without harm (RFC 9110, section 9.2.2).
const IDEMPOTENT: [&str; 5] = ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"];
/// Headers that are the host's to write, or would make an answer something else than plain JSON.
const NOT_TO_SET: [&str; 12] = [
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];
/// Words for what makes a call worth repeating.
const CONDITIONS: [&str; 8] = [
    "connect-failure",
    "conflict",
    "gateway-error",
    "rate-limited",
    "refused-stream",
    "reset",
    "reset-before-request",
    "server-error",
];

impl Compiler<'_> {
    pub(super) fn service_call(&self, call: &document::Call, place: &Place, report: &mut Report<'_>) -> Compiled {
        let method = method(call, place, report);
        let destination = self.destination(call, place, report);
        let after = self.after(call, place, report);
        let limits = self.limits(call, place, report);
        let pass_on = statuses(&call.pass_on, &place.key("passOn"), report);
        let retries = retries(call, &method, place, report);
        let cache = cache(call, &method, place, report);
        let pass = passed(call, place, report);
        let mut resolver = Resolver::new(&self.names, report);
        let when = call.when.as_ref().map(|when| self.condition(when, &place.key("when"), &mut resolver));
        let each = each(call, place, &mut resolver);
        let path = path(call.path.as_deref(), place, &mut resolver);
        let query = query(call, place, &mut resolver);
        let headers = headers(&call.headers, &place.key("headers"), &NOT_TO_SET, &mut resolver);
        let body_place = place.key("body");
        let body = call.body.as_ref().map(|body| node(body, IN_CALLS, 0, &body_place, &mut resolver).0);
        let (uses, nodes) = (std::mem::take(&mut resolver.uses), resolver.nodes);
        check_size(nodes, &body_place, report);
        let required = !call.optional && call.default.is_none();
        let may_be_absent = call.default.is_none() && (call.optional || when.is_some());
        let service = ServiceCall {
            destination,
            method,
            path: Path::Template(path),
            query,
            headers,
            pass,
            body,
            each,
            when,
            required,
            limits,
            pass_on,
            retries,
            cache,
            body_use: Body::Unused,
        };
        Compiled { call: Call::Service(Box::new(service)), uses, after, may_be_absent }
    }

    fn destination(&self, call: &document::Call, place: &Place, report: &mut Report<'_>) -> Destination {
        let Some(written) = &call.service else {
            let help = "write `service: NAME` or `service: NAME:PORT`";
            report.error(place, code::SERVICE, "the call names no service", help);
            return Destination::new("");
        };
        let (name, port) = match written.split_once(':') {
            Some((name, port)) => (name, port.parse::<u16>().ok().filter(|port| *port > 0)),
            None => (written.as_str(), Some(80)),
        };
        if !host::is_valid(name, false) || port.is_none() {
            let help = "write the service's host name, with a port from 1 to 65535 if it has one: `NAME:PORT`";
            report.error(&place.key("service"), code::SERVICE, format!("`{written}` is not a service"), help);
        }
        let mut destination = Destination::new(host::expand(name, self.namespace, self.context.environment));
        destination.port = port.filter(|_| written.contains(':'));
        destination.subset.clone_from(&call.subset);
        destination
    }

    pub(super) fn after(&self, call: &document::Call, place: &Place, report: &mut Report<'_>) -> Vec<usize> {
        let place = place.key("after");
        let named = |(index, name): (usize, &String)| self.call_named(name, &place.index(index), report);
        call.after.iter().enumerate().filter_map(named).collect()
    }

    fn limits(&self, call: &document::Call, place: &Place, report: &mut Report<'_>) -> CallLimits {
        if call.max_body.is_some_and(|max| max == 0 || max > LARGEST_BODY) {
            let message = format!("a body of 1 to {LARGEST_BODY} bytes can be taken in");
            report.error(&place.key("maxBody"), code::LIMIT, message, "leave it out for the operator's default");
        }
        let deadline = duration(call.deadline.as_deref(), &place.key("deadline"), report);
        let accept = statuses(&call.accept, &place.key("accept"), report);
        CallLimits {
            deadline: deadline.unwrap_or(self.context.settings.call_deadline),
            max_part: call.max_body.unwrap_or(self.context.settings.max_part),
            accept: if accept.is_empty() { vec![(200, 299)] } else { accept },
        }
    }
}

fn method(call: &document::Call, place: &Place, report: &mut Report<'_>) -> String {
    let method = call.method.clone().unwrap_or_else(|| "GET".to_owned());
    if method == "CONNECT" || method.is_empty() || !method.bytes().all(|byte| byte.is_ascii_uppercase()) {
        let help = did_you_mean(&method.to_ascii_uppercase(), ["GET", "POST", "PUT", "PATCH", "DELETE"]);
        report.error(&place.key("method"), code::METHOD, format!("`{method}` cannot be sent"), help);
    }
    method
}

fn each(call: &document::Call, place: &Place, resolver: &mut Resolver<'_, '_, '_>) -> Option<Each> {
    let Some(written) = &call.for_each else {
        let alone = [("as", call.r#as.is_some()), ("limit", call.limit.is_some()), ("concurrency", call.concurrency.is_some())];
        for (name, _) in alone.into_iter().filter(|(_, is_there)| *is_there) {
            let help = "write `forEach: \"{CALL.body.LIST}\"` beside it";
            resolver.report.error(&place.key(name), code::FIELDS, format!("`{name}` needs a `forEach`"), help);
        }
        return None;
    };
    let (over, element) = list(written, &place.key("forEach"), resolver);
    let limit = call.limit.unwrap_or(ITEMS);
    if limit == 0 || limit > MOST_ITEMS {
        let message = format!("a call can be made for 1 to {MOST_ITEMS} elements");
        resolver.report.error(&place.key("limit"), code::LIMIT, message, "ask the service for several at once instead");
    }
    if call.concurrency == Some(0) {
        resolver.report.error(&place.key("concurrency"), code::LIMIT, "no call at once is no call", "write 1 or more");
    }
    let name = call.r#as.clone().unwrap_or_else(|| ITEM.to_owned());
    if resolver.names.calls.iter().any(|call| call.name == name) || name == "request" {
        let message = format!("`{name}` means something else already");
        resolver.report.error(&place.key("as"), code::NAME, message, "name the element otherwise with `as`");
    }
    resolver.items.push((name, element));
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Some(Each { over, limit, concurrency: call.concurrency })
}

/// The one value of a text that has to be a list, and what is known of its elements.
fn list(written: &str, place: &Place, resolver: &mut Resolver<'_, '_, '_>) -> (Chain, Shape) {
    let mut pieces = resolver.parse(written, place);
    let nothing = Chain { operands: Vec::new(), written: written.to_owned() };
    match (pieces.pop(), pieces.is_empty()) {
        (Some(Written::Value(operands, written)), true) => {
            let (chain, shape) = resolver.chain(operands, written, false, place);
            if shape.element().is_none() {
                let help = "name a list, such as `{order.body.items}`";
                resolver.report.error(place, code::NOT_A_LIST, "this is not a list", help);
            }
            (chain, shape.element().unwrap_or(Shape::Any))
        }
        // It could not be read, which has been said.
        (None, _) if !written.is_empty() => (nothing, Shape::Any),
        _ => {
            let help = "write one value in braces and nothing else, such as `\"{order.body.items}\"`";
            resolver.report.error(place, code::NOT_A_LIST, "this is text, not a list", help);
            (nothing, Shape::Any)
        }
    }
}

fn path(written: Option<&str>, place: &Place, resolver: &mut Resolver<'_, '_, '_>) -> Text {
    let Some(written) = written else {
        let help = "write `path: /orders/{request.path.id}`";
        resolver.report.error(place, code::PATH, "the call has no path", help);
        return Text(Vec::new());
    };
    let place = place.key("path");
    let before = resolver.report.errors();
    let text = resolver.text(written, &place);
    if resolver.report.errors() > before {
        return text;
    }
    let literal = |piece: &Piece| if let Piece::Literal(text) = piece { text.clone() } else { "{}".to_owned() };
    let whole: String = text.0.iter().map(literal).collect();
    let problem = if !whole.starts_with('/') {
        Some("a path begins with a `/`")
    } else if whole.contains(['?', '#']) {
        Some("a path holds neither query nor fragment: parameters stand under `query`")
    } else if !whole.replace("{}", "").bytes().all(percent::is_path_byte) {
        Some("a path is percent-encoded; only the values in it are encoded by themselves")
    } else if whole.split('/').any(|segment| segment == "." || segment == "..") {
        Some("a path has no dot segments")
    } else {
        None
    };
    if let Some(problem) = problem {
        let message = format!("`{written}` is not the path of a call: {problem}");
        resolver.report.error(&place, code::PATH, message, "write it as it stands in a request line");
    }
    text
}

fn query(call: &document::Call, place: &Place, resolver: &mut Resolver<'_, '_, '_>) -> Vec<(String, Node)> {
    let place = place.key("query");
    let parameter = |(name, value): &(String, Value)| {
        let mut encoded = String::new();
        percent::encode(name, &mut encoded);
        (encoded, node(value, IN_CALLS, 0, &place.key(name), resolver).0)
    };
    call.query.into_iter().map(parameter).collect()
}

/// Headers with their templates; those in `refused` are not the author's to set.
pub(super) fn headers(
    written: &document::Ordered<String>,
    place: &Place,
    refused: &[&str],
    resolver: &mut Resolver<'_, '_, '_>,
) -> Vec<(String, Text)> {
    let mut headers = Vec::with_capacity(written.0.len());
    for (name, value) in written {
        let place = place.key(name);
        let lower = name.to_ascii_lowercase();
        check_name(&lower, &place, refused, resolver.report);
        let text = resolver.text(value, &place);
        let broken = |piece: &Piece| matches!(piece, Piece::Literal(text) if text.bytes().any(is_control));
        if text.0.iter().any(broken) {
            let help = "a header's value is one line";
            resolver.report.error(&place, code::HEADER_VALUE, "the value has control characters", help);
        }
        headers.push((lower, text));
    }
    headers
}

fn check_name(name: &str, place: &Place, refused: &[&str], report: &mut Report<'_>) {
    if !matching::is_header_name(name) {
        let help = "a header's name has letters, digits and dashes";
        report.error(place, code::HEADER_NAME, format!("`{name}` is not the name of a header"), help);
    } else if refused.contains(&name) {
        let help = "leave it out: framing and connections belong to the host";
        report.error(place, code::HEADER_NAME, format!("`{name}` is not a composition's to set"), help);
    }
}

/// Whether a byte breaks a header's value (RFC 9110, section 5.5).
pub fn is_control(byte: u8) -> bool {
    (byte < 0x20 && byte != b'\t') || byte == 0x7f
}

fn passed(call: &document::Call, place: &Place, report: &mut Report<'_>) -> PassedHeaders {
    if call.pass_headers == ["*"] {
        return PassedHeaders::All;
    }
    let place = place.key("passHeaders");
    for (index, name) in call.pass_headers.iter().enumerate() {
        check_name(&name.to_ascii_lowercase(), &place.index(index), &NOT_TO_SET, report);
    }
    PassedHeaders::Named(call.pass_headers.iter().map(|name| name.to_ascii_lowercase()).collect())
}

fn retries(call: &document::Call, method: &str, place: &Place, report: &mut Report<'_>) -> Option<RetryPolicy> {
    let written = call.retries.as_ref()?;
    let place = place.key("retries");
    if written.attempts == 0 || written.attempts > ATTEMPTS {
        let message = format!("a call can be made again 1 to {ATTEMPTS} times");
        report.error(&place.key("attempts"), code::RETRIES, message, "leave `retries` out to make it once");
    }
    let mut policy = RetryPolicy::new(written.attempts);
    for (index, condition) in written.on.iter().enumerate() {
        match retry_condition(condition) {
            Some(condition) => policy.conditions.push(condition),
            None => {
                let help = match condition {
                    Value::String(word) => did_you_mean(word, CONDITIONS),
                    _ => "write a status, or a word such as `connect-failure`".to_owned(),
                };
                let message = format!("{condition} is not a reason to make a call again");
                report.error(&place.key("on").index(index), code::RETRIES, message, help);
            }
        }
    }
    if written.on.is_empty() {
        policy.conditions = vec![RetryCondition::ConnectFailure, RetryCondition::RefusedStream];
        if IDEMPOTENT.contains(&method) {
            policy.conditions.extend([RetryCondition::Reset, RetryCondition::GatewayError]);
        }
    }
    policy.per_try_timeout = duration(written.per_try.as_deref(), &place.key("perTry"), report);
    policy.backoff = duration(written.backoff.as_deref(), &place.key("backoff"), report).unwrap_or(BACKOFF);
    Some(policy)
}

fn retry_condition(written: &Value) -> Option<RetryCondition> {
    match written {
        Value::Number(status) => {
            let status = u16::try_from(status.as_u64()?).ok().filter(|status| (400..600).contains(status))?;
            Some(RetryCondition::Status(status))
        }
        Value::String(word) => Some(match word.as_str() {
            "connect-failure" => RetryCondition::ConnectFailure,
            "conflict" => RetryCondition::Conflict,
            "gateway-error" => RetryCondition::GatewayError,
            "rate-limited" => RetryCondition::RateLimited,
            "refused-stream" => RetryCondition::RefusedStream,
            "reset" => RetryCondition::Reset,
            "reset-before-request" => RetryCondition::ResetBeforeRequest,
            "server-error" => RetryCondition::ServerError,
            _ => return None,
        }),
        _ => None,
    }
}

fn cache(call: &document::Call, method: &str, place: &Place, report: &mut Report<'_>) -> Option<CachePolicy> {
    let written = call.cache.as_ref()?;
    let place = place.key("cache");
    if method != "GET" || call.body.is_some() {
        let message = "only the answers of a GET without a body are kept";
        report.error(&place, code::CACHE, message, "leave `cache` out");
    }
    let mut milliseconds = |text: &Option<String>, key: &str| duration(text.as_deref(), &place.key(key), report);
    Some(CachePolicy {
        default_lifetime: milliseconds(&written.r#for, "for"),
        stale_while_revalidate: milliseconds(&written.stale_while_revalidate, "staleWhileRevalidate").unwrap_or(0),
        stale_if_error: milliseconds(&written.stale_if_error, "staleIfError").unwrap_or(0),
    })
}
