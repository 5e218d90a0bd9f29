//! What a composed answer is when some of its calls fail: every way to fail, in every role that a call can have.
//!
//! Each case also shows that whoever is not wanted any more is let go of: the service sees its exchange end.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::{Value, json};
use sluicegate_tests::{Behaviour, Options, Proxy, Request, Upstream, raw, wait_until};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How a call fails, and what its outcome is then.
const FAULTS: [(&str, &str); 8] = [
    ("late", "deadline"),
    ("closed", "refused"),
    ("reset", "reset"),
    ("half", "reset"),
    ("failing", "status"),
    ("lying", "not-json"),
    ("large", "too-large"),
    ("trickling", "deadline"),
];

/// Far longer than any case takes: who waits for it has not been let go of.
const ENDLESS: Duration = Duration::from_secs(20);
/// After all faults, and before anything else.
const GOOD_AFTER: Duration = Duration::from_millis(400);
/// The deadline of calls that are too slow.
const DEADLINE: u64 = 150;

/// A proxy and services of every kind.
struct Stage {
    proxy: Proxy,
    good: Upstream,
    slow: Upstream,
    _faults: Vec<Upstream>,
}

impl Stage {
    fn new() -> Self {
        let good = Upstream::with(Behaviour::json(&json!({"good": 1})).after(GOOD_AFTER));
        let slow = Upstream::with(Behaviour::json(&json!({})).after(ENDLESS));
        let trickle = Behaviour::Chunks {
            chunks: std::iter::repeat_n("x".into(), 100).collect(),
            pause: Duration::from_millis(50),
            trailers: Vec::new(),
        };
        let faults = [
            ("late", Behaviour::json(&json!({})).after(ENDLESS)),
            ("reset", Behaviour::Reset),
            ("half", Behaviour::half("{\"half\": true}")),
            ("failing", Behaviour::status(503)),
            ("lying", Behaviour::text("{\"open\": ")),
            ("large", Behaviour::text(&"x".repeat(100))),
            ("trickling", trickle),
        ];
        let mut options = Options::new().filter("planner").granted("planner").upstream("closed", closed_port());
        for name in ["good", "good[1]", "good[2]"] {
            options = options.upstream(name.trim_end_matches("[1]").trim_end_matches("[2]"), good.address());
        }
        options = options.upstream("slow", slow.address());
        let mut upstreams = Vec::new();
        for (name, behaviour) in faults {
            let upstream = Upstream::with(behaviour);
            options = options.upstream(name, upstream.address());
            upstreams.push(upstream);
        }
        Self { proxy: Proxy::start(options), good, slow, _faults: upstreams }
    }

    /// Carries a plan out, and returns the outcomes and how long that took.
    #[track_caller]
    fn run(&self, plan: &Value) -> (Value, Duration) {
        let start = Instant::now();
        let request = Request::get("http://shop/").header("x-plan", &plan.to_string());
        let answer = self.proxy.send(request);
        assert_eq!(answer.status, 200, "{plan}: {}", answer.text());
        (answer.json(), start.elapsed())
    }

    /// Waits until the slow service is busy with nothing: a call may be given up before it has got there.
    #[track_caller]
    fn slow_is_idle(&self) {
        wait_until(Duration::from_secs(5), || self.slow.abandoned() == self.slow.arrived());
    }

    /// Waits until so many exchanges of the slow service have been ended from outside.
    #[track_caller]
    fn slow_is_left(&self, times: usize) {
        wait_until(Duration::from_secs(5), || self.slow.abandoned() >= times);
        assert_eq!(self.slow.abandoned(), times);
    }
}

/// A port that was free a moment ago.
fn closed_port() -> SocketAddr {
    TcpListener::bind(("127.0.0.1", 0)).expect("a port is free").local_addr().expect("it has an address")
}

/// A call that fails in this way.
fn fault(kind: &str, required: bool) -> Value {
    let mut call = json!({"name": kind, "required": required, "accept": [[200, 299]], "max-body": 60});
    match kind {
        "lying" => call["body"] = json!("splice-json"),
        "late" | "trickling" => call["deadline"] = json!(DEADLINE),
        _ => {}
    }
    call
}

fn good(name: &str) -> Value {
    json!({"name": name, "to": "good", "path": format!("/{name}")})
}

fn slow() -> Value {
    json!({"name": "slow"})
}

fn failed(error: &str) -> Value {
    if error == "status" { json!({"error": "status", "status": 503}) } else { json!({ "error": error }) }
}

fn is_good() -> Value {
    json!({"status": 200, "body": "{\"good\":1}"})
}

