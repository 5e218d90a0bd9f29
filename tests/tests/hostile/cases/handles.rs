//! Handles that were never given, and functions of WASI.

use super::Outcome::Fails;
use super::{Case, act, case};
use crate::component::Guest;

const EXIT: &str = r#"(import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))"#;
const SOCKET: &str =
    r#"(import "wasi:sockets/tcp-create-socket@0.2.6" "create-tcp-socket" (func $socket (result i32)))"#;

pub(super) fn cases() -> Vec<Case> {
    let (trap, denied) = (Fails("trap", None), Fails("denied", Some("capability")));
    vec![
        act("to read a request that it was not given", trap, "(call $path (i32.const 77) (i32.const 16))"),
        act("to let go of a request that it was not given", trap, "(call $drop (i32.const 77))"),
        act("to let go of its request twice", trap, "(call $drop (local.get $request))"),
        case("to keep its request", trap, &Guest { end: "", ..Guest::new("") }),
        case(
            "to use its request after it has let go of it",
            trap,
            &Guest {
                end: "(call $drop (local.get $request)) (call $path (local.get $request) (i32.const 16))",
                ..Guest::new("")
            },
        ),
        act(
            "to have the host write its answer beyond the memory",
            trap,
            "(call $path (local.get $request) (i32.const -4))",
        ),
        case(
            "to end the process",
            denied,
            &Guest { imports: &["wasi:cli/exit@0.2.6"], functions: EXIT, ..Guest::new("(call $exit (i32.const 0))") },
        ),
        case(
            "to open a socket",
            denied,
            &Guest {
                imports: &["wasi:sockets/tcp-create-socket@0.2.6"],
                functions: SOCKET,
                ..Guest::new("(drop (call $socket))")
            },
        ),
    ]
}
