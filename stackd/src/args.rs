//! The command line: what can be said, how it is checked, and what it means for a stack.
//!
//! Options about an interface belong to the device named before them; those before any device
//! belong to the first. So the order of arguments matters, and clap is asked for it.

use core::net::{IpAddr, Ipv4Addr};
use std::ffi::OsString;
use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{ArgMatches, CommandFactory, FromArgMatches, Parser};
use ipnet::Ipv4Net;
use layer::MacAddr;
use stackd::paths::Name;
use stackd::{Acd, Attachment, Builder, HostAddress, Interface, Pipeline, Stack};

use crate::command::Command;
use crate::rootless;
use crate::services::Service;

pub(crate) mod layers;
pub(crate) mod run;
mod values;

#[cfg(test)]
mod tests;

use layers::Item;
use run::Run;
use values::{acd, address, control, host_address, interface_name, mac, packet_device};

/// The address of the stack when none is given; its machine's end becomes 10.9.0.1.
const DEFAULT_ADDRESS: &str = "10.9.0.2/24";

/// The TAP when no device is given.
const DEFAULT_TAP: &str = "stack0";

/// A TCP/IP stack of its own, as one host on a TAP device, with services to try it out.
///
/// Programs on this machine reach it like any other host: ping it, curl it, open a connection.
/// Nothing of the kernel's own TCP/IP is in the way except at the programs' end.
#[derive(Parser, Debug)]
#[command(name = "stackd", version, after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,

    /// Take settings from FILE (TOML): the names of the flags, [[interface]] for each of several
    ///
    /// A flag is believed before a variable (STACKD_MTU for --mtu), and that before the file;
    /// `stackd config --show` says which it was.
    #[arg(long, value_name = "FILE", help_heading = "Settings")]
    config: Option<PathBuf>,

    #[command(flatten)]
    host: HostArguments,

    /// Run KIND (echo, discard, source or http) on PORT; repeatable, replaces the defaults
    /// [default: echo:7 discard:9 source:19 http:80]
    #[arg(long, value_name = "KIND[:PORT]", help_heading = "Services")]
    service: Vec<Service>,

    /// Name of this daemon among those on this machine: where its control socket is
    /// [default: stackd]
    #[arg(long, value_name = "NAME", help_heading = "Control")]
    name: Option<Name>,

    /// Control socket for `stackd ss` and its like, or off
    /// [default: /run/stackd/NAME.sock, or $XDG_RUNTIME_DIR/stackd/NAME.sock]
    #[arg(long, value_name = "PATH|off", value_parser = control, help_heading = "Control")]
    control: Option<Control>,
}

/// What makes a host: its devices, its addresses, how it is built.
#[derive(clap::Args, Debug)]
pub(crate) struct HostArguments {
    /// Attach to TAP NAME; made if it does not exist, and removed at the end [default: stack0]
    ///
    /// Repeat for several interfaces. --address, --host-address, --mac and --mtu after a device
    /// belong to it.
    #[arg(long, value_name = "NAME", value_parser = interface_name, help_heading = "Devices")]
    tap: Vec<String>,

    /// Use the inherited descriptor N: a TAP, or a SOCK_SEQPACKET or SOCK_DGRAM socket that
    /// carries one frame a message
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..),
          help_heading = "Devices")]
    tap_fd: Vec<i32>,

    /// Use an Ethernet interface of this machine, e.g. afpacket:veth1 (needs CAP_NET_RAW)
    #[arg(long, value_name = "afpacket:IF", value_parser = packet_device,
          help_heading = "Devices")]
    device: Vec<String>,

    /// An address of the stack with its prefix length [default: 10.9.0.2/24]
    ///
    /// Repeat for several; each belongs to the device before it.
    #[arg(long, value_name = "IP/LEN", value_parser = address, help_heading = "Addresses")]
    address: Vec<Ipv4Net>,

    /// The address to give this machine's end of the TAP, or none
    ///
    /// [default: the first free one of --address's network, 10.9.0.1/24, on a TAP made here; an
    /// existing TAP is left as it is]
    #[arg(long, value_name = "IP/LEN|none", value_parser = host_address,
          help_heading = "Addresses")]
    host_address: Vec<HostAddress>,

    /// Router for everything that is not on a connected network
    #[arg(long, value_name = "IP", help_heading = "Addresses")]
    gateway: Option<Ipv4Addr>,

    /// Ethernet address of the stack [default: 02:00 and the bytes of the IP address]
    #[arg(long, value_name = "MAC", value_parser = mac, help_heading = "Addresses")]
    mac: Vec<MacAddr>,

    /// Largest IP packet, bytes; before any device it is for all [default: the device's, 1500]
    // 68: RFC 791 3.2. 65521: what a TAP takes, 65535 less an Ethernet header.
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(68..=65521),
          help_heading = "Addresses")]
    mtu: Vec<u32>,

    /// Address conflict detection (RFC 5227): use addresses at once and probe alongside, only
    /// after probing, or do not probe
    #[arg(long, value_name = "MODE", default_value = "optimistic", value_parser =
          PossibleValuesParser::new(["optimistic", "strict", "off"]).try_map(|s| acd(&s)),
          help_heading = "Addresses")]
    acd: Acd,

    /// Where the threads are: one for each layer, fewer stages, or everything in one
    #[arg(long, value_name = "SHAPE", default_value = "layers", value_parser =
          PossibleValuesParser::new(Pipeline::ALL.map(Pipeline::name))
              .try_map(|s| s.parse::<Pipeline>()), help_heading = "Inside")]
    pipeline: Pipeline,

    /// Exchange super-frames and unfinished checksums with the kernel
    #[arg(long, value_name = "on|off", default_value = "on", value_parser =
          PossibleValuesParser::new(["on", "off"]).map(|s| s == "on"), help_heading = "Inside")]
    offload: core::primitive::bool,

    /// Write every frame to FILE (pcapng, for Wireshark)
    #[arg(long, value_name = "FILE", help_heading = "Inside")]
    capture: Option<PathBuf>,
}

