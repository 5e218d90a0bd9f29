//! The process that is there: it waits for one that takes its place.

use super::Listening;
use super::wire::{self, Message, Socket, VERSION};
use crate::config::limits;
use crate::unix_socket::{Ownership, SocketFile};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// What a process has that another one takes over. Its functions may block.
pub trait HandsOver: Send + 'static {
    /// The listening sockets.
    fn sockets(&self) -> io::Result<Vec<Listening>>;
    /// The files of its sockets are not to be removed any more when this process ends: the other one is about to have them.
    fn leave(&self);
    /// They are this process's again: the other one has failed.
    fn keep(&self);
    /// Lets go of what only one process can have.
    fn release(&self);
    /// Takes that back: the other process has failed.
    fn resume(&self);
    /// The other process serves: takes in nothing more that is not its own.
    fn retire(&self);
}

/// Says that another process serves, and which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handed {
    /// Its number.
    pub process: u32,
}

/// Waits for a process that takes over. Dropping it ends that, and removes the socket unless it was handed over.
#[derive(Debug)]
pub struct Offer {
    _file: SocketFile,
    handed: mpsc::Receiver<Handed>,
    over: Arc<AtomicBool>,
}

impl Drop for Offer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
    }
}

impl Offer {
    /// Waits on a thread of its own.
    ///
    /// # Errors
    /// When the socket cannot be used, or there is no thread.
    pub fn start(socket: (UnixListener, SocketFile), holder: impl HandsOver) -> io::Result<Self> {
        Self::patient(limits::TAKE_OVER_READY, socket, holder)
    }

    /// The same, for a process that may take so long to begin to serve.
    pub(super) fn patient(
        ready: Duration,
        (listener, file): (UnixListener, SocketFile),
        holder: impl HandsOver,
    ) -> io::Result<Self> {
        listener.set_nonblocking(false)?;
        let (sender, handed) = mpsc::channel(1);
        let (ownership, over) = (file.ownership(), Arc::new(AtomicBool::new(false)));
        let ended = Arc::clone(&over);
        let run = move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Acquire) {
                    return;
                }
                let done = stream.and_then(|stream| serve(&stream, (&listener, &ownership), &holder, ready));
                match done {
                    Ok(handed) => {
                        // Whoever waits has ended when the process does.
                        let _ = sender.blocking_send(handed);
                        return;
                    }
                    Err(error) => {
                        tracing::error!(%error, "another process wanted to take over and failed; this one serves on");
                        #[allow(clippy::disallowed_methods, reason = "the thread has nothing else to do")]
                        std::thread::sleep(limits::ACCEPT_BACKOFF);
                    }
                }
            }
        };
        std::thread::Builder::new().name("take-over".into()).spawn(run)?;
        Ok(Self { _file: file, handed, over })
    }

    /// Resolves once another process serves.
    pub async fn handed(&mut self) -> Handed {
        match self.handed.recv().await {
            Some(handed) => handed,
            None => std::future::pending().await,
        }
    }
}

/// One try to take over.
fn serve(
    stream: &UnixStream,
    (listener, ownership): (&UnixListener, &Ownership),
    holder: &impl HandsOver,
    ready: Duration,
) -> io::Result<Handed> {
    stream.set_write_timeout(Some(limits::TAKE_OVER_ANSWER))?;
    let process = told(stream, greeted(stream))?;
    // Before it has the sockets: from then on it may go on without this process.
    ownership.leave();
    holder.leave();
    let handed = told(stream, hand_sockets(stream, listener, ownership, holder));
    let prepared = handed.and_then(|()| {
        tracing::info!(process, "another process is about to take over");
        told(stream, prepared(stream))
    });
    let served = prepared.and_then(|()| {
        holder.release();
        // It may be there still and begin to serve later: two would. So it is told before anything is taken back.
        told(stream, begun(stream, ready)).inspect_err(|_| holder.resume())
    });
    match served {
        Ok(()) => {
            holder.retire();
            Ok(Handed { process })
        }
        Err(error) => {
            ownership.take();
            holder.keep();
            Err(error)
        }
    }
}

/// Has the other process know what failed here: a connection that ends without a word means that this process has ended.
fn told<T>(stream: &UnixStream, done: io::Result<T>) -> io::Result<T> {
    done.inspect_err(|error| {
        // If it is gone, nobody hears this.
        let _ = wire::say(stream, &Message::Refused(error.to_string()));
    })
}

fn greeted(stream: &UnixStream) -> io::Result<u32> {
    match heard(stream, limits::TAKE_OVER_ANSWER)? {
        Message::TakeOver { version: VERSION, process } => Ok(process),
        Message::TakeOver { version, .. } => {
            Err(io::Error::other(format!("the hand-over is spoken here in version {VERSION}, not {version}")))
        }
        _ => Err(io::Error::other("it does not begin as it should")),
    }
}

fn prepared(stream: &UnixStream) -> io::Result<()> {
    match heard(stream, limits::TAKE_OVER_PREPARE)? {
        Message::Prepared => Ok(()),
        Message::Refused(reason) => Err(io::Error::other(reason)),
        _ => Err(io::Error::other("it does not go on as it should")),
    }
}

fn begun(stream: &UnixStream, ready: Duration) -> io::Result<()> {
    wire::say(stream, &Message::Released)?;
    match heard(stream, ready) {
        Ok(Message::Ready) => Ok(()),
        Ok(_) => Err(io::Error::other("it does not end as it should")),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            Err(io::Error::new(error.kind(), "it took too long to begin to serve"))
        }
        Err(error) => Err(error),
    }
}

fn hand_sockets(
    stream: &UnixStream,
    listener: &UnixListener,
    ownership: &Ownership,
    holder: &impl HandsOver,
) -> io::Result<()> {
    let mut sockets = holder.sockets()?;
    sockets.push(Listening::Unix(ownership.path().to_owned(), OwnedFd::from(listener.try_clone()?)));
    let described = sockets.iter().map(|socket| match socket {
        Listening::Tcp(_) => Socket::Tcp,
        Listening::Unix(path, _) => Socket::Unix(path.clone()),
    });
    wire::say(stream, &Message::Sockets(described.collect()))?;
    let descriptors: Vec<BorrowedFd<'_>> = sockets
        .iter()
        .map(|socket| match socket {
            Listening::Tcp(descriptor) | Listening::Unix(_, descriptor) => descriptor.as_fd(),
        })
        .collect();
    wire::hand(stream, &descriptors)
}

fn heard(stream: &UnixStream, limit: Duration) -> io::Result<Message> {
    stream.set_read_timeout(Some(limit))?;
    wire::hear(stream).map_err(|error| match error.kind() {
        io::ErrorKind::WouldBlock => io::Error::new(io::ErrorKind::TimedOut, "it says nothing in time"),
        io::ErrorKind::UnexpectedEof => io::Error::new(error.kind(), "it has ended"),
        _ => error,
    })
}