#[test]
fn an_optional_call_that_fails_leaves_the_others_alone() {
    let stage = Stage::new();
    for (kind, error) in FAULTS {
        let (outcomes, _) = stage.run(&json!({"calls": [fault(kind, false), good("good")]}));
        assert_eq!(outcomes, json!({kind: failed(error), "good": is_good()}), "{kind}");
    }
    assert_eq!(stage.good.abandoned(), 0);
}

#[test]
fn a_required_call_that_fails_ends_the_others() {
    let stage = Stage::new();
    for (kind, error) in FAULTS {
        let (outcomes, took) = stage.run(&json!({"calls": [slow(), fault(kind, true)]}));
        assert_eq!(outcomes, json!({"slow": failed("cancelled"), kind: failed(error)}), "{kind}");
        assert!(took < ENDLESS / 4, "{kind}: {took:?}");
        stage.slow_is_idle();
    }
    assert!(stage.slow.abandoned() >= 2, "the faults that take their time let the slow call begin");
}

#[test]
fn the_first_good_answer_is_enough_whatever_else_fails() {
    let stage = Stage::new();
    for ((kind, error), times) in FAULTS.into_iter().zip(1..) {
        let group = json!({"calls": [kind, "slow", "good"], "enough": 1, "required": true});
        let plan = json!({"calls": [fault(kind, false), slow(), good("good")], "groups": [group]});
        let (outcomes, took) = stage.run(&plan);
        let expected = json!({kind: failed(error), "slow": failed("cancelled"), "good": is_good()});
        assert_eq!(outcomes, expected, "{kind}");
        assert!(took < ENDLESS / 4, "{kind}: {took:?}");
        stage.slow_is_left(times);
    }
}

#[test]
fn a_quorum_is_enough_whatever_else_fails() {
    let stage = Stage::new();
    for ((kind, error), times) in FAULTS.into_iter().zip(1..) {
        let group = json!({"calls": ["slow", kind, "good[1]", "good[2]"], "enough": 2, "required": true});
        let calls = [slow(), fault(kind, false), good("good[1]"), good("good[2]")];
        let (outcomes, took) = stage.run(&json!({"calls": calls, "groups": [group]}));
        let expected = json!({
            "slow": failed("cancelled"), kind: failed(error), "good[1]": is_good(), "good[2]": is_good(),
        });
        assert_eq!(outcomes, expected, "{kind}");
        assert!(took < ENDLESS / 4, "{kind}: {took:?}");
        stage.slow_is_left(times);
    }
}

#[test]
fn a_required_quorum_that_cannot_be_had_any_more_ends_the_rest() {
    let stage = Stage::new();
    for (kind, error) in FAULTS {
        let group = json!({"calls": [kind, "good"], "enough": 2, "required": true});
        let plan = json!({"calls": [slow(), fault(kind, false), good("good")], "groups": [group]});
        let (outcomes, took) = stage.run(&plan);
        let cancelled = failed("cancelled");
        assert_eq!(outcomes, json!({"slow": cancelled, kind: failed(error), "good": cancelled}), "{kind}");
        assert!(took < ENDLESS / 4, "{kind}: {took:?}");
        stage.slow_is_idle();
    }
    assert!(stage.slow.abandoned() >= 2, "the faults that take their time let the slow call begin");
}

#[test]
fn a_client_that_leaves_takes_every_call_with_it() {
    let stage = Stage::new();
    let of_group = |enough: Value| json!([{"calls": ["a", "b"], "enough": enough, "required": true}]);
    let groups = [json!([]), of_group(json!(null)), of_group(json!(1)), of_group(json!(2))];
    for (groups, round) in groups.into_iter().zip(1..) {
        let call = |name: &str| json!({"name": name, "to": "slow", "path": format!("/{name}"), "required": round == 1});
        let plan = json!({"calls": [call("a"), call("b")], "groups": groups});
        let mut client = TcpStream::connect(stage.proxy.address()).expect("the proxy listens");
        write!(client, "GET / HTTP/1.1\r\nhost: shop\r\nx-plan: {plan}\r\n\r\n").expect("it is sent");
        wait_until(Duration::from_secs(5), || stage.slow.arrived() == round * 2);
        drop(client);
        stage.slow_is_left(round * 2);
    }
}

#[test]
fn a_client_that_leaves_takes_a_body_with_it_that_streams() {
    let chunks = std::iter::repeat_n("x".repeat(1_000).into(), 1_000).collect();
    let stream = Behaviour::Chunks { chunks, pause: Duration::from_millis(20), trailers: Vec::new() };
    let service = Upstream::with(stream);
    let proxy = Proxy::start(Options::new().filter("planner").granted("planner").upstream("stream", service.address()));
    let plan = json!({"calls": [{"name": "stream", "body": "splice"}], "answer": [{"body-of": "stream"}]});
    let mut client = TcpStream::connect(proxy.address()).expect("the proxy listens");
    write!(client, "GET / HTTP/1.1\r\nhost: shop\r\nx-plan: {plan}\r\n\r\n").expect("it is sent");
    let mut some = [0; 2_000];
    std::io::Read::read_exact(&mut client, &mut some).expect("the answer begins");
    drop(client);
    wait_until(Duration::from_secs(5), || service.abandoned() == 1);
}

