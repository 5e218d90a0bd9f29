//! The engine: compiles components, keeps compiled code on disk, and ticks the clock that ends runaway calls.

use super::code_cache;
use super::component::{Code, Refusal};
use super::crew::Crew;
use super::memory::GuestMemory;
use crate::config::limits;
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use wasmtime::component::Component;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig, WasmBacktraceDetails,
};

/// Compiles filters. One for the process.
#[derive(Debug)]
pub struct Runtime {
    engine: Engine,
    cache: Option<PathBuf>,
    memory: Arc<GuestMemory>,
    /// Ends the ticking thread.
    stopped: Arc<AtomicBool>,
}

/// A component's bytes, named by their content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// SHA-256 of the bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }
}

impl std::fmt::Display for ContentHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

impl Runtime {
    /// An engine whose compiled code is kept in `cache`, a directory that only this user can write to.
    pub fn new(cache: Option<PathBuf>) -> wasmtime::Result<Self> {
        let engine = Engine::new(&configuration())?;
        let stopped = Arc::new(AtomicBool::new(false));
        tick(engine.clone(), Arc::clone(&stopped));
        let cache = cache.and_then(|directory| match private_directory(&directory) {
            Ok(()) => Some(directory),
            Err(error) => {
                tracing::warn!(directory = %directory.display(), %error, "compiled filters are not kept");
                None
            }
        });
        let memory = Arc::new(GuestMemory::of(limits::FILTERS_MEMORY));
        Ok(Self { engine, cache, memory, stopped })
    }

    /// Grants all instances together so many bytes of memory.
    #[must_use]
    pub fn with_memory(mut self, most: usize) -> Self {
        self.memory = Arc::new(GuestMemory::of(most));
        self
    }

    /// What all instances have together.
    pub fn memory(&self) -> &Arc<GuestMemory> {
        &self.memory
    }

    /// Where compiled code is kept unless the operator says otherwise.
    pub fn default_cache() -> Option<PathBuf> {
        let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
        std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or(home).map(|cache| cache.join("sluicegate"))
    }

    /// Checks and compiles a component. Takes up to seconds: never on a thread that serves requests.
    ///
    /// `granted` names the capabilities that the operator grants, `crew` is who compiles.
    pub fn load(&self, file_stem: &str, bytes: &[u8], granted: &[String], crew: Crew) -> Result<Code, Refusal> {
        if bytes.len() as u64 > limits::COMPONENT_SIZE {
            return Err(Refusal::TooLarge { bytes: bytes.len() as u64, limit: limits::COMPONENT_SIZE });
        }
        let prepared = super::component::inspect(file_stem, bytes)?;
        prepared.admit(granted)?;
        let hash = ContentHash::of(bytes);
        let component = self.compile(bytes, hash, crew).map_err(|error| Refusal::Compile(format!("{error:#}")))?;
        Code::link((&self.engine, &self.memory), &component, prepared, hash, granted)
    }

    /// Whether a component is compiled already, so that loading it takes no time to speak of.
    pub fn has_compiled(&self, hash: ContentHash) -> bool {
        self.cache.as_ref().is_some_and(|directory| self.path(directory, hash).exists())
    }

    fn path(&self, directory: &Path, hash: ContentHash) -> PathBuf {
        directory.join(format!("{hash}-{:016x}.cwasm", self.compatibility()))
    }

    fn compile(&self, bytes: &[u8], hash: ContentHash, crew: Crew) -> wasmtime::Result<Component> {
        let compile = || crew.run(|| Component::from_binary(&self.engine, bytes))?;
        let Some(directory) = &self.cache else { return compile() };
        let path = self.path(directory, hash);
        if let Some(component) = self.cached(&path) {
            code_cache::used(&path);
            return Ok(component);
        }
        let component = compile()?;
        let kept = component.serialize().and_then(|code| Ok(code_cache::keep(&path, &code)?));
        if let Err(error) = kept {
            tracing::warn!(path = %path.display(), %error, "the compiled filter could not be kept");
        }
        code_cache::prune(directory, &path);
        Ok(component)
    }

    #[allow(unsafe_code, reason = "compiled code can only be loaded unsafely")]
    fn cached(&self, path: &Path) -> Option<Component> {
        if !path.exists() {
            return None;
        }
        // SAFETY: the file is native code that this program wrote: it lies in a directory that `private_directory` has
        // made sure belongs to this user with no access for others, under a name made of the content's hash, and was
        // put there whole by a rename. The engine checks version and settings itself.
        let component = unsafe { Component::deserialize_file(&self.engine, path) };
        component.inspect_err(|error| tracing::debug!(%error, "compiled code is of no use")).ok()
    }

    /// Differs between engines whose compiled code is not interchangeable.
    fn compatibility(&self) -> u64 {
        let mut hasher = std::hash::DefaultHasher::new();
        self.engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

fn configuration() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(limits::FILTER_INSTANCES)
        // A component of wasm32-wasip2 is two or three core instances; language runtimes have up to eight.
        .total_core_instances(limits::FILTER_INSTANCES * 8)
        .total_memories(limits::FILTER_INSTANCES)
        .total_tables(limits::FILTER_INSTANCES * 4)
        .max_core_instances_per_component(limits::FILTER_PARTS.instances)
        .max_memories_per_component(limits::FILTER_PARTS.memories)
        .max_tables_per_component(limits::FILTER_PARTS.tables)
        .max_memory_size(limits::FILTER_MEMORY_MAX)
        .table_elements(limits::FILTER_TABLE)
        // Resetting this much by hand is cheaper than giving it back to the kernel; measured best with a page scan.
        .linear_memory_keep_resident(64 << 10)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    let mut config = Config::new();
    config
        .cranelift_opt_level(OptLevel::Speed)
        .epoch_interruption(true)
        // The hooks are synchronous; support for concurrent ones would triple the cost of a call.
        .concurrency_support(false)
        .max_wasm_stack(limits::FILTER_STACK)
        // A panic has about ten frames of its own below the function that it is about.
        .wasm_backtrace_max_frames(std::num::NonZeroUsize::new(24))
        .wasm_backtrace_details(WasmBacktraceDetails::Enable)
        .memory_reservation(limits::FILTER_MEMORY_MAX as u64)
        .memory_guard_size(32 << 20)
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    config
}

/// Advances the engine's epoch, by which running guests learn that their time is up.
fn tick(engine: Engine, stopped: Arc<AtomicBool>) {
    let ticking = move || {
        while !stopped.load(Ordering::Relaxed) {
            #[allow(clippy::disallowed_methods, reason = "a thread of its own, which serves no requests")]
            std::thread::sleep(limits::FILTER_TICK);
            engine.increment_epoch();
        }
    };
    let spawned = std::thread::Builder::new().name("filter-clock".into()).spawn(ticking);
    if let Err(error) = spawned {
        tracing::error!(%error, "no thread for the filters' clock: endless filters will not be stopped");
    }
}

/// Makes the directory if need be, and makes sure that nobody else can write to it.
fn private_directory(directory: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    let metadata = std::fs::metadata(directory)?;
    // The process's own directory in /proc belongs to its user.
    let own = std::fs::metadata("/proc/self")?.uid();
    if metadata.uid() != own || metadata.permissions().mode() & 0o022 != 0 {
        return Err(std::io::Error::other("others can write to it; give it to this user with mode 0700"));
    }
    Ok(())
}
