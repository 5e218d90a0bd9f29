//! Components written as WebAssembly text: what a compiler would never make.

use std::path::Path;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

/// Interfaces beside the contract that hostile components import.
const OTHERS: [&str; 4] = [
    "package wasi:cli@0.2.6; interface exit { exit: func(status: result); }",
    "package wasi:sockets@0.2.6; interface tcp-create-socket { create-tcp-socket: func() -> u32; }",
    "package wasi:http@0.2.6; interface outgoing-handler { handle: func() -> u32; }",
    "package evil:host@1.0.0; interface shell { run: func() -> u32; }",
];

/// Where a decision is put together; 256 bytes of it are empty, which is the decision to go on.
pub(crate) const DECISION: u32 = 1024;

/// A guest with the hook `request`. It behaves unless the path is `/hostile`.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    /// What it does then, as instructions. The decision is at [`DECISION`] after it.
    pub(crate) act: String,
    /// Interfaces that it imports beside `types`, in WIT.
    pub(crate) imports: &'static [&'static str],
    /// The functions of those, as core imports.
    pub(crate) functions: &'static str,
    /// Interfaces that it exports beside the hook `request`.
    pub(crate) exports: &'static [&'static str],
    /// Functions, tables, data and whatever else a module has.
    pub(crate) items: String,
    /// The size of its memory in pages.
    pub(crate) memory: &'static str,
    /// What its allocator does before it gives the one place that it has; parameter 3 is the size.
    pub(crate) realloc: &'static str,
    /// Where it says that its decision is.
    pub(crate) result: &'static str,
    /// What it does with the request's handle when it is done.
    pub(crate) end: &'static str,
    /// What it takes the contract for.
    pub(crate) contract: fn(&str) -> String,
}

impl Guest {
    /// One that does this, and is otherwise as usual.
    pub(crate) fn new(act: impl Into<String>) -> Self {
        Self {
            act: act.into(),
            imports: &[],
            functions: "",
            exports: &[],
            items: String::new(),
            memory: "2",
            realloc: "",
            result: "(i32.const 1024)",
            end: "(call $drop (local.get $request))",
            contract: str::to_owned,
        }
    }

    /// The whole module.
    fn text(&self) -> String {
        let Self { act, functions, items, memory, realloc, result, end, .. } = self;
        format!(
            r#"(module
  (import "sluicegate:filter/types@0.1.0" "[method]request.path" (func $path (param i32 i32)))
  (import "sluicegate:filter/types@0.1.0" "[resource-drop]request" (func $drop (param i32)))
  {functions}
  (memory (export "memory") {memory})
  (func $realloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc} (i32.const 2048))
  {items}
  (func (export "sluicegate:filter/request-filter@0.1.0#on-request") (param $request i32) (result i32)
    (local $i i32)
    (call $path (local.get $request) (i32.const 16))
    (if (result i32) (i32.eq (i32.load (i32.const 20)) (i32.const 8))
      (then {act} {end} {result})
      (else (call $drop (local.get $request)) (i32.const 512)))))"#
        )
    }

    /// The component.
    pub(crate) fn build(&self) -> Vec<u8> {
        let text = self.text();
        let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        let (resolve, package) = self.world();
        let world = resolve.select_world(&[package], None).expect("there is one world");
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("it has a world");
        let mut encoder = ComponentEncoder::default();
        encoder.module(&module).unwrap_or_else(|error| panic!("{error:#}\n{text}")).validate(true);
        encoder.encode().unwrap_or_else(|error| panic!("{error:#}\n{text}"))
    }

    fn world(&self) -> (Resolve, PackageId) {
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit/filter.wit");
        let contract = std::fs::read_to_string(contract).expect("the contract is there");
        let mut resolve = Resolve::default();
        resolve.push_str("filter.wit", &(self.contract)(&contract)).expect("the contract is WIT");
        for (number, other) in OTHERS.iter().enumerate() {
            resolve.push_str(format!("other{number}.wit"), other).expect("it is WIT");
        }
        let interface = |name: &&str| {
            if name.contains(':') { (*name).to_owned() } else { format!("sluicegate:filter/{name}@0.1.0") }
        };
        let imports = self.imports.iter().map(|name| format!("import {};", interface(name)));
        let exports = self.exports.iter().chain(&["request-filter"]);
        let exports = exports.map(|name| format!("export {};", interface(name)));
        let world = imports.chain(exports).collect::<String>();
        let text = format!("package test:hostile; world hostile {{ {world} }}");
        let package = resolve.push_str("hostile.wit", &text).unwrap_or_else(|error| panic!("{error:#}\n{text}"));
        (resolve, package)
    }
}

/// Data at an address, as text of a module has it.
pub(crate) fn data(address: u32, bytes: &[u8]) -> String {
    let bytes = bytes.iter().fold(String::new(), |bytes, byte| format!("{bytes}\\{byte:02x}"));
    format!("(data (i32.const {address}) \"{bytes}\")")
}

/// Instructions that write these words, one after the other, into the decision from this offset on.
pub(crate) fn decide(words: &[(u32, u32)]) -> String {
    let store =
        |(offset, word): &(u32, u32)| format!("(i32.store (i32.const {}) (i32.const {word}))", DECISION + offset);
    words.iter().map(store).collect()
}
