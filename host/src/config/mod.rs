//! Configuration: as written in `sluicegate.yaml` and on the command line, and as the program uses it.
//!
//! [`file`] is what the user wrote, [`resolve`] merges it with the flags and the defaults into [`Settings`]. Every
//! mistake is reported, not only the first. Manifests are another matter: see [`crate::manifest`].

pub mod address;
pub mod events;
pub mod file;
pub mod gateway_port;
pub mod limits;
pub mod problem;
pub mod quantity;
pub mod ratio;
pub mod resolve;
pub mod tracing;
pub mod upstream;

pub use address::AdminAddress;
pub use events::{FileSettings, KafkaSettings, NatsSettings, ServerSettings, ServerTls, StoreChoice, StoreSettings};
pub use gateway_port::GatewayPort;
pub use problem::{Origin, Problem, Problems};
pub use ratio::Ratio;
pub use resolve::{AccessLogFormat, EventFlags, Flags, ListenTls, Settings, Watch};
pub use tracing::{TraceExport, Tracing};
pub use upstream::{Place, Upstream};
