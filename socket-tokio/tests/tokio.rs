//! Sockets of two stacks joined by a cable, under tokio, and axum on one of them.

#![expect(clippy::unwrap_used, reason = "helpers of tests count as no test")]

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Path};
use axum::routing::get;
use link::cable;
use socket_tokio::{PeerAddr, TcpListener, TcpStream, UdpSocket};
use stackd::{Acd, Interface, Pipeline, Stack};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const A: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
const B: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 2);

fn stack(device: link::Device, address: Ipv4Addr) -> Stack {
    let interface = Interface::device(device).address(format!("{address}/24").parse().unwrap());
    let builder = Stack::builder().interface(interface).acd(Acd::Off);
    builder.pipeline(Pipeline::Inline).start().unwrap()
}

fn stacks() -> (Stack, Stack) {
    let (a, b) = cable::pair(cable::Options::default()).unwrap();
    (stack(a, A), stack(b, B))
}

fn pattern(n: usize) -> Vec<u8> {
    (0..n as u64).map(|i| (i.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn megabytes_are_echoed_by_halves_in_two_tasks() {
    let (a, b) = stacks();
    let listener = TcpListener::bind(b.sockets(), (B, 7)).await.unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, peer) = listener.accept().await.unwrap();
        assert_eq!(peer.ip(), A);
        let mut buffer = vec![0; 40_000];
        loop {
            match stream.read(&mut buffer).await.unwrap() {
                0 => return stream.shutdown().await.unwrap(),
                n => stream.write_all(&buffer[..n]).await.unwrap(),
            }
        }
    });
    let stream = TcpStream::connect(a.sockets(), (B, 7)).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let sent = pattern(3_000_000);
    let sending = sent.clone();
    // Dropping the writing half is the end of it.
    tokio::spawn(async move { write.write_all(&sending).await.unwrap() });
    let mut received = Vec::new();
    read.read_to_end(&mut received).await.unwrap();
    assert!(received == sent);
    serving.await.unwrap();
}

#[tokio::test]
async fn errors_are_those_of_std_and_a_listener_wakes_many_tasks() {
    let (a, b) = stacks();
    let refused = TcpStream::connect(a.sockets(), (B, 9)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let listener = Arc::new(TcpListener::bind(b.sockets(), (B, 7)).await.unwrap());
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let listener = Arc::clone(&listener);
            tokio::spawn(async move { listener.accept().await.unwrap().0 })
        })
        .collect();
    for task in tasks {
        let stream = TcpStream::connect(a.sockets(), (B, 7)).await.unwrap();
        stream.send_bytes(b"hello"[..].into()).await.unwrap();
        drop(stream);
        let stream = task.await.unwrap();
        stream.readable().await.unwrap();
        assert_eq!(stream.recv_chunk().await.unwrap(), &b"hello"[..]);
        assert!(stream.recv_chunk().await.unwrap().is_empty(), "the end");
    }
    let waiting = tokio::spawn(async move { listener.accept().await.unwrap_err().kind() });
    tokio::task::yield_now().await;
    b.shutdown();
    assert_eq!(waiting.await.unwrap(), ErrorKind::NetworkDown);
}

#[tokio::test]
async fn datagrams_go_both_ways() {
    let (a, b) = stacks();
    let server = UdpSocket::bind(b.sockets(), (B, 7)).await.unwrap();
    let client = UdpSocket::bind(a.sockets(), (A, 0)).await.unwrap();
    client.connect((B, 7)).await.unwrap();
    client.send(b"question").await.unwrap();
    let mut buffer = [0; 20];
    let (n, from) = server.recv_from(&mut buffer).await.unwrap();
    assert_eq!((&buffer[..n], from), (&b"question"[..], client.local_addr().unwrap()));
    server.send_to(b"answer", from).await.unwrap();
    assert_eq!(client.recv(&mut buffer).await.unwrap(), 6);
    assert_eq!(client.peer_addr().unwrap(), (B, 7).into());
}

async fn greet(Path(name): Path<String>, from: ConnectInfo<PeerAddr>) -> String {
    let ConnectInfo(PeerAddr(peer)) = from;
    format!("hello, {name} at {}", peer.ip())
}

#[tokio::test]
async fn axum_serves_on_the_stack() {
    let (a, b) = stacks();
    let listener = TcpListener::bind(b.sockets(), (B, 80)).await.unwrap();
    let app = Router::new().route("/{name}", get(greet));
    let app = app.into_make_service_with_connect_info::<PeerAddr>();
    tokio::spawn(async move { axum::serve(listener, app).await });
    for name in ["reader", "writer"] {
        let mut stream = TcpStream::connect(a.sockets(), (B, 80)).await.unwrap();
        let request = format!("GET /{name} HTTP/1.1\r\nHost: b\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.ends_with(&format!("\r\n\r\nhello, {name} at {A}")), "{answer}");
    }
}
