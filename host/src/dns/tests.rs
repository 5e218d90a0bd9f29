//! Against a server of a few lines on loopback.

use super::*;
use std::net::Ipv4Addr;

/// What the server answers; none says nothing at all.
type Script = Arc<Mutex<Option<Vec<Ipv4Addr>>>>;

/// Answers questions for A with these addresses, for one second, and those for AAAA with none.
fn server(script: &Script) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (address, script) = (socket.local_addr().unwrap(), Arc::clone(script));
    std::thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut question) {
            let Some(addresses) = script.lock().unwrap().clone() else { continue };
            // The question ends with its name's empty label, its type and its class (RFC 1035, section 4.1.2).
            let name = question[12..length].iter().position(|byte| *byte == 0).unwrap();
            let end = 12 + name + 5;
            let addresses = if question[12 + name + 2] == 1 { addresses } else { Vec::new() };
            let count = u8::try_from(addresses.len()).unwrap();
            let mut answer = vec![question[0], question[1], 0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0];
            answer.extend_from_slice(&question[12..end]);
            for address in addresses {
                answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
                answer.extend_from_slice(&address.octets());
            }
            socket.send_to(&answer, peer).unwrap();
        }
    });
    address
}

#[allow(clippy::unnecessary_wraps, reason = "stands beside `None`, a failure")]
fn script(addresses: &[[u8; 4]]) -> Option<Vec<Ipv4Addr>> {
    Some(addresses.iter().copied().map(Ipv4Addr::from).collect())
}

fn started(script: &Script) -> Names {
    let names = Names::start(Some(server(script)), DnsMetrics::default()).unwrap();
    names.begin();
    names
}

fn found(names: &Names) -> Vec<String> {
    names.look_up("shop.example").unwrap().iter().map(ToString::to_string).collect()
}

/// Waits until the answer has changed again.
fn wait_for_change(names: &Names, before: u64) {
    let began = Instant::now();
    while names.changes() == before {
        assert!(began.elapsed() < Duration::from_secs(20), "nothing has changed");
        #[allow(clippy::disallowed_methods, reason = "this thread is the test's own")]
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn all_addresses_are_found_and_followed_when_their_time_is_over() {
    let answers: Script = Arc::new(Mutex::new(script(&[[127, 0, 0, 2], [127, 0, 0, 1]])));
    let names = started(&answers);
    assert_eq!(found(&names), ["127.0.0.1", "127.0.0.2"]);
    let before = names.changes();
    *answers.lock().unwrap() = script(&[[127, 0, 0, 3]]);
    wait_for_change(&names, before);
    assert_eq!(found(&names), ["127.0.0.3"]);
}

#[test]
fn a_server_that_fails_leaves_the_last_answer() {
    let answers: Script = Arc::new(Mutex::new(script(&[[127, 0, 0, 1]])));
    let names = started(&answers);
    assert_eq!(found(&names), ["127.0.0.1"]);
    *answers.lock().unwrap() = script(&[]);
    let began = Instant::now();
    while names.shared.metrics.failures() == 0 {
        assert!(began.elapsed() < Duration::from_secs(20), "no look-up has failed");
        #[allow(clippy::disallowed_methods, reason = "this thread is the test's own")]
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(found(&names), ["127.0.0.1"]);
}

#[test]
fn the_first_answer_is_waited_for_only_so_long() {
    let names = started(&Arc::default());
    let began = Instant::now();
    for name in ["a.example", "b.example", "c.example", "d.example", "e.example"] {
        assert!(names.look_up(name).unwrap_err().starts_with("no answer within"));
    }
    assert!(began.elapsed() < limits::DNS_FIRST_ANSWERS + Duration::from_secs(1), "{:?}", began.elapsed());
}

#[test]
fn what_a_load_does_not_ask_for_is_forgotten() {
    let answers: Script = Arc::new(Mutex::new(script(&[[127, 0, 0, 1]])));
    let names = started(&answers);
    names.look_up("old.example").unwrap();
    names.begin();
    names.look_up("new.example").unwrap();
    names.settle();
    let table = names.shared.lock();
    assert_eq!(table.names.keys().collect::<Vec<_>>(), ["new.example"]);
}

#[test]
fn addresses_come_in_order_and_once_each() {
    let parsed = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
    assert_eq!(usable(parsed(&["::1", "127.0.0.1", "127.0.0.1"])), parsed(&["127.0.0.1", "::1"]));
    assert_eq!(usable(parsed(&["::1"])), parsed(&["::1"]));
}
