//! Sockets under futures, with the smallest executor there is: a thread that parks.

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;
use std::thread::{self, Thread};

use super::super::{TcpListener, TcpStream, UdpSocket};
use super::{ANY, at, pattern, stacks};

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<R>(future: impl Future<Output = R>) -> R {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let (mut future, mut cx) = (pin!(future), Context::from_waker(&waker));
    loop {
        if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
            return done;
        }
        thread::park();
    }
}

async fn write_all(stream: &TcpStream, mut data: &[u8]) {
    while !data.is_empty() {
        let n = poll_fn(|cx| stream.poll_write(cx, data)).await.unwrap();
        data = &data[n..];
    }
}

#[test]
fn an_echo_by_futures_loses_no_wake_up() {
    let (client, server, _) = stacks();
    let listener = TcpListener::bind(&server, (ANY, 7)).unwrap();
    let serving = thread::spawn(move || {
        block_on(async {
            let (stream, _) = poll_fn(|cx| listener.poll_accept(cx)).await.unwrap();
            let mut buffer = vec![0; 50_000];
            loop {
                match poll_fn(|cx| stream.poll_read(cx, &mut buffer)).await.unwrap() {
                    0 => return,
                    n => write_all(&stream, &buffer[..n]).await,
                }
            }
        });
    });
    block_on(async {
        let stream = TcpStream::begin_connect(&client, at(7)).unwrap();
        poll_fn(|cx| stream.poll_connected(cx)).await.unwrap();
        let mut received = vec![0; 50_000];
        for i in 1..=300 {
            let sent = pattern(i * 150);
            write_all(&stream, &sent).await;
            let mut got = 0;
            while got < sent.len() {
                got += poll_fn(|cx| stream.poll_read(cx, &mut received[got..])).await.unwrap();
            }
            assert!(received[..got] == sent, "round {i}");
        }
    });
    serving.join().unwrap();
}

#[test]
fn several_tasks_may_wait_for_one_socket_and_give_up() {
    let (client, server, _) = stacks();
    let listener = TcpListener::bind(&server, (ANY, 7)).unwrap();
    let udp = UdpSocket::bind(&server, (ANY, 7)).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| block_on(listener.retry(|| listener.try_accept())).unwrap());
        }
        scope.spawn(|| {
            let mut buffer = [0; 9];
            block_on(udp.retry(|| udp.try_recv_from(&mut buffer))).unwrap();
        });
        // One that gives up leaves nothing behind.
        let mut impatient = listener.retry(|| listener.try_accept());
        let mut cx = Context::from_waker(Waker::noop());
        let early = core::pin::Pin::new(&mut impatient).poll(&mut cx).is_pending();
        drop(impatient);
        assert!(early, "nobody has connected yet");
        let _four: Vec<_> = (0..4).map(|_| TcpStream::connect(&client, at(7)).unwrap()).collect();
        UdpSocket::bind(&client, (ANY, 0)).unwrap().send_to(b"x", at(7)).unwrap();
    });
}
