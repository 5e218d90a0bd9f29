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

    /// It is this process's to remove.
    pub fn take(&self) {
        if let Some(ownership) = &self.ownership {
            ownership.take();
        }
    }

    /// It is another process's to remove, although this one answers as long as it is there.
    pub fn leave(&self) {
        if let Some(ownership) = &self.ownership {
            ownership.leave();
        }
    }

    /// Another process has taken it over: nobody asks this one any more.
    pub fn retire(&self) {
        self.leave();
        self.stop.cancel();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unix_socket;

    #[test]
    fn the_file_of_a_socket_that_is_about_to_be_handed_over_stays_and_the_endpoint_answers_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("admin.sock");
        for (is_left, stays) in [(true, true), (false, false)] {
            let (listener, file) = unix_socket::bind(&path).unwrap();
            let (stop, socket) = (CancellationToken::new(), Arc::new(OwnedFd::from(listener)));
            let succession = Succession { stop: stop.clone(), socket, ownership: Some(file.ownership()) };
            succession.leave();
            if !is_left {
                succession.take();
            }
            assert!(!stop.is_cancelled());
            drop((file, succession));
            assert_eq!(path.exists(), stays);
        }
    }
}
