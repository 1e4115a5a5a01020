//! For each way a start can fail, the command that helps.

use link::OpenError;
use stackd::StartError;

use crate::rootless::tap_by_root;

/// What to do about it, if there is something.
pub(crate) fn advice(error: &StartError) -> Option<String> {
    match error {
        StartError::Open { attachment, source } => opening(attachment, source),
        StartError::Clash { route, .. } => Some(format!(
            "choose another network (--address 10.77.0.2/24), keep this machine's side as it is \
             (--host-address none),\n  or remove the route: sudo ip route del {} dev {}",
            route.destination, route.interface
        )),
        StartError::MtuTooLarge { name, mtu, .. } => {
            Some(format!("sudo ip link set {name} mtu {mtu}"))
        }
        StartError::Threads(_) => Some("ulimit -u and ulimit -n show the limits".to_owned()),
        StartError::Interfaces | StartError::Secret(_) | StartError::Capture { .. } => None,
    }
}

fn opening(attachment: &str, error: &OpenError) -> Option<String> {
    let name = attachment.rsplit(' ').next().unwrap_or(attachment);
    match error {
        OpenError::NoPermission { .. } if attachment.starts_with("interface") => Some(
            "packet sockets need CAP_NET_RAW: run with sudo, or once: \
             sudo setcap cap_net_raw+ep \"$(command -v stackd)\""
                .to_owned(),
        ),
        OpenError::NoPermission { .. } => Some(format!(
            "run with sudo, or let root make the TAP once:\n{}\n  and give --host-address none; \
             /dev/net/tun itself must be open: sudo chmod 0666 /dev/net/tun",
            tap_by_root(name)
        )),
        OpenError::Busy { .. } => Some(format!(
            "`sudo fuser -v /dev/net/tun` shows who has TAPs open; end it, or choose another \
             name: --tap {name}b"
        )),
        OpenError::NoTunDevice => Some("sudo modprobe tun".to_owned()),
        OpenError::NotATap { .. } => Some(format!("choose another name: --tap {name}b")),
        OpenError::NoSuchInterface { .. } => Some("`ip link` shows what there is".to_owned()),
        OpenError::BadName { .. }
        | OpenError::NotEthernet { .. }
        | OpenError::BadDescriptor { .. }
        | OpenError::Configure { .. } => None,
    }
}
