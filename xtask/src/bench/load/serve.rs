//! The services that stackd has, on the kernel's own sockets: the kernel as a peer.
//!
//! As in stackd's, each byte is copied once, into or out of the service's buffer. What suits the
//! kernel best is done: a thread for each connection that lasts, one thread for all short ones.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::thread;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::prepare;
use crate::bench::peer::{DISCARD, ECHO, SHORT_ECHO, SOURCE};

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
    let short = TcpListener::bind((Ipv4Addr::UNSPECIFIED, SHORT_ECHO))?;
    short.set_nonblocking(true)?;
    rustix::net::listen(&short, 4096)?;
    println!("ready");
    thread::scope(|scope| {
        scope.spawn(move || {
            if let Err(error) = short_echoes(&short) {
                eprintln!("short echo: {error:#}");
            }
        });
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

/// One thread that echoes a few bytes on each of many short connections.
fn short_echoes(listener: &TcpListener) -> anyhow::Result<()> {
    const LISTENER: u64 = u64::MAX;
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    epoll::add(&epoll, listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut open: Vec<Option<OwnedFd>> = Vec::new();
    let mut events = Vec::with_capacity(64);
    let mut chunk = [0; 2048];
    loop {
        events.clear();
        match epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in &events {
            let data = event.data;
            if data.u64() == LISTENER {
                // The event comes again as long as more wait.
                let accepted = rustix::net::accept_with(listener, SocketFlags::CLOEXEC);
                let Ok(socket) = accepted else { continue };
                let number = usize::try_from(socket.as_raw_fd())?;
                let place = EventData::new_u64(number as u64);
                epoll::add(&epoll, &socket, place, EventFlags::IN)?;
                open.resize_with(open.len().max(number + 1), || None);
                open[number] = Some(socket);
                continue;
            }
            let number = usize::try_from(data.u64())?;
            let Some(Some(socket)) = open.get(number) else { continue };
            match rustix::io::read(socket, &mut chunk) {
                Ok(count) if count > 0 => {
                    // So few bytes always fit; a client that is gone shows at the next read.
                    let _ = rustix::io::write(socket, &chunk[..count]);
                }
                Ok(_) | Err(_) => open[number] = None,
            }
        }
    }
}