const EXAMPLES: &str = "\
Examples:
  stackd
      One host, 10.9.0.2, on TAP stack0; this machine becomes 10.9.0.1. Then:
        ping 10.9.0.2        curl http://10.9.0.2/        nc 10.9.0.2 7
      As an ordinary user it makes a network namespace for itself and prints how to enter it.
  stackd --address 192.0.2.2/24 --service http:8080
      Another network, and only the page about itself, on port 8080.
  stackd --tap a0 --address 10.9.1.2/24 --tap b0 --address 10.9.2.2/24 --address 10.9.2.3/24
      One host with two interfaces: one address on the first, two on the second.
  stackd --device afpacket:veth1 --address 10.0.0.7/24 --gateway 10.0.0.1
      A host on an existing Ethernet, with a way out.
  stackd --pipeline inline --capture trace.pcapng
      Everything in one thread, every frame in a file.
  stackd --config lab.toml --mtu 1400
      What the file says, but another MTU.
  RUST_LOG=debug stackd
      Say more on stderr (error, warn, info, debug, trace).

It says `ready` on stdout when it answers, and ends on SIGINT or SIGTERM: connections are closed, a
TAP it made is removed.";

/// A checked command line.
#[derive(Debug)]
pub(crate) struct Args {
    pub(crate) host: HostShape,
    pub(crate) services: Vec<Service>,
    /// `None` only if the default one may be left out where another daemon has it.
    pub(crate) name: Option<Name>,
    pub(crate) control: Option<Control>,
}

/// A checked description of a host.
#[derive(Debug)]
pub(crate) struct HostShape {
    pub(crate) interfaces: Vec<Interface>,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) acd: Acd,
    pub(crate) pipeline: Pipeline,
    pub(crate) offload: bool,
    pub(crate) capture: Option<PathBuf>,
}

/// Whether there is a control socket, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Control {
    At(PathBuf),
    Off,
}

/// What a command line asks for.
#[derive(Debug)]
pub(crate) enum Asked {
    /// To be a host.
    Serve(Box<Args>),
    /// To run a program on one.
    Run(Box<Run>),
    /// Something of a host that is there.
    Command(Command),
}

impl Asked {
    /// The process's command line. Ends the process, with status 2, if it is nonsense.
    pub(crate) fn parse() -> Self {
        let words = std::env::args_os();
        Self::read_with(words, &|name| std::env::var_os(name)).unwrap_or_else(|error| error.exit())
    }

    /// Reads a command line, the program's name included, and what it is laid over.
    fn read_with(
        words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
        environment: layers::Environment<'_>,
    ) -> Result<Self, clap::Error> {
        let mut parser = parser();
        let matches = parser.try_get_matches_from_mut(words)?;
        let mut arguments = Arguments::from_arg_matches(&matches)?;
        match (arguments.command.take(), matches.subcommand()) {
            (Some(Command::Run(run)), Some((_, matches))) => {
                let run = Run::check(*run, matches)
                    .map_err(|message| parser.error(ErrorKind::ValueValidation, message))?;
                return Ok(Self::Run(Box::new(run)));
            }
            (Some(command), _) => return Ok(Self::Command(command)),
            (None, _) => {}
        }
        let items = effective(&mut parser, &matches, environment)?;
        let matches = parser.try_get_matches_from_mut(layers::words(&items))?;
        let arguments = Arguments::from_arg_matches(&matches)?;
        let args = Args::check(arguments, &matches)
            .map_err(|message| parser.error(ErrorKind::ValueValidation, message))?;
        Ok(Self::Serve(Box::new(args)))
    }
}

