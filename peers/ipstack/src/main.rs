//! Crate ipstack on a TUN, with the services that `cargo xtask bench` measures.
//!
//! `peer-ipstack TUN MTU`: echo on 7, discard on 9, source on 19, a task a connection; as in the
//! crate's own example, 256 KiB may be under way.

use ipstack::{IpStack, IpStackConfig, IpStackStream, IpStackTcpStream, TcpConfig, TcpOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const ECHO: u16 = 7;
const DISCARD: u16 = 9;

/// Bytes of an application's buffer for bulk, and for echoes.
const BULK: usize = 131_072;
const SMALL: usize = 2048;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [name, mtu] = words.as_slice() else {
        return Err("usage: peer-ipstack TUN MTU".into());
    };
    let mtu: u16 = mtu.parse()?;
    let mut device = tun::Configuration::default();
    device.tun_name(name);
    device.platform_config(|platform| {
        platform.ensure_root_privileges(false);
    });
    let device = tun::create_as_async(&device)?;
    let mut tcp = TcpConfig::default();
    tcp.max_unacked_bytes = 256 * 1024;
    tcp.options = Some(vec![TcpOptions::MaximumSegmentSize(mtu - 40)]);
    let mut config = IpStackConfig::default();
    config.mtu(mtu)?;
    config.with_tcp_config(tcp);
    let mut stack = IpStack::new(config, device);
    println!("ready");
    loop {
        if let IpStackStream::Tcp(stream) = stack.accept().await? {
            // A client that goes away is how a measurement ends.
            tokio::spawn(async move { drop(serve(stream).await) });
        }
    }
}

async fn serve(mut stream: IpStackTcpStream) -> std::io::Result<()> {
    match stream.peer_addr().port() {
        DISCARD => {
            let mut buffer = vec![0; BULK];
            while stream.read(&mut buffer).await? > 0 {}
        }
        ECHO => {
            let mut buffer = vec![0; SMALL];
            loop {
                match stream.read(&mut buffer).await? {
                    0 => break,
                    count => stream.write_all(&buffer[..count]).await?,
                }
            }
        }
        _ => {
            let buffer = vec![0x5a; BULK];
            loop {
                stream.write_all(&buffer).await?;
            }
        }
    }
    stream.shutdown().await
}
