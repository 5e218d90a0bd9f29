//! Holds only what `bindgen!` generates from the contract.
#![allow(missing_docs, unreachable_pub, clippy::all, clippy::pedantic)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "sluicegate:filter/filter",
    imports: { default: trappable },
    additional_derives: [PartialEq, Clone],
    with: {
        "sluicegate:filter/types.request": super::host_api::CurrentRequest,
        "sluicegate:filter/types.response": super::host_api::CurrentResponse,
    },
});
