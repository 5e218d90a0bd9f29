//! EventBridge (`sluicegate.dev/v1alpha1`).

mod checks;
mod events;
mod request;
mod stream;

use super::reader::Reader;
use super::{Action, Subscription};
use crate::filter::Filters;
use events::EventsSpec;
use request::RequestSpec;
use serde::Deserialize;
use sluicegate_sdk::Resource;
use stream::StreamSpec;

/// What the subscription of a bridge is called, after its own name.
const SUBSCRIPTION: &str = "-event-bridge";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BridgeSpec {
    request: Option<RequestSpec>,
    events: Option<EventsSpec>,
    stream: Option<StreamSpec>,
}

pub(super) fn bridge(reader: &mut Reader<'_>, resource: &Resource) {
    let Some(spec) = resource.spec::<BridgeSpec>(reader.diagnostics) else { return };
    match (&spec.request, &spec.events, &spec.stream) {
        (Some(spec), None, None) => request::request(reader, resource, spec),
        (None, Some(spec), None) => events::events(reader, resource, spec),
        (None, None, Some(spec)) => stream::stream(reader, resource, spec),
        _ => {
            let message = "a bridge is for requests, for events, or for clients that listen";
            let help = "keep one of `request`, `events` and `stream`; write a second EventBridge for the other";
            reader.error((resource, "/spec"), "SG0440", message, help);
        }
    }
}

fn subscription(resource: &Resource, goes_to: String, action: Action) -> Subscription {
    Subscription {
        name: format!("{}/{}{SUBSCRIPTION}", resource.namespace, resource.name),
        kind: resource.kind.clone(),
        origin: resource.origin.clone(),
        goes_to,
        receiver: String::new(),
        filters: Filters::default(),
        action,
    }
}
