//! How long answers are waited for and kept.

use super::{document, lines};
use serde_json::{Value, json};

fn broker() -> Value {
    json!({"apiVersion": "eventing.knative.dev/v1", "kind": "Broker", "name": "main"})
}

fn said(kind: &str, spec: &Value) -> Vec<String> {
    lines(&[document("Broker", "main", &json!({})), document(kind, "tested", spec)])
}

#[test]
fn a_wait_that_the_host_would_cut_is_worth_a_warning() {
    let longer = |at: &str, most: &str| {
        format!("warning SG0452 {at}: this is longer than {most}, which is the most and is taken instead")
    };
    let asked = |timeout: &str| said("RequestReply", &json!({"brokerRef": broker(), "timeout": timeout}));
    assert_eq!(asked("PT5M"), [""; 0]);
    assert_eq!(asked("PT5M1S"), [longer("/spec/timeout", "PT5M")]);
    let replied = |timeout: &str, keep: &str| {
        let event = json!({"type": "t", "source": "/s"});
        let reply = json!({"timeout": timeout, "keep": keep});
        said("EventBridge", &json!({"request": {"host": "shop", "to": broker(), "event": event, "reply": reply}}))
    };
    assert_eq!(replied("PT300S", "PT60M"), [""; 0]);
    assert_eq!(
        replied("PT1H", "P1D"),
        [longer("/spec/request/reply/timeout", "PT5M"), longer("/spec/request/reply/keep", "PT1H")]
    );
}
