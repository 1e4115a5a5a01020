//! The command line of `stackd run`.

use core::net::{IpAddr, SocketAddr};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ArgMatches;
use stackd::paths::{self, NotAName};

use super::{HostArguments, HostShape};

/// The port of DNS.
const DNS_PORT: u16 = 53;

/// Run a program on the stack
///
/// Its TCP and UDP sockets are the stack's; nothing of it reaches the kernel's TCP/IP. The program
/// needs no change and no privilege: static, Go and scripted ones work alike. What cannot work:
/// set-user-ID programs, raw sockets, IPv6 (programs are told that there is none).
#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArguments {
    /// Use the daemon of this name, or with this control socket, or a stack inside this process
    /// [default: the daemon stackd if it runs, else inline]
    #[arg(long, value_name = "NAME|PATH|inline", help_heading = "The stack")]
    stack: Option<String>,

    /// Where all DNS queries go, whatever server the program asks
    #[arg(long, value_name = "IP[:PORT]", value_parser = dns, help_heading = "The stack")]
    dns: Option<SocketAddr>,

    #[command(flatten)]
    host: HostArguments,

    /// The program and its arguments
    #[arg(last = true, required = true, value_name = "PROGRAM")]
    program: Vec<OsString>,
}

const EXAMPLES: &str = "\
Examples:
  stackd run -- curl http://10.9.0.1:8000/
      On the daemon stackd if it runs, else on a stack of its own, 10.9.0.2 on TAP stack0, whose
      other end, this machine, is 10.9.0.1.
  stackd run -- python3 -m http.server 80
      A server; from here: curl http://10.9.0.2/
  stackd run --stack inline --address 192.0.2.7/24 --gateway 192.0.2.1 --dns 192.0.2.1 -- git fetch
      A way out, and names.
  stackd --name lab & stackd run --stack lab -- nginx -g 'daemon off;'
      On a daemon: many programs share one host, and see each other at 127.0.0.1.

Devices, addresses and what is inside are those of a stack inline; a daemon has its own. The exit
code is the program's, 128 and the number of the signal that ended it, or 125 if it was not run.
Signals sent to stackd are passed on. Programs that go on in the background keep it running.";

/// Which stack a program is to run on.
#[derive(Debug)]
pub(crate) enum Which {
    /// The usual daemon if it runs, else one inside.
    Usual,
    /// The daemon whose sockets are here.
    Daemon(PathBuf),
    /// One inside this process.
    Inline,
}

/// A checked command line.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) which: Which,
    pub(crate) dns: Option<SocketAddr>,
    pub(crate) host: HostShape,
    pub(crate) program: Vec<OsString>,
}

impl Run {
    pub(super) fn check(arguments: RunArguments, matches: &ArgMatches) -> Result<Self, String> {
        let RunArguments { stack, dns, host, program } = arguments;
        let shaped =
            ["tap", "tap_fd", "device", "address", "host_address", "gateway", "mac", "mtu"]
                .into_iter()
                .any(|name| {
                    matches.value_source(name) == Some(clap::parser::ValueSource::CommandLine)
                });
        let which = match stack.as_deref() {
            // Whoever describes a stack wants that one.
            None if shaped => Which::Inline,
            None => Which::Usual,
            Some("inline") => Which::Inline,
            Some(_) if shaped => return Err("a daemon has its own devices and addresses".into()),
            Some(path) if path.contains('/') => {
                Which::Daemon(Path::new(path).with_extension("run"))
            }
            Some(name) => Which::Daemon(paths::run(&name.parse().map_err(not_a_name)?)),
        };
        Ok(Self { which, dns, host: HostShape::check(host, matches)?, program })
    }
}

fn not_a_name(error: NotAName) -> String {
    error.to_string()
}

fn dns(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, DNS_PORT));
    let address =
        address.or_else(|_| text.parse()).map_err(|_| "10.9.0.1 or 10.9.0.1:53".to_owned());
    address.and_then(|it| if it.is_ipv4() { Ok(it) } else { Err("an IPv4 address".to_owned()) })
}
