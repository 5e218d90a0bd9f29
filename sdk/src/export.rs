//! The export macro and what it expands to.

use crate::decision::RequestDecision;
use crate::gather::{self, Outcome};
use crate::hooks::GatherFilter;
use crate::request::Request;

pub use crate::declared::Declared;
pub use crate::instance::Instance;

/// Hands a plan's state and outcomes to the filter, typed.
///
/// # Panics
/// When the plan was given a state of another type than [`GatherFilter::State`].
pub fn on_gathered<T: GatherFilter>(
    filter: &T,
    request: &Request<'_>,
    state: &[u8],
    outcomes: Vec<Outcome>,
) -> RequestDecision {
    filter.on_gathered(request, gather::read_state(state), outcomes.into())
}

/// Exports a type as a filter.
///
/// ```
/// # use sluicegate_sdk::prelude::*;
/// # struct Shop;
/// # impl Configure for Shop {
/// #     type Settings = ();
/// #     fn configure(_: &Environment, (): (), _: &[Resource], _: &mut Diagnostics) -> Self { Self }
/// # }
/// # impl RequestFilter for Shop {
/// #     fn on_request(&self, _: &Request<'_>) -> RequestDecision { next().into() }
/// # }
/// sluicegate_sdk::export!(
///     Shop,
///     hooks: [configuration, request],
///     reads: ["accept"],
///     kinds: [("shop.example", "Shop", "shop.schema.json")],
///     capabilities: ["clock"],
///     call: ["inventory-*"],
///     priority: 10,
///     settings: "settings.schema.json",
/// );
/// # fn main() {}
/// ```
///
/// `hooks` name the traits that the type implements: `configuration` ([`Configure`](crate::Configure)), beside it perhaps
/// `update` ([`Update`](crate::Update)), `request`
/// ([`RequestFilter`](crate::RequestFilter)), `gather` ([`GatherFilter`](crate::GatherFilter)), `response`
/// ([`ResponseFilter`](crate::ResponseFilter)), `event` ([`EventFilter`](crate::EventFilter)), `connection`
/// ([`ConnectionFilter`](crate::ConnectionFilter)) and `explain` ([`Explain`](crate::Explain)). Without `configuration` the type is built by `Default`. Everything after `hooks` may
/// be left out; what is there stands in this order.
///
/// `reads` names the headers that the hook `request` reads on most requests. The host hands them over with the call, so
/// that [`Request::header`](crate::Request::header) finds them without asking; the filter's code stays the same.
///
/// The rest goes into the filter's manifest: name and version are the crate's; `kinds` are the resource kinds that the
/// filter implements, each with its group and a JSON schema of a document; `capabilities` are the imports it wants;
/// `forward` and `call` name the services that its decisions send requests to and that its plans call, `publish` the channels
/// that it publishes to, as far as they are known: nothing is granted by that, but `sluice filter inspect` shows it;
/// filters with a higher `priority` come first in the chain (0 by default); `early` is a second, higher place, where the
/// hook `request` is asked as well once there are documents of the filter's kinds; with `idle_unless`, a filter without documents
/// of its kinds is not asked by its hook `request` unless an earlier filter gave the request one of these attributes (of which there
/// may be none), so that requests cost nothing; `settings` is the JSON schema of its own
/// settings. Schemas are files, named relative to the file that uses the macro.
///
/// Natively the macro expands to nothing: a filter's unit tests call its traits.
#[macro_export]
macro_rules! export {
    (
        $filter:ty, hooks: [$($hook:ident),+ $(,)?]
        $(, reads: [$($header:literal),* $(,)?])?
        $(, kinds: [$(($group:literal, $kind:literal, $schema:literal)),* $(,)?])?
        $(, capabilities: [$($capability:literal),* $(,)?])?
        $(, forward: [$($forward:literal),* $(,)?])?
        $(, call: [$($call:literal),* $(,)?])?
        $(, publish: [$($publish:literal),* $(,)?])?
        $(, priority: $priority:literal)?
        $(, early: $early:literal)?
        $(, idle_unless: [$($attribute:literal),* $(,)?])?
        $(, settings: $settings:literal)?
        $(,)?
    ) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, unused_imports, missing_docs, unreachable_pub)]
        const _: () = {
            use $crate::bindings::imports::sluicegate::filter::types;
            struct Component;
            static INSTANCE: $crate::export::Instance<$filter> = $crate::export::Instance::new();
            $crate::__instance!($($hook)+);
            $crate::__request_hook!($filter $(, $($header)*)?);
            $($crate::__hook!($hook, $filter);)+

            // JSON, put together by the compiler. Each list starts with a `null`, which the host skips, because a
            // repetition of `concat!` cannot leave out its first comma.
            const TEXT: &str = concat!(
                "{\"name\":\"", env!("CARGO_PKG_NAME"), "\",\"version\":\"", env!("CARGO_PKG_VERSION"), "\"",
                $(",\"reads\":[null", $(",\"", $header, "\"",)* "]",)?
                $(",\"kinds\":[null", $(
                    ",{\"group\":\"", $group, "\",\"kind\":\"", $kind, "\",\"schema\":", include_str!($schema), "}",
                )* "]",)?
                $(",\"capabilities\":[null", $(",\"", $capability, "\"",)* "]",)?
                $(",\"forward\":[null", $(",\"", $forward, "\"",)* "]",)?
                $(",\"call\":[null", $(",\"", $call, "\"",)* "]",)?
                $(",\"publish\":[null", $(",\"", $publish, "\"",)* "]",)?
                $(",\"priority\":", $priority,)?
                $(",\"early\":", $early,)?
                $(",\"idle_unless\":[null", $(",\"", $attribute, "\"",)* "]",)?
                $(",\"settings\":", include_str!($settings),)?
                "}",
            );
            #[unsafe(link_section = "sluicegate:manifest")]
            #[used]
            static MANIFEST: [u8; TEXT.len()] = {
                let mut bytes = [0; TEXT.len()];
                let mut at = 0;
                while at < bytes.len() {
                    bytes[at] = TEXT.as_bytes()[at];
                    at += 1;
                }
                bytes
            };
        };
    };
}

