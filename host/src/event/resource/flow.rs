//! Sequences and parallels, as the channels and subscriptions that Knative makes of them.

use super::delivery::DeliveryFields;
use super::destination::{DestinationFields, branch_channel, parallel_channel, step_channel};
use super::table::{Field, Subscribing, Table};
use super::{Document, full_name};
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
struct SequenceFields {
    #[serde(default)]
    steps: Vec<Step>,
    reply: Option<DestinationFields>,
}

#[derive(Debug, Deserialize)]
struct Step {
    #[serde(flatten)]
    destination: DestinationFields,
    delivery: Option<DeliveryFields>,
}

#[derive(Debug, Default, Deserialize)]
struct ParallelFields {
    #[serde(default)]
    branches: Vec<Branch>,
    reply: Option<DestinationFields>,
}

#[derive(Debug, Deserialize)]
struct Branch {
    filter: Option<DestinationFields>,
    subscriber: DestinationFields,
    reply: Option<DestinationFields>,
    delivery: Option<DeliveryFields>,
}

/// A channel before each step; what a step replies goes into the next one's channel, and in the end to `reply`.
pub(super) fn sequence(table: &mut Table<'_>, document: &Document<'_>) {
    let Some(fields) = table.read::<SequenceFields>(document) else { return };
    if fields.steps.is_empty() {
        return table.refuse(document, ("spec.steps", "a Sequence needs at least one step".to_owned()));
    }
    let count = fields.steps.len();
    for (index, step) in fields.steps.into_iter().enumerate() {
        let channel = step_channel(document.name, index);
        table.channel(document, &channel, None);
        let following = (index + 1 < count).then(|| Field::Channel(step_channel(document.name, index + 1)));
        let subscribing = Subscribing {
            name: channel.clone(),
            of_broker: false,
            subscriber: Some(Field::Written("spec.steps", &step.destination)),
            reply: following.or(fields.reply.as_ref().map(|reply| Field::Written("spec.reply", reply))),
            delivery: step.delivery,
        };
        table.subscribe(document, &full_name(document.namespace, &channel), subscribing);
    }
}

/// A channel that every branch's filter subscribes to, and one for each branch behind its filter.
pub(super) fn parallel(table: &mut Table<'_>, document: &Document<'_>) {
    let Some(fields) = table.read::<ParallelFields>(document) else { return };
    if fields.branches.is_empty() {
        return table.refuse(document, ("spec.branches", "a Parallel needs at least one branch".to_owned()));
    }
    let entrance = parallel_channel(document.name);
    table.channel(document, &entrance, None);
    for (index, branch) in fields.branches.into_iter().enumerate() {
        let channel = branch_channel(document.name, index);
        table.channel(document, &channel, None);
        let filtering = Subscribing {
            name: format!("{entrance}-filter-{index}"),
            of_broker: false,
            subscriber: branch.filter.as_ref().map(|filter| Field::Written("spec.branches", filter)),
            reply: Some(Field::Channel(channel.clone())),
            delivery: branch.delivery.clone(),
        };
        table.subscribe(document, &full_name(document.namespace, &entrance), filtering);
        let reply = branch.reply.as_ref().or(fields.reply.as_ref());
        let subscribing = Subscribing {
            name: channel.clone(),
            of_broker: false,
            subscriber: Some(Field::Written("spec.branches", &branch.subscriber)),
            reply: reply.map(|reply| Field::Written("spec.reply", reply)),
            delivery: branch.delivery,
        };
        table.subscribe(document, &full_name(document.namespace, &channel), subscribing);
    }
}
