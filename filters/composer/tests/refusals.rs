//! What is wrong with a document is said with a code, a place, and what to do.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod support;

use support::{documents, load, page};

/// Spec text after `hosts` and `path`, the line that must be said (`CODE POINTER`), and words of its help.
const REFUSED: [(&str, &str, &str); 62] = [
    // Names.
    ("calls: {a: {service: a, path: '/{b.body}'}}", "SG0313 /spec/calls/a/path", "`a`"),
    (
        "calls: {order: {service: a, path: /}, b: {service: b, path: '/{ordr.body.id}'}}",
        "SG0313 /spec/calls/b/path",
        "did you mean `order`?",
    ),
    ("calls: {a: {service: a, path: '/{request.path.product}'}}", "SG0313 /spec/calls/a/path", "there is `id`"),
    ("calls: {a: {service: a, path: '/{request.pth.id}'}}", "SG0314 /spec/calls/a/path", "did you mean `path`?"),
    (
        "calls: {a: {service: a, path: /}}\nresponse: {body: ['{a.boddy}']}",
        "SG0314 /spec/response/body/0",
        "did you mean `body`?",
    ),
    ("calls: {a: {service: a, path: /}}\nresponse: {body: {x: '{a}'}}", "SG0314 /spec/response/body/x", "`header`"),
    ("calls: {a: {service: a, path: /, after: [b]}}", "SG0313 /spec/calls/a/after/0", "`a`"),
    ("calls: {a: {service: a, path: /, when: {succeeded: b}}}", "SG0313 /spec/calls/a/when/succeeded", "`a`"),
    ("calls: {errors: {service: a, path: /}}", "SG0308 /spec/calls/errors", "choose another name"),
    ("calls: {request: {service: a, path: /}}", "SG0308 /spec/calls/request", "choose another name"),
    ("calls: {a.b: {service: a, path: /}}", "SG0308 /spec/calls/a.b", "begins with a letter"),
    ("calls: {a: {service: a, path: '/{errors.b}'}}", "SG0313 /spec/calls/a/path", "{CALL.error}"),
    (
        "calls: {a: {service: a, path: /}, b: {forEach: '{a.body}', as: a, service: b, path: '/{a}'}}",
        "SG0308 /spec/calls/b/as",
        "name the element otherwise",
    ),
    ("calls: {a: {service: a, path: '/{item.id}'}}", "SG0313 /spec/calls/a/path", "`request`"),
    (
        "calls: {a: {service: a, path: /}, b: {forEach: '{a.body}', service: b, path: '/{item}'}}\nresponse: {body: '{b.status}'}",
        "SG0314 /spec/response/body",
        "list of all bodies",
    ),
    // The graph.
    (
        "calls: {a: {service: a, path: '/{b.body}'}, b: {service: b, path: '/{a.body}'}}",
        "SG0315 /spec/calls/a",
        "out of the circle",
    ),
    ("calls: {a: {service: a, path: /, after: [a]}}", "SG0315 /spec/calls/a", "out of the circle"),
    ("calls: {}", "SG0307 /spec", "write at least one"),
    (
        "calls: {a: {service: a, path: /, optional: true}, b: {service: b, path: '/{a.body.id}'}}",
        "SG0322 /spec/calls/b/path",
        "give `a` a `default`",
    ),
    (
        "calls: {a: {service: a, path: /, when: {exists: '{request.query.a}'}}, b: {service: b, forEach: '{a.body}', path: '/{item}'}}",
        "SG0322 /spec/calls/b/forEach",
        "when: {succeeded: a}",
    ),
    (
        "calls: {l: {service: a, path: /}, b: {service: b, forEach: '{l.body}', limit: 40, path: '/{item}'}, c: {service: b, forEach: '{l.body}', limit: 40, path: '/{item}'}}",
        "SG0316 /spec/calls/c",
        "lower the `limit`",
    ),
    // Calls.
    ("calls: {a: {path: /}}", "SG0309 /spec/calls/a", "service: NAME:PORT"),
    ("calls: {a: {service: 'http://a', path: /}}", "SG0309 /spec/calls/a/service", "NAME:PORT"),
    ("calls: {a: {service: 'a:0', path: /}}", "SG0309 /spec/calls/a/service", "1 to 65535"),
    ("calls: {a: {service: a}}", "SG0311 /spec/calls/a", "write `path:"),
    ("calls: {a: {service: a, path: 'x'}}", "SG0311 /spec/calls/a/path", "request line"),
    ("calls: {a: {service: a, path: '/x?y=1'}}", "SG0311 /spec/calls/a/path", "request line"),
    ("calls: {a: {service: a, path: '/x/../y'}}", "SG0311 /spec/calls/a/path", "request line"),
    ("calls: {a: {service: a, path: '/a b'}}", "SG0311 /spec/calls/a/path", "request line"),
    ("calls: {a: {service: a, path: /, method: get}}", "SG0304 /spec/calls/a/method", "did you mean `GET`?"),
    ("calls: {a: {service: a, path: /, limit: 3}}", "SG0310 /spec/calls/a/limit", "forEach"),
    (
        "calls: {a: {service: a, path: /}, b: {forEach: '{a.body}', limit: 65, service: b, path: '/{item}'}}",
        "SG0316 /spec/calls/b/limit",
        "several at once",
    ),
    (
        "calls: {a: {service: a, path: /}, b: {forEach: '{a.body}', concurrency: 0, service: b, path: '/{item}'}}",
        "SG0316 /spec/calls/b/concurrency",
        "1 or more",
    ),
    (
        "calls: {b: {forEach: '{request.path.id}', service: b, path: '/{item}'}}",
        "SG0323 /spec/calls/b/forEach",
        "name a list",
    ),
    ("calls: {b: {forEach: 'items', service: b, path: '/{item}'}}", "SG0323 /spec/calls/b/forEach", "in braces"),
    ("calls: {a: {service: a, path: /, deadline: 3 seconds}}", "SG0318 /spec/calls/a/deadline", "250ms"),
    ("deadline: 0s\ncalls: {a: {service: a, path: /}}", "SG0318 /spec/deadline", "250ms"),
    ("calls: {a: {service: a, path: /, maxBody: 0}}", "SG0316 /spec/calls/a/maxBody", "default"),
    ("calls: {a: {service: a, path: /, accept: [200, 2yy]}}", "SG0319 /spec/calls/a/accept/1", "2xx"),
    ("calls: {a: {service: a, path: /, passOn: [99]}}", "SG0319 /spec/calls/a/passOn/0", "from 200 to 599"),
    (
        "calls: {a: {service: a, path: /, headers: {content-length: '3'}}}",
        "SG0320 /spec/calls/a/headers/content-length",
        "belong to the host",
    ),
    ("calls: {a: {service: a, path: /, headers: {'x y': '3'}}}", "SG0320 /spec/calls/a/headers/x y", "letters, digits"),
    (
        "calls: {a: {service: a, path: /, passHeaders: [x-a, host]}}",
        "SG0320 /spec/calls/a/passHeaders/1",
        "belong to the host",
    ),
    ("calls: {a: {service: a, path: /, headers: {x-a: \"a\\nb\"}}}", "SG0321 /spec/calls/a/headers/x-a", "one line"),
    (
        "calls: {a: {service: a, path: /, retries: {attempts: 0}}}",
        "SG0328 /spec/calls/a/retries/attempts",
        "leave `retries` out",
    ),
    (
        "calls: {a: {service: a, path: /, retries: {attempts: 1, conditions: [conect-failure]}}}",
        "SG0328 /spec/calls/a/retries/conditions/0",
        "did you mean `connect-failure`?",
    ),
    (
        "calls: {a: {service: a, path: /, method: POST, cache: {for: 3s}}}",
        "SG0329 /spec/calls/a/cache",
        "leave `cache` out",
    ),
    ("calls: {a: {service: a, path: /, when: {equals: [1]}}}", "SG0325 /spec/calls/a/when/equals", "write `equals"),
    ("calls: {a: {service: a, path: /, when: {exists: always}}}", "SG0325 /spec/calls/a/when/exists", "in braces"),
    // Choices.
    (
        "calls: {a: {service: a, path: /}, b: {service: b, path: /}, c: {quorum: {of: [a, b], enough: 3}}}",
        "SG0324 /spec/calls/c/quorum/enough",
        "from 1 to 2",
    ),
    ("calls: {a: {service: a, path: /}, c: {firstOf: [a]}}", "SG0324 /spec/calls/c/firstOf", "at least two"),
    (
        "calls: {a: {service: a, path: /}, b: {service: a, path: '/{a.body}'}, c: {firstOf: [a, b]}}",
        "SG0324 /spec/calls/c",
        "when: {failed: FIRST}",
    ),
    (
        "calls: {a: {service: a, path: /}, b: {service: a, path: /}, c: {firstOf: [a, b], path: /}}",
        "SG0310 /spec/calls/c/path",
        "in the calls",
    ),
    // Templates.
    (
        "calls: {a: {service: a, path: /}}\nresponse: {body: {x: 'no. {a.body'}}",
        "SG0312 /spec/response/body/x",
        "stand in braces",
    ),
    (
        "calls: {a: {service: a, path: /}}\nresponse: {body: {$merg: ['{a.body}']}}",
        "SG0326 /spec/response/body/$merg",
        "did you mean `$merge`?",
    ),
    ("calls: {a: {service: a, path: /}}\nresponse: {body: {$pick: [id]}}", "SG0326 /spec/response/body", "from: ..."),
    (
        "calls: {a: {service: a, path: /}}\nresponse: {body: {$join: '{a.body}', with: '{a.body}', by: [id]}}",
        "SG0326 /spec/response/body/by",
        "by: id",
    ),
    (
        "calls: {a: {service: a, path: /}}\nresponse: {body: {$flatten: text}}",
        "SG0323 /spec/response/body/$flatten",
        "$entries",
    ),
    (
        "calls: {a: {service: a, path: /}}\nresponse: {status: 700, body: '{a.body}'}",
        "SG0319 /spec/response/status",
        "200 to 599",
    ),
    // Types.
    (
        "calls: {a: {service: a, path: /, schema: {type: object, properties: {name: {type: string}}}}}\nresponse: {body: '{a.body.nam}'}",
        "SG0314 /spec/response/body",
        "did you mean `name`?",
    ),
    (
        "calls: {a: {service: a, path: /, schema: {properties: {name: {type: string}}}}}\nresponse: {body: '{a.body.name.first}'}",
        "SG0330 /spec/response/body",
        "last step",
    ),
    (
        "calls: {a: {service: a, path: /, schema: {type: objekt}}}",
        "SG0327 /spec/calls/a/schema/type",
        "did you mean `object`?",
    ),
];

