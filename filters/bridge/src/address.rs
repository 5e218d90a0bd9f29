//! The authorities that lead to a channel.

use sluicegate_sdk::Environment;
use std::collections::BTreeMap;

/// What Knative adds to a channel's name to get the name of its service.
const SERVICE_SUFFIX: &str = "-kn-channel";

/// What comes after a broker's name in a host of its own.
const BROKER_SUFFIX: &str = "-broker";
/// Knative's namespace, and the services in it that brokers and RequestReplies are behind.
const SYSTEM: &str = "knative-eventing";
const BROKERS: &str = "broker-ingress";
const REQUESTS: &str = "request-reply";
/// What a RequestReply's subscription of its broker is called, after its own name.
pub(crate) const REPLIES: &str = "-kn-request-reply";

/// Where a request goes by its authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// To this channel or broker, whatever the path is.
    Channel(usize),
    /// To the broker that the path names.
    Brokers,
    /// To the RequestReply that the path names.
    Requests,
}

/// Places by authority.
#[derive(Debug)]
pub(crate) struct Addresses(BTreeMap<String, Place>);

impl Addresses {
    /// Every channel answers to its name and to its Knative service name, a broker to its name with `-broker`; each bare
    /// (in the default namespace), with its namespace, with `.svc` and with the cluster's domain. All brokers, and all
    /// RequestReplies, share a host. Where two collide, plain names come first.
    pub(crate) fn new(environment: &Environment, channels: &[(&str, &str, bool)]) -> Self {
        let mut addresses = Self(BTreeMap::new());
        for suffix in ["", SERVICE_SUFFIX, BROKER_SUFFIX] {
            for (index, (namespace, name, is_broker)) in channels.iter().enumerate() {
                if *is_broker == (suffix == BROKER_SUFFIX) {
                    addresses.add(environment, namespace, &format!("{name}{suffix}"), Place::Channel(index));
                }
            }
        }
        if channels.iter().any(|(.., is_broker)| *is_broker) {
            for (name, place) in [(BROKERS, Place::Brokers), (REQUESTS, Place::Requests)] {
                addresses.0.entry(name.to_owned()).or_insert(place);
                addresses.add(environment, SYSTEM, name, place);
            }
        }
        addresses
    }

    fn add(&mut self, environment: &Environment, namespace: &str, name: &str, place: Place) {
        let (host, domain) = (name.to_ascii_lowercase(), &environment.cluster_domain);
        if namespace == environment.namespace {
            self.0.entry(host.clone()).or_insert(place);
        }
        for tail in [String::new(), ".svc".to_owned(), format!(".svc.{domain}")] {
            self.0.entry(format!("{host}.{namespace}{tail}")).or_insert(place);
        }
    }

    /// Where an authority leads. Its port, its case and a closing dot do not matter.
    pub(crate) fn find(&self, authority: &str) -> Option<Place> {
        self.0.get(&host(authority).to_ascii_lowercase()).copied()
    }
}

/// Namespace and name in a path of the form `/NAMESPACE/NAME`, after which one `/` is tolerated, and what follows.
pub(crate) fn named(path: &str) -> Option<(&str, &str, &str)> {
    let mut parts = path.strip_prefix('/')?.splitn(3, '/');
    let (namespace, name, rest) = (parts.next()?, parts.next()?, parts.next().unwrap_or_default());
    (!namespace.is_empty() && !name.is_empty()).then_some((namespace, name, rest))
}

/// The authority without port and closing dot.
pub(crate) fn host(authority: &str) -> &str {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    host.strip_suffix('.').unwrap_or(host)
}

/// The address that Knative gives to a channel.
pub(crate) fn service(environment: &Environment, namespace: &str, name: &str) -> String {
    format!("{name}{SERVICE_SUFFIX}.{namespace}.svc.{}", environment.cluster_domain)
}

