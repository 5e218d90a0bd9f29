//! Sequence and Parallel (`flows.knative.dev/v1`), as the channels and subscriptions that the host makes of them too.

use super::channel::{Template, check_template};
use super::delivery::DeliverySpec;
use super::destination::Destination;
use super::reader::Reader;
use super::{Action, Subscription};
use crate::address::{branch_channel, parallel_channel, step_channel};
use crate::filter::Filters;
use serde::Deserialize;
use serde_json::Value;
use sluicegate_sdk::Resource;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SequenceSpec {
    #[serde(default)]
    steps: Vec<Step>,
    reply: Option<Destination>,
    channel_template: Option<Template>,
}

#[derive(Debug, Deserialize)]
struct Step {
    #[serde(flatten)]
    destination: Destination,
    delivery: Option<DeliverySpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ParallelSpec {
    #[serde(default)]
    branches: Vec<Branch>,
    reply: Option<Destination>,
    channel_template: Option<Template>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Branch {
    filter: Option<Destination>,
    subscriber: Destination,
    reply: Option<Destination>,
    delivery: Option<DeliverySpec>,
    #[allow(dead_code, reason = "Knative fills it in and it is ignored")]
    channel: Option<Value>,
}

pub(super) fn sequence(reader: &mut Reader<'_>, resource: &Resource) {
    let Some(spec) = resource.spec::<SequenceSpec>(reader.diagnostics) else { return };
    check_template(reader, resource, "/spec/channelTemplate", spec.channel_template.as_ref());
    if spec.steps.is_empty() {
        let message = "a Sequence needs at least one step";
        return reader.error((resource, "/spec/steps"), "SG0433", message, "add a destination to `steps`");
    }
    let reply = spec.reply.as_ref().and_then(|reply| reader.resolve((resource, "/spec/reply"), reply));
    let count = spec.steps.len();
    for (index, step) in spec.steps.iter().enumerate() {
        let pointer = format!("/spec/steps/{index}");
        let uri = reader.resolve((resource, &pointer), &step.destination).unwrap_or_default();
        reader.check_delivery(resource, &format!("{pointer}/delivery"), step.delivery.as_ref());
        let following = if index + 1 < count { Some(format!("step {}", index + 2)) } else { reply.clone() };
        let goes_to = following.map_or_else(String::new, |following| format!(", reply {following}"));
        add(reader, resource, &step_channel(&resource.name, index), format!("step {}: {uri}{goes_to}", index + 1));
    }
}

pub(super) fn parallel(reader: &mut Reader<'_>, resource: &Resource) {
    let Some(spec) = resource.spec::<ParallelSpec>(reader.diagnostics) else { return };
    check_template(reader, resource, "/spec/channelTemplate", spec.channel_template.as_ref());
    if spec.branches.is_empty() {
        let message = "a Parallel needs at least one branch";
        return reader.error((resource, "/spec/branches"), "SG0434", message, "add a `subscriber` to `branches`");
    }
    if let Some(reply) = &spec.reply {
        reader.resolve((resource, "/spec/reply"), reply);
    }
    let entrance = parallel_channel(&resource.name);
    reader.add(resource, &entrance, None);
    for (index, branch) in spec.branches.iter().enumerate() {
        let pointer = format!("/spec/branches/{index}");
        let mut resolve = |field: &str, destination: &Destination| {
            reader.resolve((resource, &format!("{pointer}/{field}")), destination).unwrap_or_default()
        };
        let filter = branch.filter.as_ref().map(|filter| resolve("filter", filter));
        let subscriber = resolve("subscriber", &branch.subscriber);
        if let Some(reply) = &branch.reply {
            resolve("reply", reply);
        }
        reader.check_delivery(resource, &format!("{pointer}/delivery"), branch.delivery.as_ref());
        let goes_to = filter.map_or_else(|| "everything".to_owned(), |filter| format!("what {filter} replies"));
        let branch_name = branch_channel(&resource.name, index);
        let name = format!("{entrance}-filter-{index}");
        subscribe(reader, resource, &entrance, &name, format!("branch {}: {goes_to}", index + 1));
        add(reader, resource, &branch_name, format!("branch {}: {subscriber}", index + 1));
    }
}

/// A channel with the one subscription that has its name.
fn add(reader: &mut Reader<'_>, resource: &Resource, name: &str, goes_to: String) {
    reader.add(resource, name, None);
    subscribe(reader, resource, name, name, goes_to);
}

fn subscribe(reader: &mut Reader<'_>, resource: &Resource, channel: &str, name: &str, goes_to: String) {
    let Some(index) = reader.position(&resource.namespace, channel) else { return };
    let subscription = Subscription {
        name: format!("{}/{name}", resource.namespace),
        kind: resource.kind.clone(),
        origin: resource.origin.clone(),
        goes_to,
        receiver: String::new(),
        filters: Filters::default(),
        action: Action::Deliver,
    };
    reader.subscribe(resource, index, subscription);
}
