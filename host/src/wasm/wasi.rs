//! A WASI that denies.
//!
//! Components of `wasm32-wasip2` and of other languages' toolchains import some of WASI 0.2 whether they use it or not.
//! Every imported `wasi:*` interface is linked under the very version that the component names, so all minor versions
//! work. What a language runtime needs to start is answered with emptiness: no arguments, no environment, no
//! directories, an empty standard input. Standard output and error go to the instance's last words. Clocks and
//! randomness are real, as runtimes seed their hash maps with them. All else ends the call and names itself.

use super::bound::Bound;
use super::failure::Denied;
use super::host_api::State;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Linker, Resource, ResourceAny, ResourceType, Val};
use wasmtime::{AsContextMut, Engine, Result, StoreContextMut};

/// Whatever resource WASI has: streams, errors, terminals. None of them holds anything.
struct Anything;

/// The resource numbers of the two streams that lead to the last words; every other resource is 0.
const SPEAKING: u32 = 1;
/// More than this in one call of `random` is refused: nobody seeds a hash map with more.
const RANDOM_BYTES: u64 = 4096;

/// Whether an import belongs to WASI.
pub(super) fn is_wasi(import: &str) -> bool {
    import.starts_with("wasi:")
}

/// Links every WASI interface that the component imports.
pub(super) fn link(engine: &Engine, linker: &mut Linker<State>, component: &Component) -> Result<()> {
    let component_type = component.component_type();
    for (interface, item) in component_type.imports(engine).filter(|(name, _)| is_wasi(name)) {
        let ComponentItem::ComponentInstance(functions) = item.ty else { continue };
        let mut instance = linker.instance(interface)?;
        let (short, _version) = interface.split_once('@').unwrap_or((interface, ""));
        for (name, item) in functions.exports(engine) {
            match item.ty {
                ComponentItem::Resource(_) => {
                    instance.resource(name, ResourceType::host::<Anything>(), |_, _| Ok(()))?;
                }
                ComponentItem::ComponentFunc(_) => {
                    let function = format!("{}#{name}", short.trim_start_matches("wasi:"));
                    instance.func_new(name, move |mut store, _, parameters, results| {
                        let answer = answer(store.as_context_mut(), &function, parameters)?;
                        give_back(store, parameters)?;
                        if let (Some(result), Some(answer)) = (results.first_mut(), answer) {
                            *result = answer;
                        }
                        Ok(())
                    })?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Ends the loan of the streams and pollables that a function was called on: the guest's call fails otherwise.
fn give_back(mut store: StoreContextMut<'_, State>, parameters: &[Val]) -> Result<()> {
    let lent = parameters.iter().filter_map(|parameter| match parameter {
        Val::Resource(resource) if !resource.owned() => Some(resource),
        _ => None,
    });
    lent.copied().try_for_each(|resource| resource.resource_drop(store.as_context_mut()))
}

/// What a function gives, or none for one without a result.
fn answer(mut store: StoreContextMut<'_, State>, function: &str, parameters: &[Val]) -> Result<Option<Val>> {
    let answer = match function {
        "cli/environment#get-environment" | "cli/environment#get-arguments" | "filesystem/preopens#get-directories" => {
            Val::List(Vec::new())
        }
        "cli/environment#initial-cwd"
        | "cli/terminal-stdin#get-terminal-stdin"
        | "cli/terminal-stdout#get-terminal-stdout"
        | "cli/terminal-stderr#get-terminal-stderr" => Val::Option(None),
        "cli/stdin#get-stdin" | "io/streams#[method]output-stream.subscribe" => resource(&mut store, 0)?,
        "cli/stdout#get-stdout" | "cli/stderr#get-stderr" => resource(&mut store, SPEAKING)?,
        "io/streams#[method]output-stream.check-write" => ok(Some(Val::U64(4096))),
        "io/streams#[method]output-stream.write" | "io/streams#[method]output-stream.blocking-write-and-flush" => {
            speak(&mut store, parameters);
            ok(None)
        }
        "io/streams#[method]output-stream.flush" | "io/streams#[method]output-stream.blocking-flush" => ok(None),
        "io/poll#[method]pollable.ready" => Val::Bool(true),
        "io/poll#[method]pollable.block" => return Ok(None),
        "clocks/monotonic-clock#now" => Val::U64(nanoseconds(store.data().started.elapsed())),
        "clocks/monotonic-clock#resolution" => Val::U64(1_000),
        "clocks/wall-clock#now" => wall_clock(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
        "clocks/wall-clock#resolution" => wall_clock(Duration::from_millis(1)),
        "random/random#get-random-u64" | "random/insecure#get-insecure-random-u64" => {
            Val::U64(super::host_api::random_u64())
        }
        "random/random#get-random-bytes" | "random/insecure#get-insecure-random-bytes" => random_bytes(parameters)?,
        "random/insecure-seed#insecure-seed" | "random/insecure-seed#get-insecure-seed" => {
            Val::Tuple(vec![Val::U64(super::host_api::random_u64()), Val::U64(super::host_api::random_u64())])
        }
        _ => return Err(Denied { what: format!("wasi:{function}"), bound: Bound::Capability }.into()),
    };
    Ok(Some(answer))
}

fn ok(value: Option<Val>) -> Val {
    Val::Result(Ok(value.map(Box::new)))
}

fn resource(store: &mut StoreContextMut<'_, State>, number: u32) -> Result<Val> {
    let resource = Resource::<Anything>::new_own(number);
    Ok(Val::Resource(ResourceAny::try_from_resource(resource, store.as_context_mut())?))
}

/// Keeps what was written to standard output or error, for the message of a trap that may follow.
fn speak(store: &mut StoreContextMut<'_, State>, parameters: &[Val]) {
    let Some(Val::List(bytes)) = parameters.get(1) else { return };
    let bytes = bytes.iter().filter_map(|byte| if let Val::U8(byte) = byte { Some(*byte) } else { None });
    store.data_mut().last_words.extend(bytes);
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn wall_clock(time: Duration) -> Val {
    let seconds = ("seconds".to_owned(), Val::U64(time.as_secs()));
    Val::Record(vec![seconds, ("nanoseconds".to_owned(), Val::U32(time.subsec_nanos()))])
}

fn random_bytes(parameters: &[Val]) -> Result<Val> {
    match parameters.first() {
        Some(Val::U64(length)) if *length <= RANDOM_BYTES => {
            let bytes = (0..*length).map(|_| Val::U8(super::host_api::random_u64().to_le_bytes()[0]));
            Ok(Val::List(bytes.collect()))
        }
        _ => {
            let what = format!("more than {RANDOM_BYTES} random bytes at once");
            Err(Denied { what, bound: Bound::Random }.into())
        }
    }
}
