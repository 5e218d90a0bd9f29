//! What another process takes over of the admin endpoint.

use crate::take_over::Listening;
use crate::unix_socket::Ownership;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// The endpoint's socket, and its end. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Succession {
    pub(super) stop: CancellationToken,
    pub(super) socket: Arc<OwnedFd>,
    pub(super) ownership: Option<Ownership>,
}

impl Succession {
    /// The socket, as a descriptor of its own.
    ///
    /// # Errors
    /// When the process has too many.
    pub fn socket(&self) -> io::Result<Listening> {
        let descriptor = self.socket.try_clone()?;
        Ok(match &self.ownership {
            Some(ownership) => Listening::Unix(ownership.path().to_owned(), descriptor),
            None => Listening::Tcp(descriptor),
        })
    }

    /// This process has taken it over.
    pub fn take(&self) {
        if let Some(ownership) = &self.ownership {
            ownership.take();
        }
    }

    /// Another process has taken it over: nobody asks this one any more.
    pub fn retire(&self) {
        if let Some(ownership) = &self.ownership {
            ownership.leave();
        }
        self.stop.cancel();
    }
}
