//! Tables of text to findings, and promises about every text.

use super::*;
use proptest::prelude::*;
use serde_json::json;
use std::fmt::Write;
use std::path::Path;

const HEADER: &str = "apiVersion: v1\nkind: Thing\nmetadata: {name: a}\n";

fn read(text: &str) -> (Vec<Document>, Vec<String>) {
    let mut diagnostics = Diagnostics::new();
    let documents = parse(Path::new("a.yaml"), text.as_bytes(), "default", &mut diagnostics);
    (documents, diagnostics.lines())
}

/// The findings for a document that has a good header before this text, lines counted without the header.
fn findings(body: &str) -> Vec<String> {
    let (_, lines) = read(&format!("{HEADER}{body}"));
    let shift = |line: String| {
        let mut parts = line.splitn(3, ':').map(str::to_owned);
        let (_, number, rest) = (parts.next(), parts.next().unwrap(), parts.next().unwrap());
        format!("{}:{rest}", number.parse::<usize>().unwrap() - 3)
    };
    lines.into_iter().map(shift).collect()
}

/// The text that a pointer leads to.
fn at<'a>(document: &'a Document, pointer: &str) -> &'a str {
    document.source.slice(document.span_of(pointer))
}

#[test]
fn every_part_of_a_document_knows_its_place() {
    let text = format!(
        "\u{feff}# ünïcode\n{HEADER}spec:\n  hosts: [\"ä\", 'b']\n  empty:\n  rules:\n  - name: x y # no\n    port: 80\n  text: |\n    one\n    two\n"
    );
    let (documents, findings) = read(&text);
    assert_eq!(findings, [""; 0]);
    let document = &documents[0];
    let expected = [
        ("/spec", "spec"),
        ("/spec/hosts", "hosts"),
        ("/spec/hosts/0", "\"ä\""),
        ("/spec/hosts/1", "'b'"),
        ("/spec/empty", "empty"),
        ("/spec/rules/0/name", "x y"),
        ("/spec/rules/0/port", "80"),
        ("/spec/rules/0/missing", "name: x y # no\n    port: 80"),
        ("/spec/missing/more", "spec"),
        ("/nothing", "Thing"),
        ("", "Thing"),
    ];
    for (pointer, slice) in expected {
        assert_eq!(at(document, pointer), slice, "{pointer}");
    }
    assert_eq!(document.source.slice(document.key_span_of("/spec/rules/0/port")), "port");
    assert_eq!(document.value["spec"]["text"], json!("one\ntwo\n"));
    assert_eq!(document.location_of("/spec/rules/0/port").to_string(), "a.yaml:10:11");
    assert_eq!(document.origin(), "a.yaml:2");
}

#[test]
fn crlf_and_json_files_have_the_same_places() {
    let text = "{\r\n\t\"apiVersion\": \"g.x/v1\",\r\n\t\"kind\": \"Thing\",\r\n\t\"metadata\": {\"name\": \"a\"},\r\n\t\"é\": [1, \"\\u00e9\\/\"]}\r\n";
    let (documents, findings) = read(text);
    assert_eq!(findings, [""; 0]);
    assert_eq!((documents[0].group.as_str(), documents[0].version.as_str()), ("g.x", "v1"));
    assert_eq!(documents[0].value["é"], json!([1, "é/"]));
    assert_eq!(at(&documents[0], "/é/1"), "\"\\u00e9\\/\"");
    assert_eq!(documents[0].location_of("/é/0").to_string(), "a.yaml:5:8");
}

#[test]
fn documents_are_counted_lists_flattened_and_empty_ones_skipped() {
    let text = format!(
        "---\n# nothing\n---\n{HEADER}---\napiVersion: v1\nkind: ThingList\nitems:\n- apiVersion: v1\n  kind: Thing\n  metadata: {{name: b, namespace: shop}}\n  spec: {{x: 1}}\n- kind: Thing\n---\n"
    );
    let (documents, findings) = read(&text);
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].starts_with("a.yaml:15:3: error[SG0013]: `apiVersion` is missing"), "{findings:?}");
    let names: Vec<_> = documents.iter().map(|d| (d.index, d.label())).collect();
    assert_eq!(names, [(0, "Thing default/a".into()), (1, "Thing shop/b".into())]);
    assert_eq!(at(&documents[1], "/spec/x"), "1");
}

