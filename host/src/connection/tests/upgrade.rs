use super::*;

const SWITCH: &str = "GET /switch HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

#[tokio::test]
async fn bytes_behind_a_request_to_upgrade_wait_for_the_101_and_are_raw_then() {
    let server = Server::start().await;
    for sent_at_once in [true, false] {
        let mut client = server.connect().await;
        if sent_at_once {
            client.send(format!("{SWITCH}\n\0\x01\x02\x03")).await;
        } else {
            client.send(SWITCH).await;
        }
        assert_eq!(statuses(&client.until("\r\n\r\n").await), [101]);
        if !sent_at_once {
            client.send("\n\0\x01\x02\x03").await;
        }
        assert_eq!(client.rest().await, "\n\0\x01\x02\x03");
    }
    assert_eq!(server.handled(), 2);
}

#[tokio::test]
async fn a_request_to_upgrade_that_is_declined_is_followed_by_the_next_request() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    let declined = SWITCH.replace("/switch", "/slow");
    client.send(format!("{declined}GET / HTTP/1.1\r\nHost: a\r\n\r\n")).await;
    client.until("slow").await;
    assert_eq!(statuses(&client.until("\r\n\r\n").await), [200]);
    client.send(&declined).await;
    client.until("slow").await;
    client.send("GET / HTTP/1.1\r\nHost: a\r\n\n").await;
    assert_eq!(statuses(&client.rest().await), [400]);
    assert_eq!(server.handled(), 3);
}

#[tokio::test]
async fn a_request_before_the_one_to_upgrade_does_not_answer_for_it() {
    let server = Server::start().await;
    let mut client = server.connect().await;
    client.send(format!("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n{SWITCH}hello")).await;
    assert_eq!(statuses(&client.until("slow").await), [200]);
    assert_eq!(statuses(&client.until("\r\n\r\n").await), [101]);
    assert_eq!(client.rest().await, "hello");
}

#[tokio::test]
async fn nobody_is_switched_who_did_not_ask_for_it() {
    let server = Server::start().await;
    for headers in ["", "Connection: upgrade\r\nUpgrade: h2c\r\n", "Upgrade: websocket\r\n"] {
        let answer = server.exchange(format!("GET /switch HTTP/1.1\r\nHost: a\r\n{headers}\r\n").as_bytes()).await;
        assert_eq!(statuses(&answer), [502], "{headers}");
    }
}
