//! `backendRefs`: where requests go, and the shares of those that go nowhere.

use super::CORE;
use super::config::BackendRef;
use super::filter::{self, Filters, Scope};
use super::grant::Referent;
use super::route::Context;
use crate::answer::FixedAnswer;
use crate::code;
use crate::document::Kind;
use crate::grpc::Status;
use crate::host;
use crate::report::{Place, Report};
use crate::target::{Instead, Target};
use sluicegate_sdk::Destination;

/// The Gateway API's own limits.
pub(super) const MOST: usize = 16;
const LARGEST_WEIGHT: i64 = 1_000_000;

/// A part of a reference is no such part, which has been reported.
#[derive(Debug, Clone, Copy)]
struct Malformed;

/// A service that a route names.
#[derive(Debug)]
pub struct Backend {
    /// As far as it can be told, also of one that cannot be used.
    pub destination: Destination,
    /// Whether requests may be sent there.
    pub usable: bool,
}

/// What a share of requests gets that no backend takes: 500, and UNAVAILABLE of a GRPCRoute.
pub fn no_backend(kind: Kind) -> FixedAnswer {
    let grpc = Status::named("UNAVAILABLE").filter(|_| kind == Kind::GrpcRoute);
    FixedAnswer { status: 500, body: Vec::new(), grpc }
}

/// Resolves the backends of a rule with these filters; those with the weight 0 get nothing and are left out.
pub fn resolve(
    written: &[BackendRef],
    rule: &Filters,
    scope: Scope<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Vec<Target> {
    super::shape::limit(written.len(), MOST, "backends", place, report);
    let mut targets = Vec::new();
    for (index, backend) in written.iter().enumerate() {
        let place = place.index(index);
        let weight = weight(backend.weight, &place.key("weight"), report);
        let filters = filter::of_backend(&backend.filters, rule, scope, &place.key("filters"), report);
        let Some(resolved) = resolve_one(backend, scope.context, &place, report) else { continue };
        if weight > 0 {
            targets.push(target(resolved, weight, rule, filters, scope.context.kind));
        }
    }
    targets
}

/// Resolves a reference to a service; nothing comes of one that is malformed.
pub fn resolve_one(
    written: &BackendRef,
    context: &Context<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Option<Backend> {
    let (group, kind) = (written.group.as_deref().unwrap_or(CORE), written.kind.as_deref().unwrap_or("Service"));
    let well_formed = check_reference(written, group, kind, place, report);
    let namespace = written.namespace.as_deref().unwrap_or(context.naming.namespace);
    let is_service = (group, kind) == (CORE, "Service");
    let port = port(written.port, is_service, place, report);
    if !well_formed {
        return None;
    }
    let host = context.naming.environment.full_name(&written.name, namespace);
    let destination = Destination { host, port: port.ok()?, subset: None };
    let to = Referent { group, kind, namespace, name: &written.name };
    let happens = if context.kind == Kind::TlsRoute {
        "its share of the connections is closed"
    } else {
        "its share of the requests is answered with an error"
    };
    if !is_service {
        let message = format!("nothing here sends requests to a {kind}: {happens}");
        report.warning(&place.key("kind"), code::BACKEND, message, "refer to a Service");
    } else if !context.grants.allow(context.kind.name(), context.naming.namespace, to) {
        let message =
            format!("no ReferenceGrant in the namespace {namespace} lets {} refer to it: {happens}", context.document);
        let help = "add a ReferenceGrant there, from this namespace and kind to Service";
        report.warning(&place.key("namespace"), code::BACKEND, message, help);
    } else {
        return Some(Backend { destination, usable: true });
    }
    Some(Backend { destination, usable: false })
}

fn target(backend: Backend, weight: u64, rule: &Filters, own: Filters, kind: Kind) -> Target {
    let redirect = own.redirect.map(Instead::Redirect);
    let unusable = (!backend.usable).then(|| Instead::Answer(no_backend(kind)));
    Target {
        request: vec![rule.request.clone(), own.request],
        response: vec![rule.response.clone(), own.response],
        rewrite: own.rewrite.map(|own| own.or(rule.rewrite.as_ref())),
        mirrors: own.mirrors,
        instead: redirect.or(unusable).map(Box::new),
        ..Target::new(backend.destination, weight)
    }
}

fn check_reference(written: &BackendRef, group: &str, kind: &str, place: &Place, report: &mut Report<'_>) -> bool {
    let kind_is_word = kind.starts_with(|first: char| first.is_ascii_alphabetic());
    let kind_is_word = kind_is_word && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let group_is_name = group.is_empty() || group.split('.').all(host::is_label);
    for (field, value, valid) in [
        ("group", group, group_is_name),
        ("kind", kind, kind_is_word),
        ("name", written.name.as_str(), host::is_label(&written.name)),
        ("namespace", written.namespace.as_deref().unwrap_or("default"), is_namespace(written.namespace.as_deref())),
    ] {
        if !valid {
            let message = format!("`{value}` is not the {field} of a backend");
            let place = if value.is_empty() { place.clone() } else { place.key(field) };
            report.error(&place, code::DESTINATION, message, "name a Service, such as `name: reviews`");
        }
    }
    group_is_name && kind_is_word && host::is_label(&written.name) && is_namespace(written.namespace.as_deref())
}

fn is_namespace(namespace: Option<&str>) -> bool {
    namespace.is_none_or(host::is_label)
}

fn port(
    written: Option<i64>,
    required: bool,
    place: &Place,
    report: &mut Report<'_>,
) -> Result<Option<u16>, Malformed> {
    let Some(number) = written else {
        if required {
            report.error(place, code::DESTINATION, "a Service needs a port", "add `port`");
            return Err(Malformed);
        }
        return Ok(None);
    };
    let port = u16::try_from(number).ok().filter(|&port| port > 0);
    if port.is_none() {
        let message = format!("{number} is not a port");
        report.error(&place.key("port"), code::DESTINATION, message, "use a number from 1 to 65535");
        return Err(Malformed);
    }
    Ok(port)
}

/// A share; a wrong one is reported, and none.
pub(super) fn weight(written: Option<i64>, place: &Place, report: &mut Report<'_>) -> u64 {
    let weight = written.unwrap_or(1);
    if (0..=LARGEST_WEIGHT).contains(&weight) {
        return u64::try_from(weight).unwrap_or(0);
    }
    let help = format!("use a number from 0 to {LARGEST_WEIGHT}");
    report.error(place, code::WEIGHT, format!("{weight} is not a weight"), help);
    0
}
