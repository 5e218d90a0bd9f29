//! Configuration: as written in `sluicegate.yaml` and on the command line, and as the program uses it.
//!
//! [`file`] and [`flags`] are what the user wrote, [`settings`] is what the program uses, and [`resolve`] makes it of both
//! and of the defaults. Every mistake is reported, not only the first. Manifests are another matter: see [`crate::manifest`].

pub mod address;
pub mod events;
pub mod file;
pub mod flags;
pub mod gateway_port;
pub mod limits;
pub mod problem;
pub mod quantity;
pub mod ratio;
pub mod resolve;
pub mod settings;
pub mod tracing;
pub mod upstream;

pub use address::AdminAddress;
pub use events::{FileSettings, KafkaSettings, NatsSettings, ServerSettings, ServerTls, StoreChoice, StoreSettings};
pub use flags::{EventFlags, Flags};
pub use gateway_port::GatewayPort;
pub use problem::{Origin, Problem, Problems};
pub use ratio::Ratio;
pub use settings::{AccessLogFormat, ListenTls, Settings, Watch};
pub use tracing::{TraceExport, Tracing};
pub use upstream::{Place, Upstream};
