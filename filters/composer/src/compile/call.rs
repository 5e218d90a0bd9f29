//! Calls of services.

use super::status::{duration, statuses};
use super::{Compiled, Compiler, IN_CALLS, check_size, header, policy};
use crate::code;
use crate::composition::{Call, Each, Path, ServiceCall};
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
use sluicegate_sdk::Destination;

/// The elements that a call is made for unless it says otherwise: a page of results.
const ITEMS: u32 = 16;
/// The most elements that a call can be made for: the calls that the host makes for one plan.
const MOST_ITEMS: u32 = 64;
/// The largest body that a call can ask for, in bytes: what the host takes in.
const LARGEST_BODY: u64 = 8 << 20;
/// The name of an element unless the document gives another.
const ITEM: &str = "item";
impl Compiler<'_> {
    pub(super) fn service_call(&self, call: &document::Call, place: &Place, report: &mut Report<'_>) -> Compiled {
        let method = method(call, place, report);
        let destination = self.destination(call, place, report);
        let after = self.after(call, place, report);
        let limits = self.limits(call, place, report);
        let pass_on = statuses(&call.pass_on, &place.key("passOn"), report);
        let retries = policy::retries(call, &method, place, report);
        let cache = policy::cache(call, &method, place, report);
        let pass = header::passed(call, place, report);
        let mut resolver = Resolver::new(&self.names, report);
        let when = call.when.as_ref().map(|when| self.condition(when, &place.key("when"), &mut resolver));
        let each = each(call, place, &mut resolver);
        let path = path(call.path.as_deref(), place, &mut resolver);
        let query = query(call, place, &mut resolver);
        let headers = header::headers(&call.headers, &place.key("headers"), &header::OF_CALLS, &mut resolver);
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
        let mut destination = Destination::new(self.context.environment.full_name(name, self.namespace));
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
        let alone =
            [("as", call.r#as.is_some()), ("limit", call.limit.is_some()), ("concurrency", call.concurrency.is_some())];
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
