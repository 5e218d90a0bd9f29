//! Three small services with state, to try the proxy with.
//!
//! [`OrderService`] takes orders, [`InventoryService`] keeps the stock and hears of orders by CloudEvents,
//! [`ProductService`] describes the products. Each is an ordinary HTTP server ([`serve`]) that knows nothing of the
//! proxy, and nothing of the other two; [`Shop`] runs all three. State is in memory and bounded; it ends with the
//! process. [`manifests()`] puts a proxy in front of them.

mod answer;
mod event;
mod inventory;
mod manifests;
mod order;
mod product;
mod server;
mod shop;

pub use inventory::InventoryService;
pub use manifests::{Manifest, manifests};
pub use order::OrderService;
pub use product::ProductService;
pub use server::{Service, serve};
pub use shop::{Addresses, OpenError, Shop};