/// What reads a command line.
fn parser() -> clap::Command {
    Arguments::command()
}

/// The settings of a daemon that is started with these words.
pub(crate) fn items(words: impl Iterator<Item = OsString>) -> Result<Vec<Item>, clap::Error> {
    items_with(words, &|name| std::env::var_os(name))
}

fn items_with(
    words: impl Iterator<Item = OsString>,
    environment: layers::Environment<'_>,
) -> Result<Vec<Item>, clap::Error> {
    let mut parser = parser();
    let matches = parser.try_get_matches_from_mut(words)?;
    effective(&mut parser, &matches, environment)
}

fn effective(
    parser: &mut clap::Command,
    matches: &ArgMatches,
    environment: layers::Environment<'_>,
) -> Result<Vec<Item>, clap::Error> {
    layers::effective(matches, environment)
        .map_err(|message| parser.error(ErrorKind::ValueValidation, message))
}

impl HostShape {
    fn check(arguments: HostArguments, matches: &ArgMatches) -> Result<Self, String> {
        let words = Word::in_order(&arguments, matches);
        let mut interfaces = group(words)?;
        if interfaces.len() == 1 && interfaces.iter().all(|i| i.addresses.is_empty()) {
            let default = DEFAULT_ADDRESS.parse().map_err(|_| "no default address".to_owned())?;
            interfaces[0].addresses.push(default);
        }
        check_addresses(&interfaces)?;
        let HostArguments { gateway, acd, pipeline, offload, capture, .. } = arguments;
        if let Some(gateway) = gateway {
            check_gateway(gateway, &interfaces)?;
        }
        let gateway = gateway.map(IpAddr::V4);
        Ok(Self { interfaces, gateway, acd, pipeline, offload, capture })
    }

    /// The TAP that must be made in a namespace of our own, if this process may not make it here.
    pub(crate) fn rootless_tap(&self) -> Option<String> {
        let to_be_made = self.interfaces.iter().find_map(|interface| match &interface.attachment {
            Attachment::Tap(name) if !stackd::interface_exists(name) => Some(name.clone()),
            Attachment::Tap(_)
            | Attachment::Descriptor(_)
            | Attachment::Packet(_)
            | Attachment::Device(_) => None,
        });
        to_be_made.filter(|_| !rootless::is_privileged())
    }

    /// The stack to be started.
    pub(crate) fn builder(self) -> Builder {
        let Self { interfaces, gateway, acd, pipeline, offload, capture } = self;
        let builder = Stack::builder().gateway(gateway).acd(acd).pipeline(pipeline);
        let builder = builder.offload(offload).capture(capture);
        interfaces.into_iter().fold(builder, Builder::interface)
    }
}

impl Args {
    fn check(arguments: Arguments, matches: &ArgMatches) -> Result<Self, String> {
        let Arguments { host, service, name, control, command: _, config: _ } = arguments;
        let host = HostShape::check(host, matches)?;
        let services = if service.is_empty() { Service::defaults() } else { service };
        check_services(&services)?;
        Ok(Self { host, services, name, control })
    }
}

/// An option whose place matters.
enum Word {
    Device(Attachment),
    Address(Ipv4Net),
    HostAddress(HostAddress),
    Mac(MacAddr),
    Mtu(u32),
}

impl Word {
    /// All of them in the order of the command line.
    fn in_order(arguments: &HostArguments, matches: &ArgMatches) -> Vec<Self> {
        let mut words: Vec<(usize, Self)> = Vec::new();
        let mut add = |name: &str, options: Vec<Self>| {
            let places = matches.indices_of(name).into_iter().flatten();
            words.extend(places.zip(options));
        };
        let tap = |name: &String| Self::Device(Attachment::Tap(name.clone()));
        let fd = |&number: &i32| Self::Device(Attachment::Descriptor(number));
        let packet = |name: &String| Self::Device(Attachment::Packet(name.clone()));
        add("tap", arguments.tap.iter().map(tap).collect());
        add("tap_fd", arguments.tap_fd.iter().map(fd).collect());
        add("device", arguments.device.iter().map(packet).collect());
        add("address", arguments.address.iter().map(|&a| Self::Address(a)).collect());
        let host = arguments.host_address.iter().map(|&h| Self::HostAddress(h)).collect();
        add("host_address", host);
        add("mac", arguments.mac.iter().map(|&m| Self::Mac(m)).collect());
        add("mtu", arguments.mtu.iter().map(|&m| Self::Mtu(m)).collect());
        words.sort_by_key(|&(place, _)| place);
        words.into_iter().map(|(_, word)| word).collect()
    }
}

