//! What runs out is refused with an errno, and comes back when it is released.

mod world;

use socket::{Errno, Kind};
use world::{A, B, World, at, config};

/// socket(2), EMFILE: "the per-process limit on the number of open file descriptors".
#[test]
fn too_many_sockets_are_refused_and_come_back() {
    let mut config = config(A);
    config.hub.max_sockets = 3;
    let mut world = World::of([config, world::config(B)]);
    let now = world.now;
    let ids = [0; 3].map(|_| world.a().socket(Kind::Tcp).expect("a socket"));
    for _ in 0..3 {
        assert_eq!(world.a().socket(Kind::Udp), Err(Errno::MFILE));
    }
    world.a().close(now, ids[1]).expect("closes");
    assert!(world.a().socket(Kind::Udp).is_ok());
    assert_eq!(world.a().socket(Kind::Tcp), Err(Errno::MFILE));
}

/// connect(2), EADDRNOTAVAIL: "all port numbers in the ephemeral port range are currently in use";
/// bind(2), EADDRINUSE for the same.
#[test]
fn ephemeral_ports_run_out_and_come_back() {
    let mut config = config(A);
    config.tcp.ephemeral_ports = (50_000, 50_003);
    let mut world = World::of([config, world::config(B)]);
    world.listen(80);
    let ids = [0; 4].map(|_| world.connect(80));
    world.run(100);
    let now = world.now;
    for id in ids {
        assert_eq!(world.a().completed(now, id), Ok(()));
    }
    let fifth = world.a().socket(Kind::Tcp).expect("a socket");
    assert_eq!(world.a().connect_socket(now, fifth, at(B, 80)), Err(Errno::ADDRNOTAVAIL));
    assert_eq!(world.a().bind(now, fifth, at(A, 0)), Err(Errno::ADDRINUSE));
    world.a().abort(now, ids[2]).expect("aborts");
    assert_eq!(world.a().connect_socket(now, fifth, at(B, 80)), Err(Errno::INPROGRESS));
    world.run(100);
    let now = world.now;
    assert_eq!(world.a().completed(now, fifth), Ok(()));
}

/// connect(2) on Linux, ENOBUFS when the table of connections is full.
#[test]
fn the_table_of_connections_is_bounded_and_comes_back() {
    let mut config = config(A);
    config.tcp.max_connections = 2;
    let mut world = World::of([config, world::config(B)]);
    world.listen(80);
    let ids = [0; 2].map(|_| world.connect(80));
    world.run(100);
    let (now, third) = (world.now, world.a().socket(Kind::Tcp).expect("a socket"));
    assert_eq!(world.a().connect_socket(now, third, at(B, 80)), Err(Errno::NOBUFS));
    world.a().abort(now, ids[0]).expect("aborts");
    assert_eq!(world.a().connect_socket(now, third, at(B, 80)), Err(Errno::INPROGRESS));
    world.run(100);
    let now = world.now;
    assert_eq!(world.a().completed(now, third), Ok(()));
}
