//! What compositions do, call by call and answer by answer.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

mod support;

use serde_json::json as value_of;
use sluicegate_sdk::testing::TestRequest;
use sluicegate_sdk::{BodyUse, CallError, RequestDecision, RequestFilter};
use support::{answer, composer, document, get, header, json, page, run, stages, text, value, with};

const ORDER: &str = r#"{"id":7,"customer":{"id":"c/1"},"items":[{"product":"cup","n":2},{"product":"tea pot","n":1}]}"#;

const GRAPH: &str = "
calls:
  order: {service: order-service, path: '/orders/{request.path.id}'}
  customer: {service: customers:8080, path: '/customers/{order.body.customer.id}'}
  details:
    forEach: '{order.body.items}'
    as: line
    service: products
    path: /products/{line.product}
    query: {n: '{line.n}', lang: '{request.query.lang ?? \"en\"}', none: '{request.query.none}'}
    concurrency: 2
  audit: {service: audit, path: /audit, method: POST, body: {order: '{order.body.id}', by: 'u-{customer.body.name}'}, optional: true}
response:
  body: {id: '{order.body.id}', customer: '{customer.body}', lines: '{details.body}'}
";

#[test]
fn calls_are_made_as_soon_as_what_they_use_is_there() {
    let mut paths = Vec::new();
    let trial = run(&composer(&page(GRAPH)), &get("/products/7?lang=de"), |name, call| {
        paths.push(format!("{} {}", call.method, call.path));
        match name {
            "order" => json(200, ORDER),
            "customer" => json(200, r#" {"name":"Ada"} "#),
            "audit" => json(204, ""),
            _ => json(200, &format!("{{\"of\":\"{}\"}}", call.path)),
        }
    });
    assert_eq!(stages(&trial), [vec!["order"], vec!["customer", "details[0]", "details[1]"], vec!["audit"]]);
    assert_eq!(
        paths,
        [
            "GET /orders/7",
            "GET /customers/c%2F1",
            "GET /products/cup?n=2&lang=de",
            "GET /products/tea%20pot?n=1&lang=de",
            "POST /audit"
        ]
    );
    let body = trial.plans[2].calls[0].body.clone().expect("a body");
    assert_eq!(String::from_utf8(body).expect("text"), r#"{"order":7,"by":"u-Ada"}"#);
    assert_eq!(trial.plans[1].groups[0].concurrency, Some(2));
    assert_eq!(trial.plans[1].calls[0].destination.host, "customers.default.svc.cluster.local");
    let answer = trial.answer.expect("an answer");
    assert_eq!(
        text(&answer),
        r#"{"id":7,"customer":{"name":"Ada"},"lines":[{"of":"/products/cup?n=2&lang=de"},{"of":"/products/tea%20pot?n=1&lang=de"}]}"#
    );
}

#[test]
fn a_body_that_nothing_looks_into_stays_with_the_host() {
    let uses = |yaml: &str| {
        let composer = composer(&page(yaml));
        let RequestDecision::Gather(plan) = composer.on_request(&get("/products/7").request()) else {
            panic!("a plan")
        };
        plan.calls.into_iter().map(|call| call.body_use).collect::<Vec<_>>()
    };
    let calls = "calls: {a: {service: a, path: /}, b: {service: b, path: /}}\n";
    let (read, splice) = (BodyUse::ReadJson, BodyUse::SpliceJson);
    assert_eq!(uses(calls), [splice, splice], "without a response every part is taken over");
    assert_eq!(uses(&format!("{calls}response: {{body: ['{{a.body}}', {{b: '{{b.body}}'}}]}}")), [splice, splice]);
    assert_eq!(uses(&format!("{calls}response: {{body: ['{{a.body.id}}', '{{b.body}}']}}")), [read, splice]);
    assert_eq!(uses(&format!("{calls}response: {{body: ['{{a.body}}', '{{a.body}}', '{{b.body}}']}}")), [read, splice]);
    assert_eq!(uses(&format!("{calls}response: {{body: {{$merge: ['{{a.body}}', '{{b.body}}']}}}}")), [read, read]);
    assert_eq!(uses(&format!("{calls}response: {{etag: true, body: ['{{a.body}}', '{{b.body}}']}}")), [read, read]);
    let status = format!("{calls}response: {{body: ['{{a.status}}', '{{b.body}}']}}");
    assert_eq!(uses(&status), [BodyUse::Splice, splice], "nobody needs the body of a");
}

#[test]
fn an_answer_that_depends_on_nothing_but_good_calls_is_expected() {
    let expects = |request: &TestRequest, yaml: &str| {
        let composer = composer(&page(yaml));
        let RequestDecision::Gather(plan) = composer.on_request(&request.request()) else { panic!("a plan") };
        plan.expected.is_some()
    };
    let get = get("/products/7");
    let calls = "calls: {a: {service: a, path: '/{request.query.a ?? 1}'}, b: {service: b, path: /, optional: true}}\n";
    let with = |response: &str| format!("{calls}response: {{{response}}}");
    for response in
        ["body: {a: '{a.body}', all: ['{b.body}', 1], errors: '{errors}'}", "status: 203, headers: {x-a: b}"]
    {
        assert!(expects(&get, &with(response)), "{response}");
    }
    assert!(!expects(&get, &with("body: {a: '{a.body}', b: '{b.status}'}")));
    assert!(!expects(&get, &with("body: {a: '{a.body}', b: '{b.body}', c: '{request.query.c}'}")));
    assert!(!expects(&get, &with("body: ['{a.body}', '{b.body}'], headers: {x-b: '{b.header.x-b}'}")));
    assert!(!expects(&get, &with("body: {$merge: ['{a.body}', '{b.body}']}")));
    let maybe = "calls: {a: {service: a, path: /}, b: {service: b, path: /, when: {exists: '{request.query.b}'}}}";
    assert!(!expects(&get, maybe), "b is not called");
    let unmade = "calls: {a: {service: a, path: /}, b: {service: b, path: '/{request.query.b}', optional: true}}";
    assert!(!expects(&get, unmade), "b cannot be called");
}

#[test]
fn a_value_stays_in_its_segment_whatever_it_holds() {
    let yaml = page("calls: {a: {service: a, path: '/x/{request.query.v}/y', query: {q: '{request.query.v}'}}}");
    let composer = composer(&yaml);
    let paths = |query: &str| {
        let mut paths = Vec::new();
        let trial = run(&composer, &get(&format!("/products/7?v={query}")), |_, call| {
            paths.push(call.path.clone());
            json(200, "1")
        });
        (paths.pop(), trial.answer.expect("an answer").status)
    };
    assert_eq!(paths("a%2F..%3Fb%26c%3D%23"), (Some("/x/a%2F..%3Fb%26c%3D%23/y?q=a%2F..%3Fb%26c%3D%23".into()), 200));
    for climbing in ["..", ".", "%2e%2e", ""] {
        assert_eq!(paths(climbing), (None, 502), "{climbing}");
    }
}

#[test]
fn a_value_adds_no_header() {
    let yaml =
        page("calls: {a: {service: a, path: /, headers: {x-a: '{request.query.v}', x-b: 'b-{request.query.w}'}}}");
    let composer = composer(&yaml);
    let trial = run(&composer, &get("/products/7?v=1%0d%0ax-evil:1"), |_, _| json(200, "1"));
    let answer = trial.answer.expect("an answer");
    assert_eq!((answer.status, trial.plans.len()), (502, 0));
    assert!(text(&answer).contains("x-a would not be one line"), "{}", text(&answer));
    let trial = run(&composer, &get("/products/7"), |_, call| {
        let names: Vec<String> = call.headers.iter().map(|header| header.name.clone()).collect();
        json(200, &value_of!(names).to_string())
    });
    let answer = trial.answer.expect("an answer");
    assert_eq!(value(&answer)["a"], value_of!(["x-b", "accept", "accept-encoding"]), "a missing value is left out");
}

#[test]
fn conditions_decide_what_is_called() {
    let yaml = page(
        "calls:
  first: {service: a, path: /, optional: true, accept: [200]}
  second: {service: b, path: /, when: {failed: first}}
  full: {service: c, path: /, when: {equals: ['{request.query.view}', full]}}
  flag: {service: c, path: /flag, when: {exists: '{request.query.flag}'}}
  gone: {service: d, path: /, when: {all: [{status: {of: first, in: [404]}}, {not: {succeeded: first}}]}}
response: {body: {value: '{first.body ?? second.body}', full: '{full.body}', gone: '{gone.body}', flag: '{flag.body}'}}",
    );
    let called = |path: &str, status: u16| {
        let trial = run(&composer(&yaml), &get(path), |name, _| {
            json(if name == "first" { status } else { 200 }, &format!("\"{name}\""))
        });
        (stages(&trial).concat().join(" "), text(&trial.answer.expect("an answer")))
    };
    assert_eq!(called("/products/7", 200), ("first".into(), r#"{"value":"first"}"#.into()));
    assert_eq!(
        called("/products/7?view=full", 503),
        ("first full second".into(), r#"{"value":"second","full":"full"}"#.into())
    );
    let (calls, body) = called("/products/7?flag", 404);
    assert_eq!(calls, "first flag second gone");
    assert_eq!(body, r#"{"value":"second","gone":"gone","flag":"flag"}"#);
}

#[test]
fn an_optional_part_is_missing_or_has_its_default() {
    let yaml = page(
        "calls:
  product: {service: a, path: /}
  reviews: {service: b, path: /, default: []}
  stock: {service: c, path: /, optional: true}
response: {body: {product: '{product.body}', reviews: '{reviews.body}', left: '{stock.body.left}', errors: '{errors}'}}",
    );
    let full = answer(&yaml, &[("product", "1"), ("reviews", "[2]"), ("stock", r#"{"left":3}"#)]);
    assert_eq!(text(&full), r#"{"product":1,"reviews":[2],"left":3}"#);
    let bare = answer(&yaml, &[("product", "1")]);
    assert_eq!(bare.status, 200);
    assert_eq!(
        text(&bare),
        r#"{"product":1,"reviews":[],"errors":{"reviews":{"error":"reset","message":"the connection ended before the answer was complete"},"stock":{"error":"reset","message":"the connection ended before the answer was complete"}}}"#
    );
    assert_eq!(header(&bare, "cache-control"), ["no-store"]);
}

#[test]
fn a_required_part_that_fails_fails_the_whole() {
    let yaml = page("calls: {a: {service: a, path: /}, b: {service: b, path: '/{a.body.id}'}}");
    let status = |outcome: fn() -> Result<sluicegate_sdk::CallResponse, CallError>| {
        let trial = run(&composer(&yaml), &get("/products/7"), |_, _| outcome());
        (trial.plans.len(), trial.answer.expect("an answer").status)
    };
    assert_eq!(status(|| Err(CallError::Deadline)), (1, 504));
    assert_eq!(status(|| Err(CallError::Refused)), (1, 502));
    assert_eq!(status(|| json(404, "{}")), (1, 502));
    assert_eq!(status(|| json(200, "{}")), (1, 502), "the second call has no id for its path");
    assert_eq!(status(|| json(200, "{\"id\":1}")), (2, 200));
}

#[test]
fn the_first_good_one_of_alternatives_stands_for_all() {
    let yaml = page(
        "calls:
  eu: {service: eu, path: /}
  us: {service: us, path: /}
  price: {firstOf: [eu, us]}",
    );
    assert_eq!(text(&answer(&yaml, &[("us", "2")])), r#"{"price":2}"#);
    assert_eq!(text(&answer(&yaml, &[("eu", "1"), ("us", "2")])), r#"{"price":1}"#);
    let none = answer(&yaml, &[]);
    assert_eq!(none.status, 502);
    assert_eq!(value(&none)["errors"]["price"]["error"], "too-few");
    let trial = run(&composer(&yaml), &get("/products/7"), |_, _| json(200, "1"));
    assert_eq!((trial.plans[0].groups[0].enough, trial.plans[0].groups[0].required), (Some(1), true));
    assert!(trial.plans[0].calls.iter().all(|call| !call.required && call.body_use == BodyUse::SpliceJson));
}

#[test]
fn a_quorum_needs_so_many_good_ones() {
    let yaml = page(
        "calls:
  a: {service: a, path: /}
  b: {service: b, path: /}
  c: {service: c, path: /}
  votes: {quorum: {of: [a, b, c], enough: 2}}
response: {body: '{votes.body}'}",
    );
    assert_eq!(text(&answer(&yaml, &[("a", "1"), ("c", "3")])), "[1,3]");
    assert_eq!(text(&answer(&yaml, &[("a", "1"), ("b", "2"), ("c", "3")])), "[1,2]");
    assert_eq!(answer(&yaml, &[("a", "1")]).status, 502);
}

#[test]
fn a_list_that_is_too_long_fails_its_call() {
    let yaml = page(
        "calls:
  order: {service: a, path: /}
  each: {forEach: '{order.body}', limit: 2, service: b, path: '/{item}', default: null}",
    );
    let each = [("each[0]", "\"x\""), ("each[2]", "1")];
    let short = answer(&yaml, &[&[("order", "[1,2]")][..], &each].concat());
    assert_eq!(value(&short)["each"], value_of!(["x", null]));
    assert_eq!(value(&short)["errors"]["each[1]"]["error"], "reset");
    let long = answer(&yaml, &[("order", "[1,2,3]")]);
    assert_eq!(value(&long)["errors"]["each"]["error"], "too-many");
    assert_eq!(value(&long)["each"], value_of!(null), "the default stands in");
    assert_eq!(value(&answer(&yaml, &[("order", "{}")]))["errors"]["each"]["error"], "not-made");
    assert_eq!(text(&answer(&yaml, &[("order", "[]")])), r#"{"order":[],"each":[]}"#);
}

#[test]
fn the_body_of_the_request_is_asked_for_where_it_is_used() {
    let yaml = document(
        "buy",
        "hosts: [shop]
methods: [POST]
path: /orders
calls:
  price: {service: prices, path: '/{request.body.product}'}
  order: {service: orders, path: /, method: POST, body: {of: '{request.body}', price: '{price.body.cents}'}}
response: {status: '{order.status}', headers: {location: '/orders/{order.body.id}'}, body: '{order.body}'}",
    );
    let composer = composer(&yaml);
    let post = TestRequest::post("/orders").authority("shop");
    assert_eq!(composer.on_request(&post.request()), RequestDecision::InspectBody(256 << 10));
    let trial = run(&composer, &post.clone().body(r#" {"product":"cup"} "#), |name, call| {
        if name == "price" {
            return json(200, r#"{"cents":450}"#);
        }
        let body = call.body.clone().expect("a body");
        assert_eq!(String::from_utf8(body).expect("text"), r#"{"of":{"product":"cup"},"price":450}"#);
        json(201, r#"{"id":9}"#)
    });
    let answer = trial.answer.expect("an answer");
    assert_eq!((answer.status, header(&answer, "location")), (201, vec!["/orders/9".to_owned()]));
    let broken = run(&composer, &post.body("{"), |_, _| json(200, "1"));
    assert_eq!(broken.answer.expect("an answer").status, 400);
}

#[test]
fn headers_of_the_answer_are_those_of_the_strictest_part() {
    let yaml = page(
        "calls: {a: {service: a, path: /}, b: {service: b, path: '/{a.body.id}'}}
response: {headers: {x-from: '{a.header.x-id}', x-none: '{a.header.no}', content-type: application/hal+json}, body: '{b.body}'}",
    );
    let trial = run(&composer(&yaml), &get("/products/7"), |name, _| match name {
        "a" => with(
            200,
            &[("cache-control", "max-age=60"), ("vary", "Origin"), ("set-cookie", "a=1"), ("X-Id", "7")],
            "{\"id\":1}",
        ),
        _ => with(
            200,
            &[("cache-control", "private, max-age=9"), ("vary", "accept"), ("set-cookie", "b=caf\u{e9}")],
            "{}",
        ),
    });
    let answer = trial.answer.expect("an answer");
    assert_eq!(header(&answer, "cache-control"), ["private, max-age=9"]);
    assert_eq!(header(&answer, "vary"), ["accept, origin"]);
    assert_eq!(header(&answer, "set-cookie"), ["a=1", "b=caf\u{e9}"]);
    assert_eq!(header(&answer, "x-from"), ["7"]);
    assert_eq!(header(&answer, "content-type"), ["application/hal+json"]);
    assert!(header(&answer, "x-none").is_empty());
}

#[test]
fn who_has_the_answer_is_told_that_nothing_changed() {
    let yaml = page("calls: {a: {service: a, path: /}}\nresponse: {etag: true, body: {a: '{a.body}'}}");
    let first = answer(&yaml, &[("a", "1")]);
    let tag = header(&first, "etag").concat();
    let again = |tag: &str, body: &str| {
        let request = get("/products/7").header("if-none-match", tag);
        run(&composer(&yaml), &request, |_, _| json(200, body)).answer.expect("an answer")
    };
    let unchanged = again(&tag, "1");
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    assert_eq!(header(&unchanged, "etag"), [tag.as_str()]);
    assert_eq!(again(&tag, "2").status, 200);
}

#[test]
fn the_narrowest_composition_takes_the_request() {
    let of = |name: &str, rest: &str| document(name, &format!("{rest}\ncalls: {{{name}: {{service: a, path: /}}}}"));
    let yaml = [
        of("any", "hosts: ['*']\npath: /products/{id}"),
        of("shop", "hosts: [shop]\npath: /products/{id}"),
        of("beta", "hosts: [shop]\npath: /products/{id}\nheaders: {x-beta: {prefix: on-}}"),
        of("cup", "hosts: [shop]\npath: /products/cup"),
        of("wild", "hosts: ['*.example']\npath: /products/{id}\nmethods: [DELETE]"),
    ]
    .concat();
    let composer = composer(&yaml);
    let taken = |request: &TestRequest| match composer.on_request(&request.request()) {
        RequestDecision::Gather(plan) => plan.calls[0].name.clone(),
        RequestDecision::Next(_) => "next".to_owned(),
        other => panic!("{other:?}"),
    };
    assert_eq!(taken(&get("/products/7")), "shop");
    assert_eq!(taken(&get("/products/7").authority("shop.default.svc.cluster.local:80")), "shop");
    assert_eq!(taken(&get("/products/7").header("x-beta", "on-1")), "beta");
    assert_eq!(taken(&get("/products/7").header("x-beta", "no")), "shop");
    assert_eq!(taken(&get("/products/cup")), "cup");
    assert_eq!(taken(&get("/products/7").authority("other")), "any");
    assert_eq!(taken(&TestRequest::new("DELETE", "/products/7").authority("a.example")), "wild");
    assert_eq!(taken(&TestRequest::new("HEAD", "/products/7").authority("shop")), "shop");
    assert_eq!(taken(&TestRequest::post("/products/7").authority("shop")), "next");
    assert_eq!(taken(&get("/products")), "next");
}

#[test]
fn an_answer_varies_by_the_headers_of_those_that_would_have_come_before() {
    let of = |name: &str, rest: &str| document(name, &format!("{rest}\ncalls: {{{name}: {{service: a, path: /}}}}"));
    let yaml = [
        of("any", "hosts: ['*']\npath: /products/{id}"),
        of("shop", "hosts: [shop]\npath: /products/{id}"),
        of("beta", "hosts: [shop]\npath: /products/{id}\nheaders: {X-Beta: {prefix: on-}, x-user: {}}"),
        of("cup", "hosts: [shop]\npath: /products/cup\nheaders: {x-cup: {}}"),
        of("post", "hosts: [shop]\npath: /products/{id}\nmethods: [POST]\nheaders: {x-post: {}}"),
        of("list", "hosts: [shop]\npath: /products\nheaders: {x-list: {}}"),
        of("other", "hosts: [other]\npath: /products/{id}"),
    ]
    .concat();
    let composer = composer(&yaml);
    let varies = |request: &TestRequest| {
        let trial = run(&composer, request, |_, _| json(200, "1"));
        (stages(&trial)[0][0].clone(), header(&trial.answer.expect("an answer"), "vary").concat())
    };
    let expected = |name: &str, vary: &str| (name.to_owned(), vary.to_owned());
    assert_eq!(varies(&get("/products/7")), expected("shop", "x-beta, x-cup, x-user"));
    let beta = get("/products/7").header("x-beta", "on-1").header("x-user", "1");
    assert_eq!(varies(&beta), expected("beta", "x-beta, x-cup, x-user"));
    assert_eq!(varies(&get("/products/cup").header("x-cup", "1")), expected("cup", "x-cup"));
    assert_eq!(varies(&get("/products/7").authority("other")), expected("other", ""));
    assert_eq!(varies(&get("/products/7").authority("third")), expected("any", "x-beta, x-cup, x-user"));
}

#[test]
fn explain_is_a_tree_of_stages_and_calls() {
    use sluicegate_sdk::Explain;
    let explanation = composer(&page(GRAPH)).explain(&get("/products/7").request());
    assert_eq!(explanation.summary, "composes 4 calls in 3 stages within 10000 ms");
    let lines: Vec<String> =
        explanation.candidates.iter().map(|line| format!("{}: {}", line.name, line.reason)).collect();
    assert_eq!(lines[0], "Composition default/page: takes GET /products/{id}");
    assert_eq!(lines[1], "stage 1: at once, alone");
    assert_eq!(
        lines[2],
        "└─ order: GET /orders/{request.path.id} from order-service.default.svc.cluster.local, at most 5000 ms and 262144 \
         bytes, required; its body is read"
    );
    assert!(lines[5].starts_with("└─ details: GET /products/{line.product} from products.default.svc.cluster.local, for each of {order.body.items}, at most 16 and 2 at a time,"), "{}", lines[5]);
    assert!(lines[5].ends_with("its body is taken over unread"), "{}", lines[5]);
    assert_eq!(lines.len(), 8);
    let other = composer(&page(GRAPH)).explain(&TestRequest::post("/products/7").authority("shop").request());
    assert_eq!(other.candidates[0].reason, "takes GET /products/{id}: another method");
}
