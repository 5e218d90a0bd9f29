//! A filter that declares the headers it reads decides like one that asks for each.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use sluicegate_tests::{Behaviour, Options, Proxy, Request, Upstream, test_filter};

/// What both filters write about a request without any of their headers.
const NOTHING: &str =
    "x-one=none|none|0 X-Two=none|none|0 x-empty=none|none|0 x-filter-request=none|none|0 x-other=none|none|0";

/// The component `headers`, but with this manifest: the host takes the first that it finds.
fn with_manifest(manifest: &str) -> Vec<u8> {
    let component = std::fs::read(test_filter("headers")).expect("it can be read");
    let name = "sluicegate:manifest";
    let size = |text: &str| u8::try_from(text.len()).expect("short");
    let section = 1 + size(name) + size(manifest);
    assert!(section < 128, "the size must fit into one byte");
    let (preamble, sections) = component.split_at(8);
    [preamble, &[0, section, size(name)], name.as_bytes(), manifest.as_bytes(), sections].concat()
}

fn refused(manifest: &str) -> String {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("headers.wasm");
    std::fs::write(&file, with_manifest(manifest)).expect("it can be written");
    Proxy::try_start(Options::new().filter_as("headers.wasm", file)).expect_err("it is refused")
}

#[test]
fn a_declared_header_reads_like_any_other() {
    let upstream = Upstream::with(Behaviour::Echo);
    let options = Options::new().filter("declared").filter("undeclared").upstream("shop", upstream.address());
    let proxy = Proxy::start(options);
    let full = Request::get("http://shop/")
        .header("x-one", "1")
        .header("x-two", "first")
        .header("x-two", "second")
        .header("x-empty", "")
        .header("x-other", "other");
    let seen = "x-one=1|1|1 X-Two=first|first|2 x-empty=||1 x-filter-request=none|none|0 x-other=other|other|1";
    // More than one call, since what one leaves behind must not be seen by the next.
    for (request, expected) in [
        (full.clone(), seen),
        (Request::get("http://shop/"), NOTHING),
        (full, seen),
        (Request::get("http://shop/"), NOTHING),
    ] {
        let answer = proxy.send(request);
        let arrived = upstream.requests().pop().expect("it arrived");
        for header in ["x-declared", "x-undeclared"] {
            assert_eq!(answer.header(header), Some(expected), "{header}");
            assert_eq!(arrived.header(header).as_deref(), Some(expected), "{header}");
        }
    }
}

#[test]
fn a_header_that_an_earlier_filter_set_comes_with_the_call() {
    let upstream = Upstream::start();
    let first =
        "apiVersion: sluicegate.dev/v1alpha1\nkind: Filter\nmetadata:\n  name: headers\nspec:\n  priority: 20\n";
    let options =
        Options::new().manifest("first.yaml", first).filter("headers").filter("declared").filter("undeclared");
    let proxy = Proxy::start(options.upstream("shop", upstream.address()));
    let answer = proxy.send(Request::get("http://shop/").header("user-agent", "curl"));
    for header in ["x-declared", "x-undeclared"] {
        let seen = answer.header(header).expect(header);
        assert!(seen.contains("x-filter-request=curl|curl|1"), "{header}: {seen}");
    }
}

#[test]
fn a_manifest_with_a_header_that_cannot_be_declared_is_refused() {
    let said = refused(r#"{"name":"headers","version":"1","reads":["content-length"]}"#);
    assert!(said.contains("its manifest `reads` header \"content-length\", which belongs to the host"), "{said}");
    let said = refused(r#"{"name":"headers","version":"1","reads":["user agent"]}"#);
    assert!(said.contains("its manifest `reads` header \"user agent\", which is not a header name"), "{said}");
}
