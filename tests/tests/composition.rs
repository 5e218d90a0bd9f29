//! Compositions of the real proxy: the example, precedence over routes, and a broken document that never takes effect.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use sluicegate_tests::{Behaviour, Client, Directory, Options, Proxy, Request, Upstream, sluice, wait_until};
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// How long to wait for a change, on a busy machine.
const SOON: Duration = Duration::from_secs(15);

const PAGE: &str = "\
apiVersion: sluicegate.dev/v1alpha1
kind: Composition
metadata:
  name: page
spec:
  hosts: [shop]
  path: /products/{id}
  calls:
    product:
      service: products
      path: /items/{request.path.id}
    stock:
      service: stock
      path: /stock/{product.body.sku}
      default: {left: 0}
  response:
    body:
      product: \"{product.body}\"
      left: \"{stock.body.left}\"
      errors: \"{errors}\"
";

const PARTS: &str = "\
apiVersion: sluicegate.dev/v1alpha1
kind: Composition
metadata:
  name: parts
spec:
  hosts: [shop]
  path: /parts
  calls:
    one: {service: products, path: /one}
    two: {service: stock, path: /two}
";

const ROUTE: &str = "\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: shop
spec:
  hosts: [shop]
  http:
  - route:
    - destination: {host: stock}
";

fn shop(products: &Upstream, stock: &Upstream) -> Options {
    Options::new().upstream("products", products.address()).upstream("stock", stock.address())
}

#[test]
fn calls_wait_for_what_they_use_and_a_default_stands_in() {
    let products = Upstream::with(Behaviour::json(&json!({"sku": "a/1", "name": "cup"})));
    let stock = Upstream::with(Behaviour::json(&json!({"left": 9})));
    let proxy = Proxy::start(shop(&products, &stock).manifest("page.yaml", PAGE));
    let answer = proxy.get("http://shop/products/tea%20pot");
    assert_eq!((answer.status, answer.json()), (200, json!({"product": {"sku": "a/1", "name": "cup"}, "left": 9})));
    assert_eq!(products.requests()[0].target, "/items/tea%20pot");
    assert_eq!(stock.requests()[0].target, "/stock/a%2F1");
    let broken = Upstream::with(Behaviour::Reset);
    let proxy = Proxy::start(shop(&products, &broken).manifest("page.yaml", PAGE));
    let without = proxy.get("http://shop/products/7").json();
    assert_eq!(without["left"], 0);
    assert!(without["errors"]["stock"]["error"].is_string(), "{without}");
}

#[test]
fn a_long_page_is_passed_on_whole() {
    let page = "x".repeat(70_000);
    let headers = vec![("content-type".to_owned(), "text/html".to_owned())];
    let products = Upstream::with(Behaviour::Answer { status: 404, headers, body: page.clone().into() });
    let path = "path: /items/{request.path.id}";
    let manifest = PAGE.replace(path, &format!("{path}\n      passOn: [404]"));
    let proxy = Proxy::start(shop(&products, &products).manifest("page.yaml", manifest.as_str()));
    let answer = proxy.get("http://shop/products/7");
    assert_eq!((answer.status, answer.header("content-type")), (404, Some("text/html")));
    assert_eq!(answer.text(), page);
    let small = manifest.replace(path, &format!("{path}\n      maxBody: 1000"));
    let proxy = Proxy::start(shop(&products, &products).manifest("page.yaml", small));
    assert_eq!(proxy.get("http://shop/products/7").status, 502);
}

#[test]
fn the_filter_is_asked_again_only_where_the_answer_is_not_the_expected_one() {
    let products = Upstream::with(Behaviour::json(&json!({"sku": 1})));
    let stock = |behaviour| {
        let stock = Upstream::with(behaviour);
        let proxy = Proxy::start(shop(&products, &stock).manifest("parts.yaml", PARTS));
        let answer = proxy.get("http://shop/parts");
        let metrics = proxy.ask_admin("/metrics").text();
        let asked = metrics.lines().any(|line| {
            line.starts_with("sluicegate_filter_calls_total")
                && line.contains("filter=\"composer\"")
                && line.contains("phase=\"gathered\"")
                && !line.ends_with(" 0")
        });
        (answer, asked)
    };
    let good = json!({"left": 9});
    let whole = json!({"one": {"sku": 1}, "two": good.clone()});
    let (expected, asked) = stock(Behaviour::json(&good));
    assert_eq!((expected.status, expected.json(), asked), (200, whole.clone(), false));
    assert_eq!(expected.header("cache-control"), Some("no-store"));
    assert_eq!(expected.header("content-length"), Some(whole.to_string().len().to_string().as_str()));
    let headers = vec![("set-cookie".to_owned(), "a=b".to_owned())];
    let (cookie, asked) = stock(Behaviour::Answer { status: 200, headers, body: good.to_string().into() });
    assert_eq!((cookie.json(), cookie.header("set-cookie"), asked), (whole, Some("a=b"), true));
    let (failed, asked) = stock(Behaviour::text("no JSON"));
    assert_eq!((failed.status, asked), (502, true));
}

