//! `stackd capture`: frames into a file or a pipe, as pcapng that Wireshark opens live.

use core::net::Ipv4Addr;
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;

use super::{Whom, http};

/// Frames as they cross the devices (pcapng), each with a comment: its connection's state and
/// congestion window, or why it was dropped.
///
/// Live: stackd capture -w - | wireshark -k -i -
#[derive(Args, Debug)]
pub(crate) struct Capture {
    /// Write to FILE, or to standard output
    #[arg(short, long, value_name = "FILE|-")]
    write: PathBuf,

    /// End after so many frames
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,

    /// Only what this host sends or gets
    #[arg(long, value_name = "ADDRESS")]
    host: Option<Ipv4Addr>,

    /// Only TCP and UDP of this port
    #[arg(long, value_name = "PORT")]
    port: Option<u16>,

    /// host ADDRESS, port PORT, as tcpdump has them
    #[arg(value_name = "host ADDRESS | port PORT", num_args = 0..)]
    filter: Vec<String>,

    #[command(flatten)]
    whom: Whom,
}

impl Capture {
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        if let Err(why) = self.read_filter() {
            let kind = clap::error::ErrorKind::ValueValidation;
            clap::Error::raw(kind, format!("{why}\n")).exit();
        }
        let to_pipe = self.write.as_os_str() == "-";
        if to_pipe && io::stdout().is_terminal() {
            bail!("pcapng is nothing to look at; give -w FILE, or pipe it into wireshark -k -i -");
        }
        let text = |value: Option<String>| value;
        let target = http::target(
            "/v1/capture",
            &[
                ("host", text(self.host.map(|host| host.to_string()))),
                ("port", text(self.port.map(|port| port.to_string()))),
                ("count", text(self.count.map(|count| count.to_string()))),
            ],
        );
        let mut frames = self.whom.connect()?.stream(&target)?;
        let mut to: Box<dyn Write> = if to_pipe {
            Box::new(io::stdout().lock())
        } else {
            let file = File::create(&self.write);
            Box::new(file.with_context(|| format!("cannot write {}", self.write.display()))?)
        };
        let mut piece = vec![0; 64 << 10];
        loop {
            let n = frames.read(&mut piece)?;
            if n == 0 {
                return Ok(());
            }
            match to.write_all(&piece[..n]).and_then(|()| to.flush()) {
                // Wireshark was closed.
                Err(error) if to_pipe && error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                result => result?,
            }
        }
    }

    /// Words two by two.
    fn read_filter(&mut self) -> Result<(), String> {
        let words: Vec<&str> = self.filter.iter().map(String::as_str).collect();
        let words: Vec<&str> = words.into_iter().filter(|word| *word != "and").collect();
        for pair in words.chunks(2) {
            let bad = |what: &str| format!("{what} wants a value that makes sense");
            match pair {
                ["host", value] => self.host = Some(value.parse().map_err(|_| bad("host"))?),
                ["port", value] => self.port = Some(value.parse().map_err(|_| bad("port"))?),
                [word, ..] => return Err(format!("{word:?}: a filter is host ADDRESS, port PORT")),
                [] => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        capture: Capture,
    }

    fn filter(words: &str) -> Result<(Option<Ipv4Addr>, Option<u16>), String> {
        let words = ["capture", "-w", "x"].into_iter().chain(words.split_whitespace());
        let mut capture = Line::try_parse_from(words).unwrap().capture;
        capture.read_filter()?;
        Ok((capture.host, capture.port))
    }

    #[test]
    fn filters_are_said_as_to_tcpdump() {
        let host = Some(Ipv4Addr::new(10, 9, 0, 1));
        assert_eq!(filter(""), Ok((None, None)));
        assert_eq!(filter("host 10.9.0.1 and port 80"), Ok((host, Some(80))));
        assert_eq!(filter("port 80 --host 10.9.0.1"), Ok((host, Some(80))));
        for nonsense in ["host", "port x", "tcp", "host 10.9.0.1 port"] {
            assert!(filter(nonsense).is_err(), "{nonsense}");
        }
    }
}
