//! What each command does: reads its settings, calls the library, prints the answer.

pub(crate) mod check;
pub(crate) mod code;
pub(crate) mod completion;
pub(crate) mod composition;
pub(crate) mod dead_letter;
#[cfg(feature = "demo")]
pub(crate) mod demo;
pub(crate) mod event;
pub(crate) mod exit;
pub(crate) mod explain;
pub(crate) mod filter;
pub(crate) mod get;
pub(crate) mod print;
pub(crate) mod reload;
pub(crate) mod run;
mod signals;
mod successor;
pub(crate) mod tap;
pub(crate) mod test;
