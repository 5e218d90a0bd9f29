//! The process that comes: it takes the place of the one that is there.

use super::wire::{self, Message, Socket, VERSION};
use crate::config::limits;
use crate::listener::Inherited;
use std::io;
use std::net::TcpListener;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Why another process's place cannot be taken. It serves on.
#[derive(Debug, thiserror::Error)]
#[error("the running instance at {} does not hand over: {reason}", path.display())]
pub struct TakeOverError {
    /// Where it was asked.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub reason: io::Error,
}

/// Being about to take over. Dropping it leaves everything to the process that is there.
#[derive(Debug)]
pub struct TakeOver {
    path: PathBuf,
    stream: UnixStream,
}

impl TakeOver {
    /// Asks the process that waits at a path, and adds its listening sockets to those that this process inherits. None
    /// where there is no process, or it ends just now.
    ///
    /// # Errors
    /// When there is one, and it does not answer as it should.
    pub fn begin(path: &Path, inherited: &Inherited) -> Result<Option<Self>, TakeOverError> {
        let failed = |reason| TakeOverError { path: path.to_owned(), reason };
        let stream = match UnixStream::connect(path) {
            Ok(stream) => stream,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            Err(error) => return Err(failed(error)),
        };
        let taking = Self { path: path.to_owned(), stream };
        match taking.take_sockets(inherited) {
            Ok(()) => Ok(Some(taking)),
            Err(error) if is_of_end(&error) => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }

    fn take_sockets(&self, inherited: &Inherited) -> io::Result<()> {
        self.stream.set_write_timeout(Some(limits::TAKE_OVER_ANSWER))?;
        wire::say(&self.stream, &Message::TakeOver { version: VERSION, process: std::process::id() })?;
        let Message::Sockets(sockets) = self.heard(limits::TAKE_OVER_ANSWER)? else {
            return Err(io::Error::other("it says something else"));
        };
        let descriptors = wire::take(&self.stream, sockets.len())?;
        for (socket, descriptor) in sockets.into_iter().zip(descriptors) {
            match socket {
                Socket::Tcp => inherited.add_tcp(TcpListener::from(descriptor))?,
                Socket::Unix(path) => inherited.add_unix(&path, UnixListener::from(descriptor)),
            }
        }
        Ok(())
    }

    /// Says that everything is ready but what only one process can have, and waits until the other has let go of that, or
    /// has ended.
    ///
    /// # Errors
    /// When it does neither.
    pub fn prepared(&self) -> Result<(), TakeOverError> {
        // Whoever cannot be told any more may have said before why.
        let _ = wire::say(&self.stream, &Message::Prepared);
        match self.heard(limits::TAKE_OVER_RELEASE) {
            Ok(Message::Released) => Ok(()),
            Ok(_) => Err(self.failed(io::Error::other("it says something else"))),
            Err(error) if is_of_end(&error) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Says that this process serves: the other one ends. False where that has ended by itself before.
    ///
    /// # Errors
    /// When the other one has given up waiting, and serves on.
    pub fn ready(&self) -> Result<bool, TakeOverError> {
        let said = wire::say(&self.stream, &Message::Ready).is_ok();
        match self.heard(limits::TAKE_OVER_ANSWER) {
            Err(error) if error.kind() == io::ErrorKind::Other => Err(self.failed(error)),
            // It says nothing more once it ends.
            _ => Ok(said),
        }
    }

    fn heard(&self, limit: Duration) -> io::Result<Message> {
        self.stream.set_read_timeout(Some(limit))?;
        match wire::hear(&self.stream) {
            Ok(Message::Refused(reason)) => Err(io::Error::other(reason)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "it says nothing in time"))
            }
            heard => heard,
        }
    }

    fn failed(&self, reason: io::Error) -> TakeOverError {
        TakeOverError { path: self.path.clone(), reason }
    }
}

/// Whether this is how the end of the other process looks. One that only gives up says so.
fn is_of_end(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), UnexpectedEof | BrokenPipe | ConnectionReset)
}