#[test]
fn what_is_wrong_with_yaml_is_said_at_its_place() {
    let table = [
        ("spec:\n  a: 1\n  b: 2\n  a: 3\n", "4:3: error[SG0005]: `a` is given twice"),
        ("spec:\n\ta: 1\n", "2:2: error[SG0004]: not valid YAML: tab"),
        ("spec: \"open\n", "1:7: error[SG0004]: not valid YAML"),
        ("spec: a: b\n", "1:8: error[SG0004]: not valid YAML: mapping values are not allowed"),
        ("spec: *none\n", "1:7: error[SG0004]: not valid YAML: while parsing node, found unknown anchor"),
        ("spec: &a [*a]\n", "1:11: error[SG0004]: not valid YAML: the alias stands inside"),
        ("base: &b {x: 1}\nspec:\n  <<: *b\n", "3:3: error[SG0008]: merge keys"),
        ("spec: {[a]: 1}\n", "1:8: error[SG0009]: a key has to be a text"),
        ("spec: !secret x\n", "1:7: error[SG0010]: the tag `!secret` is not known"),
        ("spec: !!int x\n", "1:7: error[SG0010]: `x` is not what its tag `!!int` says"),
        ("spec: [.inf]\n", "1:8: error[SG0011]: `.inf` is no number"),
    ];
    for (body, expected) in table {
        let found = findings(body);
        assert_eq!(found.len(), 1, "{body:?}: {found:?}");
        assert!(found[0].starts_with(expected), "{body:?}: {found:?}");
    }
}

#[test]
fn a_broken_document_hides_no_other() {
    let (documents, findings) =
        read(&format!("{HEADER}---\na: [1\n---\n{HEADER}spec: 1\n---\nb: 'x\n---\nkind: Thing\n"));
    assert_eq!(documents.len(), 2);
    assert_eq!(documents[1].location_of("/spec").to_string(), "a.yaml:10:7");
    let codes: Vec<_> = findings.iter().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(findings.len(), 4, "{findings:?}");
    assert_eq!(codes[0], "a.yaml:6:1:", "{findings:?}");
}

#[test]
fn aliases_repeat_values_and_point_to_where_they_are_written() {
    let (documents, findings) = read(&format!("{HEADER}spec:\n  a: &x\n    port: 80\n  b: *x\n"));
    assert_eq!(findings, [""; 0]);
    assert_eq!(documents[0].value["spec"]["b"], json!({"port": 80}));
    assert_eq!(documents[0].location_of("/spec/b/port").to_string(), "a.yaml:6:11");
}

#[test]
fn aliases_that_multiply_are_bounded() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..30 {
        let alias = format!("*a{}, ", level - 1).repeat(10);
        writeln!(text, "a{level}: &a{level} [{alias}]").unwrap();
    }
    let found = findings(&text);
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("error[SG0007]: the file holds more than"), "{found:?}");
}

#[test]
fn depth_is_bounded_in_blocks_brackets_and_aliases() {
    let brackets = format!("spec: {}\n", "[".repeat(200_000));
    let blocks = format!("spec:\n {}x\n", "- ".repeat(200_000));
    let aliases = format!("a: &a {0}x{1}\nb: {0}*a{1}\n", "[".repeat(50), "]".repeat(50));
    for text in [brackets, blocks, aliases] {
        let found = findings(&text);
        assert!(found[0].contains("error[SG0006]: values are nested more than 64"), "{found:?}");
    }
}

#[test]
fn headers_are_checked_and_everything_missing_is_said_at_once() {
    let table: [(&str, &[&str]); 9] = [
        ("- a\n", &["1:1: error[SG0012]: a document has to be a mapping"]),
        ("x: 1\n", &["1:1: error[SG0012]: the document has neither"]),
        ("kind: T\n", &["1:1: error[SG0013]", "1:1: error[SG0015]"]),
        (
            "apiversion: v1\nkind: T\nmetadata: {name: a}\n",
            &["1:1: error[SG0013]: `apiVersion` is missing; `apiversion` is not it"],
        ),
        ("apiVersion: x/y/v1\nkind: T\nmetadata: {name: a}\n", &["1:13: error[SG0013]: `x/y/v1` is not a valid"]),
        ("apiVersion: v1\nkind: thing\nmetadata: {name: a}\n", &["2:7: error[SG0014]: `thing` is not a valid kind"]),
        (
            "apiVersion: v1\nkind: T\nmetadata: {nmae: a}\n",
            &["3:12: error[SG0015]: `name` is missing; `nmae` is not it"],
        ),
        ("apiVersion: v1\nkind: T\nmetadata: {name: A_b}\n", &["3:18: error[SG0016]: `A_b` is not a valid name"]),
        (
            "apiVersion: v1\nkind: T\nmetadata: {name: a, namespace: 1}\n",
            &["3:32: error[SG0016]: `1` (not quoted, so not a text)"],
        ),
    ];
    for (text, expected) in table {
        let (_, found) = read(text);
        assert_eq!(found.len(), expected.len(), "{text:?}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.starts_with(&format!("a.yaml:{expected}")), "{text:?}: {found}");
        }
    }
}

