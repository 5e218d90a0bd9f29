//! A new process takes the place of a running one: by a hand-over of its sockets, or by sockets that the service manager holds.
//! No client is refused, and no request is lost.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod durable;

use durable::Kept;
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process};
use sluicegate_tests::{Behaviour, Directory, Load, LoadReport, Options, Proxy, Request, Upstream, Use, wait_until};
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);
const RESTARTS: usize = 10;

/// The options of every process that serves one after the other.
fn taking_over(place: &Directory, upstream: &Upstream) -> Options {
    let options = Options::new().workers(2).argument("--access-log").argument("off");
    let options = options.argument("--take-over").argument(place.file("take-over.sock"));
    options.upstream("shop", upstream.address())
}

/// Connections that are kept, one for each request, and HTTP/2.
fn loads(address: SocketAddr) -> Vec<Load> {
    let request = Request::get("http://shop/");
    let uses = [(Use::Kept, 300), (Use::Fresh, 150), (Use::Http2, 300)];
    uses.into_iter().map(|(usage, rate)| Load::with(usage, (address, rate), &request, None)).collect()
}

#[track_caller]
fn all_answered(report: &LoadReport) {
    println!("{} requests, slowest {:?}", report.sent, report.slowest);
    assert!(report.all_were(200), "{report:?}");
}

#[test]
fn ten_restarts_under_load_refuse_no_connection_and_lose_no_request() {
    let (place, upstream) = (Directory::new(), Upstream::start());
    let mut proxy = Proxy::start(taking_over(&place, &upstream));
    let loads = loads(proxy.address());
    let livez = Request::get("http://localhost/livez");
    let admin = Load::with(Use::Fresh, (proxy.admin(), 40), &livez, None);
    for _ in 0..RESTARTS {
        let next = proxy.successor(taking_over(&place, &upstream)).expect("it takes over");
        let mut before = std::mem::replace(&mut proxy, next);
        assert!(before.wait_for_end(LONG).success());
        before.wait_for_log("another process has taken over", LONG);
        assert!(!before.log().contains("ended before all was finished"), "{}", before.log());
        assert_eq!(proxy.ask_admin("/readyz").status, 200);
    }
    for load in loads.into_iter().chain([admin]) {
        let report = load.stop();
        assert!(report.sent > 50, "{report:?}");
        all_answered(&report);
    }
    assert!(place.file("take-over.sock").exists(), "the next one finds the last one");
    proxy.terminate();
    assert!(proxy.wait_for_end(LONG).success());
    assert!(!place.file("take-over.sock").exists());
}

#[test]
fn a_response_that_is_under_way_is_finished_by_the_old_process() {
    let (place, slow) = (Directory::new(), Upstream::with(Behaviour::text("late").after(Duration::from_secs(2))));
    let mut old = Proxy::start(taking_over(&place, &slow));
    let mut kept = old.connect();
    let new = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| kept.send(Request::get("http://shop/")).expect("an answer"));
        wait_until(LONG, || slow.arrived() == 1);
        let new = old.successor(taking_over(&place, &slow)).expect("it takes over");
        let answer = waiting.join().expect("it does not panic");
        assert_eq!((answer.status, answer.text().as_str()), (200, "late"));
        new
    });
    assert!(old.wait_for_end(LONG).success());
    assert_eq!(new.get("http://shop/").status, 200);
}

#[test]
fn a_successor_that_cannot_start_leaves_the_old_one_serving() {
    let (place, upstream) = (Directory::new(), Upstream::start());
    let mut old = Proxy::start(taking_over(&place, &upstream));
    let loads = loads(old.address());
    for _ in 0..3 {
        old.manifests().replace("broken.yaml", "spec: [");
        let said = old.successor(taking_over(&place, &upstream)).expect_err("it is refused");
        assert!(said.contains("broken.yaml"), "{said}");
        old.wait_for_log("failed; this one serves on", LONG);
        assert_eq!(old.ask_admin("/readyz").status, 200);
    }
    for load in loads {
        all_answered(&load.stop());
    }
    old.manifests().remove("broken.yaml");
    let new = old.successor(taking_over(&place, &upstream)).expect("it takes over");
    assert!(old.wait_for_end(LONG).success());
    assert_eq!(new.get("http://shop/").status, 200);
}

/// Publishes an event until it is taken.
fn publish(proxy: &Proxy, id: usize) {
    let event =
        serde_json::json!({"specversion": "1.0", "id": id.to_string(), "source": "/s", "type": "t"}).to_string();
    let mut refused = String::new();
    wait_until(LONG, || {
        let request = Request::post("http://orders-channel/", event.clone());
        let answer = proxy.send(request.header("content-type", "application/cloudevents+json"));
        assert!(answer.status == 202 || answer.header("retry-after").is_some(), "{answer:?}");
        refused = answer.text();
        answer.status == 202
    });
}

fn delivered(subscriber: &Upstream, ids: std::ops::Range<usize>) -> bool {
    let seen: Vec<String> = subscriber.requests().iter().filter_map(|request| request.header("ce-id")).collect();
    ids.into_iter().all(|id| seen.contains(&id.to_string()))
}