/// Options about one interface, as they are gathered.
#[derive(Default)]
struct Options {
    addresses: Vec<Ipv4Net>,
    host_address: Option<HostAddress>,
    mac: Option<MacAddr>,
    mtu: Option<u32>,
}

impl Options {
    fn take(&mut self, word: Word) -> Result<(), String> {
        let twice = |what: &str| Err(format!("{what} is given twice for one device"));
        match word {
            Word::Device(_) => {}
            Word::Address(address) => self.addresses.push(address),
            Word::HostAddress(host) => {
                if self.host_address.replace(host).is_some() {
                    return twice("--host-address");
                }
            }
            Word::Mac(mac) => {
                if self.mac.replace(mac).is_some() {
                    return twice("--mac");
                }
            }
            Word::Mtu(mtu) => {
                if self.mtu.replace(mtu).is_some() {
                    return twice("--mtu");
                }
            }
        }
        Ok(())
    }

    fn into_interface(self, attachment: Attachment) -> Result<Interface, String> {
        let is_tap = matches!(attachment, Attachment::Tap(_) | Attachment::Descriptor(_));
        if !is_tap && matches!(self.host_address, Some(HostAddress::Given(_))) {
            return Err(format!(
                "--host-address is for TAPs; {attachment} has the address the machine gave it"
            ));
        }
        let mut interface = Interface::new(attachment);
        interface.addresses = self.addresses;
        interface.host_address = self.host_address.unwrap_or_default();
        interface.mac = self.mac;
        interface.mtu = self.mtu;
        Ok(interface)
    }
}

/// Gives every device its options.
fn group(words: Vec<Word>) -> Result<Vec<Interface>, String> {
    let mut before = Options::default();
    let mut devices: Vec<(Attachment, Options)> = Vec::new();
    for word in words {
        match (word, devices.last_mut()) {
            (Word::Device(attachment), _) => devices.push((attachment, Options::default())),
            (word, Some((_, options))) => options.take(word)?,
            (word, None) => before.take(word)?,
        }
    }
    if devices.is_empty() {
        devices.push((Attachment::Tap(DEFAULT_TAP.to_owned()), Options::default()));
    }
    if let Some((_, first)) = devices.first_mut() {
        for address in before.addresses.drain(..).rev() {
            first.addresses.insert(0, address);
        }
        let host = before.host_address.map(Word::HostAddress);
        for word in [host, before.mac.map(Word::Mac)].into_iter().flatten() {
            first.take(word)?;
        }
    }
    let mtu = before.mtu;
    devices
        .into_iter()
        .map(|(attachment, mut options)| {
            options.mtu = options.mtu.or(mtu);
            options.into_interface(attachment)
        })
        .collect()
}

fn check_addresses(interfaces: &[Interface]) -> Result<(), String> {
    let mut seen: Vec<Ipv4Addr> = Vec::new();
    let mut devices: Vec<String> = Vec::new();
    for interface in interfaces {
        let device = interface.attachment.to_string();
        if devices.contains(&device) {
            return Err(format!("{device} is given twice"));
        }
        if interface.addresses.is_empty() {
            return Err(format!("{device} has no --address (give one after the device)"));
        }
        devices.push(device);
        for address in &interface.addresses {
            if seen.contains(&address.addr()) {
                return Err(format!("address {} is given twice", address.addr()));
            }
            seen.push(address.addr());
        }
    }
    for interface in interfaces {
        if let HostAddress::Given(host) = interface.host_address
            && seen.contains(&host.addr())
        {
            let host = host.addr();
            return Err(format!("{host} cannot be both the stack's and this machine's address"));
        }
    }
    Ok(())
}

fn check_gateway(gateway: Ipv4Addr, interfaces: &[Interface]) -> Result<(), String> {
    let mut ours = interfaces.iter().flat_map(|interface| &interface.addresses);
    if ours.clone().any(|net| net.addr() == gateway) {
        return Err(format!("gateway {gateway} is the stack itself"));
    }
    if !ours.any(|net| net.contains(&gateway)) {
        return Err(format!("gateway {gateway} is in none of the networks of --address"));
    }
    Ok(())
}

fn check_services(services: &[Service]) -> Result<(), String> {
    for (index, service) in services.iter().enumerate() {
        if services[..index].iter().any(|other| other.port == service.port) {
            return Err(format!("two services on port {}", service.port));
        }
    }
    Ok(())
}
