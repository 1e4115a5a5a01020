//! What layers state, as log lines.

use layer::Note;
use tracing::{debug, trace, warn};

use crate::stage::Watch;

/// Writes notes to the log: what an administrator should know as a warning, the rest further down.
pub(crate) struct Log;

impl Watch for Log {
    fn note(&self, stage: &'static str, note: &Note) {
        match note {
            Note::AddressConflict { interface, address, mac, defended } => {
                let then = if *defended { "we keep it" } else { "we do not use it" };
                warn!("address conflict: {mac} on {interface} claims our {address}; {then}");
            }
            Note::AddressReady { interface, address } => {
                debug!("{address} on {interface} is in nobody else's use");
            }
            Note::Neighbour { interface, address, mac: Some(mac) } => {
                debug!("{address} on {interface} is at {mac}");
            }
            Note::Neighbour { interface, address, mac: None } => {
                debug!("{address} on {interface} is forgotten");
            }
            Note::TcpState { socket: _, local, remote, from, to } => {
                debug!("{local} {remote} {} -> {}", from.name(), to.name());
            }
            Note::TcpRetransmit { socket, seq, bytes, timeout } => {
                debug!("{socket:?} resends {bytes} bytes at {seq}, by timeout: {timeout}");
            }
            Note::Dropped(reason) => trace!("{stage} drops: {}", reason.name()),
            Note::DroppedFrame { .. } | Note::TcpCwnd { .. } | Note::TcpRecovery { .. } => {
                trace!("{stage}: {note:?}");
            }
            Note::EchoReply { peer, rtt, .. } => trace!("{peer} answers after {rtt:?}"),
            Note::EchoFailed { peer, kind, .. } => trace!("{peer} does not answer: {kind:?}"),
            Note::Icmp { kind, code, peer, sent } => {
                let way = if *sent { "to" } else { "from" };
                debug!("ICMP {kind}.{code} {way} {peer}");
            }
        }
    }
}
