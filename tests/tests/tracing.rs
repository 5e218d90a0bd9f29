//! Traces: what a collector is sent, what services are told, and that neither a collector nor its absence is felt by
//! requests.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use serde_json::{Value, json};
use sluicegate_tests::{Behaviour, Collector, Eventing, Options, Proxy, Request, Traced, Upstream, named, wait_until};
use std::path::Path;
use std::time::{Duration, Instant};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const KEPT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_KEPT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const SOON: Duration = Duration::from_secs(20);

const RETRIES: &str = "
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: shop}
spec:
  hosts: [shop]
  http:
    - name: stock
      route: [{destination: {host: shop}}]
      retries: {attempts: 2, retryOn: 5xx}
";

fn subscription() -> String {
    let delivery = "{retry: 3, backoffPolicy: linear, backoffDelay: PT0.05S}";
    let (channel, service) = ("orders-channel", "inventory-service");
    Eventing::new().subscription_with("orders-to-inventory", channel, service, "{}", delivery).to_string()
}

fn traced(options: Options, collector: &Collector) -> Options {
    options.argument("--trace-endpoint").argument(collector.url())
}

/// The manifests of the article, with a subscription.
fn article(order: &Upstream, inventory: &Upstream) -> Options {
    let manifests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/shop/manifests");
    let read = |file: &str| std::fs::read(manifests.join(file)).expect("the example has the manifest");
    let files = ["order-service.yaml", "orders-channel.yaml", "product-service.yaml"];
    let options = files.into_iter().fold(Options::new(), |options, file| options.manifest(file, read(file)));
    let options = options.manifest("subscription.yaml", subscription());
    let options = options.upstream("order-service:80", order.address());
    options.upstream("inventory-service:80", inventory.address())
}

fn children<'a>(spans: &'a [Traced], parent: &Traced) -> Vec<&'a Traced> {
    spans.iter().filter(|span| span.trace == parent.trace && span.parent == parent.id).collect()
}

