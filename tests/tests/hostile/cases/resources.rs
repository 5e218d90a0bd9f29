//! Time, memory, tables, stack, log and random bytes.

use super::Outcome::{Fails, Goes};
use super::{Case, act, case};
use crate::component::Guest;

const LOG: &str = r#"(import "sluicegate:filter/log@0.1.0" "log" (func $log (param i32 i32 i32)))"#;
const RANDOM: &str = r#"(import "sluicegate:filter/random@0.1.0" "bytes" (func $bytes (param i32 i32)))"#;
/// Grows the memory by a mebibyte at a time until it is refused, then gives up.
const HOG: &str =
    "(loop $more (if (i32.ge_s (memory.grow (i32.const 16)) (i32.const 0)) (then (br $more)))) (unreachable)";

pub(super) fn cases() -> Vec<Case> {
    let mut cases = time();
    cases.extend(memory());
    cases.extend(traps());
    cases.extend(capabilities());
    cases
}

fn time() -> Vec<Case> {
    let late = Fails("deadline", Some("deadline"));
    vec![
        act("never to return", late, "(loop $l (br $l))"),
        case(
            "to loop in its allocator, while the host hands it the path",
            late,
            &Guest { realloc: "(if (i32.eq (local.get 3) (i32.const 8)) (then (loop $l (br $l))))", ..Guest::new("") },
        ),
        case(
            "to loop after its decision, when the host lets go of it",
            late,
            &Guest {
                items: r#"(func (export "cabi_post_sluicegate:filter/request-filter@0.1.0#on-request") (param i32)
                  (if (i32.eq (local.get 0) (i32.const 1024)) (then (loop $l (br $l)))))"#
                    .into(),
                ..Guest::new("")
            },
        ),
        act(
            "to compute for ever",
            late,
            "(loop $l (local.set $i (i32.add (local.get $i) (i32.popcnt (local.get $i)))) (br $l))",
        ),
    ]
}

fn memory() -> Vec<Case> {
    let hungry = Fails("memory", Some("memory"));
    vec![
        act("to take all memory, a mebibyte at a time", hungry, HOG),
        act(
            "to take four gibibytes at once, and go on without them",
            Goes("memory"),
            "(drop (memory.grow (i32.const 65000)))",
        ),
        act(
            "to make room by growth that its own type does not allow",
            hungry,
            format!("(drop (memory.grow (i32.const 65536))) (drop (memory.grow (i32.const 70000))) {HOG}"),
        ),
        case(
            "to grow a table beyond its bound",
            Goes("table-elements"),
            &Guest {
                items: "(table $t 1 funcref)".into(),
                ..Guest::new("(drop (table.grow $t (ref.null func) (i32.const 30000)))")
            },
        ),
        case(
            "to use up its stack by recursion",
            Fails("trap", Some("stack")),
            &Guest {
                items:
                    "(func $deep (param i32) (result i32) (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) \
                        (local.get 0)))"
                        .into(),
                ..Guest::new("(drop (call $deep (i32.const 0)))")
            },
        ),
        case(
            "to use up its stack by large frames",
            Fails("trap", Some("stack")),
            &Guest { items: wide(), ..Guest::new("(drop (call $wide (i64.const 1)))") },
        ),
    ]
}

/// A function with two thousand variables that are alive across a call of itself.
fn wide() -> String {
    use std::fmt::Write;
    let mut text = "(func $wide (param i64) (result i64) (local".to_owned() + &" i64".repeat(2_000) + ")";
    for local in 1..=2_000 {
        write!(text, "(local.set {local} (i64.add (local.get 0) (i64.const {local})))").expect("memory takes it");
    }
    text.push_str("(local.set 0 (call $wide (i64.add (local.get 0) (i64.const 1))))");
    for local in 1..=2_000 {
        write!(text, "(local.set 0 (i64.xor (local.get 0) (local.get {local})))").expect("memory takes it");
    }
    text + "(local.get 0))"
}

fn traps() -> Vec<Case> {
    let trap = Fails("trap", None);
    vec![
        act("to trap", trap, "(unreachable)"),
        act("to divide by zero", trap, "(drop (i32.div_u (i32.const 1) (i32.load (i32.const 512))))"),
        act("to read beyond its memory", trap, "(drop (i32.load (i32.const -16)))"),
        act("to write beyond its memory", trap, "(i64.store (i32.const 0x7fffffff) (i64.const -1))"),
        case(
            "to call a function that is none",
            trap,
            &Guest {
                items: "(table $t 4 funcref) (type $f (func))".into(),
                ..Guest::new("(call_indirect $t (type $f) (i32.const 3))")
            },
        ),
        case(
            "to call a function beyond its table",
            trap,
            &Guest {
                items: "(table $t 4 funcref) (type $f (func))".into(),
                ..Guest::new("(call_indirect $t (type $f) (i32.const -1))")
            },
        ),
        case(
            "to have the host write beyond its memory",
            trap,
            &Guest {
                realloc: "(if (i32.eq (local.get 3) (i32.const 8)) (then (return (i32.const -8))))",
                ..Guest::new("")
            },
        ),
        case(
            "to trap in its allocator",
            trap,
            &Guest { realloc: "(if (i32.eq (local.get 3) (i32.const 8)) (then (unreachable)))", ..Guest::new("") },
        ),
    ]
}

fn capabilities() -> Vec<Case> {
    let logs = |act: &str| Guest { imports: &["log"], functions: LOG, ..Guest::new(act) };
    let draws = |act: &str| Guest { imports: &["random"], functions: RANDOM, ..Guest::new(act) };
    let trap = Fails("trap", None);
    vec![
        case(
            "to log a thousand lines in one call",
            Goes("log-lines"),
            &logs(
                "(loop $l (call $log (i32.const 2) (i32.const 4096) (i32.const 1)) (local.set $i (i32.add (local.get $i) \
                 (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 1000))))",
            ),
        ),
        case(
            "to log a hundred kibibytes in lines of one",
            Goes("log-call"),
            &logs(
                "(loop $l (call $log (i32.const 2) (i32.const 4096) (i32.const 1024)) (local.set $i (i32.add (local.get $i) \
                 (i32.const 1))) (br_if $l (i32.lt_u (local.get $i) (i32.const 100))))",
            ),
        ),
        case(
            "to log twenty mebibytes in one line",
            Fails("limit", Some("decision")),
            &Guest { memory: "400", ..logs("(call $log (i32.const 2) (i32.const 4096) (i32.const 20971520))") },
        ),
        case("to log from beyond its memory", trap, &logs("(call $log (i32.const 2) (i32.const -64) (i32.const 128))")),
        case("to log at a level that is none", trap, &logs("(call $log (i32.const 99) (i32.const 0) (i32.const 1))")),
        case(
            "to log what is not text",
            trap,
            &Guest {
                items: crate::component::data(8192, &[0xff, 0xfe, 0x80]),
                ..logs("(call $log (i32.const 2) (i32.const 8192) (i32.const 3))")
            },
        ),
        case(
            "to draw more random bytes than anybody needs",
            Fails("denied", Some("random")),
            &draws("(call $bytes (i32.const 1048576) (i32.const 64))"),
        ),
    ]
}