/// The diagnostics as `CODE POINTER`, with their help.
fn said(yaml: &str) -> Vec<(String, String)> {
    let diagnostics = load(yaml).1.into_wit();
    let line = |found: sluicegate_sdk::Diagnostic| {
        (format!("{} {}", found.code, found.pointer), found.help.unwrap_or_default())
    };
    diagnostics.into_iter().map(line).collect()
}

#[test]
fn every_mistake_has_a_code_a_place_and_help() {
    for (spec, expected, help) in REFUSED {
        let yaml = page(spec);
        let said = said(&yaml);
        let found = said.iter().find(|(line, _)| line == expected);
        let Some((_, said_help)) = found else { panic!("{expected} is not said of\n{spec}\nbut {said:#?}") };
        assert!(said_help.contains(help), "{spec}\n{said_help}");
        assert!(load(&yaml).1.has_errors(), "{spec}");
    }
}

#[test]
fn what_is_wrong_with_the_matching_is_said_too() {
    let calls = "calls: {a: {service: a, path: /}}";
    for (spec, expected) in [
        (format!("path: /\n{calls}"), "SG0303 /spec"),
        (format!("hosts: ['a:80']\npath: /\n{calls}"), "SG0303 /spec/hosts/0"),
        (format!("hosts: [a]\n{calls}"), "SG0305 /spec"),
        (format!("hosts: [a]\npath: '/x{{id}}'\n{calls}"), "SG0305 /spec/path"),
        (format!("hosts: [a]\nmethods: [GET, PSOT]\npath: /\n{calls}"), "SG0304 /spec/methods/1"),
        (
            format!("hosts: [a]\npath: /\nheaders: {{x-a: {{exact: b, present: false}}}}\n{calls}"),
            "SG0310 /spec/headers/x-a",
        ),
        (format!("hosts: [a]\npath: /\nrequestBody: {{maxBytes: 0}}\n{calls}"), "SG0316 /spec/requestBody/maxBytes"),
        (format!("hosts: [a]\npath: /\nnothing: 1\n{calls}"), "SG0302 /spec"),
    ] {
        let said = said(&support::document("page", &spec));
        assert!(said.iter().any(|(line, help)| line == expected && !help.is_empty()), "{expected}: {spec}\n{said:#?}");
    }
}

