//! The authorities that lead to a channel.

use sluicegate_sdk::Environment;
use std::collections::BTreeMap;

/// What Knative adds to a channel's name to get the name of its service.
const SERVICE_SUFFIX: &str = "-kn-channel";

/// Channels by authority.
#[derive(Debug)]
pub(crate) struct Addresses(BTreeMap<String, usize>);

impl Addresses {
    /// Every channel answers to its name and to its Knative service name, each bare (in the default namespace), with its
    /// namespace, with `.svc` and with the cluster's domain. Where two collide, plain names come first.
    pub(crate) fn new(environment: &Environment, channels: &[(&str, &str)]) -> Self {
        let mut addresses = BTreeMap::new();
        for suffix in ["", SERVICE_SUFFIX] {
            for (index, (namespace, name)) in channels.iter().enumerate() {
                let host = format!("{name}{suffix}").to_ascii_lowercase();
                let domain = &environment.cluster_domain;
                if *namespace == environment.namespace {
                    addresses.entry(host.clone()).or_insert(index);
                }
                for tail in [String::new(), ".svc".to_owned(), format!(".svc.{domain}")] {
                    addresses.entry(format!("{host}.{namespace}{tail}")).or_insert(index);
                }
            }
        }
        Self(addresses)
    }

    /// The channel that an authority leads to. Its port, its case and a closing dot do not matter.
    pub(crate) fn find(&self, authority: &str) -> Option<usize> {
        self.0.get(&host(authority).to_ascii_lowercase()).copied()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(channels: &[(&str, &str)]) -> Addresses {
        let environment = Environment { namespace: "default".into(), cluster_domain: "cluster.local".into() };
        Addresses::new(&environment, channels)
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
            assert_eq!(addresses.find(authority), Some(0), "{authority}");
        }
        for authority in ["", "order", "orders.other", "orders.default.svc.other", "orders.default.svc.cluster", ":80"]
        {
            assert_eq!(addresses.find(authority), None, "{authority}");
        }
    }

    #[test]
    fn outside_of_the_default_namespace_the_bare_name_means_nothing() {
        let addresses = addresses(&[("shop", "orders")]);
        assert_eq!((addresses.find("orders"), addresses.find("orders.shop")), (None, Some(0)));
    }

    #[test]
    fn a_plain_name_comes_before_another_channels_service_name() {
        let addresses = addresses(&[("default", "x"), ("default", "x-kn-channel")]);
        assert_eq!((addresses.find("x"), addresses.find("x-kn-channel")), (Some(0), Some(1)));
    }
}
