//! Metrics of its own, and its store. Both outlive the component: each case finds what those before it left.

use super::Outcome::{Fails, Goes};
use super::{Case, case};
use crate::component::{Guest, data};

/// Kind, name, labels, and where the answer goes.
const METRICS: &str = r#"
  (import "sluicegate:filter/metrics@0.1.0" "define" (func $define (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "sluicegate:filter/metrics@0.1.0" "add" (func $add (param i32 i64)))
  (import "sluicegate:filter/metrics@0.1.0" "observe" (func $observe (param i32 f64)))"#;
/// Key, value and lifetime, and where the answer goes; `swap` has the version behind the key.
const STORE: &str = r#"
  (import "sluicegate:filter/store@0.1.0" "get" (func $get (param i32 i32 i32)))
  (import "sluicegate:filter/store@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32 i64 i32)))
  (import "sluicegate:filter/store@0.1.0" "swap" (func $swap (param i32 i32 i32 i64 i32 i32 i32 i64 i32)))"#;
/// Where a name of four letters is made of the number of the turn.
const NAME: &str = "(i32.store (i32.const 8192) (i32.add (i32.const 0x61616161) (i32.add (i32.add \
    (i32.and (local.get $i) (i32.const 15)) \
    (i32.shl (i32.and (i32.shr_u (local.get $i) (i32.const 4)) (i32.const 15)) (i32.const 8))) \
    (i32.shl (i32.and (i32.shr_u (local.get $i) (i32.const 8)) (i32.const 15)) (i32.const 16)))))";

pub(super) fn cases() -> Vec<Case> {
    metrics().into_iter().chain(store()).collect()
}

/// Does something so many times.
fn times(count: u32, act: &str) -> String {
    format!(
        "(loop $l {act} (local.set $i (i32.add (local.get $i) (i32.const 1))) \
         (br_if $l (i32.lt_u (local.get $i) (i32.const {count}))))"
    )
}

/// Defines a counter: name and labels as addresses and lengths.
fn define(name: (u32, u32), labels: (u32, u32)) -> String {
    let ((name, length), (labels, count)) = (name, labels);
    format!(
        "(call $define (i32.const 0) (i32.const 0) (i32.const 0) (i32.const {name}) (i32.const {length}) \
         (i32.const {labels}) (i32.const {count}) (i32.const 3072))"
    )
}

/// Writes a value that does not expire: key and value as addresses and lengths.
fn set(key: (u32, u32), value: (u32, u32)) -> String {
    let ((key, length), (value, size)) = (key, value);
    format!(
        "(call $set (i32.const {key}) (i32.const {length}) (i32.const {value}) (i32.const {size}) (i32.const 0) \
         (i64.const 0) (i32.const 3072))"
    )
}

fn metrics() -> Vec<Case> {
    let counts = |act: String| Guest { imports: &["metrics"], functions: METRICS, ..Guest::new(act) };
    let name = || data(8192, b"hostile");
    vec![
        case(
            "to define four hundred metrics",
            Goes("metric-series"),
            &counts(times(400, &format!("{NAME} {}", define((8192, 4), (0, 0))))),
        ),
        case(
            "to count in series that there are not",
            Goes("metric-series"),
            &counts("(call $add (i32.const -1) (i64.const 1)) (call $observe (i32.const 70000) (f64.const 1))".into()),
        ),
        case(
            "to write a line of its own into what is scraped",
            Goes("metric-names"),
            &Guest { items: data(8192, b"x 1\nhttp_server_active_requests"), ..counts(define((8192, 31), (0, 0))) },
        ),
        case("to have a metric's name without an end", Goes("metric-names"), &counts(define((8192, 65_536), (0, 0)))),
        case(
            "to have more labels than a call may hand over",
            Fails("limit", Some("decision")),
            &Guest {
                items: name(),
                ..counts(
                    times(
                        4_000,
                        "(i32.store (i32.add (i32.const 16388) (i32.mul (local.get $i) (i32.const 16))) \
                         (i32.const 8192))",
                    ) + &define((8192, 7), (16_384, 4_000)),
                )
            },
        ),
        case(
            "to have labels from beyond its memory",
            Fails("trap", None),
            &Guest { items: name(), ..counts(define((8192, 7), (131_056, 100))) },
        ),
    ]
}

fn store() -> Vec<Case> {
    let keeps = |act: String| Guest { imports: &["store"], functions: STORE, ..Guest::new(act) };
    vec![
        case(
            "to keep thousands of values",
            Goes("store-keys"),
            &keeps(times(200, &format!("{NAME} {}", set((8192, 4), (8192, 100))))),
        ),
        case(
            "to make two mebibytes of a value that it has",
            Goes("store-bytes"),
            &Guest { memory: "40", ..keeps(format!("{NAME} {}", set((8192, 4), (16_384, 2 << 20)))) },
        ),
        case(
            "to keep more than a call may hand over",
            Fails("limit", Some("decision")),
            &Guest { memory: "400", ..keeps(set((8192, 1), (16_384, 20 << 20))) },
        ),
        case("to have a key of sixty-four kibibytes", Goes("store-bytes"), &keeps(set((8192, 65_536), (0, 1)))),
        case("to have a value from beyond its memory", Fails("trap", None), &keeps(set((8192, 1), (131_000, 100_000)))),
        case(
            "to swap for ever what never has that version",
            Fails("deadline", Some("deadline")),
            &keeps(
                "(loop $l (call $swap (i32.const 8192) (i32.const 1) (i32.const 1) (i64.const -1) (i32.const 0) \
                 (i32.const 1) (i32.const 0) (i64.const 0) (i32.const 3072)) (br $l))"
                    .into(),
            ),
        ),
        case(
            "to read for ever",
            Fails("deadline", Some("deadline")),
            &keeps("(loop $l (call $get (i32.const 8192) (i32.const 4) (i32.const 3072)) (br $l))".into()),
        ),
    ]
}
