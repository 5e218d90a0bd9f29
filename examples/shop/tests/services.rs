//! The three services over real connections.
#![allow(clippy::expect_used, reason = "a test may fail where it stands")]

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use sluicegate_shop::{InventoryService, OrderService, ProductService, Service, serve};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A running service; it ends when this is dropped.
struct Running {
    address: SocketAddr,
    /// Never sent to.
    #[allow(dead_code, reason = "held for the service, which ends without it")]
    stop: watch::Sender<bool>,
}

/// What came back.
struct Answer {
    status: StatusCode,
    headers: http::HeaderMap,
    json: Value,
}

async fn run(service: impl Service) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(serve(listener, Arc::new(service), stopped));
    Running { address, stop }
}

impl Running {
    async fn send(&self, request: Request<Full<Bytes>>) -> Answer {
        let stream = TcpStream::connect(self.address).await.expect("a connection");
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.expect("a handshake");
        tokio::spawn(connection);
        let (head, body) = sender.send_request(request).await.expect("an answer").into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        let json = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") };
        Answer { status: head.status, headers: head.headers, json }
    }

    async fn get(&self, path: &str) -> Answer {
        self.send(request("GET", path).body(Full::default()).expect("a request")).await
    }

    async fn write(&self, method: &str, path: &str, value: Value) -> Answer {
        self.send(request(method, path).body(Full::from(value.to_string())).expect("a request")).await
    }

    async fn place(&self, id: &str, data: Value) -> Answer {
        let event = request("POST", "/events")
            .header("ce-specversion", "1.0")
            .header("ce-type", "shop.order.placed")
            .header("ce-source", "/orders")
            .header("ce-id", id)
            .header("content-type", "application/json");
        self.send(event.body(Full::from(data.to_string())).expect("a request")).await
    }

    async fn stock(&self, product: &str) -> Value {
        self.get("/orders").await.json["stock"][product].clone()
    }
}

fn request(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("host", "shop")
}

#[tokio::test]
async fn an_order_is_taken_listed_and_counted() {
    let order = run(OrderService::default()).await;
    let before = order.get("/products").await.json["products"]["teapot"]["ordered"].as_u64().expect("a number");
    let placed = order.write("POST", "/orders", json!({"product": "teapot", "quantity": 2})).await;
    assert_eq!(placed.status, StatusCode::CREATED);
    let location = placed.headers["location"].to_str().expect("text").to_owned();
    assert_eq!(order.get(&location).await.json, placed.json);
    let listed = order.get("/orders").await.json;
    assert_eq!(listed["orders"].as_array().expect("a list").last(), Some(&placed.json));
    assert_eq!(order.get("/products").await.json["products"]["teapot"]["ordered"], before + 2);
}