fn metric(proxy: &Proxy, result: &str) -> u64 {
    let metrics = proxy.ask_admin("/metrics").text();
    let series = format!("sluicegate_trace_spans_total{{result=\"{result}\"}} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&series)?.parse().ok());
    value.expect("there is such a series")
}

#[test]
fn a_request_with_a_retry_is_a_tree_and_each_try_has_its_own_parent_id() {
    let (shop, collector) = (Upstream::statuses([503, 200]), Collector::start());
    let options = Options::new().manifest("route.yaml", RETRIES).upstream("shop", shop.address());
    let proxy = Proxy::start(traced(options, &collector));
    let request = Request::get("http://shop/stock?secret=1").header("traceparent", KEPT).header("tracestate", "a=1");
    assert_eq!(proxy.send(request).status, 200);
    let spans = collector.wait_for(4);
    let server = named(&spans, "GET stock");
    assert_eq!(
        (server.kind.as_str(), server.trace.as_str(), server.parent.as_str()),
        ("Server", TRACE, "00f067aa0ba902b7")
    );
    assert_eq!((server.attribute("url.path"), server.attribute("http.response.status_code")), ("/stock", "200"));
    assert_eq!((server.attribute("sluicegate.attempts"), server.failed), ("2", false));
    assert_eq!(server.resource["service.name"], "sluicegate");
    let filter = named(&spans, "filter router");
    let tries: Vec<_> = children(&spans, server).into_iter().filter(|span| span.kind == "Client").collect();
    assert_eq!((filter.parent.as_str(), tries.len()), (server.id.as_str(), 2), "{spans:#?}");
    assert_eq!((tries[0].attribute("error.type"), tries[0].failed), ("503", true));
    assert_eq!(tries[0].events, ["sluicegate.retry"]);
    assert_eq!((tries[1].attribute("http.request.resend_count"), tries[1].failed), ("1", false));
    for (span, request) in tries.iter().zip(shop.requests()) {
        assert_eq!(request.header("traceparent"), Some(format!("{}01", span.traceparent())));
        assert_eq!(request.header("tracestate").as_deref(), Some("a=1"));
    }
    assert!(!format!("{spans:?}").contains("secret"), "{spans:#?}");
}

#[test]
fn a_copy_of_a_request_is_below_it_too() {
    let (shop, shadow, collector) = (Upstream::start(), Upstream::with(Behaviour::status(500)), Collector::start());
    let route = RETRIES.replace("retries: {attempts: 2, retryOn: 5xx}", "mirror: {host: shadow}");
    let options = Options::new().manifest("route.yaml", route).upstream("shop", shop.address());
    let proxy = Proxy::start(traced(options.upstream("shadow", shadow.address()), &collector));
    assert_eq!(proxy.get("http://shop/").status, 200);
    let spans = collector.wait_for(4);
    let server = named(&spans, "GET stock");
    let tries = children(&spans, server).into_iter().filter(|span| span.kind == "Client");
    let mut tries: Vec<_> = tries.map(|span| (span.attribute("server.address"), span.failed)).collect();
    tries.sort_unstable();
    assert_eq!(
        tries,
        [("shadow.default.svc.cluster.local", true), ("shop.default.svc.cluster.local", false)],
        "{spans:#?}"
    );
}

#[test]
fn the_calls_of_a_composition_are_below_their_request_and_their_tries_below_them() {
    let order = Upstream::with(Behaviour::json(&json!({ "ordered": 3 })));
    let inventory = Upstream::with(Behaviour::status(500));
    let collector = Collector::start();
    let proxy = Proxy::start(traced(article(&order, &inventory), &collector));
    assert_eq!(proxy.get("http://product-service/products").status, 200);
    let server = |spans: &[Traced]| spans.iter().any(|span| span.kind == "Server");
    wait_until(SOON, || server(&collector.spans()));
    let spans = collector.spans();
    let server = spans.iter().find(|span| span.kind == "Server").expect("it is there");
    assert!(server.parent.is_empty() && server.name.starts_with("GET"), "{server:#?}");
    for (service, upstream, status) in [("order-service", &order, "200"), ("inventory-service", &inventory, "500")] {
        let call = named(&spans, &format!("call {service}"));
        assert_eq!((call.parent.as_str(), call.attribute("http.response.status_code")), (server.id.as_str(), status));
        let tries = children(&spans, call);
        assert_eq!(
            (tries.len(), tries[0].kind.as_str(), tries[0].failed),
            (1, "Client", status == "500"),
            "{spans:#?}"
        );
        let told = upstream.requests()[0].header("traceparent");
        assert_eq!(told, Some(format!("{}03", tries[0].traceparent())), "a new trace is kept, and its id random");
    }
}

#[test]
fn a_delivery_is_linked_to_the_publishing_span_and_the_subscriber_is_told_of_its_own() {
    let (order, inventory) = (Upstream::start(), Upstream::statuses([503, 200]));
    let collector = Collector::start();
    let proxy = Proxy::start(traced(article(&order, &inventory), &collector));
    let event = Request::post("http://orders-channel/", r#"{"product":"teapot"}"#)
        .header("ce-specversion", "1.0")
        .header("ce-id", "e-1")
        .header("ce-source", "/orders")
        .header("ce-type", "shop.order.placed")
        .header("content-type", "application/json");
    assert_eq!(proxy.send(event).status, 202);
    let deliveries = |spans: &[Traced]| spans.iter().filter(|span| span.kind == "Consumer").count();
    wait_until(SOON, || deliveries(&collector.spans()) == 2);
    let spans = collector.spans();
    let publish = named(&spans, "publish default/orders-channel");
    let server = spans.iter().find(|span| span.kind == "Server").expect("it is there");
    assert_eq!((publish.kind.as_str(), publish.parent.as_str()), ("Producer", server.id.as_str()));
    assert_eq!(publish.attribute("messaging.message.id"), "e-1");
    let deliveries: Vec<_> = spans.iter().filter(|span| span.kind == "Consumer").collect();
    let outcomes: Vec<_> = deliveries.iter().map(|span| (span.attribute("error.type"), span.failed)).collect();
    assert_eq!(outcomes, [("503", true), ("", false)]);
    for (delivery, request) in deliveries.into_iter().zip(inventory.requests()) {
        assert_eq!(delivery.links, [(publish.trace.clone(), publish.id.clone())]);
        assert!(delivery.parent.is_empty() && delivery.trace != publish.trace, "{delivery:#?}");
        let tries = children(&spans, delivery);
        assert_eq!(request.header("traceparent"), Some(format!("{}03", tries[0].traceparent())));
        assert_eq!(request.header("ce-traceparent"), Some(format!("{}03", publish.traceparent())));
    }
}

#[test]
fn a_request_that_is_not_kept_gives_its_ids_on_and_no_spans() {
    let (shop, collector) = (Upstream::start(), Collector::start());
    let options = Options::new().upstream("shop", shop.address()).argument("--trace-ratio").argument("0");
    let proxy = Proxy::start(traced(options, &collector));
    assert_eq!(proxy.send(Request::get("http://shop/first").header("traceparent", NOT_KEPT)).status, 200);
    assert_eq!(proxy.get("http://shop/second").status, 200);
    assert_eq!(proxy.send(Request::get("http://shop/third").header("traceparent", KEPT)).status, 200);
    let told: Vec<_> = shop.requests().iter().filter_map(|request| request.header("traceparent")).collect();
    assert!(told[0].starts_with(&NOT_KEPT[..36]) && told[0].ends_with("-00") && told[0] != NOT_KEPT, "{told:?}");
    assert!(told[1].ends_with("-02") && told[2].ends_with("-01"), "{told:?}");
    let spans = collector.wait_for(2);
    assert!(spans.iter().all(|span| span.trace == TRACE), "{spans:#?}");
    let server: Vec<_> = spans.iter().filter(|span| span.kind == "Server").collect();
    assert_eq!((server.len(), server[0].attribute("url.path")), (1, "/third"));
}

#[test]
fn the_access_record_names_the_trace() {
    let (shop, collector) = (Upstream::start(), Collector::start());
    let proxy = Proxy::start(traced(Options::new().upstream("shop", shop.address()), &collector));
    assert_eq!(proxy.send(Request::get("http://shop/named").header("traceparent", KEPT)).status, 200);
    let line = proxy.wait_for_log("/named", SOON);
    let record: Value = serde_json::from_str(&line).expect("a record is JSON");
    let spans = collector.wait_for(2);
    let server = spans.iter().find(|span| span.kind == "Server").expect("it is there");
    assert_eq!((&record["trace_id"], &record["span_id"]), (&json!(TRACE), &json!(server.id)));
    assert_eq!(record["trace_flags"], "01");
}

#[test]
fn without_traces_the_headers_of_requests_pass_as_they_came() {
    let shop = Upstream::start();
    let proxy = Proxy::start(Options::new().upstream("shop", shop.address()));
    let request = Request::get("http://shop/").header("traceparent", "odd").header("tracestate", "A=,");
    assert_eq!(proxy.send(request).status, 200);
    assert_eq!(proxy.get("http://shop/").status, 200);
    let requests = shop.requests();
    assert_eq!(requests[0].header("traceparent").as_deref(), Some("odd"));
    assert_eq!(requests[0].header("tracestate").as_deref(), Some("A=,"));
    assert_eq!((requests[1].header("traceparent"), requests[1].header("tracestate")), (None, None));
    assert!(!proxy.ask_admin("/metrics").text().contains("sluicegate_trace_spans"));
}

#[test]
fn a_collector_that_is_gone_costs_spans_and_no_request() {
    let shop = Upstream::start();
    let nobody =
        std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a port is free").local_addr().expect("it has one");
    let options = Options::new().upstream("shop", shop.address());
    let mut proxy = Proxy::start(options.argument("--trace-endpoint").argument(format!("http://{nobody}")));
    let mut client = proxy.connect();
    let began = Instant::now();
    while metric(&proxy, "dropped") == 0 {
        assert!(began.elapsed() < Duration::from_mins(1), "the queue is bounded");
        for _ in 0..500 {
            assert_eq!(client.send(Request::get("http://shop/")).expect("it is answered").status, 200);
        }
    }
    assert_eq!(proxy.log().matches("spans are not exported").count(), 1, "it is said once");
    drop(client);
    let began = Instant::now();
    proxy.terminate();
    assert!(proxy.wait_for_end(Duration::from_secs(15)).success());
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_collector_that_refuses_spans_is_counted() {
    let (shop, collector) = (Upstream::start(), Collector::with(Behaviour::status(400)));
    let proxy = Proxy::start(traced(Options::new().upstream("shop", shop.address()), &collector));
    assert_eq!(proxy.get("http://shop/").status, 200);
    wait_until(SOON, || metric(&proxy, "failed") == 2);
    assert_eq!((metric(&proxy, "exported"), collector.exports().len()), (0, 1));
}

#[test]
fn what_waits_is_sent_when_the_proxy_ends() {
    let (shop, collector) = (Upstream::start(), Collector::start());
    let mut proxy = Proxy::start(traced(Options::new().upstream("shop", shop.address()), &collector));
    for _ in 0..10 {
        assert_eq!(proxy.get("http://shop/").status, 200);
    }
    proxy.terminate();
    assert!(proxy.wait_for_end(SOON).success());
    assert_eq!(collector.spans().iter().filter(|span| span.kind == "Server").count(), 10);
}

#[test]
fn the_environment_says_where_traces_go_as_for_every_program() {
    let (shop, collector) = (Upstream::start(), Collector::start());
    let options = Options::new()
        .upstream("shop", shop.address())
        .environment("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url())
        .environment("OTEL_EXPORTER_OTLP_HEADERS", "x-key=a%20secret")
        .environment("OTEL_SERVICE_NAME", "edge")
        .environment("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test");
    let proxy = Proxy::start(options);
    assert_eq!(proxy.get("http://shop/").status, 200);
    let spans = collector.wait_for(2);
    assert_eq!(spans[0].resource["service.name"], "edge");
    assert_eq!(spans[0].resource["deployment.environment.name"], "test");
    assert_eq!(collector.exports()[0].header("x-key").as_deref(), Some("a secret"));
    assert!(!proxy.log().contains("a secret"));
}
