//! Checks a component against the contract, with a readable refusal, and links it.

use super::bindings::exports::sluicegate::filter as exports;
use super::bindings::sluicegate::filter as imports;
use super::configuration_hook::ConfigurationIndices;
use super::engine::ContentHash;
use super::host_api::State;
use super::manifest::Manifest;
use super::memory::GuestMemory;
use super::request_hook::RequestIndices;
use super::wasi;
use crate::config::limits::FILTER_READS;
use std::sync::Arc;
use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::{Component, HasSelf, InstancePre, Linker};

/// The contract's package.
const PACKAGE: &str = "sluicegate:filter/";
/// The version that this host has.
const VERSION: &str = "0.1.0";
/// The interfaces that a component may export one of.
const HOOKS: [&str; 8] = [
    "configuration",
    "request-filter",
    "declared-request-filter",
    "gather-filter",
    "response-filter",
    "event-filter",
    "connection-filter",
    "explain-filter",
];
/// What may be granted, and what it is for.
pub const CAPABILITIES: [(&str, &str); 5] = [
    ("log", "write to the host's log"),
    ("clock", "read the time"),
    ("random", "draw random bytes"),
    ("metrics", "count in metrics of its own"),
    ("store", "keep values with the host"),
];

/// Why a component is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Larger than a component may be.
    #[error("it has {bytes} bytes, more than the {limit} that a filter may have")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// Not WebAssembly, or cut short.
    #[error("it is not a WebAssembly component: {0}")]
    NotAComponent(String),
    /// A core module.
    #[error("it is a core module, not a component: build it for the target wasm32-wasip2")]
    CoreModule,
    /// The manifest section is unusable.
    #[error("{0}")]
    Manifest(String),
    /// It imports something that the contract does not have.
    #[error("it imports {import}, which the host does not offer: a filter has no I/O of its own; {advice}")]
    UnknownImport {
        /// The import's name.
        import: String,
        /// What to do.
        advice: String,
    },
    /// It imports a capability that was not granted.
    #[error(
        "it wants capability {capability} ({purpose}), which is not granted: add `capabilities: [{capability}]` to its \
         Filter document"
    )]
    NotGranted {
        /// The capability.
        capability: String,
        /// What it is for.
        purpose: &'static str,
    },
    /// It is made for another version of the contract.
    #[error(
        "it is made for version {found} of the contract, and this host has {VERSION}: build it with a matching SDK"
    )]
    OtherVersion {
        /// The version it names.
        found: String,
    },
    /// It exports none of the hooks.
    #[error("it exports no hook of {PACKAGE}*@{VERSION}: export at least one, such as request-filter")]
    NoHooks,
    /// It has the hook `request` twice.
    #[error("it exports both request-filter and declared-request-filter: export one of them")]
    TwoRequestHooks,
    /// It declares headers that nothing would get.
    #[error("its manifest `reads` headers, but it does not export declared-request-filter, which would get them")]
    ReadsWithoutHook,
    /// It declares a header that it cannot read.
    #[error("its manifest `reads` header {name:?}, {reason}")]
    Reads {
        /// The header's name as the manifest has it.
        name: String,
        /// Why not.
        reason: &'static str,
    },
    /// It declares more headers than come with a call.
    #[error(
        "its manifest `reads` {found} headers, and at most {FILTER_READS} come with a call: let it ask for the others"
    )]
    TooManyReads {
        /// How many.
        found: usize,
    },
    /// The compiler refuses it.
    #[error("it does not compile: {0}")]
    Compile(String),
    /// Its imports or exports have other types than the contract's.
    #[error("it does not fit the contract: {0}")]
    Link(String),
}

/// What is known of a component without compiling it.
#[derive(Debug, Clone)]
pub struct Inspection {
    /// Its manifest.
    pub manifest: Manifest,
    /// The interfaces it imports.
    pub imports: Vec<String>,
    /// The interfaces it exports.
    pub exports: Vec<String>,
}

/// What every WebAssembly file begins with.
const MAGIC: &[u8] = b"\0asm";
/// So many bytes of another file are shown.
const SHOWN: usize = 16;

/// What a file begins with that is none.
fn beginning(bytes: &[u8]) -> String {
    let begins = bytes.get(..SHOWN).unwrap_or(bytes).escape_ascii();
    if bytes.is_empty() {
        "it is empty".to_owned()
    } else {
        format!("it begins with \"{begins}\", not with \"\\0asm\"")
    }
}