#[test]
fn two_compositions_of_the_same_requests_exclude_each_other() {
    let one = support::document("one", "hosts: [a, shop]\npath: '/p/{id}'\ncalls: {a: {service: a, path: /}}");
    let two = support::document("two", "hosts: [shop]\npath: '/p/{name}'\ncalls: {a: {service: a, path: /}}");
    let other = support::document(
        "other",
        "hosts: [shop]\nmethods: [POST]\npath: '/p/{name}'\ncalls: {a: {service: a, path: /}}",
    );
    let lines = load(&[one.clone(), two].concat()).1.lines();
    assert_eq!(lines, ["error SG0306 /spec/path: Composition default/one (test.yaml:1) takes the same requests"]);
    assert!(load(&[one, other].concat()).1.lines().is_empty());
}

#[test]
fn more_than_a_request_can_have_is_refused() {
    let chain = |length: usize| {
        let call = |number: usize| {
            let path = if number == 0 { "/".to_owned() } else { format!("/{{c{}.body}}", number - 1) };
            format!("  c{number}: {{service: a, path: '{path}'}}\n")
        };
        page(&format!("calls:\n{}", (0..length).map(call).collect::<String>()))
    };
    assert!(said(&chain(8)).is_empty());
    assert_eq!(said(&chain(9))[0].0, "SG0316 /spec/calls");
    let many: Vec<String> = (0..33).map(|number| format!("  c{number}: {{service: a, path: /}}\n")).collect();
    assert_eq!(said(&page(&format!("calls:\n{}", many.concat())))[0].0, "SG0316 /spec/calls");
    let deep = format!("{}1{}", "[".repeat(30), "]".repeat(30));
    let said_of_deep =
        said(&page(&format!("calls: {{a: {{service: a, path: /}}}}\nresponse: {{body: ['{{a.body}}', {deep}]}}")));
    assert!(said_of_deep[0].0.starts_with("SG0316 /spec/response/body/1/0"), "{said_of_deep:?}");
    let long = "x".repeat(5_000);
    let said_of_long =
        said(&page(&format!("calls: {{a: {{service: a, path: /}}}}\nresponse: {{body: ['{{a.body}}', '{long}']}}")));
    assert_eq!(said_of_long[0].0, "SG0316 /spec/response/body/1");
}

