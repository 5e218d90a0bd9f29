//! `ReferenceGrant`: which resources may refer to others across namespaces.

use super::GROUP;
use super::config::{self, ReferenceGrant};
use crate::code;
use crate::report::{Place, Report};
use sluicegate_sdk::Resource;

/// All grants.
#[derive(Debug, Default)]
pub struct Grants(Vec<Grant>);

#[derive(Debug)]
struct Grant {
    namespace: String,
    written: ReferenceGrant,
}

/// A resource that something refers to.
#[derive(Debug, Clone, Copy)]
pub struct Referent<'a> {
    /// Its group.
    pub group: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl Grants {
    /// Reads a document.
    pub fn add(&mut self, resource: &Resource, report: &mut Report<'_>) {
        match config::read::<ReferenceGrant>(resource) {
            Ok(written) => {
                check(&written, report);
                self.0.push(Grant { namespace: resource.namespace.clone(), written });
            }
            Err(error) => {
                let help = "compare the resource with the Gateway API's reference of ReferenceGrant";
                report.error(&Place::spec(), code::UNREADABLE, error.to_string(), help);
            }
        }
    }

    /// Whether a route of this kind and namespace may refer to a resource. Within a namespace it always may.
    pub fn allow(&self, kind: &str, namespace: &str, to: Referent<'_>) -> bool {
        namespace == to.namespace || self.0.iter().any(|grant| grant.allows(kind, namespace, to))
    }
}

impl Grant {
    fn allows(&self, kind: &str, namespace: &str, to: Referent<'_>) -> bool {
        let from = self
            .written
            .from
            .iter()
            .any(|from| from.group == GROUP && from.kind == kind && from.namespace == namespace);
        let named = |name: &Option<String>| name.as_deref().is_none_or(|name| name.is_empty() || name == to.name);
        let meant = self.written.to.iter().any(|of| of.group == to.group && of.kind == to.kind && named(&of.name));
        self.namespace == to.namespace && from && meant
    }
}

fn check(written: &ReferenceGrant, report: &mut Report<'_>) {
    let spec = Place::spec();
    for (member, empty) in [("from", written.from.is_empty()), ("to", written.to.is_empty())] {
        if empty {
            let message = format!("the grant has no `{member}`, so it allows nothing");
            report.error(&spec, code::GRANT, message, "add who may refer in `from`, and to what in `to`");
        }
    }
    for (index, from) in written.from.iter().enumerate() {
        let place = spec.key("from").index(index);
        for (member, empty) in [("kind", from.kind.is_empty()), ("namespace", from.namespace.is_empty())] {
            if empty {
                let help = "name the kind of the resources that may refer, and their namespace";
                report.error(&place, code::GRANT, format!("the entry has no `{member}`"), help);
            }
        }
    }
    for (index, to) in written.to.iter().enumerate().filter(|(_, to)| to.kind.is_empty()) {
        let place = spec.key("to").index(index);
        let message = format!("the entry for the group {:?} has no `kind`", to.group);
        report.error(&place, code::GRANT, message, "name the kind of the resources that may be referred to");
    }
}