/// Reads a component's manifest, imports and exports, checking nothing but that it is one.
pub fn inspect(file_stem: &str, bytes: &[u8]) -> Result<Inspection, Refusal> {
    if !bytes.starts_with(MAGIC) {
        return Err(Refusal::NotAComponent(beginning(bytes)));
    }
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(bytes) {
        let payload = payload.map_err(|error| Refusal::NotAComponent(error.to_string()))?;
        match payload {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => return Err(Refusal::CoreModule),
            Payload::Version { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 1 => {
                for import in section {
                    let import = import.map_err(|error| Refusal::NotAComponent(error.to_string()))?;
                    imports.push(import.name.0.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 1 => {
                for export in section {
                    let export = export.map_err(|error| Refusal::NotAComponent(error.to_string()))?;
                    if export.kind == ComponentExternalKind::Instance {
                        exports.push(export.name.0.to_owned());
                    }
                }
            }
            _ => {}
        }
    }
    let manifest = Manifest::read(bytes).map_err(Refusal::Manifest)?;
    let manifest = manifest.unwrap_or_else(|| Manifest::unnamed(file_stem));
    Ok(Inspection { manifest, imports, exports })
}

impl Inspection {
    /// Whether its imports and exports are of the contract, and granted. Costs nothing to speak of, where compiling what
    /// is refused in the end may take seconds.
    ///
    /// # Errors
    /// With the first that is not.
    pub fn admit(&self, granted: &[String]) -> Result<(), Refusal> {
        self.imports.iter().try_for_each(|import| check_import(import, granted))?;
        if !self.exports.iter().any(|export| is_hook(export)) {
            return Err(Refusal::NoHooks);
        }
        self.exports.iter().try_for_each(|export| check_version(export))
    }
}

/// A compiled, checked and linked component, ready to be instantiated.
pub struct Code {
    pub(super) pre: InstancePre<State>,
    pub(super) engine: Engine,
    /// What its instances have of.
    pub(super) memory: Arc<GuestMemory>,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Which hooks it has.
    pub hooks: Hooks,
    /// Its content.
    pub hash: ContentHash,
    /// The interfaces it imports.
    pub imports: Vec<String>,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Code")
            .field("name", &self.manifest.name)
            .field("hash", &self.hash)
            .finish_non_exhaustive()
    }
}

/// Where each hook is; a filter without one has none.
pub struct Hooks {
    pub(super) configuration: Option<ConfigurationIndices>,
    pub(super) request: Option<RequestIndices>,
    pub(super) gather: Option<exports::gather_filter::GuestIndices>,
    pub(super) response: Option<exports::response_filter::GuestIndices>,
    pub(super) event: Option<exports::event_filter::GuestIndices>,
    pub(super) connection: Option<exports::connection_filter::GuestIndices>,
    pub(super) explain: Option<exports::explain_filter::GuestIndices>,
}

impl Hooks {
    /// Whether requests are shown to it.
    pub fn has_request(&self) -> bool {
        self.request.is_some()
    }

    /// Whether responses are shown to it.
    pub fn has_response(&self) -> bool {
        self.response.is_some()
    }

    /// Whether it can go from one set of documents to the next.
    pub fn has_update(&self) -> bool {
        self.configuration.as_ref().is_some_and(ConfigurationIndices::has_update)
    }

    /// Whether events are shown to it.
    pub fn has_event(&self) -> bool {
        self.event.is_some()
    }

    /// Whether connections are shown to it that are passed on undecrypted.
    pub fn has_connection(&self) -> bool {
        self.connection.is_some()
    }

    /// The names of the hooks that are there.
    pub fn names(&self) -> Vec<&'static str> {
        let hooks = [
            ("configuration", self.configuration.is_some()),
            ("update", self.has_update()),
            ("request", self.request.is_some()),
            ("gather", self.gather.is_some()),
            ("response", self.response.is_some()),
            ("event", self.event.is_some()),
            ("connection", self.connection.is_some()),
            ("explain", self.explain.is_some()),
        ];
        hooks.into_iter().filter_map(|(name, there)| there.then_some(name)).collect()
    }
}

impl Code {
    /// Links what was inspected and found [admissible](Inspection::admit).
    pub(super) fn link(
        (engine, memory): (&Engine, &Arc<GuestMemory>),
        component: &Component,
        inspection: Inspection,
        hash: ContentHash,
        granted: &[String],
    ) -> Result<Self, Refusal> {
        let Inspection { manifest, imports, exports } = inspection;
        let unfit = |error: wasmtime::Error| Refusal::Link(format!("{error:#}"));
        let pre = linker(engine, component, granted).and_then(|linker| linker.instantiate_pre(component));
        let pre = pre.map_err(unfit)?;
        let there = |interface: &str| {
            let name = format!("{PACKAGE}{interface}@");
            exports.iter().any(|export| export.starts_with(&name))
        };
        let request = RequestIndices::find(&pre, there, &manifest.reads)?;
        let hooks = hooks(&pre, there, request).map_err(unfit)?;
        let (engine, memory) = (engine.clone(), Arc::clone(memory));
        Ok(Self { pre, engine, memory, manifest, hooks, hash, imports })
    }
}

fn check_import(import: &str, granted: &[String]) -> Result<(), Refusal> {
    if wasi::is_wasi(import) {
        return match import.strip_prefix("wasi:http/") {
            Some(_) => Err(unknown(import, "return a `forward` or `gather` decision and let the host make the call")),
            None => Ok(()),
        };
    }
    let Some(rest) = import.strip_prefix(PACKAGE) else {
        return Err(unknown(import, "remove the import, or ask for a capability of the contract instead"));
    };
    check_version(import)?;
    let (interface, _version) = rest.split_once('@').unwrap_or((rest, ""));
    if interface == "types" || granted.iter().any(|capability| capability == interface) {
        return Ok(());
    }
    match CAPABILITIES.iter().find(|(capability, _)| *capability == interface) {
        Some((capability, purpose)) => Err(Refusal::NotGranted { capability: (*capability).into(), purpose }),
        None => Err(unknown(import, "the contract has no such interface; build it with a matching SDK")),
    }
}

/// Whether an export is a hook, of whatever version.
fn is_hook(export: &str) -> bool {
    let interface = export.strip_prefix(PACKAGE).and_then(|rest| rest.split('@').next());
    interface.is_some_and(|interface| HOOKS.contains(&interface))
}

fn unknown(import: &str, advice: &str) -> Refusal {
    Refusal::UnknownImport { import: import.into(), advice: advice.into() }
}

/// A host serves every minor version of its major one; below 1.0 the minor counts as the major.
fn check_version(interface: &str) -> Result<(), Refusal> {
    let Some(rest) = interface.strip_prefix(PACKAGE) else { return Ok(()) };
    let found = rest.split_once('@').map_or("none", |(_, version)| version);
    let line = |version: &str| version.rsplit_once('.').map(|(line, _)| line.to_owned());
    if line(found) == line(VERSION) { Ok(()) } else { Err(Refusal::OtherVersion { found: found.into() }) }
}

fn linker(engine: &Engine, component: &Component, granted: &[String]) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(engine);
    imports::types::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?;
    for capability in granted {
        match capability.as_str() {
            "log" => imports::log::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?,
            "clock" => imports::clock::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?,
            "random" => imports::random::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?,
            "metrics" => imports::metrics::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?,
            "store" => imports::store::add_to_linker::<_, HasSelf<State>>(&mut linker, |state| state)?,
            _ => {}
        }
    }
    wasi::link(engine, &mut linker, component)?;
    Ok(linker)
}

fn hooks(
    pre: &InstancePre<State>,
    there: impl Fn(&str) -> bool,
    request: Option<RequestIndices>,
) -> wasmtime::Result<Hooks> {
    Ok(Hooks {
        configuration: ConfigurationIndices::find(pre, &there)?,
        request,
        gather: there("gather-filter").then(|| exports::gather_filter::GuestIndices::new(pre)).transpose()?,
        response: there("response-filter").then(|| exports::response_filter::GuestIndices::new(pre)).transpose()?,
        event: there("event-filter").then(|| exports::event_filter::GuestIndices::new(pre)).transpose()?,
        connection: there("connection-filter")
            .then(|| exports::connection_filter::GuestIndices::new(pre))
            .transpose()?,
        explain: there("explain-filter").then(|| exports::explain_filter::GuestIndices::new(pre)).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(exports: &[&str]) -> Result<(), Refusal> {
        let exports = exports.iter().map(|&export| export.to_owned()).collect();
        Inspection { manifest: Manifest::unnamed("shop"), imports: Vec::new(), exports }.admit(&[])
    }

    #[test]
    fn a_file_that_is_something_else_is_shown_by_how_it_begins() {
        let told = |bytes: &[u8]| inspect("shop", bytes).unwrap_err().to_string();
        assert_eq!(told(b""), "it is not a WebAssembly component: it is empty");
        let script = r##"it is not a WebAssembly component: it begins with "#!/bin/sh\nreboot", not with "\0asm""##;
        assert_eq!(told(b"#!/bin/sh\nreboot\n"), script);
    }

    #[test]
    fn an_interface_that_the_contract_does_not_have_is_no_hook() {
        assert_eq!(admitted(&["sluicegate:filter/request-filter@0.1.0"]), Ok(()));
        for export in ["sluicegate:filter/reqest-filter@0.1.0", "sluicegate:filter/configuration-update@0.1.0", "a:b/c"]
        {
            assert_eq!(admitted(&[export]), Err(Refusal::NoHooks), "{export}");
        }
        let other = admitted(&["sluicegate:filter/request-filter@0.2.0"]);
        assert_eq!(other, Err(Refusal::OtherVersion { found: "0.2.0".into() }));
    }
}
