//! `parentRefs`: what a route asks to be attached to.

use super::config::ParentRef;
use super::{CORE, GROUP};
use crate::code;
use crate::report::{Place, Report};
use crate::target::Naming;

/// The most parents that a route may have.
const MOST: usize = 32;

/// A resource that a route asks to be attached to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parent {
    /// Listeners of a Gateway.
    Gateway {
        /// Its place in the list.
        index: usize,
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// The only listener.
        section: Option<String>,
        /// The only port.
        port: Option<u16>,
    },
    /// A service, whose callers' requests the rules take.
    Service {
        /// Its full name.
        name: String,
        /// The only port.
        port: Option<u16>,
    },
    /// Something else, which has been warned of.
    Unknown,
}

/// Resolves the `parentRefs` of a route.
pub fn resolve(written: &[ParentRef], naming: Naming<'_>, report: &mut Report<'_>) -> Vec<Parent> {
    let place = Place::spec().key("parentRefs");
    super::shape::limit(written.len(), MOST, "parents", &place, report);
    check_distinct(written, naming, &place, report);
    let one = |(index, parent)| resolve_one(index, parent, naming, &place.index(index), report);
    written.iter().enumerate().map(one).collect()
}

fn resolve_one(
    index: usize,
    written: &ParentRef,
    naming: Naming<'_>,
    place: &Place,
    report: &mut Report<'_>,
) -> Parent {
    let namespace = written.namespace.as_deref().unwrap_or(naming.namespace).to_owned();
    if written.name.is_empty() {
        report.error(place, code::PARENT, "the parent has no name", "add `name`");
    }
    let port = written.port.and_then(|number| {
        let port = u16::try_from(number).ok().filter(|&port| port > 0);
        if port.is_none() {
            let message = format!("{number} is not a port");
            report.error(&place.key("port"), code::PARENT, message, "use a number from 1 to 65535");
        }
        port
    });
    match (written.group.as_deref().unwrap_or(GROUP), written.kind.as_deref().unwrap_or("Gateway")) {
        (GROUP, "Gateway") => {
            let section = written.section_name.clone().filter(|name| !name.is_empty());
            Parent::Gateway { index, namespace, name: written.name.clone(), section, port }
        }
        (CORE, "Service") => {
            if written.section_name.is_some() {
                let happens = "names of ports are not known here; `port` limits the rules to one";
                report.no_effect(&place.key("sectionName"), "sectionName", happens);
            }
            if !sees_callers(&namespace, naming) {
                let (own, proxy) = (naming.namespace, &naming.environment.namespace);
                let message = format!(
                    "for a Service of another namespace the rules take requests of callers in {own} only, and the proxy stands for {proxy}, so they do not count there"
                );
                let help = "move the route to the namespace of the Service, or to the proxy's";
                report.warning(&place.key("namespace"), code::PARENT, message, help);
                return Parent::Unknown;
            }
            Parent::Service { name: naming.environment.full_name(&written.name, &namespace), port }
        }
        (_, kind) => {
            let message = format!("nothing here accepts routes for a {kind}, so the rules do not count there");
            report.warning(place, code::PARENT, message, "attach the route to a Gateway or to a Service");
            Parent::Unknown
        }
    }
}

/// Whether requests come by here that a route takes for a Service of this namespace: its own namespace's route takes those
/// of all callers, that of another one only those of callers beside the route.
fn sees_callers(service: &str, naming: Naming<'_>) -> bool {
    service == naming.namespace || naming.namespace == naming.environment.namespace
}

/// Several references to one parent must name different listeners, each of them.
fn check_distinct(written: &[ParentRef], naming: Naming<'_>, place: &Place, report: &mut Report<'_>) {
    let key = |parent: &ParentRef| {
        let text = |text: &Option<String>, other: &str| text.clone().unwrap_or_else(|| other.to_owned());
        let namespace = text(&parent.namespace, naming.namespace);
        (text(&parent.group, GROUP), text(&parent.kind, "Gateway"), namespace, parent.name.clone())
    };
    for (index, parent) in written.iter().enumerate() {
        let mut others = written.iter().take(index).filter(|other| key(other) == key(parent));
        let repeated = others.any(|other| {
            let whole = |parent: &ParentRef| parent.section_name.is_none() && parent.port.is_none();
            let same = other.section_name == parent.section_name && other.port == parent.port;
            same || whole(other) || whole(parent)
        });
        if repeated {
            let message = "an earlier reference names the same parent";
            report.error(
                &place.index(index),
                code::CONFLICT,
                message,
                "remove it, or let both name their `sectionName`",
            );
        }
    }
}
