//! Components that are refused: what runs goes on running.

use super::Outcome::Refused;
use super::{Case, act, case};
use crate::component::Guest;

const HTTP: &str = r#"(import "wasi:http/outgoing-handler@0.2.6" "handle" (func $handle (result i32)))"#;
const SHELL: &str = r#"(import "evil:host/shell@1.0.0" "run" (func $run (result i32)))"#;
const CLOCK: &str = r#"(import "sluicegate:filter/clock@0.1.0" "now" (func $now (result i64)))"#;

/// How a hook says that it decides.
const DECIDES: &str = "-> request-decision;";

/// What the engine says of a module with more than one memory or table.
const PER_MODULE: &str = "exceeds the per-instance limit of 1";

/// A guest with this in its hook `configuration`, which gives the list at 64.
fn configured(body: &str) -> Guest {
    let export = r#"(export "sluicegate:filter/configuration@0.1.0#configure")"#;
    let items = format!("(func {export} (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) {body} (i32.const 64))");
    Guest { exports: &["configuration"], items, ..Guest::new("") }
}

fn with(items: &str) -> Guest {
    Guest { items: items.into(), ..Guest::new("") }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = imports();
    cases.extend(starting());
    cases.extend(files());
    cases
}

fn imports() -> Vec<Case> {
    let importing = |imports, functions, act: &str| Guest { imports, functions, ..Guest::new(act) };
    vec![
        case(
            "to make requests of its own",
            Refused("`forward` or `gather` decision"),
            &importing(&["wasi:http/outgoing-handler@0.2.6"], HTTP, "(drop (call $handle))"),
        ),
        case(
            "to import a shell",
            Refused("evil:host/shell@1.0.0, which the host does not offer"),
            &importing(&["evil:host/shell@1.0.0"], SHELL, "(drop (call $run))"),
        ),
        case(
            "to read the clock without a grant",
            Refused("it wants capability clock"),
            &importing(&["clock"], CLOCK, "(drop (call $now))"),
        ),
        case(
            "to decide with a number, as in another contract",
            Refused("it was built with another SDK"),
            &Guest { contract: |contract| contract.replace(DECIDES, "-> u32;"), ..Guest::new("") },
        ),
    ]
}

fn starting() -> Vec<Case> {
    vec![
        case("to loop when it starts", Refused("it ran too long"), &with("(func $s (loop $l (br $l))) (start $s)")),
        case("to trap when it starts", Refused("unreachable"), &with("(func $s (unreachable)) (start $s)")),
        case("to loop when it is configured", Refused("it ran too long"), &configured("(loop $l (br $l))")),
        case("to trap when it is configured", Refused("unreachable"), &configured("(unreachable)")),
        case(
            "to say a million things when it is configured",
            Refused("it hands over more data than it may"),
            &Guest {
                memory: "1000",
                ..configured(
                    "(i32.store (i32.const 64) (i32.const 4096)) (i32.store (i32.const 68) (i32.const 1000000))",
                )
            },
        ),
        case(
            "to begin with 125 MiB",
            Refused("more than it may have: `memory`"),
            &Guest { memory: "2000", ..Guest::new("") },
        ),
        case("to begin with a table of 30,000", Refused("30000"), &with("(table 30000 funcref)")),
        case("to have two tables in one module", Refused(PER_MODULE), &with("(table 1 funcref) (table 1 funcref)")),
        case("to have two memories in one module", Refused(PER_MODULE), &with("(memory 1)")),
    ]
}

fn files() -> Vec<Case> {
    let file = |tries, says, bytes: Vec<u8>| Case { tries, bytes, outcome: Refused(says) };
    let mut cut = Guest::new("").build();
    cut.truncate(cut.len() / 2);
    let mut large = Guest::new("").build();
    large.resize(17 << 20, 0);
    let mut manifest = Guest::new("").build();
    // A custom section of 22 bytes: the name's length, the name, and what is no JSON.
    manifest.extend([0, 22, 19]);
    manifest.extend(b"sluicegate:manifest");
    manifest.extend(b"{]");
    vec![
        file("to be a core module", "it is a core module, not a component", b"\0asm\x01\0\0\0".to_vec()),
        file("to be half of itself", "it is not a WebAssembly component", cut),
        file("to be no WebAssembly at all", "it is not a WebAssembly component", b"#!/bin/sh\nreboot\n".to_vec()),
        file("to be empty", "it is not a WebAssembly component", Vec::new()),
        file("to be a component without hooks", "exports no hook", b"\0asm\x0d\0\x01\0".to_vec()),
        file("to have a manifest that is none", "its section sluicegate:manifest does not read", manifest),
        file("to be larger than a component may be", "larger than 16777216 bytes", large),
    ]
}

/// One that behaves.
pub(crate) fn harmless() -> Case {
    act("nothing", Refused(""), "")
}
