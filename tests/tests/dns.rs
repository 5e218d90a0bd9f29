//! Host names of upstreams follow DNS while the proxy runs.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Behaviour, Options, Proxy, Upstream, wait_until};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Longer than a time to live of one second, and than every pause before it is noticed.
const SOON: Duration = Duration::from_secs(20);

/// A name server on loopback that gives every name the same addresses, for one second.
struct NameServer {
    address: SocketAddr,
    answer: Arc<Mutex<Vec<IpAddr>>>,
}

impl NameServer {
    fn start(answer: &[IpAddr]) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = socket.local_addr().expect("it is bound");
        let answer = Arc::new(Mutex::new(answer.to_vec()));
        let server = Self { address, answer: Arc::clone(&answer) };
        std::thread::spawn(move || {
            let mut message = [0; 512];
            while let Ok((length, peer)) = socket.recv_from(&mut message) {
                let addresses = answer.lock().unwrap_or_else(PoisonError::into_inner).clone();
                if let Some(reply) = reply(&message[..length], &addresses) {
                    socket.send_to(&reply, peer).expect("loopback takes it");
                }
            }
        });
        server
    }

    fn set(&self, answer: &[IpAddr]) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer.to_vec();
    }
}

/// The reply to a question (RFC 1035, section 4.1; RFC 3596, section 2): itself, and the addresses of the family that it
/// asks for.
fn reply(question: &[u8], addresses: &[IpAddr]) -> Option<Vec<u8>> {
    let name = question.get(12..)?.iter().position(|byte| *byte == 0)?;
    let of_question = question.get(12..12 + name + 5)?;
    let kind = *of_question.get(name + 2)?;
    let wanted: Vec<Vec<u8>> = addresses.iter().filter_map(|address| octets(*address, kind)).collect();
    let mut reply = vec![*question.first()?, *question.get(1)?, 0x81, 0x80, 0, 1, 0, u8::try_from(wanted.len()).ok()?];
    reply.extend_from_slice(&[0; 4]);
    reply.extend_from_slice(of_question);
    for octets in wanted {
        reply.extend_from_slice(&[0xc0, 12, 0, kind, 0, 1, 0, 0, 0, 1, 0, u8::try_from(octets.len()).ok()?]);
        reply.extend_from_slice(&octets);
    }
    Some(reply)
}

/// An address, if it is of the kind that is asked for: A is 1, and AAAA 28.
fn octets(address: IpAddr, kind: u8) -> Option<Vec<u8>> {
    match (address, kind) {
        (IpAddr::V4(address), 1) => Some(address.octets().to_vec()),
        (IpAddr::V6(address), 28) => Some(address.octets().to_vec()),
        _ => None,
    }
}

/// An address of this machine at which nothing listens.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
/// Where services listen.
const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn status(proxy: &Proxy) -> u16 {
    proxy.get("http://shop.example/").status
}

fn follows(names: &NameServer, proxy: &Proxy) {
    assert_eq!(status(proxy), 503);
    names.set(&[HERE]);
    wait_until(SOON, || status(proxy) == 200);
    names.set(&[NOBODY]);
    wait_until(SOON, || status(proxy) == 503);
}

#[test]
fn a_service_entry_follows_its_host_without_a_reload() {
    let upstream = Upstream::with(Behaviour::text("here"));
    let names = NameServer::start(&[NOBODY]);
    let entry = format!(
        "apiVersion: networking.istio.io/v1\nkind: ServiceEntry\nmetadata: {{name: shop}}\nspec:\n  hosts: [shop.example]\n  \
         resolution: DNS\n  ports: [{{number: 80, name: http, targetPort: {}}}]\n",
        upstream.address().port()
    );
    let options = Options::new().argument("--dns").argument(names.address.to_string());
    let proxy = Proxy::start(options.manifest("shop.yaml", entry));
    follows(&names, &proxy);
    let metrics = String::from_utf8_lossy(&proxy.ask_admin("/metrics").body).into_owned();
    assert!(metrics.contains("sluicegate_dns_lookups_total{result=\"found\"}"), "{metrics}");
    assert!(metrics.contains("sluicegate_config_reloads_total{result=\"success\"} 1\n"), "{metrics}");
}

#[test]
fn an_upstream_of_the_command_line_may_be_a_name() {
    let upstream = Upstream::with(Behaviour::text("here"));
    let names = NameServer::start(&[NOBODY]);
    let options = Options::new().argument("--dns").argument(names.address.to_string()).argument("--upstream");
    let proxy = Proxy::start(options.argument(format!("shop.example=db.example:{}", upstream.address().port())));
    follows(&names, &proxy);
}

#[test]
fn the_last_answer_stays_when_the_name_server_has_none() {
    let upstream = Upstream::with(Behaviour::text("here"));
    let names = NameServer::start(&[HERE]);
    let options = Options::new().argument("--dns").argument(names.address.to_string()).argument("--upstream");
    let proxy = Proxy::start(options.argument(format!("shop.example=db.example:{}", upstream.address().port())));
    assert_eq!(status(&proxy), 200);
    names.set(&[]);
    proxy.wait_for_log("cannot be looked up", SOON);
    assert_eq!(status(&proxy), 200);
}

#[test]
fn a_name_of_both_families_is_reached_over_the_one_that_works() {
    let upstream = Upstream::with(Behaviour::text("here"));
    let names = NameServer::start(&[IpAddr::V6(Ipv6Addr::LOCALHOST), HERE]);
    let options = Options::new().argument("--dns").argument(names.address.to_string()).argument("--upstream");
    let proxy = Proxy::start(options.argument(format!("shop.example=db.example:{}", upstream.address().port())));
    for _ in 0..5 {
        assert_eq!(status(&proxy), 200);
    }
    assert_eq!(upstream.connections(), 1, "one endpoint of two addresses");
    let endpoints = proxy.ask_admin("/endpoints").json();
    let found = endpoints.as_array().expect("a list");
    assert_eq!(found.len(), 1, "{found:?}");
    let others = found[0]["alternatives"].as_array().expect("the other family");
    assert_eq!(others.len(), 1, "{found:?}");
}
