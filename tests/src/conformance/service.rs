//! The Service and the EndpointSlice that make a backend known as a cluster would.

use super::file::Backend;
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Both documents as text, or nothing for a backend that is no Service.
pub(super) fn documents(backend: &Backend, address: SocketAddr) -> Option<String> {
    let (place, port) = backend.service.as_deref()?.rsplit_once(':')?;
    let (name, namespace) = place.split_once('.').unwrap_or((place, "default"));
    let port: u16 = port.parse().ok()?;
    let mut declared = json!({ "name": "main", "port": port, "targetPort": address.port() });
    if let (Some(protocol), Some(fields)) = (&backend.protocol, declared.as_object_mut()) {
        fields.insert("appProtocol".into(), Value::from(protocol.as_str()));
    }
    let service = json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": { "name": name, "namespace": namespace },
        "spec": { "ports": [declared] },
    });
    let slice = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": {
            "name": format!("{name}-{port}"), "namespace": namespace,
            "labels": { "kubernetes.io/service-name": name },
        },
        "addressType": "IPv4",
        "ports": [{ "name": "main", "port": address.port(), "protocol": "TCP" }],
        "endpoints": [{ "addresses": [address.ip().to_string()], "conditions": { "ready": true } }],
    });
    Some(format!("---\n{service}\n---\n{slice}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_and_its_slice_name_the_address() {
        let backend = Backend {
            service: Some("shop.other:8080".into()),
            protocol: Some("kubernetes.io/h2c".into()),
            ..Backend::default()
        };
        let text = documents(&backend, ([127, 0, 0, 1], 9000).into()).expect("it is a Service");
        let documents: Vec<Value> =
            text.split("---\n").skip(1).map(|text| serde_json::from_str(text).expect("it is JSON")).collect();
        let [service, slice] = documents.as_slice() else { panic!("two documents") };
        assert_eq!(service["metadata"], json!({ "name": "shop", "namespace": "other" }));
        assert_eq!(service["spec"]["ports"][0]["appProtocol"], "kubernetes.io/h2c");
        assert_eq!(slice["ports"][0]["port"], 9000);
        assert!(super::documents(&Backend::default(), ([127, 0, 0, 1], 9000).into()).is_none());
    }
}
