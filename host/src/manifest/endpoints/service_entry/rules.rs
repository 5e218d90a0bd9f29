//! Which fields of a ServiceEntry exclude each other, whatever else of it is served: what Istio's own definition of the
//! kind refuses.

use super::super::{Scope, codes, item};
use super::{Resolution, Spec};
use crate::manifest::document::Document;
use crate::manifest::node::step;

/// Reports all that goes against the rules; whether nothing does.
pub(super) fn hold(document: &Document, spec: &Spec, scope: &mut Scope<'_>) -> bool {
    let found = [hosts(spec), selector(spec), addresses(spec), endpoints(spec)];
    let broken: Vec<Broken> = found.into_iter().flatten().collect();
    for Broken { code, at, message, help } in &broken {
        scope.error(document, code, at, message.clone(), Some(help));
    }
    broken.is_empty()
}

/// A rule that an entry breaks.
struct Broken {
    code: &'static str,
    at: String,
    message: String,
    help: &'static str,
}

fn hosts(spec: &Spec) -> Vec<Broken> {
    let any = spec.hosts.iter().enumerate().filter(|(_, host)| *host == "*");
    let broken = |(index, _)| Broken {
        code: codes::ENTRY_HOST,
        at: item("/spec/hosts", index),
        message: "`*` is no host".into(),
        help: "write out each host that is to be served",
    };
    any.map(broken).collect()
}

fn selector(spec: &Spec) -> Vec<Broken> {
    let Some(selector) = &spec.workload_selector else { return Vec::new() };
    let mut broken = Vec::new();
    if spec.endpoints.as_ref().is_some_and(|endpoints| !endpoints.is_empty()) {
        broken.push(Broken {
            code: codes::ENTRY_FIELDS,
            at: "/spec/workloadSelector".into(),
            message: "`workloadSelector` and `endpoints` exclude each other".into(),
            help: "keep one of them",
        });
    }
    for (name, _) in selector.labels.iter().filter(|(name, value)| [name.as_str(), value.as_str()].contains(&"*")) {
        broken.push(Broken {
            code: codes::ENTRY_FIELDS,
            at: step("/spec/workloadSelector/labels", name),
            message: "a wildcard selects nothing: labels are compared as they are".into(),
            help: "write out the value",
        });
    }
    broken
}

fn addresses(spec: &Spec) -> Vec<Broken> {
    if matches!(spec.resolution, Resolution::None | Resolution::Static) {
        return Vec::new();
    }
    let ranges = spec.addresses.iter().flatten().enumerate().filter(|(_, address)| address.contains('/'));
    let broken = |(index, address): (usize, &String)| Broken {
        code: codes::ENTRY_FIELDS,
        at: item("/spec/addresses", index),
        message: format!("`{address}` is a range of addresses, which goes with resolution NONE and STATIC alone"),
        help: "write single addresses, or another resolution",
    };
    ranges.map(broken).collect()
}

fn endpoints(spec: &Spec) -> Vec<Broken> {
    let endpoints = spec.endpoints.as_deref().unwrap_or_default();
    let (message, help) = match spec.resolution {
        Resolution::None if !endpoints.is_empty() && spec.workload_selector.is_none() => {
            ("resolution NONE takes no endpoints", "write `resolution: STATIC` with IP addresses, or `resolution: DNS`")
        }
        Resolution::DnsRoundRobin if endpoints.len() > 1 => {
            ("resolution DNS_ROUND_ROBIN takes one endpoint at most", "write `resolution: DNS` to use all of them")
        }
        _ => return Vec::new(),
    };
    vec![Broken { code: codes::ENTRY_FIELDS, at: "/spec/resolution".into(), message: message.into(), help }]
}
