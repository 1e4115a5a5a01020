//! Half-open connections: found again, bounded in space, due in order.

use core::net::SocketAddr;

use layer::boundary::{SocketId, TcpState};
use layer::{Duration, Instant};

use super::{Request, RequestKey, Requests};
use crate::conn::Ends;
use crate::conn::opening::{Opening, Origin, PeerSyn};
use crate::options::{Options, Timestamps};
use crate::seq::Seq;
use crate::table::Tuple;

const LISTENER: SocketId = SocketId(1);

fn tuple(n: u32) -> Tuple {
    Tuple {
        local: SocketAddr::from(([10, 9, 0, 2], 80)),
        remote: SocketAddr::from((n.to_be_bytes(), 4000)),
    }
}

fn peer() -> PeerSyn {
    let mut options = Options { mss: Some(1460), window_scale: Some(7), ..Options::default() };
    options.sack_permitted = true;
    options.timestamps = Some(Timestamps { value: 99, echo: 0 });
    PeerSyn { irs: Seq(5), window: 1000, options }
}

fn request(n: u32) -> Request {
    let Tuple { local, remote } = tuple(n);
    let ends = Ends { id: SocketId(0), local, remote, ttl: None, tos: 0 };
    let opening = Opening::new(
        TcpState::SynReceived,
        Origin::Passive(LISTENER),
        (Seq(n), 3),
        Some(peer()),
        1500,
        std::sync::Arc::default(),
        Instant::from_secs(1),
    );
    Request::new(LISTENER, &ends, &opening, peer())
}

fn filled(count: u32) -> (Requests, Vec<RequestKey>) {
    let mut requests = Requests::new([1; 16]);
    let keys = (0..count)
        .map(|n| {
            let key = requests.insert(request(n));
            requests.wait(key, Instant::from_secs(2));
            key
        })
        .collect();
    (requests, keys)
}

/// The price of a spoofed SYN. Linux's `request_sock` is about 300 bytes.
#[test]
fn one_takes_less_than_200_bytes() {
    let (requests, _) = filled(16_000);
    let each = requests.held_bytes() / requests.len();
    println!(
        "{each} bytes a half-open connection, {} of them the request itself",
        core::mem::size_of::<Request>()
    );
    assert!(each < 200, "{each} bytes");
}

#[test]
fn they_are_found_by_tuple_and_give_back_what_the_syn_said() {
    let (mut requests, keys) = filled(100);
    for n in 0..100 {
        assert_eq!(requests.find(&tuple(n)), Some(keys[n as usize]));
    }
    let opening = requests.get_mut(keys[9]).unwrap().opening(std::sync::Arc::default(), 3);
    assert_eq!((opening.iss, opening.mtu, opening.stamp_offset), (Seq(9), 1500, 3));
    let known = opening.peer.unwrap();
    assert_eq!((known.irs, known.window, known.options), (Seq(5), 1000, peer().options));
    requests.remove(keys[9]);
    assert_eq!((requests.find(&tuple(9)), requests.len()), (None, 99));
}

#[test]
fn the_rounds_keep_the_order_of_time() {
    let (mut requests, keys) = filled(2);
    let at = Instant::from_secs;
    assert_eq!(requests.next(), Some(at(2)));
    assert_eq!(requests.pop_due(at(1)), None);
    assert_eq!(requests.pop_due(at(2)), Some(keys[0]));
    let mut opening = requests.get_mut(keys[0]).unwrap().opening(std::sync::Arc::default(), 3);
    opening.retries = 1;
    requests.get_mut(keys[0]).unwrap().keep(&opening);
    requests.wait(keys[0], at(4));
    assert_eq!((requests.pop_due(at(4)), requests.pop_due(at(4))), (Some(keys[1]), Some(keys[0])));
    assert_eq!((requests.pop_due(at(9)), requests.next()), (None, None));
}

/// SYN, RST, SYN, RST ...: what is gone takes its place in the queue with it, sooner or later.
#[test]
fn entries_of_the_dead_do_not_pile_up() {
    let mut requests = Requests::new([1; 16]);
    for n in 0..100_000 {
        let key = requests.insert(request(n));
        requests.wait(key, Instant::from_secs(2) + Duration::from_nanos(n.into()));
        requests.remove(key);
    }
    assert_eq!(requests.len(), 0);
    assert!(requests.held_bytes() < 10_000, "{} bytes", requests.held_bytes());
}
