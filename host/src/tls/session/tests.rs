use super::*;
use crate::tls::certificate::{certified_key, revocation_lists, roots};
use crate::tls::clients::Authorities;
use crate::tls::server::{Server, Terms, Version};
use crate::tls::testing::{Authority, Pair};
use crate::tls::{ClientPins, Clients, HostPattern, provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, DuplexStream};
use tokio_rustls::TlsConnector;

fn terms(pair: &Pair) -> Terms {
    Terms::simple(certified_key(pair.certificate.as_bytes(), pair.key.as_bytes()).unwrap())
}

fn server(hosts: &[&str], terms: Terms) -> Server {
    let hosts = hosts.iter().map(|host| HostPattern::parse(host).unwrap()).collect();
    Server { hosts, action: Action::Terminate(terms.config().unwrap()) }
}

/// A client that trusts an authority, and may have a certificate of its own.
fn client(authority: &Authority, own: Option<&Pair>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions().unwrap();
    let mut trusted = RootCertStore::empty();
    trusted.extend(roots(authority.certificate().as_bytes()).unwrap().roots);
    let builder = builder.with_root_certificates(trusted);
    match own {
        None => builder.with_no_client_auth(),
        Some(pair) => {
            let chain = crate::tls::certificate::certificates(pair.certificate.as_bytes()).unwrap();
            let key = PrivateKeyDer::from_pem_slice(pair.key.as_bytes()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}

type Client = tokio_rustls::client::TlsStream<DuplexStream>;

/// Both ends of a handshake: what the client has, and what the server has. The server answers with one byte, as TLS 1.3
/// clients learn only then whether their certificate is good.
async fn handshake(
    servers: &Arc<Servers>,
    config: ClientConfig,
    name: &str,
) -> (io::Result<Client>, Result<Session, HandshakeError>) {
    handshake_over(64 << 10, servers, config, name).await
}

/// The same over a wire that holds so many bytes.
async fn handshake_over(
    bytes: usize,
    servers: &Arc<Servers>,
    config: ClientConfig,
    name: &str,
) -> (io::Result<Client>, Result<Session, HandshakeError>) {
    let (near, far) = tokio::io::duplex(bytes);
    let accepting = async {
        let Greeted::Terminated(mut stream, session) = accept(far, servers).await? else { panic!("it was passed on") };
        stream.write_all(b"!").await?;
        stream.flush().await?;
        Ok(session)
    };
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let connecting = async {
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, near).await?;
        stream.read_u8().await?;
        Ok(stream)
    };
    tokio::join!(connecting, accepting)
}

fn shown(stream: &Client) -> Vec<String> {
    crate::tls::certificate::names(&stream.get_ref().1.peer_certificates().unwrap()[0])
}

#[tokio::test]
async fn the_name_chooses_the_server_and_its_certificate() {
    let authority = Authority::new("ca");
    let names = ["*.example.org", "shop.example.org"];
    let pairs: Vec<Pair> = names.iter().map(|name| authority.issue(&[name])).collect();
    let servers = names.iter().zip(&pairs).map(|(name, pair)| server(&[name], terms(pair))).collect();
    let servers = Arc::new(Servers::new(servers));
    for (name, expected) in [("shop.example.org", names[1]), ("a.example.org", names[0])] {
        let (stream, session) = handshake(&servers, client(&authority, None), name).await;
        assert_eq!(shown(&stream.unwrap()), [expected]);
        assert_eq!(session.unwrap().name.as_deref(), Some(name));
    }
}

#[tokio::test]
async fn a_name_that_no_server_takes_is_told_so() {
    let authority = Authority::new("ca");
    let pair = authority.issue(&["shop.example"]);
    let servers = Arc::new(Servers::new(vec![server(&["shop.example"], terms(&pair))]));
    let (stream, session) = handshake(&servers, client(&authority, None), "other.example").await;
    assert!(stream.unwrap_err().to_string().contains("UnrecognisedName"));
    assert!(matches!(session.unwrap_err(), HandshakeError::UnknownName(Some(name)) if name == "other.example"));
}

#[tokio::test]
async fn a_hello_may_come_in_pieces_but_not_without_end() {
    let authority = Authority::new("ca");
    let pair = authority.issue(&["shop.example"]);
    let servers = Arc::new(Servers::new(vec![server(&["*"], terms(&pair))]));
    let (stream, session) = handshake_over(50, &servers, client(&authority, None), "shop.example").await;
    assert!(stream.is_ok() && session.is_ok());

    let (mut near, far) = tokio::io::duplex(4 << 10);
    let flooding = tokio::spawn(async move {
        // Records of a ClientHello that announces 16 MB.
        let mut sent = 0;
        let mut record = [[22, 3, 1, 64, 0].as_slice(), &[1, 255, 255, 255], &[0; (16 << 10) - 4]].concat();
        while near.write_all(&record).await.is_ok() {
            sent += record.len();
            record[5] = 0;
        }
        sent
    });
    assert!(matches!(accept(far, &servers).await, Err(HandshakeError::Failed(_))));
    assert!(flooding.await.unwrap() < 2 * HELLO_LIMIT);
}

#[tokio::test]
async fn a_client_that_ends_before_it_begins_is_no_work() {
    let servers = Arc::new(Servers::new(Vec::new()));
    let end = [21, 3, 1, 0, 2, 1, 0];
    for bytes in [&end[..], &[end, end].concat(), &[22, 3, 1, 0, 0].repeat(100), b"GET / HTTP/1.1\r\n\r\n"] {
        let (mut near, far) = tokio::io::duplex(4 << 10);
        near.write_all(bytes).await.unwrap();
        near.shutdown().await.unwrap();
        assert!(matches!(accept(far, &servers).await, Err(HandshakeError::Failed(_))), "{bytes:?}");
    }
}

#[tokio::test]
async fn http2_is_preferred_and_http1_spoken() {
    let authority = Authority::new("ca");
    let pair = authority.issue(&["shop.example"]);
    let servers = Arc::new(Servers::new(vec![server(&["*"], terms(&pair))]));
    let table: [(&[&str], Option<&str>); 4] = [
        (&["http/1.1", "h2"], Some("h2")),
        (&["http/1.1"], Some("http/1.1")),
        (&[], None),
        (&["h2", "spdy/3"], Some("h2")),
    ];
    for (offered, expected) in table {
        let mut config = client(&authority, None);
        config.alpn_protocols = offered.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let (stream, _) = handshake(&servers, config, "shop.example").await;
        assert_eq!(stream.unwrap().get_ref().1.alpn_protocol(), expected.map(str::as_bytes), "{offered:?}");
    }
    let mut config = client(&authority, None);
    config.alpn_protocols = vec![b"spdy/3".to_vec()];
    assert!(handshake(&servers, config, "shop.example").await.0.is_err());
}

#[tokio::test]
async fn versions_outside_the_range_are_refused() {
    let authority = Authority::new("ca");
    let pair = authority.issue(&["shop.example"]);
    let only = |oldest, newest| Arc::new(Servers::new(vec![server(&["*"], Terms { oldest, newest, ..terms(&pair) })]));
    let speaks = |version| {
        let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap();
        let trusted = roots(authority.certificate().as_bytes()).unwrap();
        builder.with_root_certificates(trusted).with_no_client_auth()
    };
    let (old, new) = (&rustls::version::TLS12, &rustls::version::TLS13);
    let table = [
        (Version::Tls12, Version::Tls13, old, true),
        (Version::Tls12, Version::Tls13, new, true),
        (Version::Tls13, Version::Tls13, old, false),
        (Version::Tls12, Version::Tls12, new, false),
    ];
    for (oldest, newest, version, agreed) in table {
        let (stream, _) = handshake(&only(oldest, newest), speaks(version), "shop.example").await;
        assert_eq!(stream.is_ok(), agreed, "{oldest:?} {newest:?} {version:?}");
    }
}

#[tokio::test]
async fn clients_show_a_certificate_where_one_is_asked_for() {
    let (authority, stranger) = (Authority::new("ca"), Authority::new("stranger"));
    let pair = authority.issue(&["shop.example"]);
    let (known, unknown) = (authority.issue(&["client.example"]), stranger.issue(&["client.example"]));
    let pins = |names: &[&str]| ClientPins {
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        ..ClientPins::default()
    };
    let authorities = |pins| {
        let roots = roots(authority.certificate().as_bytes()).unwrap();
        Box::new(Authorities { roots, revoked: Vec::new(), pins })
    };
    let table = [
        (Clients::Required(authorities(pins(&[]))), Some(&known), true),
        (Clients::Required(authorities(pins(&[]))), Some(&unknown), false),
        (Clients::Required(authorities(pins(&[]))), None, false),
        (Clients::Required(authorities(pins(&["client.example"]))), Some(&known), true),
        (Clients::Required(authorities(pins(&["other.example"]))), Some(&known), false),
        (Clients::Asked(authorities(pins(&[]))), None, true),
        (Clients::Asked(authorities(pins(&[]))), Some(&known), true),
        (Clients::Asked(authorities(pins(&[]))), Some(&unknown), false),
    ];
    for (number, (clients, own, admitted)) in table.into_iter().enumerate() {
        let servers = Arc::new(Servers::new(vec![server(&["*"], Terms { clients, ..terms(&pair) })]));
        let (stream, session) = handshake(&servers, client(&authority, own), "shop.example").await;
        assert_eq!((stream.is_ok(), session.is_ok()), (admitted, admitted), "row {number}");
    }
}

#[tokio::test]
async fn a_client_whose_certificate_was_revoked_is_kept_out() {
    let authority = Authority::new("ca");
    let pair = authority.issue(&["shop.example"]);
    let (kept, gone) = (authority.issue(&["client.example"]), authority.issue(&["client.example"]));
    let roots = roots(authority.certificate().as_bytes()).unwrap();
    let revoked = revocation_lists(authority.revoke(&gone).as_bytes()).unwrap();
    let clients = Clients::Required(Box::new(Authorities { roots, revoked, pins: ClientPins::default() }));
    let servers = Arc::new(Servers::new(vec![server(&["*"], Terms { clients, ..terms(&pair) })]));
    for (own, admitted) in [(&kept, true), (&gone, false)] {
        let (stream, session) = handshake(&servers, client(&authority, Some(own)), "shop.example").await;
        assert_eq!((stream.is_ok(), session.is_ok()), (admitted, admitted));
    }
}

#[tokio::test]
async fn of_several_certificates_the_one_for_the_name_is_shown() {
    let authority = Authority::new("ca");
    let names = ["a.example", "b.example"];
    let pairs = names.map(|name| authority.issue(&[name]));
    let certificates = pairs.iter().flat_map(|pair| terms(pair).certificates).collect();
    let servers = Arc::new(Servers::new(vec![server(&["*"], Terms { certificates, ..terms(&pairs[0]) })]));
    for name in names {
        let (stream, _) = handshake(&servers, client(&authority, None), name).await;
        assert_eq!(shown(&stream.unwrap()), [name]);
    }
}

#[tokio::test]
async fn a_request_belongs_to_the_server_of_its_host() {
    let authority = Authority::new("ca");
    let pair = authority.issue(&["a.example", "*.b.example"]);
    let servers = ["*", "a.example", "*.b.example", "c.b.example"].map(|host| server(&[host], terms(&pair)));
    let servers = Arc::new(Servers::new(servers.into()));
    let session = handshake(&servers, client(&authority, None), "x.b.example").await.1.unwrap();
    let table = [
        ("x.b.example", true),
        ("X.b.example", true),
        ("y.b.example:8443", true),
        ("c.b.example:8443", false),
        ("c.b.example", false),
        ("a.example", false),
        ("unknown.example", false),
    ];
    for (host, serves) in table {
        assert_eq!(session.serves(host), serves, "{host}");
    }
}

#[tokio::test]
async fn what_is_not_ours_to_end_is_passed_on_with_all_that_was_sent() {
    let authority = Authority::new("ca");
    let pair = authority.issue(&["shop.example"]);
    let hosts = vec![HostPattern::parse("*.example").unwrap()];
    let servers = Arc::new(Servers::new(vec![Server { hosts, action: Action::Pass }]));
    let name = |name: &str| ServerName::try_from(name.to_owned()).unwrap();
    let connector = TlsConnector::from(Arc::new(client(&authority, None)));

    let (near, far) = tokio::io::duplex(64 << 10);
    let connecting = tokio::spawn(connector.connect(name("shop.example"), near));
    let Ok(Greeted::Passed { mut stream, sent, name: asked }) = accept(far, &servers).await else { panic!("it ended") };
    assert_eq!(asked, "shop.example");
    // Whoever has the key can complete the handshake with what was kept.
    let (behind, mut before) = tokio::io::duplex(64 << 10);
    before.write_all(&sent).await.unwrap();
    let copying = tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut before).await });
    let own = Arc::new(Servers::new(vec![server(&["*"], terms(&pair))]));
    let Ok(Greeted::Terminated(..)) = accept(behind, &own).await else { panic!("no handshake") };
    assert_eq!(shown(&connecting.await.unwrap().unwrap()), ["shop.example"]);
    copying.abort();

    let (near, far) = tokio::io::duplex(64 << 10);
    let (connected, accepted) = tokio::join!(connector.connect(name("10.0.0.1"), near), accept(far, &servers));
    assert!(connected.is_err() && matches!(accepted, Err(HandshakeError::UnknownName(None))));
}

#[test]
fn what_is_no_revocation_list_is_refused() {
    let certificate = Authority::new("ca").certificate();
    assert!(revocation_lists(certificate.as_bytes()).is_err());
    assert!(revocation_lists(b"").is_err());
}
