//! What a component allocates with.
//!
//! Most of what a hook costs is to allocate the strings of its decision and to free them again. The target's own allocator
//! takes about three times as long for that.

use talc::wasm::{WasmDynamicTalc, new_wasm_dynamic_allocator};

#[global_allocator]
static ALLOCATOR: WasmDynamicTalc = new_wasm_dynamic_allocator();
