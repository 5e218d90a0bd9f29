//! Of two processes that hand over, either may be asked to end in the middle of it: the other one serves.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Behaviour, Directory, Load, Options, Proxy, Request, Upstream, Use, wait_until};
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

/// The options of every process that serves one after the other.
fn taking_over(place: &Directory, upstream: &Upstream) -> Options {
    let options = Options::new().workers(2).argument("--take-over").argument(place.file("take-over.sock"));
    options.upstream("shop", upstream.address())
}

/// A process that has the sockets of another one, and loads.
fn loading(old: &Proxy, options: Options) -> Proxy {
    let new = old.begin_successor(options);
    old.wait_for_log("another process is about to take over", LONG);
    new
}

/// The last process takes over from this one as ever.
#[must_use]
fn succeeded(mut proxy: Proxy, options: Options) -> Proxy {
    let last = proxy.successor(options).expect("it takes over");
    assert!(proxy.wait_for_end(LONG).success());
    proxy.wait_for_log("another process has taken over", LONG);
    assert_eq!(last.get("http://shop/").status, 200);
    assert_eq!(last.ask_admin("/readyz").status, 200);
    last
}

#[test]
fn a_successor_that_is_asked_to_end_while_it_loads_ends_alone() {
    let (place, upstream) = (Directory::new(), Upstream::start());
    let options = || taking_over(&place, &upstream);
    let old = Proxy::start(options());
    let load = Load::with(Use::Fresh, (old.address(), 100), &Request::get("http://shop/"), None);
    let mut new = loading(&old, options());
    new.terminate();
    assert!(new.wait_for_end(LONG).success());
    new.wait_for_log("ending without having served", LONG);
    old.wait_for_log("failed; this one serves on", LONG);
    assert!(!old.log().contains("requests in flight may finish"), "{}", old.log());
    let _last = succeeded(old, options());
    let report = load.stop();
    assert!(report.all_were(200), "{report:?}");
}

#[test]
fn a_process_that_is_asked_to_end_while_its_successor_loads_leaves_all_to_it() {
    let (place, upstream) = (Directory::new(), Upstream::start());
    let options = || taking_over(&place, &upstream);
    let mut old = Proxy::start(options());
    let new = loading(&old, options());
    new.halt();
    old.terminate();
    assert!(old.wait_for_end(LONG).success());
    assert!(place.file("take-over.sock").exists());
    new.go_on();
    new.wait_for_log("the process before this one has ended by itself", LONG);
    assert_eq!(new.get("http://shop/").status, 200, "its clients have waited");
    drop(succeeded(new, options()));
}

#[test]
fn a_process_that_is_asked_to_end_and_still_has_requests_hands_over() {
    let (place, upstream) = (Directory::new(), Upstream::with(Behaviour::text("late").after(Duration::from_secs(5))));
    let options = || taking_over(&place, &upstream);
    let mut old = Proxy::start(options());
    let mut kept = old.connect();
    let new = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| kept.send(Request::get("http://shop/")).expect("an answer"));
        wait_until(LONG, || upstream.arrived() == 1);
        let new = loading(&old, options());
        new.halt();
        old.terminate();
        old.wait_for_log("requests in flight may finish", LONG);
        new.go_on();
        let answer = waiting.join().expect("it does not panic");
        assert_eq!((answer.status, answer.text().as_str()), (200, "late"));
        new
    });
    assert!(old.wait_for_end(LONG).success());
    new.wait_for_log("the process before this one has", LONG);
    assert_eq!(new.get("http://shop/").status, 200);
    drop(succeeded(new, options()));
}
