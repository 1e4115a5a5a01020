//! Reading options: `getsockopt(2)`.

use layer::Out;
use layer::boundary::SocketId;

use super::super::tcp::Phase;
use super::super::{Hub, Protocol};
use super::{OptionValue, SocketOption};
use crate::Errno;

/// What TCP_MAXSEG says where nothing is set: TCP_MSS_DEFAULT.
const DEFAULT_SEGMENT: u16 = 536;
/// The time to live where nothing is set (RFC 1700).
const DEFAULT_TTL: u8 = 64;

impl Hub {
    /// `getsockopt(2)`. TCP_INFO is asked of TCP: `EINPROGRESS`, until a later call has the answer.
    pub fn option(
        &mut self,
        id: SocketId,
        option: SocketOption,
        out: &mut Out<'_, Self>,
    ) -> Result<OptionValue, Errno> {
        use SocketOption as O;
        let socket = self.get(id)?;
        let (reuse, is_tcp) = (socket.reuse, matches!(socket.protocol, Protocol::Tcp(_)));
        match option {
            O::ReuseAddress => Ok(reuse.address.into()),
            O::ReusePort => Ok(reuse.port.into()),
            // SOCK_STREAM, SOCK_DGRAM.
            O::Type => Ok(OptionValue::Int(if is_tcp { 1 } else { 2 })),
            O::Protocol => Ok(OptionValue::Int(if is_tcp { 6 } else { 17 })),
            O::Domain => self.domain(id).map(OptionValue::Int),
            O::AcceptConn => Ok(match &socket.protocol {
                Protocol::Tcp(tcp) => matches!(tcp.phase, Phase::Listening { .. }).into(),
                Protocol::Udp(_) => false.into(),
            }),
            O::Error => {
                let error = socket.take_error().or_else(|| socket.soft_errors.last.take());
                Ok(OptionValue::Int(error.map_or(0, Errno::raw)))
            }
            O::ReceiveErrors => Ok(socket.soft_errors.wanted.into()),
            O::OobInline | O::V6Only => Ok(true.into()),
            O::Multicast => Err(Errno::OPNOTSUPP),
            O::Info if is_tcp => {
                if let Some(info) = self.take_info(id)? {
                    return Ok(OptionValue::Info(info));
                }
                self.query(id, out)?;
                Err(Errno::INPROGRESS)
            }
            O::Broadcast
            | O::SendBuffer
            | O::ReceiveBuffer
            | O::KeepAlive
            | O::Linger
            | O::Tos
            | O::Ttl
            | O::NoDelay
            | O::MaxSegment
            | O::Cork
            | O::KeepIdle
            | O::KeepInterval
            | O::KeepCount
            | O::Info
            | O::QuickAck
            | O::Congestion
            | O::NotSentLowWater
            | O::UserTimeout => {
                if is_tcp {
                    self.tcp_option(id, option)
                } else {
                    self.udp_option(id, option)
                }
            }
        }
    }

    /// AF_INET or AF_INET6, by the addresses a socket has; AF_INET before it has any.
    fn domain(&self, id: SocketId) -> Result<i32, Errno> {
        let known = self.local_addr(id)?.or(self.peer_addr(id).ok());
        Ok(if known.is_some_and(|address| address.is_ipv6()) { 10 } else { 2 })
    }

    fn tcp_option(&mut self, id: SocketId, option: SocketOption) -> Result<OptionValue, Errno> {
        use SocketOption as O;
        let config = self.config;
        let options = &self.tcp(id)?.options;
        Ok(match option {
            O::SendBuffer => doubled(options.send_buffer.unwrap_or(config.send_buffer)),
            O::ReceiveBuffer => doubled(options.receive_buffer.unwrap_or(config.receive_buffer)),
            O::KeepAlive => options.keepalive.into(),
            O::Linger => OptionValue::Linger(options.linger),
            O::Tos => i32::from(options.tos).into(),
            O::Ttl => i32::from(options.ttl.unwrap_or(DEFAULT_TTL)).into(),
            O::NoDelay => options.nodelay.into(),
            O::MaxSegment => i32::from(options.max_segment.unwrap_or(DEFAULT_SEGMENT)).into(),
            O::Cork => options.cork.into(),
            O::KeepIdle => number(options.keepalive_idle.as_secs()),
            O::KeepInterval => number(options.keepalive_interval.as_secs()),
            O::KeepCount => i32::from(options.keepalive_probes).into(),
            O::QuickAck => options.quickack.into(),
            O::Congestion => {
                let default = config.congestion.first().copied().unwrap_or_default();
                OptionValue::Name(options.congestion.unwrap_or(default).to_owned())
            }
            O::NotSentLowWater => number(u64::from(options.notsent_lowat.unwrap_or(0))),
            O::UserTimeout => {
                let limit = options.user_timeout.unwrap_or_default();
                number(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX))
            }
            O::ReuseAddress
            | O::ReusePort
            | O::Type
            | O::Domain
            | O::Protocol
            | O::AcceptConn
            | O::Error
            | O::Broadcast
            | O::OobInline
            | O::ReceiveErrors
            | O::V6Only
            | O::Multicast
            | O::Info => return Err(Errno::NOPROTOOPT),
        })
    }

    fn udp_option(&mut self, id: SocketId, option: SocketOption) -> Result<OptionValue, Errno> {
        use SocketOption as O;
        let config = self.config;
        let options = self.udp(id)?.options;
        Ok(match option {
            O::Broadcast => options.broadcast.into(),
            O::SendBuffer => doubled(config.send_buffer),
            O::ReceiveBuffer => doubled(options.receive_buffer.unwrap_or(config.receive_buffer)),
            O::KeepAlive => false.into(),
            O::Linger => OptionValue::Linger(None),
            O::Tos => i32::from(options.tos).into(),
            O::Ttl => i32::from(options.ttl.unwrap_or(DEFAULT_TTL)).into(),
            O::ReuseAddress
            | O::ReusePort
            | O::Type
            | O::Domain
            | O::Protocol
            | O::AcceptConn
            | O::Error
            | O::OobInline
            | O::ReceiveErrors
            | O::V6Only
            | O::Multicast
            | O::NoDelay
            | O::MaxSegment
            | O::Cork
            | O::KeepIdle
            | O::KeepInterval
            | O::KeepCount
            | O::Info
            | O::QuickAck
            | O::Congestion
            | O::NotSentLowWater
            | O::UserTimeout => return Err(Errno::NOPROTOOPT),
        })
    }
}

fn doubled(bytes: u32) -> OptionValue {
    number(u64::from(bytes) * 2)
}

fn number(value: u64) -> OptionValue {
    OptionValue::Int(i32::try_from(value).unwrap_or(i32::MAX))
}
