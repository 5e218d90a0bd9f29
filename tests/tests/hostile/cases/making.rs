//! One that is good until it serves.

use super::Outcome::Fails;
use super::{Case, case};
use crate::component::Guest;

const STORE: &str = r#"
  (import "sluicegate:filter/store@0.1.0" "get" (func $get (param i32 i32 i32)))
  (import "sluicegate:filter/store@0.1.0" "set" (func $set (param i32 i32 i32 i32 i32 i64 i32)))"#;

/// Its first instances are configured at once. It traps once it has left word, and every later instance loops instead.
pub(crate) fn late() -> Case {
    let configure = r#"(func (export "sluicegate:filter/configuration@0.1.0#configure")
      (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
      (call $get (i32.const 8192) (i32.const 4) (i32.const 3072))
      (if (i32.load8_u (i32.const 3072)) (then (loop $l (br $l))))
      (i32.const 64))"#;
    let leave_word = "(call $set (i32.const 8192) (i32.const 4) (i32.const 8192) (i32.const 1) (i32.const 0) \
                      (i64.const 0) (i32.const 3072)) (unreachable)";
    let guest = Guest {
        imports: &["store"],
        functions: STORE,
        exports: &["configuration"],
        items: configure.to_owned(),
        ..Guest::new(leave_word)
    };
    case("to have every later instance loop when it is configured", Fails("deadline", Some("deadline")), &guest)
}