const PLACES: &str = "\
apiVersion: sluicegate.dev/v1alpha1
kind: Composition
metadata:
  name: places
spec:
  hosts: [shop]
  path: /places/{id}
  calls:
    one:
      service: products
      path: /a/{request.path.id}/b
      query: {q: \"{request.query.q}\"}
      headers: {x-q: \"{request.query.q}\"}
    each:
      forEach: \"{one.body}\"
      limit: 3
      service: stock
      path: /{item}
      optional: true
  response:
    body: {errors: \"{errors}\"}
";

#[test]
fn a_value_of_a_request_stays_in_its_place() {
    let products = Upstream::with(Behaviour::json(&json!([])));
    let stock = Upstream::start();
    let proxy = Proxy::start(shop(&products, &stock).manifest("places.yaml", PLACES));
    assert_eq!(proxy.get("http://shop/places/..%2F%3Fx=1%23?q=a%26b%3D%7Bone.body%7D").status, 200);
    let seen = products.requests().pop().expect("it arrived");
    assert_eq!(seen.target, "/a/..%2F%3Fx%3D1%23/b?q=a%26b%3D%7Bone.body%7D");
    assert_eq!(seen.header("x-q").as_deref(), Some("a&b={one.body}"));
    for (id, q) in [("%2e%2e", "1"), ("7", "1%0d%0ax-evil:%201"), ("%2E", "1")] {
        let answer = proxy.get(&format!("http://shop/places/{id}?q={q}"));
        assert!(answer.status >= 400, "{id} {q}: {}", answer.text());
    }
    assert_eq!(products.arrived(), 1, "what would leave its place makes no call");
}

#[test]
fn a_list_of_a_service_makes_no_more_calls_than_its_limit() {
    let products = Upstream::with(Behaviour::json(&json!([1, 2, 3, 4])));
    let stock = Upstream::start();
    let proxy = Proxy::start(shop(&products, &stock).manifest("places.yaml", PLACES));
    let answer = proxy.get("http://shop/places/7?q=1").json();
    assert_eq!((&answer["errors"]["each"]["error"], stock.arrived()), (&json!("too-many"), 0));
}

#[test]
fn bodies_that_nothing_looks_into_are_taken_over_byte_for_byte() {
    let long = format!("[{}]", vec!["1.50"; 100_000].join(" , "));
    let products = Upstream::with(Behaviour::Answer { status: 200, headers: Vec::new(), body: long.clone().into() });
    let stock = Upstream::with(Behaviour::json(&json!({"left": 9})));
    let proxy = Proxy::start(shop(&products, &stock).manifest("parts.yaml", PARTS));
    let answer = proxy.get("http://shop/parts");
    assert_eq!(answer.status, 502, "larger than a part may be: {}", answer.text());
    let proxy = Proxy::start(
        shop(&products, &stock).manifest("parts.yaml", PARTS.replace("path: /one", "path: /one, maxBody: 1000000")),
    );
    let answer = proxy.get("http://shop/parts");
    assert_eq!((answer.status, answer.text()), (200, format!("{{\"one\":{long},\"two\":{{\"left\":9}}}}")));
}

#[test]
fn a_composition_comes_before_the_routes_of_its_host() {
    let products = Upstream::with(Behaviour::json(&json!({"sku": "1"})));
    let stock = Upstream::with(Behaviour::json(&json!({"left": 9})));
    let options = shop(&products, &stock).manifest("page.yaml", PAGE).manifest("route.yaml", ROUTE);
    let proxy = Proxy::start(options);
    assert_eq!(proxy.get("http://shop/products/7").json()["left"], 9);
    assert_eq!(proxy.get("http://shop/elsewhere").json(), json!({"left": 9}), "the route takes what is left");
    let filters = proxy.ask_admin("/filters").json();
    let composers = filters.as_array().expect("a list").iter().filter(|filter| filter["name"] == "composer");
    assert_eq!(composers.count(), 1, "two places in the chain are one filter: {filters}");
}

#[test]
fn a_broken_document_is_refused_at_its_place_and_the_running_one_stays() {
    let products = Upstream::with(Behaviour::json(&json!({"sku": "1"})));
    let stock = Upstream::with(Behaviour::json(&json!({"left": 9})));
    let proxy = Proxy::start(shop(&products, &stock).manifest("page.yaml", PAGE));
    assert_eq!(proxy.get("http://shop/products/7").json()["left"], 9);
    proxy.manifests().replace("page.yaml", PAGE.replace("{product.body.sku}", "{prodct.body.sku}"));
    proxy.wait_for_log("SG0313", SOON);
    let log = proxy.log();
    assert!(log.contains("page.yaml:14:13"), "{log}");
    assert_eq!(proxy.get("http://shop/products/7").json()["left"], 9);
    proxy.manifests().replace("page.yaml", PAGE.replace("left: \"{stock.body.left}\"", "rest: \"{stock.body.left}\""));
    wait_until(SOON, || proxy.get("http://shop/products/7").json()["rest"] == 9);
}

#[test]
fn check_and_explain_show_the_plan() {
    let directory = Directory::new();
    directory.write("page.yaml", PAGE);
    let mut explain = Command::new(sluice());
    explain.args(["explain", "http://shop/products/7", "--manifests"]).arg(directory.path());
    let explained = explain.output().expect("it runs");
    let said = String::from_utf8_lossy(&explained.stdout).into_owned();
    for part in ["Composition default/page", "stage 1", "product: ", "/items/{request.path.id}"] {
        assert!(said.contains(part.trim_end_matches(": ")), "{part} is missing in {said}");
    }
    directory.write("page.yaml", PAGE.replace("path: /stock/{product.body.sku}", "path: /stock/{stock.body.sku}"));
    let checked = Command::new(sluice()).arg("check").arg(directory.path()).output().expect("it runs");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(!checked.status.success() && said.contains("SG0315"), "{said}");
    directory.write("page.yaml", PAGE.replace("{product.body.sku}", "{prodct.body.sku}"));
    let checked = Command::new(sluice()).arg("check").arg(directory.path()).output().expect("it runs");
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(said.contains("page.yaml:14:13") && said.contains("did you mean `product`?"), "{said}");
}

/// The example, running. Dropping it ends it.
struct Example {
    child: Child,
    directory: Directory,
}

impl Example {
    fn start() -> Self {
        let directory = Directory::new();
        let program = sluice().with_file_name("product-page");
        let mut command = Command::new(program);
        command.args(["--listen", "127.0.0.1:0"]).stdin(Stdio::null());
        command.stdout(File::create(directory.file("out")).expect("a file can be written"));
        let example = Self { child: command.spawn().expect("it is built"), directory };
        wait_until(Duration::from_mins(1), || example.guide().contains("Ctrl-C ends it all"));
        example
    }

    fn guide(&self) -> String {
        fs::read_to_string(self.directory.file("out")).unwrap_or_default()
    }

    fn address(&self) -> SocketAddr {
        let guide = self.guide();
        let (_, rest) = guide.split_once("'http://").expect("a command with the address");
        rest.split('/').next().and_then(|address| address.parse().ok()).expect("an address")
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process has a number");
        // It ends its own proxy then.
        let _ = kill_process(pid, Signal::TERM);
        let _ = self.child.wait();
    }
}

#[test]
fn the_example_does_what_its_readme_says() {
    let example = Example::start();
    let get = |url: &str| Client::connect(example.address()).send(Request::get(url)).expect("it answers");
    let page = get("http://product-page/products/teapot");
    let value = page.json();
    assert_eq!((page.status, &value["description"], &value["stock"]), (200, &json!("Short and stout"), &json!(12)));
    assert_eq!(value["reviews"]["from"], "reviews-service");
    assert!(value.get("errors").is_none() && page.header("etag").is_some(), "{value}");
    let archived = get("http://product-page/products/teapot?fail=reviews-service").json();
    assert_eq!(archived["reviews"]["from"], "reviews-archive");
    assert_eq!(archived["errors"]["reviews"]["status"], 503);
    let without = get("http://product-page/products/cup?fail=inventory-service").json();
    assert_eq!((&without["stock"], &without["price"]), (&json!("unknown"), &json!(null)));
    assert_eq!(get("http://product-page/products/spoon").status, 404);
    let list = get("http://product-page/products").json();
    let teapot = list["products"].as_array().expect("a list").iter().find(|product| product["id"] == "teapot");
    let teapot = teapot.expect("there are teapots");
    assert_eq!((&teapot["stock"], teapot["orders"]["ordered"].is_number()), (&json!(12), true));
    let by_filter = get("http://product-filter/products").json();
    assert_eq!(by_filter["products"]["teapot"]["stock"], 12);
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/product-page/README.md");
    let readme = fs::read_to_string(readme).expect("there is a README");
    for command in example.guide().lines().filter(|line| line.starts_with("curl")) {
        let path = command.split(&example.address().to_string()).nth(1).expect("a path").trim_end_matches('\'');
        assert!(readme.contains(path), "{path} is not in the README");
    }
}
