//! A new process takes the place of a running one, and no client notices.
//!
//! Both are started with the same path of a Unix socket. Who finds a process there takes over from it, and then waits there
//! itself:
//!
//! 1. The new process is handed the listening sockets, by their descriptors. A client that connects from now on waits in a
//!    socket that both have, and is served by whoever takes it; none is refused, as no socket is ever closed.
//! 2. It loads its configuration and compiles its filters. The old one serves.
//! 3. It says that it is prepared. The old one lets go of what only one process can have, the files of events, and says so.
//! 4. The new one begins to serve and says so. The old one ends as on SIGTERM: it finishes what it has.
//!
//! Until the last step the new process may fail, or vanish: then the old one takes back what it has let go of, and serves on.
//! From the first step on the old one may end, or vanish: the new one has the sockets, whose files stay, and goes on alone.
//!
//! - [`wire`]: what is said
//! - [`offer`]: the side of the process that is there
//! - [`taking`]: the side of the one that comes

mod offer;
mod taking;
mod wire;

pub use offer::{Handed, HandsOver, Offer};
pub use taking::{TakeOver, TakeOverError};

/// A listening socket on its way to another process.
#[derive(Debug)]
pub enum Listening {
    /// TCP; it knows its address itself.
    Tcp(std::os::fd::OwnedFd),
    /// A Unix socket, at the path where it is found.
    Unix(std::path::PathBuf, std::os::fd::OwnedFd),
}

#[cfg(test)]
mod tests;
