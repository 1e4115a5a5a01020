//! Which peers are measured: those asked for, less those that this machine does not have.

use std::path::PathBuf;

use anyhow::bail;

use super::build;
use super::plan::{Peer, Row};

/// Those whose name contains one of the texts, and the kernel; all without a text.
pub(super) fn peers(texts: &[String], also: &[Peer]) -> anyhow::Result<Vec<Peer>> {
    let known = Peer::known();
    if let Some(text) = texts.iter().find(|text| !known.iter().any(|peer| is_named(peer, text))) {
        let names: Vec<String> = known.iter().map(Peer::slug).collect();
        bail!("no peer is named like {text}; there are {}", names.join(", "));
    }
    let wanted = |peer: &Peer| {
        texts.is_empty() || *peer == Peer::Kernel || texts.iter().any(|text| is_named(peer, text))
    };
    Ok(known.into_iter().filter(wanted).chain(also.iter().cloned()).collect())
}

fn is_named(peer: &Peer, text: &str) -> bool {
    peer.slug().contains(text)
}

/// What is there, and a line on each peer that is not.
pub(super) struct Available {
    /// Programs that had to be built.
    pub(super) built: Vec<(Peer, PathBuf)>,
    pub(super) missing: Vec<String>,
}

/// Builds what the rows need, and takes out the rows of what is not to be had.
pub(super) fn available(rows: &mut Vec<Row>) -> Available {
    let mut peers: Vec<Peer> = Vec::new();
    for row in rows.iter() {
        if !peers.contains(&row.setup.peer) {
            peers.push(row.setup.peer.clone());
        }
    }
    let mut available = Available { built: Vec::new(), missing: Vec::new() };
    for peer in peers {
        let is_same = |of: &Peer| core::mem::discriminant(of) == core::mem::discriminant(&peer);
        if let Some((_, program)) = available.built.iter().find(|(of, _)| is_same(of)) {
            let program = program.clone();
            available.built.push((peer, program));
            continue;
        }
        match build::peer(&peer) {
            Ok(Some(program)) => available.built.push((peer, program)),
            Ok(None) => {}
            Err(error) => {
                let line = format!("{} is not available: {error:#}", peer.name());
                eprintln!("{line}");
                available.missing.push(line);
                rows.retain(|row| row.setup.peer != peer);
            }
        }
    }
    available
}

/// Reads `NAME=COMMAND`, or the name of a check that is known.
pub(super) fn also(text: &str) -> Result<Peer, String> {
    if text == "iperf3" {
        return Ok(Peer::Iperf3);
    }
    let (name, command) = text.split_once('=').ok_or("it looks like NAME=COMMAND")?;
    let command: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    if name.is_empty() || command.is_empty() {
        return Err("it looks like NAME=COMMAND".to_owned());
    }
    Ok(Peer::Program { name: name.to_owned(), command })
}
