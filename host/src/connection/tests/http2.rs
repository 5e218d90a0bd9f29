use super::*;
use http_body_util::{Empty, Full};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};

pub(super) async fn client<B>(server: &Server) -> SendRequest<B>
where
    B: hyper::body::Body<Data = Bytes, Error = std::convert::Infallible> + Send + Unpin + 'static,
{
    let stream = TcpStream::connect(server.address).await.unwrap();
    let mut builder = Builder::new(TokioExecutor::new());
    // Too small for a response of any size, so that a client that does not read stalls it.
    builder.initial_stream_window_size(1000);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request<B>(path: &str, body: B) -> Request<B> {
    Request::builder().uri(format!("http://a{path}")).method("POST").body(body).unwrap()
}

#[tokio::test]
async fn http2_is_spoken_with_those_who_begin_with_its_preface() {
    let server = Server::start().await;
    let mut sender = client(&server).await;
    for _ in 0..3 {
        let response = sender.send_request(request("/", Full::from("hello"))).await.unwrap();
        assert_eq!(response.version(), http::Version::HTTP_2);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
    }
}

#[tokio::test]
async fn the_preface_may_come_byte_by_byte() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.0.set_nodelay(true).unwrap();
    for byte in b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0" {
        client.send([*byte]).await;
        tokio::task::yield_now().await;
    }
    // The server's own SETTINGS: length, type 4, no flags, stream 0.
    let mut frame = [0; 9];
    timeout(PATIENCE, client.0.read_exact(&mut frame)).await.unwrap().unwrap();
    assert_eq!(frame[3..], [4, 0, 0, 0, 0, 0]);
}

/// The code of the GOAWAY that ends a connection, on which these frames follow the preface and empty SETTINGS.
async fn goaway(frames: &[u8]) -> u32 {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send([b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0", frames].concat()).await;
    loop {
        let mut header = [0; 9];
        timeout(PATIENCE, client.0.read_exact(&mut header)).await.unwrap().unwrap();
        let mut payload = vec![0; usize::from(header[2])];
        timeout(PATIENCE, client.0.read_exact(&mut payload)).await.unwrap().unwrap();
        if header[3] == 7 {
            return u32::from_be_bytes(payload[4..8].try_into().unwrap());
        }
    }
}

#[tokio::test]
async fn who_sends_a_wrong_frame_is_told_what_is_wrong_with_it() {
    const PROTOCOL_ERROR: u32 = 1;
    const FLOW_CONTROL_ERROR: u32 = 3;
    const STREAM_CLOSED: u32 = 5;
    const FRAME_SIZE_ERROR: u32 = 6;
    let ping = b"\0\0\x06\x06\0\0\0\0\x00123456";
    let update = b"\0\0\x03\x08\0\0\0\0\0\0\0\x01";
    let settings = b"\0\0\x03\x04\0\0\0\0\0\0\x03\0";
    let acknowledgement = b"\0\0\x06\x04\x01\0\0\0\0\0\x03\0\0\0\x64";
    for frame in [ping.as_slice(), update, settings, acknowledgement] {
        assert_eq!(goaway(frame).await, FRAME_SIZE_ERROR, "{frame:?}");
    }
    assert_eq!(goaway(b"\0\0\x06\x04\0\0\0\0\0\0\x04\x80\0\0\0").await, FLOW_CONTROL_ERROR);
    assert_eq!(goaway(b"\0\0\x05\x05\0\0\0\0\x01\0\0\0\x02\x88").await, PROTOCOL_ERROR);
    // GET http://a/ that ends its stream, and goes on with it.
    let get = b"\0\0\x06\x01\x05\0\0\0\x01\x82\x86\x84\x41\x01a";
    assert_eq!(goaway(&[get.as_slice(), b"\0\0\x01\0\0\0\0\0\x01x"].concat()).await, STREAM_CLOSED);
    assert_eq!(goaway(&get.repeat(2)).await, STREAM_CLOSED);
}

#[tokio::test]
async fn uploads_that_nobody_takes_stop_no_other_on_the_connection() {
    let server = Server::start().await;
    let mut sender = client(&server).await;
    for _ in 0..30 {
        let upload = sender.send_request(request("/unread", Full::from(vec![b'x'; 1 << 20])));
        tokio::spawn(upload);
    }
    sleep(Duration::from_millis(300)).await;
    let response = timeout(PATIENCE, sender.send_request(request("/", Full::from("hello")))).await.unwrap().unwrap();
    assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "hello");
}

#[tokio::test]
async fn draining_finishes_open_streams() {
    let server = Server::start().await;
    let mut sender = client(&server).await;
    let response = sender.send_request(request("/slow", Empty::new()));
    let draining = async {
        sleep(Duration::from_millis(50)).await;
        server.drain.finish(PATIENCE).await
    };
    let (response, drained) = tokio::join!(response, draining);
    assert_eq!(response.unwrap().into_body().collect().await.unwrap().to_bytes(), "slow");
    assert_eq!(drained, crate::drain::Drained::Completed);
}

#[tokio::test]
async fn a_response_that_is_not_taken_ends_the_connection() {
    let write_stalled = Duration::from_millis(200);
    let server = Server::with(Timeouts { write_stalled, ..Timeouts::default() }).await;
    let mut sender = client(&server).await;
    let started = Instant::now();
    let response = sender.send_request(request("/large", Empty::new())).await.unwrap();
    assert_eq!(timeout(PATIENCE, server.ended()).await, Ok(()));
    assert!(started.elapsed() >= write_stalled);
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn the_tail_of_a_response_that_is_not_taken_ends_the_connection() {
    let short = Duration::from_millis(200);
    let timeouts = Timeouts { write_stalled: short, keep_alive_idle: short, ..Timeouts::default() };
    let server = Server::with(timeouts).await;
    let mut sender = client(&server).await;
    let response = sender.send_request(request("/", Full::from(vec![b'x'; 2000]))).await.unwrap();
    assert_eq!(timeout(PATIENCE, server.ended()).await, Ok(()));
    assert!(response.into_body().collect().await.is_err());
}

#[tokio::test]
async fn a_connection_without_streams_is_closed_in_the_end() {
    let keep_alive_idle = Duration::from_millis(200);
    let server = Server::with(Timeouts { keep_alive_idle, ..Timeouts::default() }).await;
    let mut sender = client(&server).await;
    sender.send_request(request("/slow", Empty::new())).await.unwrap();
    assert_eq!(timeout(PATIENCE, server.ended()).await, Ok(()));
}

#[tokio::test]
async fn a_silent_body_is_answered_408() {
    let body_idle = Duration::from_millis(100);
    let server = Server::with(Timeouts { body_idle, ..Timeouts::default() }).await;
    let mut sender = client(&server).await;
    let body = http_body_util::StreamBody::new(futures_util::stream::pending());
    let response = timeout(PATIENCE, sender.send_request(request("/", body))).await.unwrap().unwrap();
    assert_eq!(response.status(), 408);
}

impl Server {
    /// Once no connection is being served.
    async fn ended(&self) {
        while self.drain.tracked() > 0 {
            sleep(Duration::from_millis(10)).await;
        }
    }
}
