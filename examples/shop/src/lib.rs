//! Three small services with state, to try the proxy with.
//!
//! [`OrderService`] takes orders, [`InventoryService`] keeps the stock and hears of orders by CloudEvents,
//! [`ProductService`] describes the products. Each is an ordinary HTTP server ([`serve`]) that knows nothing of the
//! proxy, and nothing of the other two. State is in memory and bounded; it ends with the process.

mod answer;
mod event;
mod inventory;
mod order;
mod product;
mod server;

pub use inventory::InventoryService;
pub use order::OrderService;
pub use product::ProductService;
pub use server::{Service, serve};
