//! The port.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::{FastClock, Front, serve};

/// Serves the example and gives what it answers to each request, head and body.
async fn answers(requests: &[String]) -> Vec<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("an address");
    let world = Arc::new(Mutex::new(World::example().expect("a world")));
    let server = tokio::spawn(serve(listener, Front::new(world), FastClock::start(1.0)));
    let mut answers = Vec::new();
    for request in requests {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answers.push(answer);
    }
    server.abort();
    answers
}

fn post(body: &str) -> String {
    let length = body.len();
    format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential={HOME}/20260601/us-east-1/ec2/aws4_request, Signature=x\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn the_api_is_served_with_the_headers_of_ec2() {
    let answers = answers(&[post("Action=DescribeImages&Owner.1=self")]).await;
    assert!(answers[0].starts_with("HTTP/1.1 200"), "{}", answers[0]);
    assert!(answers[0].contains("content-type: text/xml;charset=UTF-8"));
    let id = text(&answers[0], "requestId").expect("a request id");
    assert!(answers[0].contains(&format!("x-amzn-requestid: {id}")));
    assert!(answers[0].contains(GOLDEN));
}

#[tokio::test]
async fn calls_and_world_are_readable() {
    let requests = [
        post("Action=DescribeAddresses"),
        get("/_ec2sim/calls"),
        get("/_ec2sim/world"),
    ];
    let answers = answers(&requests).await;
    assert!(
        answers[1].contains("\"action\":\"DescribeAddresses\",\"outcome\":\"InvalidAction\""),
        "{}",
        answers[1]
    );
    assert!(answers[1].contains(&format!("\"accessKeyId\":\"{HOME}\"")));
    assert!(answers[2].contains(GOLDEN));
}

#[tokio::test]
async fn the_clock_can_be_advanced() {
    let advance =
        "POST /_ec2sim/clock?advance=3600 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let requests = [
        post("Action=DescribeRegions"),
        advance.to_owned(),
        post("Action=DescribeRegions"),
        get("/_ec2sim/calls"),
    ];
    let calls = answers(&requests).await.pop().expect("the calls");
    let (_, calls) = calls.split_once("\r\n\r\n").expect("a body");
    let calls: Vec<serde_json::Value> = serde_json::from_str(calls).expect("calls");
    let time = |call: &serde_json::Value| -> Timestamp {
        call["time"]
            .as_str()
            .expect("a time")
            .parse()
            .expect("a time")
    };
    let passed = time(&calls[1]).duration_since(time(&calls[0])).as_secs();
    assert!((3600..3660).contains(&passed), "{passed} s");
}