/// The host and path that Knative gives to a broker.
pub(crate) fn broker(environment: &Environment, namespace: &str, name: &str) -> String {
    format!("{BROKERS}.{SYSTEM}.svc.{}/{namespace}/{name}", environment.cluster_domain)
}

/// The channel before a step of a Sequence, counted from 0, as Knative calls it.
pub(crate) fn step_channel(sequence: &str, step: usize) -> String {
    format!("{sequence}-kn-sequence-{step}")
}

/// The channel that events enter a Parallel by, as Knative calls it.
pub(crate) fn parallel_channel(parallel: &str) -> String {
    format!("{parallel}-kn-parallel")
}

/// The channel behind the filter of a branch, counted from 0, as Knative calls it.
pub(crate) fn branch_channel(parallel: &str, branch: usize) -> String {
    format!("{parallel}-kn-parallel-{branch}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(channels: &[(&str, &str)]) -> Addresses {
        let environment = Environment { namespace: "default".into(), cluster_domain: "cluster.local".into() };
        let channels: Vec<_> = channels.iter().map(|(namespace, name)| (*namespace, *name, false)).collect();
        Addresses::new(&environment, &channels)
    }

    #[test]
    fn a_channel_answers_to_every_form_of_its_name() {
        let addresses = addresses(&[("default", "orders")]);
        for authority in [
            "orders",
            "orders:8080",
            "ORDERS",
            "orders.",
            "orders.default",
            "orders.default.svc",
            "orders.default.svc.cluster.local",
            "orders-kn-channel",
            "orders-kn-channel.default",
            "orders-kn-channel.default.svc",
            "orders-kn-channel.default.svc.cluster.local:80",
        ] {
            assert_eq!(addresses.find(authority), Some(Place::Channel(0)), "{authority}");
        }
        for authority in ["", "order", "orders.other", "orders.default.svc.other", "orders.default.svc.cluster", ":80"]
        {
            assert_eq!(addresses.find(authority), None, "{authority}");
        }
    }

    #[test]
    fn outside_of_the_default_namespace_the_bare_name_means_nothing() {
        let addresses = addresses(&[("shop", "orders")]);
        assert_eq!((addresses.find("orders"), addresses.find("orders.shop")), (None, Some(Place::Channel(0))));
    }

    #[test]
    fn a_plain_name_comes_before_another_channels_service_name() {
        let addresses = addresses(&[("default", "x"), ("default", "x-kn-channel")]);
        assert_eq!(
            (addresses.find("x"), addresses.find("x-kn-channel")),
            (Some(Place::Channel(0)), Some(Place::Channel(1)))
        );
    }

    #[test]
    fn brokers_share_a_host_and_each_has_one_of_its_own() {
        let environment = Environment { namespace: "default".into(), cluster_domain: "cluster.local".into() };
        let addresses = Addresses::new(&environment, &[("default", "main", true)]);
        for authority in ["main-broker", "main-broker.default.svc.cluster.local:80"] {
            assert_eq!(addresses.find(authority), Some(Place::Channel(0)), "{authority}");
        }
        for authority in ["broker-ingress", "broker-ingress.knative-eventing.svc.cluster.local"] {
            assert_eq!(addresses.find(authority), Some(Place::Brokers), "{authority}");
        }
        assert_eq!(addresses.find("request-reply.knative-eventing.svc"), Some(Place::Requests));
        assert_eq!(addresses.find("main"), None);
        assert_eq!(Addresses::new(&environment, &[]).find("broker-ingress"), None);
    }

    #[test]
    fn a_path_names_namespace_and_name() {
        for (path, named) in [
            ("/ns/name", Some(("ns", "name", ""))),
            ("/ns/name/", Some(("ns", "name", ""))),
            ("/ns/name/reply", Some(("ns", "name", "reply"))),
            ("/ns/name//", Some(("ns", "name", "/"))),
            ("/", None),
            ("/ns", None),
            ("/ns/", None),
            ("//name", None),
        ] {
            assert_eq!(super::named(path), named, "{path}");
        }
    }
}