#[test]
fn events_in_files_go_from_one_process_to_the_next() {
    let (place, kept, subscriber) = (Directory::new(), Kept::in_files(), Upstream::start());
    let options = || kept.options(subscriber.address()).argument("--take-over").argument(place.file("take-over.sock"));
    let mut proxy = Proxy::start(options());
    let mut published = 0;
    for _ in 0..3 {
        for _ in 0..20 {
            publish(&proxy, published);
            published += 1;
        }
        let next = proxy.successor(options()).expect("it takes over");
        let mut before = std::mem::replace(&mut proxy, next);
        publish(&proxy, published);
        published += 1;
        assert!(before.wait_for_end(LONG).success());
    }
    wait_until(LONG, || delivered(&subscriber, 0..published));
}

#[test]
fn a_successor_that_fails_once_files_were_let_go_of_leaves_them_to_the_old_one() {
    let (place, kept, subscriber) = (Directory::new(), Kept::in_files(), Upstream::start());
    let options = || kept.options(subscriber.address()).argument("--take-over").argument(place.file("take-over.sock"));
    let old = Proxy::start(options());
    (0..10).for_each(|id| publish(&old, id));
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let port = taken.local_addr().expect("it is bound").to_string();
    let said = old.successor(options().argument("--listen").argument(port)).expect_err("its other port is taken");
    assert!(said.contains("cannot listen on"), "{said}");
    old.wait_for_log("failed; this one serves on", LONG);
    (10..20).for_each(|id| publish(&old, id));
    wait_until(LONG, || delivered(&subscriber, 0..20));
    let new = old.successor(options()).expect("it takes over");
    publish(&new, 20);
    wait_until(LONG, || delivered(&subscriber, 0..21));
}

#[test]
fn a_signal_has_an_instance_start_its_successor() {
    let (place, upstream) = (Directory::new(), Upstream::start());
    let free = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free").local_addr().expect("it is bound");
    let options = taking_over(&place, &upstream).argument("--listen").argument(free.to_string());
    let mut proxy = Proxy::start(options);
    let load = Load::with(Use::Fresh, (free, 200), &Request::get("http://shop/"), None);
    proxy.succeed();
    let line = proxy.wait_for_log("a successor was started", LONG);
    let started: serde_json::Value = serde_json::from_str(&line).expect("the log is JSON");
    let successor = started["process"].as_i64().and_then(|number| i32::try_from(number).ok()).expect("a number");
    assert!(proxy.wait_for_end(LONG).success());
    let report = load.stop();
    kill_process(Pid::from_raw(successor).expect("a process has a number"), Signal::TERM).expect("it is running");
    all_answered(&report);
}

/// A program that gives the proxy these sockets as the service manager does (sd_listen_fds(3)), from descriptor 3 on.
fn activated(directory: &Directory, socket: &TcpListener) -> Options {
    fcntl_setfd(socket, FdFlags::empty()).expect("a descriptor can be inherited");
    let (from, sluice) = (socket.as_raw_fd(), sluicegate_tests::sluice());
    let script = format!(
        "#!/bin/bash\nexec 3<&{from}\nexport LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web\nexec {} \"$@\"\n",
        sluice.display()
    );
    directory.write("activated", script);
    let program = directory.file("activated");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it can be made executable");
    let address = socket.local_addr().expect("it is bound").to_string();
    Options::new().program(program).workers(2).argument("--listen").argument(address)
}

fn ask(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("it is not refused");
    stream.set_read_timeout(Some(LONG)).expect("a socket has a time-out");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nconnection: close\r\n\r\n").expect("it is taken");
    stream
}

fn answered(mut stream: TcpStream) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it is answered");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn clients_of_a_socket_that_the_service_manager_holds_wait_while_the_proxy_restarts() {
    let (directory, upstream) = (Directory::new(), Upstream::start());
    let socket = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = socket.local_addr().expect("it is bound");
    let options = || activated(&directory, &socket).upstream("shop", upstream.address());
    let early = ask(address);
    let mut proxy = Proxy::start(options());
    answered(early);
    proxy.terminate();
    assert!(proxy.wait_for_end(LONG).success());
    let between = ask(address);
    let proxy = Proxy::start(options());
    answered(between);
    answered(ask(address));
    assert!(!proxy.log().contains("no setting and no document asks for"), "{}", proxy.log());
}

#[test]
fn the_service_manager_is_told_what_becomes_of_the_proxy() {
    let (directory, upstream) = (Directory::new(), Upstream::start());
    let manager = UnixDatagram::bind(directory.file("notify")).expect("a socket can be bound");
    manager.set_read_timeout(Some(LONG)).expect("a socket has a time-out");
    let heard = || {
        let mut bytes = [0; 200];
        let length = manager.recv(&mut bytes).expect("it is told");
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    let path = directory.file("notify").display().to_string();
    let options = Options::new().environment("NOTIFY_SOCKET", &path).environment("WATCHDOG_USEC", "60000000");
    let mut proxy = Proxy::start(options.upstream("shop", upstream.address()));
    assert_eq!((heard(), heard()), ("READY=1".to_owned(), "WATCHDOG=1".to_owned()));
    proxy.hang_up();
    assert!(heard().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(heard(), "READY=1");
    proxy.terminate();
    assert_eq!(heard(), "STOPPING=1");
    assert!(proxy.wait_for_end(LONG).success());
}