#[test]
fn the_plans_deadline_ends_what_is_left() {
    let stage = Stage::new();
    let (outcomes, took) = stage.run(&json!({"calls": [slow(), good("good")], "deadline": 700}));
    assert_eq!(outcomes, json!({"slow": failed("deadline"), "good": is_good()}));
    assert!(took < ENDLESS / 4, "{took:?}");
    stage.slow_is_left(1);
}

#[test]
fn a_call_is_tried_again_as_its_plan_says() {
    let service = Upstream::statuses([503, 503, 200]);
    let proxy =
        Proxy::start(Options::new().filter("planner").granted("planner").upstream("service", service.address()));
    let plan = json!({"calls": [{"name": "service", "retries": 2, "accept": [[200, 299]]}]});
    let answer = proxy.send(Request::get("http://shop/").header("x-plan", &plan.to_string()));
    assert_eq!(answer.json(), json!({"service": {"status": 200, "body": ""}}));
    let line = proxy.wait_for_log("sluicegate.calls", Duration::from_secs(5));
    let record: Value = serde_json::from_str(&line).expect("a record is JSON");
    let call = &record["sluicegate.calls"][0];
    assert_eq!((&call["name"], &call["destination"]), (&json!("service"), &json!("service")), "{line}");
    assert_eq!((&call["status"], &call["attempts"]), (&json!(200), &json!(3)), "{line}");
    assert!(call["ms"].is_number(), "{line}");
}

#[test]
fn as_many_plans_as_may_be_follow_each_other_and_no_more() {
    let stage = Stage::new();
    let staged = |stages: usize| {
        let last = json!({"calls": [good("good[0]")]});
        (1..stages).fold(last, |then, stage| json!({"calls": [good(&format!("good[{stage}]"))], "then": then}))
    };
    let send = |plan: Value| stage.proxy.send(Request::get("http://shop/").header("x-plan", &plan.to_string()));
    let answer = send(staged(8));
    assert_eq!((answer.status, answer.json().as_object().map(serde_json::Map::len)), (200, Some(8)));
    assert_eq!(send(staged(9)).status, 503);
}

#[test]
fn calls_are_counted_by_name_and_result() {
    let stage = Stage::new();
    stage.run(&json!({"calls": [good("good[1]"), good("good[2]"), fault("failing", false)]}));
    let metrics = stage.proxy.ask_admin("/metrics").text();
    let count = |call: &str, result: &str| {
        let labels = format!("call=\"{call}\",result=\"{result}\"");
        let line = metrics.lines().find(|line| line.starts_with("sluicegate_gather_calls") && line.contains(&labels));
        line.and_then(|line| line.rsplit(' ').next()).map(str::to_owned)
    };
    assert_eq!(count("good", "good").as_deref(), Some("2"), "{metrics}");
    assert_eq!(count("failing", "status").as_deref(), Some("1"), "{metrics}");
    assert!(metrics.contains("sluicegate_gather_call_duration_seconds_count"), "{metrics}");
}

#[test]
fn an_answer_is_told_apart_from_half_of_one() {
    let chunks = vec!["{\"a\": ".into(), "1".into(), "]".into()];
    let lie = Behaviour::Chunks { chunks, pause: Duration::from_millis(100), trailers: Vec::new() };
    let service = Upstream::with(lie);
    let proxy = Proxy::start(Options::new().filter("planner").granted("planner").upstream("lie", service.address()));
    let plan = json!({"calls": [{"name": "lie", "body": "splice-json"}], "answer": [{"bytes": "["}, {"body-of": "lie"}, {"bytes": "]"}]});
    let request = format!("GET / HTTP/1.1\r\nhost: shop\r\nx-plan: {plan}\r\n\r\n");
    let answer = String::from_utf8_lossy(&raw(proxy.address(), request)).into_owned();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("{\"a\": "), "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    let metrics = proxy.ask_admin("/metrics").text();
    assert!(metrics.contains("sluicegate_gather_broken_answers_total{reason=\"not-json\"} 1"), "{metrics}");
    let record = proxy.wait_for_log("sluicegate.aborted", Duration::from_secs(5));
    assert!(record.contains("sluicegate.calls"), "{record}");
}
