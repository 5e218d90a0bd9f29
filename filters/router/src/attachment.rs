//! Which gateways a resource is bound to, and what their names stand for.

use crate::code;
use crate::host;
use crate::report::{Place, Report};

/// The reserved gateway that stands for all sidecars.
pub const MESH: &str = "mesh";

/// Reads a list of gateways as written in a resource of `namespace`: each becomes `NAMESPACE/NAME`, or `mesh`.
pub fn gateways(written: &[String], namespace: &str, place: &Place, report: &mut Report<'_>) -> Vec<String> {
    written
        .iter()
        .enumerate()
        .map(|(index, gateway)| {
            check(gateway, &place.index(index), report);
            full_name(gateway, namespace)
        })
        .collect()
}

fn check(gateway: &str, place: &Place, report: &mut Report<'_>) {
    let name = gateway.strip_prefix("./").unwrap_or(gateway);
    let well_formed = name.split('/').count() <= 2 && name.split('/').all(|part| host::check(part).is_ok());
    if !well_formed || name.contains('*') {
        let message = format!("`{gateway}` is not the name of a gateway");
        report.error(place, code::HOST, message, "write NAME, NAMESPACE/NAME or mesh");
    } else if gateway.contains('.') && !gateway.contains('/') {
        let message = "a gateway's host name in place of its name is deprecated";
        report.warning(place, code::DEPRECATED, message, "write NAMESPACE/NAME");
    }
}

/// What a gateway's name stands for in a resource of `namespace`.
pub fn full_name(gateway: &str, namespace: &str) -> String {
    if gateway == MESH {
        return MESH.to_owned();
    }
    if let Some(name) = gateway.strip_prefix("./") {
        return format!("{namespace}/{name}");
    }
    if gateway.contains('/') {
        return gateway.to_owned();
    }
    // The older way: NAME.NAMESPACE, with or without more behind it.
    let mut labels = gateway.split('.');
    match (labels.next(), labels.next()) {
        (Some(name), Some(namespace)) => format!("{namespace}/{name}"),
        _ => format!("{namespace}/{gateway}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gateway_s_name_stands_in_the_resource_s_own_namespace_unless_it_says_another() {
        for (written, full) in [
            ("mesh", "mesh"),
            ("edge", "shop/edge"),
            ("./edge", "shop/edge"),
            ("infra/edge", "infra/edge"),
            ("./edge.v2", "shop/edge.v2"),
            ("infra/edge.v2", "infra/edge.v2"),
            ("edge.infra", "infra/edge"),
            ("edge.infra.svc.cluster.local", "infra/edge"),
        ] {
            assert_eq!(full_name(written, "shop"), full);
        }
    }
}
