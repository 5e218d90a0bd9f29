//! A client that asks for one thing after the other and looks at the clock.

use crate::Times;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Between an answer and the next request.
const PAUSE: Duration = Duration::from_millis(3);
/// An answer that takes longer counts as this much.
const LONGEST: Duration = Duration::from_secs(10);
const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n";

/// How long answers took for somebody who asks for so long, on one kept connection, which is made anew when it breaks.
#[allow(clippy::disallowed_methods, reason = "a client's own thread is no worker")]
pub fn ask_for(address: SocketAddr, long: Duration) -> Times {
    let (began, mut kept, mut times) = (Instant::now(), None, Vec::new());
    while began.elapsed() < long {
        let asked = Instant::now();
        kept = kept.or_else(|| connect(address)).filter(|stream| exchange(stream).is_some());
        times.push(if kept.is_some() { asked.elapsed() } else { LONGEST });
        thread::sleep(PAUSE);
    }
    times.into_iter().collect()
}

fn connect(address: SocketAddr) -> Option<TcpStream> {
    let stream = TcpStream::connect(address).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_read_timeout(Some(LONGEST)).ok()?;
    Some(stream)
}

/// One request and its answer, which ends with what the service says.
fn exchange(mut stream: &TcpStream) -> Option<()> {
    stream.write_all(REQUEST).ok()?;
    let (mut answer, mut buffer) = (Vec::new(), [0; 4096]);
    while !answer.ends_with(b"\r\n\r\nok") {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        answer.extend_from_slice(buffer.get(..read)?);
    }
    answer.starts_with(b"HTTP/1.1 200").then_some(())
}
