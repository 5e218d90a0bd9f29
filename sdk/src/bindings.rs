//! Holds only what `wit_bindgen` generates: one world for each hook, over one set of types.
#![allow(missing_docs, unsafe_code, unreachable_pub, clippy::all, clippy::pedantic, clippy::unwrap_used)]

/// What a filter imports: the types and the capabilities.
pub mod imports {
    wit_bindgen::generate!({
        path: "../wit",
        world: "sluicegate:filter/imports",
        generate_all,
        additional_derives: [PartialEq, Clone],
        runtime_path: "::sluicegate_sdk::wit_bindgen::rt",
    });
}

macro_rules! hook {
    ($module:ident, $world:literal, $export:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../wit",
                world: $world,
                with: { "sluicegate:filter/types@0.1.0": crate::bindings::imports::sluicegate::filter::types },
                additional_derives: [PartialEq, Clone],
                pub_export_macro: true,
                export_macro_name: $export,
                runtime_path: "::sluicegate_sdk::wit_bindgen::rt",
                default_bindings_module: "::sluicegate_sdk::bindings",
            });
        }
    };
}
hook!(configuration, "sluicegate:filter/configuration-hook", "__export_configuration");
hook!(configuration_update, "sluicegate:filter/configuration-update-hook", "__export_configuration_update");
hook!(request, "sluicegate:filter/request-hook", "__export_request");
hook!(declared_request, "sluicegate:filter/declared-request-hook", "__export_declared_request");
hook!(gather, "sluicegate:filter/gather-hook", "__export_gather");
hook!(response, "sluicegate:filter/response-hook", "__export_response");
hook!(event, "sluicegate:filter/event-hook", "__export_event");
hook!(connection, "sluicegate:filter/connection-hook", "__export_connection");
hook!(explain, "sluicegate:filter/explain-hook", "__export_explain");