/// How the hooks reach the filter: built by `configure` where there is such a hook, by `Default` otherwise.
#[doc(hidden)]
#[macro_export]
macro_rules! __instance {
    (configuration $($rest:ident)*) => { macro_rules! filter { () => { &*INSTANCE.configured() } } };
    ($hook:ident $($rest:ident)*) => { $crate::__instance!($($rest)*); };
    () => { macro_rules! filter { () => { &*INSTANCE.filter() } } };
}

/// Which interface the hook `request` is exported as: a filter that reads headers gets them with the call.
#[doc(hidden)]
#[macro_export]
macro_rules! __request_hook {
    ($filter:ty $(,)?) => {
        macro_rules! export_request { () => { $crate::__hook!(plain_request, $filter); } }
    };
    ($filter:ty, $($header:literal)+) => {
        macro_rules! export_request { () => { $crate::__hook!(declared_request, $filter, $($header)+); } }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __hook {
    (configuration, $filter:ty) => {
        const _: () = {
            use $crate::bindings::configuration::exports::sluicegate::filter::configuration::{
                Diagnostic, Environment, Guest, ResourceDocument,
            };
            impl Guest for Component {
                fn configure(environment: Environment, settings: String, documents: Vec<ResourceDocument>) -> Vec<Diagnostic> {
                    INSTANCE.configure(&environment, &settings, documents)
                }
            }
            $crate::bindings::configuration::__export_configuration!(Component with_types_in $crate::bindings::configuration);
        };
    };
    (update, $filter:ty) => {
        const _: () = {
            use $crate::bindings::configuration_update::exports::sluicegate::filter::configuration_update::{
                Diagnostic, Guest, ResourceDocument,
            };
            impl Guest for Component {
                fn update(removed: Vec<u32>, first: u32, added: Vec<ResourceDocument>) -> Option<Vec<Diagnostic>> {
                    INSTANCE.update(removed, first, added)
                }
            }
            $crate::bindings::configuration_update::__export_configuration_update!(
                Component with_types_in $crate::bindings::configuration_update
            );
        };
    };
    (request, $filter:ty) => {
        export_request!();
    };
    (plain_request, $filter:ty) => {
        const _: () = {
            use $crate::bindings::request::exports::sluicegate::filter::request_filter::Guest;
            impl Guest for Component {
                fn on_request(request: &types::Request) -> types::RequestDecision {
                    $crate::RequestFilter::on_request(filter!(), &$crate::Request::from_host(request))
                }
            }
            $crate::bindings::request::__export_request!(Component with_types_in $crate::bindings::request);
        };
    };
    (declared_request, $filter:ty, $($header:literal)+) => {
        const _: () = {
            use $crate::bindings::declared_request::exports::sluicegate::filter::declared_request_filter::Guest;
            impl Guest for Component {
                fn on_request(request: &types::Request, declared: Vec<Option<Vec<u8>>>) -> types::RequestDecision {
                    let declared = $crate::export::Declared::new(&[$($header),+], declared);
                    let request = $crate::Request::from_host(request).with_declared(&declared);
                    $crate::RequestFilter::on_request(filter!(), &request)
                }
            }
            $crate::bindings::declared_request::__export_declared_request!(
                Component with_types_in $crate::bindings::declared_request
            );
        };
    };
    (gather, $filter:ty) => {
        const _: () = {
            use $crate::bindings::gather::exports::sluicegate::filter::gather_filter::Guest;
            impl Guest for Component {
                fn on_gathered(
                    request: &types::Request,
                    state: Vec<u8>,
                    outcomes: Vec<types::Outcome>,
                ) -> types::RequestDecision {
                    let request = $crate::Request::from_host(request);
                    $crate::export::on_gathered(filter!(), &request, &state, outcomes)
                }
            }
            $crate::bindings::gather::__export_gather!(Component with_types_in $crate::bindings::gather);
        };
    };
    (response, $filter:ty) => {
        const _: () = {
            use $crate::bindings::response::exports::sluicegate::filter::response_filter::Guest;
            impl Guest for Component {
                fn on_response(request: &types::Request, response: &types::Response) -> types::ResponseDecision {
                    let request = $crate::Request::from_host(request);
                    $crate::ResponseFilter::on_response(filter!(), &request, &$crate::Response::from_host(response))
                }
            }
            $crate::bindings::response::__export_response!(Component with_types_in $crate::bindings::response);
        };
    };
    (event, $filter:ty) => {
        const _: () = {
            use $crate::bindings::event::exports::sluicegate::filter::event_filter::Guest;
            impl Guest for Component {
                fn on_event(event: types::Event, delivery: types::Delivery) -> types::EventDecision {
                    $crate::EventFilter::on_event(filter!(), event, delivery)
                }
                fn on_delivered(
                    event: types::Event,
                    delivery: types::Delivery,
                    outcome: Result<types::CallResponse, types::CallError>,
                ) -> types::DeliveryDecision {
                    $crate::EventFilter::on_delivered(filter!(), event, delivery, outcome)
                }
            }
            $crate::bindings::event::__export_event!(Component with_types_in $crate::bindings::event);
        };
    };
    (connection, $filter:ty) => {
        const _: () = {
            use $crate::bindings::connection::exports::sluicegate::filter::connection_filter::{
                Connection, ConnectionDecision, Guest,
            };
            impl Guest for Component {
                fn on_connection(connection: Connection) -> ConnectionDecision {
                    $crate::ConnectionFilter::on_connection(filter!(), &connection)
                }
            }
            $crate::bindings::connection::__export_connection!(
                Component with_types_in $crate::bindings::connection
            );
        };
    };
    (explain, $filter:ty) => {
        const _: () = {
            use $crate::bindings::explain::exports::sluicegate::filter::explain_filter::{Explanation, Guest};
            impl Guest for Component {
                fn explain(request: &types::Request) -> Explanation {
                    $crate::Explain::explain(filter!(), &$crate::Request::from_host(request))
                }
            }
            $crate::bindings::explain::__export_explain!(Component with_types_in $crate::bindings::explain);
        };
    };
}