#[test]
fn a_call_that_nothing_uses_is_warned_of() {
    let lines =
        load(&page("calls: {a: {service: a, path: /}, b: {service: b, path: /}}\nresponse: {body: '{a.body}'}"))
            .1
            .lines();
    assert_eq!(lines, ["warning SG0317 /spec/calls/b: the answer of `b` is used by nothing"]);
    let effect =
        "calls: {a: {service: a, path: /}, b: {service: b, path: /, method: POST}}\nresponse: {body: '{a.body}'}";
    assert!(load(&page(effect)).1.lines().is_empty(), "a call that changes something is made for that");
}

#[test]
fn a_break_in_a_template_is_found_to_the_character() {
    let lines = load(&page("calls: {a: {service: a, path: /}}\nresponse: {body: 'é{a.body ? 1}'}")).1.lines();
    assert!(lines[0].contains("at character 10"), "{lines:?}");
}

#[test]
fn the_schema_takes_what_the_types_take() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../src/composition.schema.json")).expect("the schema is JSON");
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let everything = include_str!("everything.yaml");
    for document in documents(everything) {
        let objections: Vec<String> = validator.iter_errors(&document).map(|error| error.to_string()).collect();
        assert!(objections.is_empty(), "{objections:?}");
    }
    let lines = load(everything).1.lines();
    assert!(lines.is_empty(), "{lines:?}");
    for name in names(&schema["properties"]["spec"]).into_iter().chain(names(&schema["$defs"])) {
        assert!(everything.contains(&format!("{name}:")), "{name} is not in everything.yaml");
    }
}

/// Every name of a property in a schema.
fn names(schema: &serde_json::Value) -> Vec<String> {
    let own = schema["properties"].as_object().into_iter().flat_map(|properties| properties.keys().cloned());
    let inner = schema.as_object().into_iter().flat_map(serde_json::Map::values).flat_map(names);
    let of_lists = schema.as_array().into_iter().flatten().flat_map(names);
    own.chain(inner).chain(of_lists).collect()
}
