//! Decisions that reach where they may not, are too large, or are none.

use super::Outcome::{Fails, Goes};
use super::{Case, act, case};
use crate::component::{DECISION, Guest, data, decide};

/// Where names and values are that decisions point to.
const TEXT: u32 = 4096;
/// Where lists are.
const LIST: u32 = 16_384;
const NEXT: u32 = 0;
const FORWARD: u32 = 1;
const RESPOND: u32 = 2;
const GATHER: u32 = 3;
const ASSEMBLE: u32 = 4;
const PUBLISH: u32 = 5;
const INSPECT: u32 = 6;
const SUBSCRIBE: u32 = 7;
/// An edit of a header that is put together, and a piece of it.
const SET_FORMATTED: u32 = 3;
const RESPONSE_HEADER: u32 = 1;
/// Of a request edit.
const EDIT: u32 = 24;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = reaching();
    cases.extend(large());
    cases.extend(headers());
    cases.extend(nonsense());
    cases
}

fn reaching() -> Vec<Case> {
    let to =
        |words: &[(u32, u32)], host: &str| Guest { items: data(TEXT, host.as_bytes()), ..Guest::new(decide(words)) };
    // The places of a host in each decision: its pointer, then its length.
    let named = |decision: u32, offset: u32, host: &str| {
        to(&[(0, decision), (offset, TEXT), (offset + 4, u32::try_from(host.len()).expect("it is short"))], host)
    };
    let call = |host: &str| {
        let at = LIST - DECISION;
        let length = u32::try_from(host.len()).expect("it is short");
        to(&[(0, GATHER), (8, LIST), (12, 1), (at + 8, TEXT), (at + 12, length)], host)
    };
    let publish = |channel: &str| {
        let at = LIST - DECISION;
        let length = u32::try_from(channel.len()).expect("it is short");
        to(&[(0, PUBLISH), (8, LIST), (12, 1), (at, TEXT), (at + 4, length)], channel)
    };
    let denied = |grant| Fails("denied", Some(grant));
    vec![
        case("to send the request to another service", denied("forward"), &named(FORWARD, 8, "secret")),
        case("to send it to an address", denied("forward"), &named(FORWARD, 8, "169.254.169.254")),
        case("to send it to a name of 64 KiB", denied("forward"), &named(FORWARD, 8, &"a".repeat(65_536 - 8_192))),
        case("to call another service", denied("call"), &call("secret")),
        case("to publish to a channel", denied("publish"), &publish("default/orders")),
        case(
            "to have a later filter send it elsewhere, by its authority",
            denied("forward"),
            &Guest {
                items: data(TEXT, b"secret"),
                ..Guest::new(decide(&[
                    (0, NEXT),
                    (8, LIST),
                    (12, 1),
                    (LIST - DECISION, 3),
                    (LIST - DECISION + 4, TEXT),
                    (LIST - DECISION + 8, 6),
                ]))
            },
        ),
    ]
}

/// Sets a header of the response to 8 KiB, and then so many times to itself twice.
fn doubling(times: u32) -> Vec<(u32, u32)> {
    let (edits, parts) = (LIST - DECISION, LIST + 4096);
    let mut words = vec![(0, NEXT), (16, LIST), (20, 1 + times)];
    words.extend([(edits + 4, TEXT), (edits + 8, 1), (edits + 12, TEXT), (edits + 16, 8_192)]);
    for edit in (1..=times).map(|number| edits + 20 * number) {
        words.extend([(edit, SET_FORMATTED), (edit + 4, TEXT), (edit + 8, 1), (edit + 12, parts), (edit + 16, 2)]);
    }
    for part in [0, 12].map(|offset| parts - DECISION + offset) {
        words.extend([(part, RESPONSE_HEADER), (part + 4, TEXT), (part + 8, 1)]);
    }
    words
}

