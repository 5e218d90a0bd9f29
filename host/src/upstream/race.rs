//! Connects to whichever of an endpoint's addresses answers first (RFC 8305, "Happy Eyeballs").

use super::connect::is_exhausted;
use crate::config::limits;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::time::sleep;

/// Tries the addresses in their order, each one [`limits::CONNECT_ATTEMPT_DELAY`] after the one before or as soon as that
/// has failed. The first connection wins, and the other attempts are given up. Whoever calls sets the limit for all.
///
/// # Errors
/// When all have failed, with the reasons; with the system's own when it lacks what a connection is made of.
pub(super) async fn race(addresses: &[SocketAddr]) -> io::Result<(SocketAddr, TcpStream)> {
    if let [only] = addresses {
        return TcpStream::connect(only).await.map(|stream| (*only, stream));
    }
    let mut left = addresses.iter().copied();
    let mut running = FuturesUnordered::new();
    let mut reasons = Vec::new();
    loop {
        running.extend(left.next().map(attempt));
        let waits = left.len() > 0;
        tokio::select! {
            ended = running.next() => match ended {
                Some((address, Ok(stream))) => return Ok((address, stream)),
                // No other address could be tried either.
                Some((_, Err(error))) if is_exhausted(&error) => return Err(error),
                Some((address, Err(error))) => reasons.push(format!("{address}: {error}")),
                None => return Err(io::Error::other(reasons.join(", "))),
            },
            () = sleep(limits::CONNECT_ATTEMPT_DELAY), if waits => {}
        }
    }
}

async fn attempt(address: SocketAddr) -> (SocketAddr, io::Result<TcpStream>) {
    (address, TcpStream::connect(address).await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};
    use std::net::{Ipv4Addr, Ipv6Addr};
    use std::time::Duration;
    use tokio::net::TcpListener;
    use tokio::time::{Instant, timeout};

    async fn serving(address: SocketAddr) -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        (listener, address)
    }

    /// An address at which attempts get no answer, for as long as what it returns is held: a queue that is full.
    fn silent() -> (SocketAddr, (Socket, Vec<std::net::TcpStream>)) {
        let socket = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((Ipv6Addr::LOCALHOST, 0)).into()).unwrap();
        socket.listen(0).unwrap();
        let address = socket.local_addr().unwrap().as_socket().unwrap();
        let mut waiting = Vec::new();
        while let Ok(stream) = std::net::TcpStream::connect_timeout(&address, Duration::from_millis(100)) {
            waiting.push(stream);
        }
        (address, (socket, waiting))
    }

    #[tokio::test]
    async fn an_address_that_refuses_costs_no_time() {
        let refusing = drop_after(serving((Ipv6Addr::LOCALHOST, 0).into()).await);
        let (_listener, four) = serving((Ipv4Addr::LOCALHOST, 0).into()).await;
        let began = Instant::now();
        assert_eq!(race(&[refusing, four]).await.unwrap().0, four);
        assert!(began.elapsed() < limits::CONNECT_ATTEMPT_DELAY, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn an_address_that_is_silent_costs_one_delay() {
        let (six, _held) = silent();
        let (_listener, four) = serving((Ipv4Addr::LOCALHOST, 0).into()).await;
        let began = Instant::now();
        assert_eq!(race(&[six, four]).await.unwrap().0, four);
        let took = began.elapsed();
        assert!(took >= limits::CONNECT_ATTEMPT_DELAY && took < limits::CONNECT_ATTEMPT_DELAY * 3, "{took:?}");
    }

    #[tokio::test]
    async fn the_first_address_is_the_only_one_asked_when_it_answers() {
        let (_listener, six) = serving((Ipv6Addr::LOCALHOST, 0).into()).await;
        let (other, four) = serving((Ipv4Addr::LOCALHOST, 0).into()).await;
        assert_eq!(race(&[six, four]).await.unwrap().0, six);
        let asked = timeout(limits::CONNECT_ATTEMPT_DELAY * 2, other.accept()).await;
        assert!(asked.is_err(), "the race was over");
    }

    #[tokio::test]
    async fn the_reasons_of_all_are_given_when_none_answers() {
        let six = drop_after(serving((Ipv6Addr::LOCALHOST, 0).into()).await);
        let four = drop_after(serving((Ipv4Addr::LOCALHOST, 0).into()).await);
        let failed = race(&[six, four]).await.unwrap_err().to_string();
        assert!(failed.contains(&six.to_string()) && failed.contains(&four.to_string()), "{failed}");
        assert!(race(&[]).await.is_err());
    }

    /// The address of a listener that is gone.
    fn drop_after((_, address): (TcpListener, SocketAddr)) -> SocketAddr {
        address
    }
}
