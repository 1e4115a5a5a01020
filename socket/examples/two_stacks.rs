//! Sockets as in std, on two stacks of this program's own, joined by a cable in memory: nothing
//! here asks the kernel for a network. With `Interface::tap("tap0")` it would be a TAP.

use std::error::Error;
use std::io::{Read, Write};
use std::thread;

use link::cable;
use socket::net::{TcpListener, TcpStream};
use stackd::{Interface, Stack};

pub(crate) fn main() -> Result<(), Box<dyn Error>> {
    let (here, there) = cable::pair(cable::Options::default())?;
    let here = Interface::device(here).address("10.0.0.1/24".parse()?);
    let there = Interface::device(there).address("10.0.0.2/24".parse()?);
    let client = Stack::builder().interface(here).start()?;
    let server = Stack::builder().interface(there).start()?;

    let listener = TcpListener::bind(server.sockets(), "10.0.0.2:7")?;
    let serving = thread::spawn(move || {
        let (mut stream, peer) = listener.accept()?;
        println!("{peer} is here, by {}", stream.congestion()?);
        stream.write_all(b"hello, who is there?\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).map(|_| answer)
    });

    let mut stream = TcpStream::connect(client.sockets(), "10.0.0.2:7")?;
    let mut question = [0; 21];
    stream.read_exact(&mut question)?;
    stream.write_all(b"a reader")?;
    println!("round trip {:?}", stream.tcp_info()?.srtt);
    drop(stream);
    let answer = serving.join().map_err(|_| "the server panicked")??;
    assert_eq!(answer, "a reader");
    Ok(())
}
