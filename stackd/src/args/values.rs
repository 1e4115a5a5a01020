//! Values of flags: what a word must look like, and what to say where it does not.

use std::path::PathBuf;

use ipnet::Ipv4Net;
use layer::MacAddr;
use stackd::{Acd, HostAddress};

use super::Control;

/// What the kernel takes for the name of an interface.
pub(super) fn interface_name(text: &str) -> Result<String, String> {
    let odd = |c: char| matches!(c, '/' | ':' | '%') || c.is_whitespace() || c.is_control();
    if text.is_empty() || text.len() > 15 || text == "." || text == ".." || text.contains(odd) {
        return Err("an interface name has 1 to 15 bytes, none of them / : % or a blank".into());
    }
    Ok(text.to_owned())
}

pub(super) fn packet_device(text: &str) -> Result<String, String> {
    match text.split_once(':') {
        Some(("afpacket", name)) => interface_name(name),
        Some(_) | None => Err("a device looks like afpacket:eth0".to_owned()),
    }
}

/// An address that a host can have.
pub(super) fn address(text: &str) -> Result<Ipv4Net, String> {
    let example = "an address looks like 10.9.0.2/24";
    let net: Ipv4Net = text.parse().map_err(|_| example.to_owned())?;
    let address = net.addr();
    let first = address.octets()[0];
    if first == 0 || first == 127 || first >= 224 {
        return Err(format!("{address} is no address of a host on a network"));
    }
    if net.prefix_len() == 0 {
        return Err(format!("the network of {net} is everything; {example}"));
    }
    if net.prefix_len() < 31 && (address == net.network() || address == net.broadcast()) {
        return Err(format!("{address} names the network {} or everybody on it", net.trunc()));
    }
    Ok(net)
}

pub(super) fn host_address(text: &str) -> Result<HostAddress, String> {
    if text == "none" { Ok(HostAddress::None) } else { address(text).map(HostAddress::Given) }
}

pub(super) fn mac(text: &str) -> Result<MacAddr, String> {
    let mac: MacAddr =
        text.parse().map_err(|error: layer::address::NotAMacAddr| error.to_string())?;
    if mac.is_unicast() { Ok(mac) } else { Err(format!("{mac} is no address of one station")) }
}

/// A path for a control socket, or `off`.
pub(super) fn control(text: &str) -> Result<Control, String> {
    match text {
        "" => Err("a path, or off".to_owned()),
        "off" => Ok(Control::Off),
        path => Ok(Control::At(PathBuf::from(path))),
    }
}

pub(super) fn acd(text: &str) -> Result<Acd, String> {
    match text {
        "optimistic" => Ok(Acd::Optimistic),
        "strict" => Ok(Acd::Strict),
        "off" => Ok(Acd::Off),
        _ => Err("optimistic, strict or off".to_owned()),
    }
}
