use super::*;
use proptest::prelude::*;

#[allow(unreachable_pub, reason = "shared with another crate")]
#[path = "../../../tests/src/malformed.rs"]
pub(in crate::connection) mod malformed;
use malformed::CASES;

/// What comes of bytes: how many requests were good, what ended them, and what is expected next.
type Outcome = (u64, Option<(u64, RequestError)>, Phase);

/// Feeds the gate in pieces, as its stream does.
fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut gate = Gate::default();
    let mut held = Vec::new();
    for piece in pieces {
        held.extend_from_slice(piece);
        let passed = gate.scan(&held);
        held.drain(..passed);
        if gate.phase() == Phase::Failed {
            break;
        }
    }
    let violation = gate.violation().map(|violation| (violation.message, violation.error.clone()));
    let good = violation.as_ref().map_or(gate.messages(), |(message, _)| *message);
    (good, violation, gate.phase())
}

fn whole(bytes: &[u8]) -> Outcome {
    feed([bytes])
}

#[test]
fn every_malformed_request_is_refused_with_its_status_whole_and_byte_by_byte() {
    for case in CASES {
        let (good, violation, _) = whole(case.bytes);
        let (_, error) = violation.clone().unwrap_or_else(|| panic!("{} passed: {}", case.name, case.why));
        assert!(case.statuses.contains(&error.status().as_u16()), "{}: {error}", case.name);
        assert_eq!(good, 0, "{}", case.name);
        assert_eq!(feed(case.bytes.chunks(1)).1, violation, "{}", case.name);
    }
}

#[test]
fn nothing_of_a_malformed_request_passes_when_it_comes_in_one_piece() {
    for case in CASES {
        let good = b"GET /first HTTP/1.1\r\nHost: a\r\n\r\n";
        let mut gate = Gate::default();
        assert_eq!(gate.scan(case.bytes), 0, "{}", case.name);
        let mut gate = Gate::default();
        assert_eq!(gate.scan(&[good, case.bytes].concat()), good.len(), "{}", case.name);
        assert_eq!(gate.violation().map(|violation| violation.message), Some(1), "{}", case.name);
    }
}

#[test]
fn the_names_of_malformed_requests_are_unique() {
    let mut names: Vec<_> = CASES.iter().map(|case| case.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), CASES.len());
    assert!(names.len() >= 70);
}

/// Requests that must pass: strict is not the same as picky.
const GOOD: &[&[u8]] = &[
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a:8080\r\n\r\n",
    b"GET http://A:80/x?y HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET http://[::1]:8080 HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
    b"GET /a%20b/{id}|^~;x=1?q=\\`a?b[]={} HTTP/1.1\r\nHost: a_b.c-d\r\n\r\n",
    b"M-SEARCH / HTTP/1.1\r\nhost:a\r\nx:\r\ny: \t\r\nz: caf\xe9\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 005 \r\n\r\nhello",
    b"POST / HTTP/1.1\r\nHost: a\r\nTRANSFER-ENCODING: Chunked\r\n\r\n3;a=b\r\n\r\n\n\r\n0\r\nx: y\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n\r\nx",
];

#[test]
fn requests_within_the_rules_pass_one_after_another() {
    for request in GOOD {
        assert_eq!(whole(request), (1, None, Phase::Head), "{}", request.escape_ascii());
    }
    let all = GOOD.concat();
    let count = u64::try_from(GOOD.len()).unwrap();
    assert_eq!(whole(&all), (count, None, Phase::Head));
    assert_eq!(feed(all.chunks(1)), (count, None, Phase::Head));
}

#[test]
fn an_incomplete_head_is_held_back_and_an_incomplete_body_is_not() {
    let mut gate = Gate::default();
    let bytes = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHo";
    assert_eq!(gate.scan(bytes), bytes.len() - b"GET / HTTP/1.1\r\nHo".len());
    assert_eq!(gate.phase(), Phase::Head);
    assert_eq!(gate.scan(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhel"), 49);
    assert_eq!((gate.phase(), gate.messages()), (Phase::Body, 2));
}

#[test]
fn a_mistake_in_a_body_whose_head_has_gone_on_ends_the_body() {
    let mut gate = Gate::default();
    gate.scan(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
    assert_eq!(gate.scan(b"5\r\nhello\r\nx"), 0);
    let violation = gate.violation().unwrap();
    assert!(violation.in_body && violation.message == 0);
    assert_eq!(violation.error.status(), 400);
}

#[test]
fn nothing_passes_behind_a_request_to_upgrade_until_it_is_answered() {
    let request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\r\n";
    let bytes = [request.as_slice(), b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"].concat();
    let mut gate = Gate::default();
    assert_eq!((gate.scan(&bytes), gate.phase()), (request.len(), Phase::Held));
    assert_eq!(gate.scan(b"more"), 0);
    gate.declined();
    assert_eq!((gate.scan(b"\x81\x00"), gate.phase()), (0, Phase::Failed));

    let mut gate = Gate::default();
    gate.scan(request);
    gate.upgraded();
    assert_eq!((gate.scan(b"\x81\x00\n\n"), gate.phase()), (4, Phase::Raw));
}

#[test]
fn a_hundred_headers_and_nearly_32_kib_pass() {
    let fields = format!("x-name: {}\r\n", "y".repeat(315)).repeat(99);
    let head = format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    assert!(head.len() > 31 << 10 && head.len() <= 32 << 10, "{}", head.len());
    assert_eq!(whole(head.as_bytes()), (1, None, Phase::Head));
}

/// Bytes that a parser may trip over, more often than chance would have it.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let fragment = prop_oneof![
        4 => (0..GOOD.len()).prop_map(|at| GOOD[at].to_vec()),
        2 => (0..CASES.len()).prop_map(|at| CASES[at].bytes[..CASES[at].bytes.len().min(400)].to_vec()),
        1 => prop::sample::select(vec!["\r", "\n", "\r\n", "0\r\n\r\n", "Host: a\r\n", " ", ":", "\0", "5\r\nhello\r\n"])
            .prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..20),
    ];
    (prop::collection::vec(fragment, 0..5), prop::option::of((any::<prop::sample::Index>(), any::<u8>()))).prop_map(
        |(fragments, mutation)| {
            let mut bytes = fragments.concat();
            if let (Some((at, byte)), false) = (mutation, bytes.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn how_bytes_are_cut_into_reads_does_not_matter(
        bytes in hostile(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(feed(pieces), whole(&bytes));
        prop_assert_eq!(feed(bytes.chunks(1)), whole(&bytes));
    }

    #[test]
    fn arbitrary_bytes_never_pass_more_than_there_is(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Gate::default().scan(&bytes) <= bytes.len());
    }

    #[test]
    fn what_passes_is_what_the_parser_behind_takes_for_one_request(bytes in hostile()) {
        let mut gate = Gate::default();
        let passed = gate.scan(&bytes);
        if passed > 0 {
            let mut headers = [httparse::EMPTY_HEADER; 100];
            let mut request = httparse::Request::new(&mut headers);
            let parsed = request.parse(&bytes[..passed]);
            prop_assert!(matches!(parsed, Ok(httparse::Status::Complete(_))), "{:?}", parsed);
        }
    }
}
