//! Socket options, as far as the transports have them.

use std::sync::Arc;

use layer::boundary::{SocketId, TcpCommand, TcpOptions, UdpCommand, UdpOptions};
use layer::{Either, InterfaceId, Out};

use super::tcp::{Phase, TcpSocket};
use super::{Hub, Reuse};
use crate::Errno;

impl TcpSocket {
    /// The options that TCP works with: MSG_MORE corks for the time being.
    pub(super) fn effective(&self) -> TcpOptions {
        let mut options = TcpOptions::clone(&self.options);
        options.cork |= self.more;
        options
    }
}

impl Hub {
    /// MSG_MORE, before each send: tells TCP only if it changes something.
    pub(super) fn set_more(&mut self, id: SocketId, more: bool, out: &mut Out<'_, Self>) {
        let Ok(tcp) = self.tcp(id) else { return };
        if tcp.more == more {
            return;
        }
        tcp.more = more;
        if !tcp.options.cork {
            let options = Box::new(tcp.effective());
            self.command(Either::A(TcpCommand::Configure { socket: id, options }), out);
        }
    }

    /// The options of a TCP socket.
    pub fn tcp_options(&mut self, id: SocketId) -> Result<&TcpOptions, Errno> {
        Ok(&self.tcp(id)?.options)
    }

    /// Changes options of a TCP socket; an accepted connection starts with its listener's.
    pub fn set_tcp_options(
        &mut self,
        id: SocketId,
        change: impl FnOnce(&mut TcpOptions),
        out: &mut Out<'_, Self>,
    ) -> Result<(), Errno> {
        let tcp = self.tcp(id)?;
        let before = Arc::clone(&tcp.options);
        let options = Arc::make_mut(&mut tcp.options);
        change(options);
        // As TCP_USER_TIMEOUT: zero is the default, not "give up at once".
        options.user_timeout = options.user_timeout.filter(|limit| !limit.is_zero());
        let tell = match &tcp.phase {
            Phase::Listening { .. } | Phase::Connecting => true,
            Phase::Open(stream) => !stream.gone,
            Phase::Fresh | Phase::Binding { .. } | Phase::Bound => false,
        };
        if tell && tcp.options != before {
            let options = Box::new(tcp.effective());
            self.command(Either::A(TcpCommand::Configure { socket: id, options }), out);
        }
        self.share_options(id);
        Ok(())
    }

    /// A program sets the same options on all its connections: they hold them once.
    fn share_options(&mut self, id: SocketId) {
        let Ok(tcp) = self.tcp(id) else { return };
        let set = Arc::clone(&tcp.options);
        if *self.common != *set {
            self.common = set;
        } else {
            let common = Arc::clone(&self.common);
            if let Ok(tcp) = self.tcp(id) {
                tcp.options = common;
            }
        }
    }

    /// The options of a UDP socket.
    pub fn udp_options(&mut self, id: SocketId) -> Result<UdpOptions, Errno> {
        Ok(self.udp(id)?.options)
    }

    /// Changes options of a UDP socket.
    pub fn set_udp_options(
        &mut self,
        id: SocketId,
        change: impl FnOnce(&mut UdpOptions),
        out: &mut Out<'_, Self>,
    ) -> Result<(), Errno> {
        let udp = self.udp(id)?;
        let before = udp.options;
        change(&mut udp.options);
        if udp.known && udp.options != before {
            let options = udp.options;
            self.command(Either::B(UdpCommand::Configure { socket: id, options }), out);
        }
        Ok(())
    }

    /// SO_REUSEADDR and SO_REUSEPORT, for the next bind.
    pub fn set_reuse(&mut self, id: SocketId, reuse: Reuse) -> Result<(), Errno> {
        self.get(id)?.reuse = reuse;
        Ok(())
    }

    /// SO_BINDTODEVICE, for the next bind.
    pub fn set_interface(
        &mut self,
        id: SocketId,
        interface: Option<InterfaceId>,
    ) -> Result<(), Errno> {
        self.get(id)?.interface = interface;
        Ok(())
    }
}
