//! Requests that become events.

use super::checks::{EventSpec, check_extension, check_method, making, milliseconds};
use super::subscription;
use crate::bridging::template::Scope;
use crate::bridging::{Reply, RequestBridge};
use crate::config::destination::Reference;
use crate::config::reader::{LONGEST_KEPT, LONGEST_WAIT, Reader};
use crate::config::{Action, Answering};
use serde::Deserialize;
use sluicegate_sdk::Resource;

/// How long a request waits for its reply that does not say: as long as a delivery may take.
const TIMEOUT: u64 = 30_000;
/// What carries a body, and so data.
const METHODS: [&str; 3] = ["POST", "PUT", "PATCH"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestSpec {
    host: String,
    path: Option<String>,
    methods: Option<Vec<String>>,
    to: Reference,
    event: EventSpec,
    reply: Option<ReplySpec>,
    acknowledge: Option<Acknowledge>,
}

/// What the answer waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Acknowledge {
    Stored,
    None,
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

pub(super) fn request(reader: &mut Reader<'_>, resource: &Resource, spec: &RequestSpec) {
    let host = host_of(reader, (resource, "/spec/request/host"), &spec.host);
    let path = path_of(reader, (resource, "/spec/request/path"), spec.path.as_deref());
    let methods = spec.methods.clone().unwrap_or_else(|| METHODS.map(str::to_owned).to_vec());
    for (index, method) in methods.iter().enumerate() {
        check_method(reader, (resource, &format!("/spec/request/methods/{index}")), method);
    }
    if spec.event.kind.is_none() || spec.event.source.is_none() {
        let message = "an event of a request needs a `type` and a `source`";
        let help = "write `type: com.example.order.placed` and `source: /orders`";
        reader.error((resource, "/spec/request/event"), "SG0447", message, help);
    }
    let acknowledged = spec.acknowledge != Some(Acknowledge::None);
    if !acknowledged && spec.reply.is_some() {
        let message = "an answer that an event brings waits for that event to be stored";
        let help = "remove `acknowledge`, or `reply`";
        reader.error((resource, "/spec/request/acknowledge"), "SG0450", message, help);
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
        acknowledged,
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

/// A host of requests, in lower case.
pub(super) fn host_of(reader: &mut Reader<'_>, at: (&Resource, &str), written: &str) -> String {
    let host = written.to_ascii_lowercase();
    if host.is_empty() || !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)) {
        let message = format!("{written:?} is not a host");
        reader.error(at, "SG0443", &message, "write a name such as orders.example");
    }
    host
}

/// A path of requests; the root when there is none.
pub(super) fn path_of(reader: &mut Reader<'_>, at: (&Resource, &str), written: Option<&str>) -> String {
    let path = written.unwrap_or("/").to_owned();
    if !path.starts_with('/') || path.contains(['?', '#', ' ']) {
        let message = format!("{path:?} is not a path");
        reader.error(at, "SG0443", &message, "write /PATH, without a query");
    }
    path
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
    let within = |reader: &mut Reader<'_>, field: &str, given: Option<&str>, most: (u64, &str)| {
        let at = (resource, &*format!("/spec/request/reply/{field}"));
        milliseconds(reader, at, given).map(|given| reader.at_most(at, given, most))
    };
    let timeout = within(reader, "timeout", reply.timeout.as_deref(), LONGEST_WAIT);
    let keep = within(reader, "keep", reply.keep.as_deref(), LONGEST_KEPT);
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
