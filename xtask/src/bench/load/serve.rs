//! The services that stackd has, on the kernel's own sockets: the kernel as a peer.
//!
//! As in stackd's, each byte is copied once, into or out of the service's buffer.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use super::prepare;
use crate::bench::peer::{DISCARD, ECHO, SOURCE};

/// Bytes a call of bulk services.
const CHUNK: usize = 131_072;

type Service = fn(TcpStream) -> std::io::Result<()>;

/// Serves until killed; says `ready` when it does.
pub(super) fn run() -> anyhow::Result<()> {
    let services: [(u16, Service); 3] = [(ECHO, echo), (DISCARD, discard), (SOURCE, source)];
    let mut listeners = Vec::new();
    for (port, serve) in services {
        listeners.push((TcpListener::bind((Ipv4Addr::UNSPECIFIED, port))?, serve));
    }
    println!("ready");
    thread::scope(|scope| {
        for (listener, serve) in listeners {
            scope.spawn(move || {
                for stream in listener.incoming().flatten() {
                    thread::spawn(move || {
                        if let Err(error) = prepare(&stream) {
                            eprintln!("{error:#}");
                            return;
                        }
                        // A client that resets its connection is how a measurement ends.
                        let _ = serve(stream);
                    });
                }
            });
        }
    });
    Ok(())
}

fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        match stream.read(&mut chunk)? {
            0 => return Ok(()),
            count => stream.write_all(&chunk[..count])?,
        }
    }
}

fn discard(mut stream: TcpStream) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    while stream.read(&mut chunk)? > 0 {}
    Ok(())
}

fn source(mut stream: TcpStream) -> std::io::Result<()> {
    let chunk = vec![0x5a; CHUNK];
    loop {
        stream.write_all(&chunk)?;
    }
}
