//! Who asks for what. The paths, their methods and parameters are in `docs/control.md`.

use std::io;
use std::os::unix::net::UnixStream;

use serde_json::json;

use super::http::{Bad, Inbox, Method, Reply, Request};
use super::tables::Outcome;
use super::{capture, live, ping, sockets, tables};
use crate::Stack;

/// The version of everything under `/v1`: additions do not change it.
const VERSION: u32 = 1;

/// Every path, and what may be done with it.
const PATHS: &[(&str, &[Method])] = &[
    ("/v1", &[Method::Get]),
    ("/v1/ss", &[Method::Get]),
    ("/v1/nstat", &[Method::Get]),
    ("/v1/addr", &[Method::Get]),
    ("/v1/link", &[Method::Get]),
    ("/v1/route", &[Method::Get, Method::Post, Method::Delete]),
    ("/v1/neigh", &[Method::Get, Method::Post, Method::Delete]),
    ("/v1/sysctl", &[Method::Get, Method::Post]),
    ("/v1/ping", &[Method::Get]),
    ("/v1/monitor", &[Method::Get]),
    ("/v1/capture", &[Method::Get]),
];

/// Answers requests until the client is done.
pub(super) fn serve(stack: &Stack, stream: &UnixStream) -> io::Result<()> {
    let mut inbox = Inbox::default();
    while let Some(request) = inbox.next(&mut &*stream)? {
        match request {
            Ok(request) => {
                let keep = request.keep;
                answer(stack, &request, Reply::new(stream, keep))?;
                if !keep {
                    break;
                }
            }
            Err(Bad(status, why)) => return Reply::new(stream, false).error(status, why),
        }
    }
    Ok(())
}

fn answer(stack: &Stack, request: &Request, reply: Reply<'_>) -> io::Result<()> {
    let path = request.path.as_str();
    let Some((_, methods)) = PATHS.iter().find(|(known, _)| *known == path) else {
        let known: Vec<&str> = PATHS.iter().map(|(path, _)| *path).collect();
        let why = format!("there is no {path}; there are {}", known.join(", "));
        return reply.error("404 Not Found", &why);
    };
    if !methods.contains(&request.method) {
        return reply.error("405 Method Not Allowed", "that cannot be done with this path");
    }
    let add = request.method == Method::Post;
    let show = request.method == Method::Get;
    let outcome = match path {
        "/v1/ss" => return sockets::answer(stack, request, reply),
        "/v1/ping" => return ping::answer(stack, request, reply),
        "/v1/monitor" => return live::answer(stack, request, reply),
        "/v1/capture" => return capture::answer(stack, request, reply),
        "/v1/nstat" => Ok(tables::nstat(stack, request)),
        "/v1/addr" => Ok(tables::addresses(stack)),
        "/v1/link" => Ok(tables::links(stack)),
        "/v1/route" if show => Ok(tables::routes(stack)),
        "/v1/route" => tables::route(stack, request, add),
        "/v1/neigh" if show => Ok(tables::neighbours(stack)),
        "/v1/neigh" => tables::neighbour(stack, request, add),
        "/v1/sysctl" if show => tables::settings(stack, request),
        "/v1/sysctl" => tables::set(stack, request),
        _v1 => Ok(index()),
    };
    give(reply, outcome)
}

fn give(reply: Reply<'_>, outcome: Outcome) -> io::Result<()> {
    match outcome {
        Ok(value) => reply.json(&value),
        Err(why) => reply.error("400 Bad Request", &why),
    }
}

fn index() -> serde_json::Value {
    let paths: Vec<&str> = PATHS.iter().map(|(path, _)| *path).collect();
    json!({
        "version": VERSION,
        "stackd": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "paths": paths,
    })
}
