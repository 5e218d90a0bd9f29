//! What two processes say to each other: lines of JSON over a Unix socket, and descriptors beside them (SCM_RIGHTS, unix(7)).

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// The version of what is said here.
pub(super) const VERSION: u32 = 1;
/// The longest line, in bytes: the places of some thousands of sockets.
const LINE: usize = 256 << 10;
/// Descriptors that go with one byte; the system takes 253 (SCM_MAX_FD).
const AT_ONCE: usize = 64;

/// One thing that is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Message {
    /// The new process wants to take over.
    TakeOver {
        /// Of what is said here.
        version: u32,
        /// Its number.
        process: u32,
    },
    /// The old one hands its listening sockets over; their descriptors follow.
    Sockets(Vec<Socket>),
    /// The new one has everything ready but what only one process can have.
    Prepared,
    /// The old one has let go of that.
    Released,
    /// The new one serves.
    Ready,
    /// It is not done.
    Refused(String),
}

/// A listening socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Socket {
    /// TCP; it knows its address itself.
    Tcp,
    /// A Unix socket, at the path where it is found.
    Unix(PathBuf),
}

pub(super) fn say(stream: &UnixStream, message: &Message) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    (&mut &*stream).write_all(&line)
}

/// Reads a line, and no byte more: descriptors that come with the next one would be lost.
pub(super) fn hear(stream: &UnixStream) -> io::Result<Message> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        (&mut &*stream).read_exact(&mut byte)?;
        match byte {
            [b'\n'] => return Ok(serde_json::from_slice(&line)?),
            _ if line.len() >= LINE => return Err(io::Error::other("it says too much")),
            [other] => line.push(other),
        }
    }
}

pub(super) fn hand(stream: &UnixStream, descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    for some in descriptors.chunks(AT_ONCE) {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(some)) {
            return Err(io::Error::other("there is no room for descriptors"));
        }
        sendmsg(stream.as_fd(), &[IoSlice::new(b".")], &mut control, SendFlags::NOSIGNAL)?;
    }
    Ok(())
}

pub(super) fn take(stream: &UnixStream, count: usize) -> io::Result<Vec<OwnedFd>> {
    let mut taken = Vec::new();
    while taken.len() < count {
        let mut byte = [0];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let received =
            recvmsg(stream.as_fd(), &mut [IoSliceMut::new(&mut byte)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
        let before = taken.len();
        for message in control.drain() {
            if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                taken.extend(descriptors);
            }
        }
        if received.bytes == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "descriptors are missing"));
        }
        if taken.len() == before {
            return Err(io::Error::other("descriptors are missing"));
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn descriptors_arrive_between_lines_however_many_there_are() {
        let (one, other) = UnixStream::pair().unwrap();
        let listeners: Vec<TcpListener> = (0..150).map(|_| TcpListener::bind(("127.0.0.1", 0)).unwrap()).collect();
        let addresses: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap()).collect();
        let sender = std::thread::spawn(move || {
            let descriptors: Vec<BorrowedFd<'_>> = listeners.iter().map(AsFd::as_fd).collect();
            say(&one, &Message::Sockets(vec![Socket::Tcp; descriptors.len()])).unwrap();
            hand(&one, &descriptors).unwrap();
            say(&one, &Message::Released).unwrap();
        });
        let Message::Sockets(sockets) = hear(&other).unwrap() else { panic!("something else") };
        let taken = take(&other, sockets.len()).unwrap();
        sender.join().unwrap();
        let taken: Vec<_> = taken.into_iter().map(|taken| TcpListener::from(taken).local_addr().unwrap()).collect();
        assert_eq!(taken, addresses);
        assert_eq!(hear(&other).unwrap(), Message::Released);
    }

    #[test]
    fn a_process_that_goes_away_is_noticed() {
        let (one, other) = UnixStream::pair().unwrap();
        say(&one, &Message::Prepared).unwrap();
        drop(one);
        assert_eq!(hear(&other).unwrap(), Message::Prepared);
        assert_eq!(hear(&other).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(take(&other, 1).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
