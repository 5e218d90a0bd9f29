//! A network between the proxy and a server that can stop carrying anything.

use crate::background::{self, AbortOnDrop};
use std::net::SocketAddr;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Carries connections to an address until it is cut. Then nothing that is sent arrives, in either direction, and nobody is
/// told; connections of before end once it is whole again, as bytes of theirs are lost.
#[derive(Debug)]
pub struct Gap {
    address: SocketAddr,
    cut: watch::Sender<bool>,
    _task: AbortOnDrop,
}

impl Gap {
    /// Begins to carry.
    ///
    /// # Panics
    /// When no port is free.
    pub fn before(server: SocketAddr) -> Self {
        let (cut, is_cut) = watch::channel(false);
        let listener = background::run(async { TcpListener::bind(("127.0.0.1", 0)).await.expect("a port is free") });
        let address = listener.local_addr().expect("it listens");
        let task = AbortOnDrop(background::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                drop(background::spawn(carry(near, server, is_cut.clone())));
            }
        }));
        Self { address, cut, _task: task }
    }

    /// Where connections to the server are taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Carries nothing from now on.
    pub fn cut(&self) {
        self.cut.send_replace(true);
    }

    /// Carries new connections again.
    pub fn heal(&self) {
        self.cut.send_replace(false);
    }
}

async fn carry(near: TcpStream, server: SocketAddr, mut cut: watch::Receiver<bool>) {
    if *cut.borrow_and_update() {
        // An error says that the test is over.
        let _ = cut.wait_for(|cut| !cut).await;
        return;
    }
    let Ok(far) = TcpStream::connect(server).await else { return };
    let ((near_out, near_in), (far_out, far_in)) = (near.into_split(), far.into_split());
    let both = async {
        tokio::select! {
            () = copy(near_out, far_in) => {}
            () = copy(far_out, near_in) => {}
        }
    };
    tokio::pin!(both);
    tokio::select! {
        // What was sent after the cut is not carried, however late this is noticed.
        biased;
        _ = cut.changed() => {
            // The connections stay open without anybody who reads them.
            let _ = cut.wait_for(|cut| !cut).await;
        }
        () = &mut both => {}
    }
}

async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin) {
    let mut bytes = vec![0; 64 << 10];
    while let Ok(count) = from.read(&mut bytes).await {
        let some = bytes.get(..count).unwrap_or_default();
        if some.is_empty() || to.write_all(some).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::time::Duration;

    #[test]
    fn nothing_gets_across_while_it_is_cut_and_new_connections_do_afterwards() {
        let server = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let gap = Gap::before(server.local_addr().unwrap());
        let mut near = std::net::TcpStream::connect(gap.address()).unwrap();
        let (mut far, _) = server.accept().unwrap();
        near.write_all(b"1").unwrap();
        let mut byte = [0];
        far.read_exact(&mut byte).unwrap();
        gap.cut();
        std::net::TcpStream::connect(gap.address()).unwrap();
        near.write_all(b"2").unwrap();
        far.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        assert!(far.read(&mut byte).is_err(), "nothing arrives and nothing ends");
        gap.heal();
        assert_eq!((near.read(&mut byte).unwrap_or(0), &byte), (0, b"1"), "it ends, and what was sent is lost");
        let mut near = std::net::TcpStream::connect(gap.address()).unwrap();
        let (mut far, _) = server.accept().unwrap();
        near.write_all(b"3").unwrap();
        far.read_exact(&mut byte).unwrap();
        assert_eq!(&byte, b"3");
    }
}
