//! The first bytes of a connection: which protocol it speaks.

use super::Timeouts;
use crate::drain::Drain;
use bytes::BytesMut;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Poll, ready};
use tokio::io::{AsyncRead, ReadBuf};

/// What an HTTP/2 client begins with (RFC 9113, section 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Room for the first read, and for the first one after a rest, in bytes: what the HTTP library starts with too, which keeps
/// its number to itself; a test of [`super::http1`] holds the two together. With less, the head of a short message would go on
/// before a mistake in its body is seen.
pub(super) const FIRST_READ: usize = 8 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Reads until the protocol is known. None when the connection ended or asked for nothing in time, of which there is
/// little once the proxy ends: a client that has just connected is about to ask.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    timeouts: &Timeouts,
    drain: &Drain,
) -> Option<(Protocol, BytesMut)> {
    let reading = tokio::time::timeout(timeouts.head_read, detect(stream));
    let over = async {
        drain.signal().await;
        tokio::time::sleep(timeouts.last_request).await;
    };
    tokio::select! {
        biased;
        detected = reading => detected.ok().flatten(),
        () = over => None,
    }
}

async fn detect(stream: &mut (impl AsyncRead + Unpin)) -> Option<(Protocol, BytesMut)> {
    let mut bytes = BytesMut::new();
    loop {
        if read_some(stream, &mut bytes).await? == 0 {
            // An incomplete preface is an incomplete request, which is for the gate to say.
            return (!bytes.is_empty()).then_some((Protocol::Http1, bytes));
        }
        if bytes.starts_with(PREFACE) {
            return Some((Protocol::Http2, bytes));
        }
        if !PREFACE.starts_with(&bytes) {
            return Some((Protocol::Http1, bytes));
        }
    }
}

/// Reads what is there, and says how much. It goes through a buffer on the stack, as who sends nothing should take none.
async fn read_some(stream: &mut (impl AsyncRead + Unpin), bytes: &mut BytesMut) -> Option<usize> {
    poll_fn(|context| {
        let mut room = [0; FIRST_READ];
        let mut buffer = ReadBuf::new(&mut room);
        Poll::Ready(match ready!(Pin::new(&mut *stream).poll_read(context, &mut buffer)) {
            Ok(()) => {
                bytes.extend_from_slice(buffer.filled());
                Some(buffer.filled().len())
            }
            Err(_) => None,
        })
    })
    .await
}
