//! What is dropped into the directory of filters.
//!
//! The first byte says what the rest is: the bytes themselves, or what `wasm-smith` makes a module or a component of.
//!
//! - It is refused with a reason, or it is a component of the contract; what inspecting it refuses, loading refuses alike.
//! - A core module is told from a component, and no valid component is taken for something else.
//! - What is loaded has a hook, and imports what is of the contract or WASI alone.

use sluicegate::wasm::component::inspect;
use sluicegate::wasm::{Crew, Refusal, Runtime};
use std::sync::OnceLock;

/// Runs the target.
pub fn run(bytes: &[u8]) {
    let Some((kind, rest)) = bytes.split_first() else { return };
    match kind % 4 {
        #[cfg(feature = "smith")]
        1 => made::module(rest),
        #[cfg(feature = "smith")]
        2 => made::component(rest),
        _ => drop(check(rest)),
    }
}

/// What comes of inspecting and of loading it.
fn check(bytes: &[u8]) -> Result<(), Refusal> {
    let inspected = inspect("shop", bytes);
    if let Err(refusal) = &inspected {
        assert!(!refusal.to_string().is_empty());
    }
    let granted = ["log".to_owned()];
    let loaded = runtime().load("shop", bytes, &granted, Crew::One);
    match (inspected, loaded) {
        (Err(inspecting), Err(loading)) => assert_eq!(inspecting, loading, "loading it is refused for another reason"),
        (Err(refusal), Ok(_)) => panic!("it is loaded, though {refusal}"),
        (Ok(inspection), Err(refusal)) => {
            assert!(!refusal.to_string().is_empty());
            let admitted = inspection.admit(&granted);
            assert!(admitted.is_ok() || admitted == Err(refusal.clone()), "{admitted:?}, and not {refusal}");
            return Err(refusal);
        }
        (Ok(_), Ok(code)) => {
            assert!(!code.hooks.names().is_empty());
            let known = |import: &String| import.starts_with("wasi:") || import.starts_with("sluicegate:filter/");
            assert!(code.imports.iter().all(known), "{:?}", code.imports);
        }
    }
    Ok(())
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new(None).unwrap_or_else(|error| panic!("there is no engine: {error:#}")))
}

#[cfg(feature = "smith")]
mod made {
    use super::{check, inspect};
    use libfuzzer_sys::arbitrary::{Arbitrary, Unstructured};
    use sluicegate::wasm::Refusal;
    use wasm_smith::{Component, Module};

    pub(super) fn module(bytes: &[u8]) {
        let Ok(module) = Module::arbitrary(&mut Unstructured::new(bytes)) else { return };
        let refused = inspect("shop", &module.to_bytes());
        assert!(matches!(refused, Err(Refusal::CoreModule)), "a module is {refused:?}");
    }

    pub(super) fn component(bytes: &[u8]) {
        let Ok(component) = Component::arbitrary(&mut Unstructured::new(bytes)) else { return };
        let refused = check(&component.to_bytes());
        assert!(!matches!(refused, Err(Refusal::NotAComponent(_) | Refusal::CoreModule)), "it is valid: {refused:?}");
    }
}
