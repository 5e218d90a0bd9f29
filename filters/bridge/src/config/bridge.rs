//! EventBridge (`sluicegate.dev/v1alpha1`).

use super::delivery::{DURATION_HELP, DeliverySpec};
use super::destination::{Destination, Reference};
use super::filter;
use super::reader::Reader;
use super::{Action, Answering, Channel, Subscription};
use crate::bridging::template::{Scope, Template};
use crate::bridging::{Emit, Making, Reply, RequestBridge, Send};
use crate::{attribute, duration};
use serde::Deserialize;
use serde_json::Value;
use sluicegate_sdk::Resource;
use std::collections::BTreeMap;

/// What the subscription of a bridge is called, after its own name.
const SUBSCRIPTION: &str = "-event-bridge";
/// How long a request waits for its reply that does not say: as long as a delivery may take.
const TIMEOUT: u64 = 30_000;
/// What carries a body, and so data.
const METHODS: [&str; 3] = ["POST", "PUT", "PATCH"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BridgeSpec {
    request: Option<RequestSpec>,
    events: Option<EventsSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestSpec {
    host: String,
    path: Option<String>,
    methods: Option<Vec<String>>,
    to: Reference,
    event: EventSpec,
    reply: Option<ReplySpec>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventSpec {
    #[serde(rename = "type")]
    kind: Option<String>,
    source: Option<String>,
    subject: Option<String>,
    key: Option<String>,
    #[serde(default)]
    extensions: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ReplySpec {
    from: Option<Reference>,
    correlation_attribute: Option<String>,
    reply_attribute: Option<String>,
    timeout: Option<String>,
    keep: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsSpec {
    from: Reference,
    filters: Option<Vec<Value>>,
    send: Option<SendSpec>,
    emit: Option<EmitSpec>,
    reply: Option<Destination>,
    delivery: Option<DeliverySpec>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SendSpec {
    to: Destination,
    method: Option<String>,
    path: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EmitSpec {
    to: Reference,
    split: Option<String>,
    event: Option<EventSpec>,
    #[serde(default)]
    remove: Vec<String>,
}

pub(super) fn bridge(reader: &mut Reader<'_>, resource: &Resource) {
    let Some(spec) = resource.spec::<BridgeSpec>(reader.diagnostics) else { return };
    match (&spec.request, &spec.events) {
        (Some(spec), None) => request(reader, resource, spec),
        (None, Some(spec)) => events(reader, resource, spec),
        _ => {
            let message = "a bridge is either for requests or for events";
            let help = "keep one of `request` and `events`; write a second EventBridge for the other";
            reader.error((resource, "/spec"), "SG0440", message, help);
        }
    }
}

fn request(reader: &mut Reader<'_>, resource: &Resource, spec: &RequestSpec) {
    let host = spec.host.to_ascii_lowercase();
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        let message = format!("{:?} is not a host", spec.host);
        reader.error((resource, "/spec/request/host"), "SG0443", &message, "write a name such as orders.example");
    }
    let path = spec.path.clone().unwrap_or_else(|| "/".to_owned());
    if !path.starts_with('/') || path.contains(['?', '#', ' ']) {
        let message = format!("{path:?} is not a path");
        reader.error((resource, "/spec/request/path"), "SG0443", &message, "write /PATH, without a query");
    }
    let methods = spec.methods.clone().unwrap_or_else(|| METHODS.map(str::to_owned).to_vec());
    for (index, method) in methods.iter().enumerate() {
        check_method(reader, (resource, &format!("/spec/request/methods/{index}")), method);
    }
    if spec.event.kind.is_none() || spec.event.source.is_none() {
        let message = "an event of a request needs a `type` and a `source`";
        let help = "write `type: com.example.order.placed` and `source: /orders`";
        reader.error((resource, "/spec/request/event"), "SG0447", message, help);
    }
    let making = making(reader, (resource, "/spec/request/event"), &spec.event, Scope::Request);
    let reply = spec.reply.as_ref().and_then(|reply| replied(reader, resource, spec, reply));
    let Some(index) = reader.channel((resource, "/spec/request/to"), &spec.to) else { return };
    let Some(channel) = reader.configuration.channels.get(index) else { return };
    let bridge = RequestBridge {
        name: format!("{}/{}", resource.namespace, resource.name),
        origin: resource.origin.clone(),
        host,
        path,
        methods,
        channel: channel.full_name(),
        is_broker: channel.is_broker(),
        making,
        reply,
    };
    let same = |known: &&RequestBridge| (&known.host, &known.path) == (&bridge.host, &bridge.path);
    if let Some(known) = reader.configuration.bridges.iter().find(same).map(|known| known.origin.clone()) {
        let message = format!("another bridge takes requests to {}{} already, at {known}", bridge.host, bridge.path);
        let help = "give it another host or path";
        return reader.error((resource, "/spec/request/path"), "SG0448", &message, help);
    }
    reader.configuration.bridges.push(bridge);
    // The longest path comes first, as it says most.
    reader.configuration.bridges.sort_by_key(|bridge| std::cmp::Reverse(bridge.path.len()));
}

/// Looks for replies among the events of a channel.
fn replied(reader: &mut Reader<'_>, resource: &Resource, spec: &RequestSpec, reply: &ReplySpec) -> Option<Reply> {
    let name = |reader: &mut Reader<'_>, field: &str, given: &Option<String>, default: &str| {
        let name = given.clone().unwrap_or_else(|| default.to_owned());
        check_extension(reader, (resource, &format!("/spec/request/reply/{field}")), &name);
        name
    };
    let correlation = name(reader, "correlationAttribute", &reply.correlation_attribute, "correlationid");
    let repeated = name(reader, "replyAttribute", &reply.reply_attribute, "replyid");
    let timeout = milliseconds(reader, (resource, "/spec/request/reply/timeout"), reply.timeout.as_deref());
    let keep = milliseconds(reader, (resource, "/spec/request/reply/keep"), reply.keep.as_deref());
    let (pointer, from) = match &reply.from {
        Some(from) => ("/spec/request/reply/from", from),
        None => ("/spec/request/to", &spec.to),
    };
    let index = reader.channel((resource, pointer), from)?;
    let prefix = format!("event-bridge {}/{} ", resource.namespace, resource.name);
    let goes_to = format!("answers requests where {repeated} names one");
    let action = Action::Answer(Answering { prefix: prefix.clone(), attribute: repeated, unwrap: true });
    reader.subscribe(resource, index, subscription(resource, goes_to, action));
    Some(Reply { correlation, prefix, timeout: timeout.unwrap_or(TIMEOUT), keep })
}

fn events(reader: &mut Reader<'_>, resource: &Resource, spec: &EventsSpec) {
    let filters = spec.filters.as_deref().unwrap_or_default();
    let filters = filter::filters(reader, (resource, "/spec/events/filters"), filters);
    reader.check_delivery(resource, "/spec/events/delivery", spec.delivery.as_ref());
    if let Some(reply) = &spec.reply {
        reader.resolve((resource, "/spec/events/reply"), reply);
        if spec.emit.is_some() {
            let message = "nobody replies to events that are emitted";
            reader.warning((resource, "/spec/events/reply"), "SG0449", message, "remove `reply`");
        }
    }
    let (goes_to, action) = match (&spec.send, &spec.emit) {
        (Some(send), None) => {
            let uri = reader.resolve((resource, "/spec/events/send/to"), &send.to).unwrap_or_default();
            (format!("becomes a request to {uri}"), Action::Send(Box::new(sent(reader, resource, send))))
        }
        (None, Some(emit)) => {
            let emit = emitted(reader, resource, emit);
            (format!("becomes events of {}", emit.channel), Action::Emit(Box::new(emit)))
        }
        _ => {
            let message = "events are either sent or emitted";
            let help = "keep one of `send` (a request) and `emit` (other events)";
            return reader.error((resource, "/spec/events"), "SG0441", message, help);
        }
    };
    let Some(index) = reader.channel((resource, "/spec/events/from"), &spec.from) else { return };
    reader.subscribe(resource, index, Subscription { filters, ..subscription(resource, goes_to, action) });
}

fn subscription(resource: &Resource, goes_to: String, action: Action) -> Subscription {
    Subscription {
        name: format!("{}/{}{SUBSCRIPTION}", resource.namespace, resource.name),
        kind: resource.kind.clone(),
        origin: resource.origin.clone(),
        goes_to,
        receiver: String::new(),
        filters: crate::filter::Filters::default(),
        action,
    }
}

fn sent(reader: &mut Reader<'_>, resource: &Resource, spec: &SendSpec) -> Send {
    if let Some(method) = &spec.method {
        check_method(reader, (resource, "/spec/events/send/method"), method);
    }
    if spec.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
        let message = "a path begins with `/`";
        reader.error((resource, "/spec/events/send/path"), "SG0443", message, "write /PATH");
    }
    let path = template(reader, (resource, "/spec/events/send/path"), spec.path.as_deref(), Scope::Event);
    let mut headers = Vec::new();
    for (name, text) in &spec.headers {
        let pointer = format!("/spec/events/send/headers/{}", name.replace('~', "~0").replace('/', "~1"));
        if !is_header(name) {
            let message = format!("{name:?} is not the name of a header that a filter may set");
            let help = "framing and connection headers are the proxy's own, and so is Host";
            reader.error((resource, &pointer), "SG0445", &message, help);
        }
        let text = template(reader, (resource, &pointer), Some(text), Scope::Event);
        headers.extend(text.map(|text| (name.to_ascii_lowercase(), text)));
    }
    Send { method: spec.method.clone(), path, headers }
}

fn emitted(reader: &mut Reader<'_>, resource: &Resource, spec: &EmitSpec) -> Emit {
    if spec.split.as_ref().is_some_and(|pointer| !pointer.is_empty() && !pointer.starts_with('/')) {
        let message = "`split` is a JSON pointer";
        let help = "write /items for the member `items`, or \"\" where the data itself is the array";
        reader.error((resource, "/spec/events/emit/split"), "SG0446", message, help);
    }
    let event = spec.event.as_ref();
    let making = event.map(|event| making(reader, (resource, "/spec/events/emit/event"), event, Scope::Event));
    for (index, name) in spec.remove.iter().enumerate() {
        check_extension(reader, (resource, &format!("/spec/events/emit/remove/{index}")), name);
    }
    let channel = reader.channel((resource, "/spec/events/emit/to"), &spec.to);
    let channel = channel.and_then(|index| reader.configuration.channels.get(index));
    Emit {
        channel: channel.map(Channel::full_name).unwrap_or_default(),
        is_broker: channel.is_some_and(Channel::is_broker),
        split: spec.split.clone(),
        making: making.unwrap_or_default(),
        remove: spec.remove.clone(),
    }
}

fn making(reader: &mut Reader<'_>, at: (&Resource, &str), spec: &EventSpec, scope: Scope) -> Making {
    let mut field = |name: &str, text: &Option<String>| {
        template(reader, (at.0, &format!("{}/{name}", at.1)), text.as_deref(), scope)
    };
    let (kind, source) = (field("type", &spec.kind), field("source", &spec.source));
    let (subject, key) = (field("subject", &spec.subject), field("key", &spec.key));
    let mut extensions = Vec::new();
    for (name, text) in &spec.extensions {
        let pointer = format!("{}/extensions/{}", at.1, name.replace('~', "~0").replace('/', "~1"));
        check_extension(reader, (at.0, &pointer), name);
        let text = template(reader, (at.0, &pointer), Some(text), scope);
        extensions.extend(text.map(|text| (name.clone(), text)));
    }
    Making { kind, source, subject, key, extensions }
}

fn template(reader: &mut Reader<'_>, at: (&Resource, &str), text: Option<&str>, scope: Scope) -> Option<Template> {
    match Template::parse(text?, scope) {
        Ok(template) => Some(template),
        Err(reason) => {
            reader.error(at, "SG0442", &reason, "values stand in braces, such as order.{path.2}");
            None
        }
    }
}

fn milliseconds(reader: &mut Reader<'_>, at: (&Resource, &str), text: Option<&str>) -> Option<u64> {
    let text = text?;
    let read = duration::milliseconds(text).filter(|milliseconds| *milliseconds > 0);
    if read.is_none() {
        let message = format!("{text:?} is not an ISO-8601 duration longer than nothing");
        reader.error(at, "SG0413", &message, DURATION_HELP);
    }
    read
}

fn check_method(reader: &mut Reader<'_>, at: (&Resource, &str), method: &str) {
    let token = !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'-');
    if !token || method == "CONNECT" {
        reader.error(at, "SG0444", &format!("{method:?} is not a method"), "write it in capitals, such as POST");
    }
}

fn check_extension(reader: &mut Reader<'_>, at: (&Resource, &str), name: &str) {
    if !attribute::is_extension(name) {
        let message = format!("{name:?} is not a name that an extension may have");
        let help = "names have a-z and 0-9 alone, and are not those of other attributes";
        reader.error(at, "SG0431", &message, help);
    }
}

/// Whether a bridge may set a header: what frames a message and leads it is the host's.
fn is_header(name: &str) -> bool {
    const HOSTS: [&str; 9] = [
        "host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "te", "trailer",
        "proxy-connection",
    ];
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token) && !HOSTS.contains(&name.to_ascii_lowercase().as_str())
}
