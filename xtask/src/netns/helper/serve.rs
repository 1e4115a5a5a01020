//! Linux as stackd's stand-in: the same services on the kernel's sockets, for trying the cases
//! themselves, and servers for cases in which the stack opens the connection.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::thread;

use super::content::Content;
use super::frames::Port;
use super::sys;

/// Serves one connection to its end.
type Service = fn(TcpStream) -> std::io::Result<()>;

/// Where to serve.
#[derive(clap::Args)]
pub(super) struct Serve {
    /// Make a TAP of this process's namespace and carry its frames over this descriptor
    #[arg(long)]
    tap_fd: Option<i32>,
    /// Address on that TAP, with its prefix length
    #[arg(long, default_value = "10.9.0.2/24")]
    address: String,
}

impl Serve {
    pub(super) fn run(self) -> anyhow::Result<()> {
        let ports = match self.tap_fd {
            Some(fd) => {
                let far = Port::Socket(sys::inherited(fd));
                Some([Port::tap("p0", &self.address, 1500)?, far])
            }
            None => None,
        };
        let any = Ipv4Addr::UNSPECIFIED;
        let services: [(u16, Service); 4] = [(7, echo), (9, discard), (19, source), (80, http)];
        thread::scope(|scope| {
            for (port, serve) in services {
                let listener = TcpListener::bind((any, port))?;
                scope.spawn(move || {
                    for stream in listener.incoming().flatten() {
                        // What a client does to its connection is its own affair.
                        thread::spawn(move || serve(stream).ok());
                    }
                });
            }
            let socket = UdpSocket::bind((any, 7))?;
            scope.spawn(move || {
                let mut datagram = vec![0; 65_536];
                while let Ok((length, from)) = socket.recv_from(&mut datagram) {
                    // Lost datagrams are the client's to notice.
                    let _ = socket.send_to(&datagram[..length], from);
                }
            });
            if let Some([tap, far]) = &ports {
                for (from, to) in [(tap, far), (far, tap)] {
                    scope.spawn(move || {
                        while let Ok(Some(frame)) = from.receive() {
                            to.send(&frame);
                        }
                    });
                }
            }
            println!("ready");
            Ok(())
        })
    }
}

fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut chunk = vec![0; 65_536];
    loop {
        let count = stream.read(&mut chunk)?;
        if count == 0 {
            return stream.shutdown(Shutdown::Write);
        }
        stream.write_all(&chunk[..count])?;
    }
}

fn discard(mut stream: TcpStream) -> std::io::Result<()> {
    let mut chunk = vec![0; 65_536];
    while stream.read(&mut chunk)? > 0 {}
    Ok(())
}

fn source(stream: TcpStream) -> std::io::Result<()> {
    send(stream, u64::MAX)
}

fn http(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let bytes = path.strip_prefix("/bytes/").and_then(|count| count.parse().ok());
    let body = "<html><body>Linux stands in for stackd.</body></html>";
    let length = bytes.unwrap_or(body.len() as u64);
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n")?;
    match bytes {
        Some(bytes) => send(stream, bytes),
        None => stream.write_all(body.as_bytes()),
    }
}

fn send(mut stream: TcpStream, bytes: u64) -> std::io::Result<()> {
    let mut chunk = vec![0; 65_536];
    let mut sent = 0;
    while sent < bytes {
        let count = (bytes - sent).min(65_536) as usize;
        Content::Source.fill(sent, &mut chunk[..count]);
        stream.write_all(&chunk[..count])?;
        sent += count as u64;
    }
    stream.shutdown(Shutdown::Write)
}