#[tokio::test]
async fn an_order_that_makes_no_sense_is_refused() {
    let order = run(OrderService::default()).await;
    let refused = [
        (json!({"product": "teapot", "quantity": 0}), 422),
        (json!({"product": "", "quantity": 1}), 422),
        (json!({"product": "x".repeat(101), "quantity": 1}), 422),
        (json!({"product": "teapot", "quantity": -1}), 400),
        (json!("teapot"), 400),
    ];
    for (wanted, status) in refused {
        assert_eq!(order.write("POST", "/orders", wanted.clone()).await.status, status, "{wanted}");
    }
    assert_eq!(order.get("/orders").await.json["orders"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn an_order_event_reserves_stock_and_is_replied_to() {
    let inventory = run(InventoryService::default()).await;
    let reply = inventory.place("1", json!({"product": "teapot", "quantity": 2})).await;
    assert_eq!((reply.status, reply.headers["ce-type"].as_bytes()), (StatusCode::OK, &b"shop.stock.reserved"[..]));
    assert_eq!(reply.json, json!({"product": "teapot", "left": 10}));
    let orders = inventory.get("/orders").await.json;
    assert_eq!(orders["orders"], json!([{"order": "1", "product": "teapot", "quantity": 2}]));
    assert_eq!(orders["stock"]["teapot"], 10);
    assert_eq!(inventory.get("/products").await.json["products"]["teapot"]["stock"], 10);
}

#[tokio::test]
async fn an_event_that_comes_again_changes_nothing_and_gets_the_same_reply() {
    let inventory = run(InventoryService::default()).await;
    let first = inventory.place("1", json!({"product": "teapot", "quantity": 2})).await;
    let again = inventory.place("1", json!({"product": "teapot", "quantity": 2})).await;
    assert_eq!((again.json, &again.headers["ce-id"]), (first.json, &first.headers["ce-id"]));
    assert_eq!(inventory.stock("teapot").await, 10);
    inventory.place("2", json!({"product": "teapot", "quantity": 2})).await;
    assert_eq!(inventory.stock("teapot").await, 8, "another id is another order");
}

#[tokio::test]
async fn stock_that_is_not_there_is_not_reserved() {
    let inventory = run(InventoryService::default()).await;
    let wishes = [json!({"product": "teapot", "quantity": 13}), json!({"product": "samovar", "quantity": 1})];
    for (id, wish) in ["1", "2"].into_iter().zip(wishes) {
        let reply = inventory.place(id, wish).await;
        assert_eq!((reply.status, reply.headers["ce-type"].as_bytes()), (StatusCode::OK, &b"shop.stock.refused"[..]));
    }
    assert_eq!(inventory.stock("teapot").await, 12);
}

#[tokio::test]
async fn a_structured_event_counts_like_a_binary_one() {
    let inventory = run(InventoryService::default()).await;
    let event = json!({"specversion": "1.0", "type": "shop.order.placed", "source": "/orders", "id": "1",
        "data": {"product": "cup", "quantity": 20}});
    let structured = request("POST", "/").header("content-type", "application/cloudevents+json; charset=utf-8");
    let reply = inventory.send(structured.body(Full::from(event.to_string())).expect("a request")).await;
    assert_eq!((reply.status, inventory.stock("cup").await), (StatusCode::OK, json!(100)));
}

#[tokio::test]
async fn what_is_no_event_is_refused_and_other_events_are_ignored() {
    let inventory = run(InventoryService::default()).await;
    assert_eq!(inventory.write("POST", "/events", json!({})).await.status, StatusCode::BAD_REQUEST);
    assert_eq!(inventory.place("1", json!({"product": "teapot"})).await.status, StatusCode::BAD_REQUEST);
    let other = json!({"specversion": "1.0", "type": "shop.closed", "source": "/shop", "id": "1"});
    let structured = request("POST", "/").header("content-type", "application/cloudevents+json");
    let ignored = inventory.send(structured.body(Full::from(other.to_string())).expect("a request")).await;
    assert_eq!((ignored.status, inventory.stock("teapot").await), (StatusCode::ACCEPTED, json!(12)));
}

#[tokio::test]
async fn products_are_described() {
    let product = run(ProductService::default()).await;
    let text = json!({"description": "For a long evening"});
    assert_eq!(product.write("PUT", "/products/samovar", text.clone()).await.status, StatusCode::CREATED);
    assert_eq!(product.write("PUT", "/products/samovar", text.clone()).await.status, StatusCode::OK);
    assert_eq!(product.get("/products/samovar").await.json, text);
    assert_eq!(product.get("/products").await.json["products"]["samovar"], text);
    assert_eq!(product.get("/products/kettle").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn other_paths_and_methods_are_answered_as_such() {
    let (order, inventory, product) = (
        run(OrderService::default()).await,
        run(InventoryService::default()).await,
        run(ProductService::default()).await,
    );
    for service in [&order, &inventory, &product] {
        assert_eq!(service.get("/nothing").await.status, StatusCode::NOT_FOUND);
    }
    assert_eq!(order.write("DELETE", "/orders", json!(null)).await.headers["allow"], "GET, HEAD, POST");
    assert_eq!(inventory.get("/events").await.headers["allow"], "POST");
    assert_eq!(product.write("POST", "/products", json!(null)).await.headers["allow"], "GET, HEAD");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let order = run(OrderService::default()).await;
    let answer = order.write("POST", "/orders", json!("x".repeat(70_000))).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_service_fails_when_its_name_is_asked_to() {
    let order = run(OrderService::default()).await;
    assert_eq!(order.get("/products?fail=order-service").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(order.get("/products?fail=inventory-service").await.status, StatusCode::OK);
}
