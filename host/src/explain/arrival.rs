//! By which listener a request comes in that no connection brings.

use crate::admin::view::{ExplainListener, ExplainRequest};
use crate::request::{Arrival, ListenerName, RequestHead};
use crate::snapshot::GatewayPort;
use http::uri::Scheme;
use rustls::pki_types::DnsName;
use std::sync::Arc;

/// The request as the chain sees it.
///
/// It comes in by the port that it names. Where it names none and Gateway documents declare ports, it is the URL's port
/// if that is one of them, otherwise the lowest that serves the scheme. Whatever they do not declare, and everything
/// when it says `mesh`, comes in by the proxy's own listener. Over TLS the client sends the URL's host as server name
/// unless another is given.
///
/// # Errors
/// With what is wrong with the request, for people.
pub fn arrive(gateway_ports: &[GatewayPort], request: &ExplainRequest) -> Result<RequestHead, String> {
    let mut head = request.to_head()?;
    let ExplainListener { port, sni, .. } = &request.listener;
    if sni.is_some() {
        head.scheme = Scheme::HTTPS;
    }
    let gateway = gateway_port(gateway_ports, request, head.scheme == Scheme::HTTPS);
    if let Some(gateway) = gateway {
        head.scheme = if gateway.tls { Scheme::HTTPS } else { Scheme::HTTP };
    }
    let server_name = sni.clone().or_else(|| request.place().map(|(host, _)| host));
    let server_name =
        server_name.filter(|name| head.scheme == Scheme::HTTPS && DnsName::try_from(name.as_str()).is_ok());
    head.arrival = Arrival {
        listener: if gateway.is_some() { ListenerName::Gateway } else { ListenerName::Mesh },
        port: gateway.map(|gateway| gateway.number).or(*port).unwrap_or_default(),
        server_name: server_name.map(|name| Arc::from(name.to_ascii_lowercase())),
    };
    head.local.set_port(head.arrival.port);
    Ok(head)
}

fn gateway_port(ports: &[GatewayPort], request: &ExplainRequest, https: bool) -> Option<GatewayPort> {
    let listener = &request.listener;
    if listener.mesh {
        return None;
    }
    let numbered = |number: u16| ports.iter().find(|port| port.number == number).copied();
    if let Some(number) = listener.port {
        return numbered(number);
    }
    let written = request.place().and_then(|(_, port)| numbered(port?)).filter(|port| port.tls == https);
    written.or_else(|| ports.iter().filter(|port| port.tls == https).min().copied())
}

/// The request in a line, with its listener where that is not the proxy's own.
pub(super) fn understood(head: &RequestHead) -> String {
    let request = format!("{} {}://{}{}", head.method, head.scheme, head.authority, head.path_and_query);
    let Arrival { listener: ListenerName::Gateway, port, server_name } = &head.arrival else { return request };
    let name = server_name.as_ref().map(|name| format!(" for {name}")).unwrap_or_default();
    format!("{request} at port {port} of a Gateway{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: [GatewayPort; 4] = [
        GatewayPort { number: 80, tls: false },
        GatewayPort { number: 443, tls: true },
        GatewayPort { number: 8080, tls: false },
        GatewayPort { number: 8443, tls: true },
    ];

    fn named(port: Option<u16>, sni: Option<&str>) -> ExplainListener {
        ExplainListener { port, sni: sni.map(str::to_owned), mesh: false }
    }

    fn arrived(ports: &[GatewayPort], url: &str, listener: ExplainListener) -> String {
        let request = ExplainRequest { url: url.into(), listener, ..ExplainRequest::default() };
        let head = arrive(ports, &request).unwrap();
        let Arrival { listener, port, server_name } = &head.arrival;
        format!("{} {} {port} {}", head.scheme, listener.as_str(), server_name.as_deref().unwrap_or("-"))
    }

    #[test]
    fn without_a_gateway_the_own_listener_has_every_request() {
        let none = ExplainListener::default();
        assert_eq!(arrived(&[], "http://shop/", none.clone()), "http mesh 0 -");
        assert_eq!(arrived(&[], "https://shop/", none), "https mesh 0 shop");
        assert_eq!(arrived(&[], "http://shop/", named(Some(9080), None)), "http mesh 9080 -");
    }

    #[test]
    fn the_lowest_port_that_serves_the_scheme_is_taken() {
        let none = ExplainListener::default();
        assert_eq!(arrived(&PORTS, "http://shop/", none.clone()), "http gateway 80 -");
        assert_eq!(arrived(&PORTS, "https://Shop.example/", none.clone()), "https gateway 443 shop.example");
        assert_eq!(arrived(&PORTS[..1], "https://shop/", none), "https mesh 0 shop");
    }

    #[test]
    fn the_port_of_the_url_is_taken_where_a_gateway_has_it() {
        let none = ExplainListener::default();
        assert_eq!(arrived(&PORTS, "http://shop:8080/", none.clone()), "http gateway 8080 -");
        assert_eq!(arrived(&PORTS, "https://shop:8443/", none.clone()), "https gateway 8443 shop");
        assert_eq!(arrived(&PORTS, "http://shop:8443/", none.clone()), "http gateway 80 -");
        assert_eq!(arrived(&PORTS, "http://shop:1234/", none), "http gateway 80 -");
    }

    #[test]
    fn what_is_named_beats_what_is_guessed() {
        assert_eq!(arrived(&PORTS, "http://shop/", named(Some(8080), None)), "http gateway 8080 -");
        assert_eq!(arrived(&PORTS, "http://shop/", named(Some(8443), None)), "https gateway 8443 shop");
        assert_eq!(arrived(&PORTS, "http://shop/", named(None, Some("a.shop"))), "https gateway 443 a.shop");
        assert_eq!(arrived(&PORTS, "https://10.0.0.1/", named(Some(443), None)), "https gateway 443 -");
        assert_eq!(arrived(&PORTS, "https://shop/", named(Some(80), None)), "http gateway 80 -");
        assert_eq!(arrived(&PORTS, "http://shop/", named(Some(9080), None)), "http mesh 9080 -");
        let mesh = ExplainListener { mesh: true, ..ExplainListener::default() };
        assert_eq!(arrived(&PORTS, "http://shop/", mesh), "http mesh 0 -");
    }

    #[test]
    fn a_request_is_understood_with_its_gateway() {
        let understood = |listener| {
            let request = ExplainRequest { url: "http://shop/a?b".into(), listener, ..ExplainRequest::default() };
            super::understood(&arrive(&PORTS, &request).unwrap())
        };
        assert_eq!(understood(named(Some(443), None)), "GET https://shop/a?b at port 443 of a Gateway for shop");
        assert_eq!(understood(named(Some(80), None)), "GET http://shop/a?b at port 80 of a Gateway");
        let mesh = ExplainListener { mesh: true, ..ExplainListener::default() };
        assert_eq!(understood(mesh), "GET http://shop/a?b");
    }
}
