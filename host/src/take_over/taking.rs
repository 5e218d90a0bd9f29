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
    /// where there is no process.
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
        taking.take_sockets(inherited).map_err(failed)?;
        Ok(Some(taking))
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

    /// Says that everything is ready but what only one process can have, and waits until the other has let go of that.
    ///
    /// # Errors
    /// When it does not.
    pub fn prepared(&self) -> Result<(), TakeOverError> {
        let released = wire::say(&self.stream, &Message::Prepared).and_then(|()| self.heard(limits::TAKE_OVER_RELEASE));
        match released {
            Ok(Message::Released) => Ok(()),
            Ok(_) => Err(self.failed(io::Error::other("it says something else"))),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Says that this process serves: the other one ends. False where that has ended by itself before.
    ///
    /// # Errors
    /// When the other one has given up waiting, and serves on.
    pub fn ready(self) -> Result<bool, TakeOverError> {
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

#[cfg(test)]
mod tests {
    use super::super::{Handed, HandsOver, Listening, Offer};
    use super::*;
    use crate::unix_socket;
    use std::os::fd::OwnedFd;
    use std::sync::{Arc, Mutex};

    /// One listening socket, and what was asked of its process.
    struct Process {
        listener: TcpListener,
        asked: Arc<Mutex<Vec<&'static str>>>,
    }

    impl HandsOver for Process {
        fn sockets(&self) -> io::Result<Vec<Listening>> {
            Ok(vec![Listening::Tcp(OwnedFd::from(self.listener.try_clone()?))])
        }

        fn release(&self) {
            self.asked.lock().unwrap().push("release");
        }

        fn resume(&self) {
            self.asked.lock().unwrap().push("resume");
        }

        fn retire(&self) {
            self.asked.lock().unwrap().push("retire");
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_takes_too_long_is_told_that_the_other_process_serves_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("take-over.sock");
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let process = Process { listener, asked: Arc::clone(&asked) };
        let soon = Duration::from_millis(500);
        let mut offer = Offer::patient(soon, unix_socket::bind(&path).unwrap(), process).unwrap();

        let late = TakeOver::begin(&path, &Inherited::default()).unwrap().unwrap();
        late.prepared().unwrap();
        while asked.lock().unwrap().len() < 2 {
            tokio::time::sleep(soon / 10).await;
        }
        let error = late.ready().unwrap_err();
        assert!(error.to_string().contains("it took too long"), "{error}");
        assert_eq!(*asked.lock().unwrap(), ["release", "resume"]);

        let taking = TakeOver::begin(&path, &Inherited::default()).unwrap().unwrap();
        taking.prepared().unwrap();
        assert!(taking.ready().unwrap());
        assert_eq!(offer.handed().await, Handed { process: std::process::id() });
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_fails_before_it_serves_leaves_all_to_the_process_that_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("take-over.sock");
        assert!(TakeOver::begin(&path, &Inherited::default()).unwrap().is_none(), "nobody is there");
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let (address, asked) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let process = Process { listener, asked: Arc::clone(&asked) };
        let mut offer = Offer::start(unix_socket::bind(&path).unwrap(), process).unwrap();

        let inherited = Inherited::default();
        drop(TakeOver::begin(&path, &inherited).unwrap().unwrap());
        assert_eq!(inherited.take_tcp(address).len(), 1);
        let failing = TakeOver::begin(&path, &Inherited::default()).unwrap().unwrap();
        failing.prepared().unwrap();
        assert_eq!(*asked.lock().unwrap(), ["release"]);
        drop(failing);

        let inherited = Inherited::default();
        let taking = TakeOver::begin(&path, &inherited).unwrap().unwrap();
        assert_eq!(*asked.lock().unwrap(), ["release", "resume"]);
        taking.prepared().unwrap();
        assert!(inherited.take_unix(&path).is_some(), "the socket of the hand-over itself goes along");
        assert!(taking.ready().unwrap());
        assert_eq!(offer.handed().await, Handed { process: std::process::id() });
        assert_eq!(*asked.lock().unwrap(), ["release", "resume", "release", "retire"]);
        drop(offer);
        assert!(path.exists(), "it is the other process's now");
    }
}