fn large() -> Vec<Case> {
    let over = |bound| Fails("limit", Some(bound));
    let list = |decision, count| decide(&[(0, decision), (8, LIST), (12, count)]);
    vec![
        act("to edit five hundred headers", over("edits"), list(NEXT, 500)),
        act(
            "to set a header of 100 KiB",
            over("edit-bytes"),
            decide(&[(0, NEXT), (8, LIST), (12, 1), (LIST - DECISION + 16, 512), (LIST - DECISION + 20, 100_000)]),
        ),
        case(
            "to make the host copy the same mebibyte ten thousand times",
            over("decision"),
            &Guest {
                memory: "64",
                ..Guest::new(format!(
                    "(loop $l (i32.store offset=16 (i32.add (i32.const {LIST}) (i32.mul (local.get $i) (i32.const {EDIT}))) \
                     (i32.const 1048576)) (i32.store offset=20 (i32.add (i32.const {LIST}) (i32.mul (local.get $i) (i32.const \
                     {EDIT}))) (i32.const 1048576)) (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (i32.lt_u \
                     (local.get $i) (i32.const 10000)))) {}",
                    list(NEXT, 10_000)
                ))
            },
        ),
        case(
            "to have the host put a header together that doubles with each edit",
            Goes("edit-bytes"),
            &Guest { items: data(TEXT, "a".repeat(8_192).as_bytes()), ..Guest::new(decide(&doubling(20))) },
        ),
        case(
            "to answer with twenty mebibytes",
            over("decision"),
            &Guest { memory: "400", ..Guest::new(decide(&[(0, RESPOND), (8, 200), (20, LIST), (24, 20 << 20)])) },
        ),
        case(
            "to answer with more headers than a message can have",
            over("headers"),
            &Guest { memory: "16", ..Guest::new(decide(&[(0, RESPOND), (8, 200), (12, LIST), (16, 30_000)])) },
        ),
        case(
            "to call with as many",
            over("headers"),
            &Guest {
                memory: "16",
                ..Guest::new(decide(&[
                    (0, GATHER),
                    (8, LIST),
                    (12, 1),
                    (LIST - DECISION + 48, 2 * LIST),
                    (LIST - DECISION + 52, 30_000),
                ]))
            },
        ),
        act("to make 65 calls at once", over("calls"), list(GATHER, 65)),
        act("to publish 1,025 events at once", over("publications"), list(PUBLISH, 1_025)),
        act(
            "to wait for an answer by a key of 4 KiB",
            over("reply-key"),
            decide(&[(0, PUBLISH), (8, LIST), (12, 1), (80, 1), (88, LIST), (92, 4_096)]),
        ),
        act(
            "to hold events to 33 attributes",
            over("stream-attributes"),
            decide(&[(0, SUBSCRIBE), (20, LIST), (24, 33)]),
        ),
        act(
            "to hold events to 8 KiB",
            over("stream-attribute-bytes"),
            decide(&[(0, SUBSCRIBE), (20, LIST), (24, 1), (LIST - DECISION, 2 * LIST), (LIST - DECISION + 4, 8_192)]),
        ),
        act("to send nine copies", over("mirrors"), decide(&[(0, FORWARD), (136, LIST), (140, 9)])),
    ]
}

fn headers() -> Vec<Case> {
    let set = |name: &[u8], value: &[u8]| {
        let (name_length, value_length) = (name.len(), value.len());
        let length = |length: usize| u32::try_from(length).expect("it is short");
        let at = LIST - DECISION;
        Guest {
            items: data(TEXT, name) + &data(TEXT + 256, value),
            ..Guest::new(decide(&[
                (0, NEXT),
                (8, LIST),
                (12, 1),
                (at + 8, TEXT),
                (at + 12, length(name_length)),
                (at + 16, TEXT + 256),
                (at + 20, length(value_length)),
            ]))
        }
    };
    let invalid = Fails("invalid", None);
    vec![
        case("to smuggle a header behind a line break", invalid, &set(b"x-a", b"1\r\nx-smuggled: 2")),
        case("to smuggle a request behind a header's name", invalid, &set(b"x-a: 1\r\n\r\nGET / HTTP/1.1\r\n", b"1")),
        case("to set content-length", invalid, &set(b"content-length", b"7")),
        case("to set transfer-encoding", invalid, &set(b"transfer-encoding", b"chunked")),
        case("to set connection", invalid, &set(b"Connection", b"upgrade")),
        case("to set a pseudo header", invalid, &set(b":path", b"/admin")),
        case("to set a header without a name", invalid, &set(b"", b"1")),
        case("to give a name that is not text", Fails("trap", None), &set(&[0xc3, 0x28], b"1")),
    ]
}

fn nonsense() -> Vec<Case> {
    let (invalid, trap) = (Fails("invalid", None), Fails("trap", None));
    let path = |path: &str| Guest {
        items: data(TEXT, path.as_bytes()),
        ..Guest::new(decide(&[
            (0, NEXT),
            (8, LIST),
            (12, 1),
            (LIST - DECISION, 1),
            (LIST - DECISION + 4, TEXT),
            (LIST - DECISION + 8, u32::try_from(path.len()).expect("it is short")),
        ]))
    };
    vec![
        case("to send a request line of its own", invalid, &path("/ HTTP/1.1\r\nhost: secret\r\n\r\n")),
        case("to send a path that is none", invalid, &path("no-slash")),
        act("to answer 42", invalid, decide(&[(0, RESPOND), (8, 42)])),
        act("to answer 101, as if it switched protocols", invalid, decide(&[(0, RESPOND), (8, 101)])),
        act("to answer 65535", invalid, decide(&[(0, RESPOND), (8, 65_535)])),
        act("to gather nothing", invalid, decide(&[(0, GATHER)])),
        act("to put an answer together that nobody has called for", invalid, decide(&[(0, ASSEMBLE), (8, 200)])),
        act("to ask for the body again and again", invalid, decide(&[(0, INSPECT), (8, u32::MAX), (12, u32::MAX)])),
        act("to decide what is no decision", trap, decide(&[(0, 99)])),
        act("to give a list beyond its memory", trap, decide(&[(0, NEXT), (8, u32::MAX - 7), (12, 1)])),
        act("to give a list of four thousand million", trap, decide(&[(0, NEXT), (8, LIST), (12, u32::MAX)])),
        case("to have its decision beyond its memory", trap, &Guest { result: "(i32.const -8)", ..Guest::new("") }),
        case("to have its decision at an odd place", trap, &Guest { result: "(i32.const 1025)", ..Guest::new("") }),
    ]
}