#[test]
fn directories_are_read_in_order_and_duplicates_shown_with_both_places() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    write("b.yml", HEADER.as_bytes());
    write("a.yaml", HEADER.as_bytes());
    write("sub/c.json", br#"{"apiVersion":"v1","kind":"Thing","metadata":{"name":"c"}}"#);
    write(".hidden/d.yaml", b"[");
    write("readme.txt", b"[");
    write("z.yaml", b"a: \xff");
    write("big.yaml", &vec![b'#'; FILE_LIMIT + 1]);
    let (documents, diagnostics) = load(&[directory.path().into()], "default");
    let names: Vec<_> = documents.iter().map(|document| document.name.as_str()).collect();
    assert_eq!(names, ["a", "a", "c"]);
    let lines = diagnostics.lines().join("\n").replace(&format!("{}/", directory.path().display()), "");
    let expected = [
        "b.yml:3:18: error[SG0017]: Thing default/a is defined twice",
        "big.yaml:1:1: error[SG0003]: the file is larger than 4194304 bytes",
        "z.yaml:1:4: error[SG0002]: the file is not UTF-8",
    ];
    assert_eq!(lines, expected.join("\n"));
    let first = diagnostics.iter().find(|found| found.code == codes::DUPLICATE_DOCUMENT).unwrap();
    assert!(first.notes[0].location.as_ref().unwrap().path.ends_with("a.yaml"));
}

#[test]
fn a_directory_that_is_not_there_is_an_error() {
    let (_, diagnostics) = load(&["/nowhere/at/all".into()], "default");
    assert!(diagnostics.lines()[0].starts_with("/nowhere/at/all:1:1: error[SG0001]: cannot be read"));
}

#[test]
fn the_nearest_name_is_found_only_when_it_is_near() {
    let names = ["hosts", "http", "gateways", "exportTo"];
    assert_eq!(nearest("host", names), Some("hosts"));
    assert_eq!(nearest("export_to", names), Some("exportTo"));
    assert_eq!(nearest("htpt", names), Some("http"));
    assert_eq!(nearest("timeout", names), None);
    assert_eq!(nearest("x", ["a"]), Some("a"));
}

/// Every span of a tree, with the value of scalars.
fn spans(node: &node::Node, all: &mut Vec<Span>) {
    all.push(node.span);
    match &node.content {
        node::Content::Scalar(_) => {}
        node::Content::Sequence(items) => items.iter().for_each(|item| spans(item, all)),
        node::Content::Mapping(entries) => entries.iter().for_each(|entry| {
            all.push(entry.key_span);
            spans(&entry.value, all);
        }),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_text_panics_and_all_spans_lie_inside_it(text in "([a-c0-9 :\\-\\[\\]{},&*!#|>'\"?%~.\\\\\t\r\nüé\u{feff}€]|---\n|\n  |: |- ){0,60}") {
        let source = std::sync::Arc::new(Source::new(Path::new("a.yaml"), text.clone()));
        let mut diagnostics = Diagnostics::new();
        let nodes = yaml::parse(&source, &mut diagnostics);
        let mut all = Vec::new();
        for node in &nodes {
            spans(node, &mut all);
        }
        all.extend(diagnostics.iter().filter_map(|found| Some(found.location.as_ref()?.excerpt.as_ref()?.1)));
        for span in all {
            prop_assert!(span.start <= span.end && text.get(span.start..span.end).is_some(), "{span:?} in {text:?}");
        }
        let mut rendered = Vec::new();
        diagnostics.render(&mut rendered, true).unwrap();
        read(&text);
    }

    #[test]
    fn every_value_is_found_at_its_place(values in prop::collection::vec(("[a-zé]{1,5}", "[a-zé]{1,8}( [a-z€]{1,4})?"), 1..8)) {
        let mut text = HEADER.to_owned() + "spec:\n";
        for (index, (key, value)) in values.iter().enumerate() {
            writeln!(text, "  {key}{index}: {value} # é").unwrap();
        }
        let (documents, findings) = read(&text);
        prop_assert!(findings.is_empty());
        for (index, (key, value)) in values.iter().enumerate() {
            prop_assert_eq!(at(&documents[0], &format!("/spec/{key}{index}")), value);
        }
    }
}
