//! What is said of documents.

mod channels;
mod circles;
mod durations;
mod kinds;

use crate::Bridge;
use serde_json::{Value, json};
use sluicegate_sdk::testing::{configure, resource};

/// The `apiVersion` of a kind.
fn version(kind: &str) -> &'static str {
    match kind {
        "Broker" | "Trigger" => "eventing.knative.dev/v1",
        "RequestReply" => "eventing.knative.dev/v1alpha1",
        "Sequence" | "Parallel" => "flows.knative.dev/v1",
        "EventBridge" => "sluicegate.dev/v1alpha1",
        _ => "messaging.knative.dev/v1",
    }
}

fn document(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": version(kind), "kind": kind, "metadata": {"name": name}, "spec": spec})
}

fn lines(documents: &[Value]) -> Vec<String> {
    let resources: Vec<_> = (0..).zip(documents).map(|(index, text)| resource(index, &text.to_string())).collect();
    configure::<Bridge>((), &resources).1.lines()
}

fn template(kind: &str) -> Value {
    json!({"apiVersion": "messaging.knative.dev/v1", "kind": kind})
}
