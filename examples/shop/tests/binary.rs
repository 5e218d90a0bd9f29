//! The program as a whole.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

#[test]
fn it_prints_where_each_service_listens_and_ends_on_sigterm() {
    let mut shop = Command::new(env!("CARGO_BIN_EXE_shop"))
        .args(["--order", "127.0.0.1:0", "--inventory", "127.0.0.1:0", "--product", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let lines = BufReader::new(shop.stdout.take().expect("its output")).lines().take(3);
    let lines: Vec<String> = lines.map(|line| line.expect("a line")).collect();
    for (line, name) in lines.iter().zip(["order-service", "inventory-service", "product-service"]) {
        let address = line.strip_prefix(&format!("{name} http://")).expect("a name and an address");
        let mut stream = TcpStream::connect(address).expect("it listens there");
        let request = format!("GET /products HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains(&format!("\"service\":\"{name}\"")), "{answer}");
    }
    assert_eq!(lines.len(), 3);
    let told = Command::new("kill").args(["-TERM", &shop.id().to_string()]).status().expect("kill runs");
    assert!(told.success());
    assert!(shop.wait().expect("it ends").success());
}

#[test]
fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_shop"))
        .args(["--order", "127.0.0.1:0", "--inventory", &address, "--product", "127.0.0.1:0"])
        .output()
        .expect("it runs");
    assert!(!output.status.success());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains(&format!("inventory-service cannot listen on {address}")), "{errors}");
    assert!(output.stdout.is_empty(), "no address is printed before all are bound");
}
