//! A web server on a network stack of its own: axum as it is, a listener of ours. Needs root, or
//! a namespace:
//!
//! ```text
//!     # cargo run -p socket-tokio --example axum -- web0 10.9.0.2/24
//!     $ curl http://10.9.0.2/reader
//!     hello, reader, from user space
//! ```

use axum::{Router, extract::Path, routing::get};
use socket_tokio::TcpListener;
use stackd::{Interface, Stack};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let tap = arguments.next().unwrap_or_else(|| "web0".to_owned());
    let address = arguments.next().unwrap_or_else(|| "10.9.0.2/24".to_owned()).parse()?;
    let stack = Stack::builder().interface(Interface::tap(&tap).address(address)).start()?;
    let greet =
        |Path(name): Path<String>| async move { format!("hello, {name}, from user space\n") };
    let app = Router::new().route("/{name}", get(greet));
    let listener = TcpListener::bind(stack.sockets(), "0.0.0.0:80").await?;
    println!("serving on {tap}");
    axum::serve(listener, app).await?;
    Ok(())
}
