//! Many connections that ask for little and take their time.

use crate::frames::{self, PREFACE};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::{Semaphore, oneshot};
use tokio::time::{Instant, Interval, interval_at, timeout};

/// Between two bytes of those who send slowly.
const DRIP: Duration = Duration::from_millis(500);
/// For an answer that is waited for.
const ANSWER: Duration = Duration::from_secs(20);
/// Connections that are made at a time, so that none is refused for a full queue.
const AT_A_TIME: usize = 200;
/// What a slow reader has room for, in bytes.
const LITTLE: u32 = 4 << 10;

/// What each connection does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attack {
    /// Sends a head byte by byte.
    SlowHead,
    /// Sends a body byte by byte.
    SlowBody,
    /// Sends a body byte by byte, each at the same moment as all others do.
    SlowBodyInStep,
    /// Asks for much and reads nothing of it.
    SlowRead,
    /// Sends nothing.
    Silent,
    /// Sends one request, and then nothing.
    Idle,
    /// Speaks HTTP/2, sends one request, and then nothing.
    IdleHttp2,
}

/// Connections that go on until this is dropped.
#[derive(Debug)]
pub struct Crowd {
    ready: Arc<AtomicUsize>,
    _end: oneshot::Sender<()>,
}

impl Crowd {
    /// Makes so many connections, on a thread of their own.
    pub fn start(address: SocketAddr, number: usize, attack: Attack) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime starts");
        let ready = Arc::<AtomicUsize>::default();
        let room = Arc::new(Semaphore::new(AT_A_TIME));
        let epoch = Instant::now();
        for place in 0..number {
            let (ready, room) = (Arc::clone(&ready), Arc::clone(&room));
            runtime.spawn(async move {
                let permit = room.acquire().await;
                let Ok(mut stream) = connect(address, attack).await else { return };
                let begun = timeout(ANSWER, begin(&mut stream, attack)).await;
                drop(permit);
                if matches!(begun, Ok(Ok(()))) {
                    ready.fetch_add(1, Ordering::Relaxed);
                    let phase = if attack == Attack::SlowBodyInStep { Duration::ZERO } else { phase(place) };
                    go_on(stream, attack, beats(epoch, phase)).await;
                }
            });
        }
        let (end, ended) = oneshot::channel();
        std::thread::spawn(move || {
            // When this is dropped, or when the program ends: then the runtime goes, and all connections with it.
            let _ = runtime.block_on(ended);
        });
        Self { ready, _end: end }
    }

    /// How many have got as far as they go.
    pub fn ready(&self) -> usize {
        self.ready.load(Ordering::Relaxed)
    }
}

async fn connect(address: SocketAddr, attack: Attack) -> std::io::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    if attack == Attack::SlowRead {
        socket.set_recv_buffer_size(LITTLE)?;
    }
    socket.connect(address).await
}

async fn begin(stream: &mut TcpStream, attack: Attack) -> std::io::Result<()> {
    match attack {
        Attack::Silent => Ok(()),
        Attack::SlowHead => stream.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\nx-slow: ").await,
        Attack::SlowBody | Attack::SlowBodyInStep => {
            stream.write_all(b"POST / HTTP/1.1\r\nhost: shop\r\ncontent-length: 100000\r\n\r\n").await
        }
        Attack::SlowRead => stream.write_all(b"GET /large HTTP/1.1\r\nhost: large\r\n\r\n").await,
        Attack::Idle => {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: shop\r\n\r\n").await?;
            until(stream, b"\r\n\r\nok").await
        }
        Attack::IdleHttp2 => {
            let acknowledged = frames::frame(frames::SETTINGS, 1, 0, &[]);
            let head = frames::frame(frames::HEADERS, frames::END_HEADERS | frames::END_STREAM, 1, frames::HEAD);
            stream.write_all(&[PREFACE, &acknowledged, &head].concat()).await?;
            until(stream, b"ok").await
        }
    }
}

async fn until(stream: &mut TcpStream, end: &[u8]) -> std::io::Result<()> {
    let (mut answer, mut buffer) = (Vec::new(), [0; 1024]);
    while !answer.windows(end.len()).any(|part| part == end) {
        match stream.read(&mut buffer).await? {
            0 => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            read => answer.extend_from_slice(buffer.get(..read).unwrap_or_default()),
        }
    }
    Ok(())
}

/// How long after the first a connection sends: a thousand that are in step are a burst of load.
fn phase(place: usize) -> Duration {
    let steps = u32::try_from(DRIP.as_millis()).unwrap_or(1);
    DRIP * u32::try_from(place).unwrap_or_default().checked_rem(steps).unwrap_or_default() / steps
}

/// The moments at which a connection does something.
fn beats(epoch: Instant, phase: Duration) -> Interval {
    let gone = epoch.elapsed().as_millis() / DRIP.as_millis();
    let next = DRIP * u32::try_from(gone + 1).unwrap_or_default();
    interval_at(epoch + next + phase, DRIP)
}

/// Until the other side has had enough.
async fn go_on(mut stream: TcpStream, attack: Attack, mut beats: Interval) {
    let mut byte = [0; 1];
    loop {
        match attack {
            Attack::SlowRead => {
                beats.tick().await;
            }
            Attack::SlowHead | Attack::SlowBody | Attack::SlowBodyInStep => tokio::select! {
                read = stream.read(&mut byte) => if !matches!(read, Ok(1..)) { return },
                _ = beats.tick() => if stream.write_all(b"x").await.is_err() { return },
            },
            Attack::Silent | Attack::Idle | Attack::IdleHttp2 => {
                if !matches!(stream.read(&mut byte).await, Ok(1..)) {
                    return;
                }
            }
        }
    }
}
