//! `getsockopt(2)` and `setsockopt(2)`, typed: [`SocketOption`], [`OptionValue`]. Linux's numbers
//! for them are in `sockopt/linux.rs`, for drivers that speak C.
//!
//! * What a listener has set, connections accepted later start with.
//! * **SO_SNDBUF, SO_RCVBUF.** The bytes asked for are bytes of payload, none of them for
//!   bookkeeping. What is read back is twice that, as on Linux, where half of a buffer is taken for
//!   bookkeeping: a program that sets, reads and halves gets on both what it asked for.
//! * **IP_TOS** of TCP: the two ECN bits are TCP's own and stay as they are.
//! * **SO_ERROR** tells the pending error, else the last soft error (RFC 5461), each once.
//! * What is known and not done (multicast, IPv6 sockets that take IPv4) is refused by
//!   `EOPNOTSUPP`; what is not known, by `ENOPROTOOPT`.
//!
//! Left out: SO_RCVTIMEO, SO_SNDTIMEO and SO_RCVLOWAT, which are the business of drivers that wait.

mod linux;
mod read;

use layer::boundary::{ConnectionInfo, SocketId, TcpOptions};
use layer::{Duration, Out};

use super::{Hub, Protocol, Reuse};
use crate::Errno;

/// An option of a socket, without its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SocketOption {
    /// SO_REUSEADDR.
    ReuseAddress,
    /// SO_REUSEPORT.
    ReusePort,
    /// SO_TYPE; read only.
    Type,
    /// SO_DOMAIN; read only.
    Domain,
    /// SO_PROTOCOL; read only.
    Protocol,
    /// SO_ACCEPTCONN; read only.
    AcceptConn,
    /// SO_ERROR; read only, and reading takes it.
    Error,
    /// SO_BROADCAST; of UDP.
    Broadcast,
    /// SO_SNDBUF.
    SendBuffer,
    /// SO_RCVBUF.
    ReceiveBuffer,
    /// SO_KEEPALIVE.
    KeepAlive,
    /// SO_OOBINLINE: always so.
    OobInline,
    /// SO_LINGER.
    Linger,
    /// IP_TOS, IPV6_TCLASS.
    Tos,
    /// IP_TTL, IPV6_UNICAST_HOPS.
    Ttl,
    /// IP_RECVERR: soft errors become errors.
    ReceiveErrors,
    /// IPV6_V6ONLY: always so.
    V6Only,
    /// IP_MULTICAST_*, IP_ADD_MEMBERSHIP and the like: refused.
    Multicast,
    /// TCP_NODELAY.
    NoDelay,
    /// TCP_MAXSEG, bytes.
    MaxSegment,
    /// TCP_CORK.
    Cork,
    /// TCP_KEEPIDLE, s.
    KeepIdle,
    /// TCP_KEEPINTVL, s.
    KeepInterval,
    /// TCP_KEEPCNT.
    KeepCount,
    /// TCP_INFO; read only.
    Info,
    /// TCP_QUICKACK.
    QuickAck,
    /// TCP_CONGESTION.
    Congestion,
    /// TCP_USER_TIMEOUT, ms; 0 for the default.
    UserTimeout,
    /// TCP_NOTSENT_LOWAT, bytes; 0 or less for none.
    NotSentLowWater,
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OptionValue {
    /// `int`; of switches 0 or 1.
    Int(i32),
    /// `struct linger`.
    Linger(Option<Duration>),
    /// A name.
    Name(String),
    /// `struct tcp_info`.
    Info(Box<ConnectionInfo>),
}

impl OptionValue {
    /// A number, or `EINVAL`.
    pub fn int(&self) -> Result<i32, Errno> {
        match self {
            Self::Int(value) => Ok(*value),
            Self::Linger(_) | Self::Name(_) | Self::Info(_) => Err(Errno::INVAL),
        }
    }
}

impl From<i32> for OptionValue {
    fn from(value: i32) -> Self {
        Self::Int(value)
    }
}

impl From<bool> for OptionValue {
    fn from(value: bool) -> Self {
        Self::Int(i32::from(value))
    }
}

/// Linux's least SO_SNDBUF and SO_RCVBUF (4608 and 2304), halved as explained above.
const LEAST_BUFFERS: (u32, u32) = (2304, 1152);
/// Linux's TCP_MIN_MSS and MAX_TCP_WINDOW: what TCP_MAXSEG takes.
const SEGMENTS: core::ops::RangeInclusive<u16> = 88..=32_767;
/// Linux's MAX_TCP_KEEPIDLE and MAX_TCP_KEEPINTVL, s.
const MOST_KEEPALIVE_S: u64 = 32_767;
/// Linux's MAX_TCP_KEEPCNT.
const MOST_PROBES: u8 = 127;
/// The bits of the TOS octet that are ECN's (RFC 3168 5).
const ECN: u8 = 0x3;

impl Hub {
    /// `setsockopt(2)`. `EINVAL` for a value out of range.
    pub fn set_option(
        &mut self,
        id: SocketId,
        option: SocketOption,
        value: &OptionValue,
        out: &mut Out<'_, Self>,
    ) -> Result<(), Errno> {
        use SocketOption as O;
        match option {
            O::ReuseAddress => self.change_reuse(id, |reuse, on| reuse.address = on, value),
            O::ReusePort => self.change_reuse(id, |reuse, on| reuse.port = on, value),
            O::Type | O::Domain | O::Protocol | O::AcceptConn | O::Error | O::Info => {
                Err(Errno::NOPROTOOPT)
            }
            // What is always so may be asked for, and not be taken back.
            O::OobInline | O::V6Only if value.int()? != 0 => self.get(id).map(|_| ()),
            O::OobInline | O::V6Only | O::Multicast => Err(Errno::OPNOTSUPP),
            O::ReceiveErrors => {
                self.get(id)?.soft_errors.wanted = value.int()? != 0;
                Ok(())
            }
            O::Broadcast
            | O::SendBuffer
            | O::ReceiveBuffer
            | O::Tos
            | O::Ttl
            | O::KeepAlive
            | O::Linger
            | O::NoDelay
            | O::MaxSegment
            | O::Cork
            | O::KeepIdle
            | O::KeepInterval
            | O::KeepCount
            | O::QuickAck
            | O::Congestion
            | O::NotSentLowWater
            | O::UserTimeout => match self.get(id)?.protocol {
                Protocol::Tcp(_) => self.set_tcp_option(id, option, value, out),
                Protocol::Udp(_) => self.set_udp_option(id, option, value, out),
            },
        }
    }

    fn change_reuse(
        &mut self,
        id: SocketId,
        change: fn(&mut Reuse, bool),
        value: &OptionValue,
    ) -> Result<(), Errno> {
        let on = value.int()? != 0;
        change(&mut self.get(id)?.reuse, on);
        Ok(())
    }

    fn set_tcp_option(
        &mut self,
        id: SocketId,
        option: SocketOption,
        value: &OptionValue,
        out: &mut Out<'_, Self>,
    ) -> Result<(), Errno> {
        use SocketOption as O;
        if let O::Linger = option {
            let OptionValue::Linger(linger) = value else { return Err(Errno::INVAL) };
            return self.set_tcp_options(id, |options| options.linger = *linger, out);
        }
        if let O::Congestion = option {
            let OptionValue::Name(name) = value else { return Err(Errno::INVAL) };
            let known = self.config.congestion.iter().find(|known| *known == name);
            let known = *known.ok_or(Errno::NOENT)?;
            return self.set_tcp_options(id, |options| options.congestion = Some(known), out);
        }
        let (least_send, least_receive) = LEAST_BUFFERS;
        let most = self.config.max_buffer;
        let number = value.int()?;
        let on = number != 0;
        let mut options = TcpOptions::clone(&self.tcp(id)?.options);
        match option {
            O::SendBuffer => options.send_buffer = Some(buffer(number, least_send, most)),
            O::ReceiveBuffer => options.receive_buffer = Some(buffer(number, least_receive, most)),
            O::KeepAlive => options.keepalive = on,
            O::NoDelay => options.nodelay = on,
            O::Cork => options.cork = on,
            O::QuickAck => options.quickack = on,
            O::KeepIdle => options.keepalive_idle = seconds(number)?,
            O::KeepInterval => options.keepalive_interval = seconds(number)?,
            O::KeepCount => {
                let count = u8::try_from(number).map_err(|_| Errno::INVAL)?;
                let valid = (1..=MOST_PROBES).contains(&count);
                options.keepalive_probes = if valid { count } else { return Err(Errno::INVAL) };
            }
            O::MaxSegment => options.max_segment = max_segment(number)?,
            O::UserTimeout => {
                let millis = u64::try_from(number).map_err(|_| Errno::INVAL)?;
                options.user_timeout = on.then(|| Duration::from_millis(millis));
            }
            O::NotSentLowWater => {
                options.notsent_lowat = u32::try_from(number).ok().filter(|_| on);
            }
            O::Ttl => options.ttl = ttl(number)?,
            // RFC 9293 3.9.1.9 MUST-48, SHLD-21: the program sets it, also in a connection.
            O::Tos => options.tos = tos(number) & !ECN,
            O::Broadcast => return Err(Errno::NOPROTOOPT),
            O::Linger
            | O::Congestion
            | O::ReuseAddress
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
            | O::Info => return Err(Errno::NOPROTOOPT),
        }
        self.set_tcp_options(id, |old| *old = options, out)
    }

    fn set_udp_option(
        &mut self,
        id: SocketId,
        option: SocketOption,
        value: &OptionValue,
        out: &mut Out<'_, Self>,
    ) -> Result<(), Errno> {
        use SocketOption as O;
        let number = if let O::Linger = option { 0 } else { value.int()? };
        let most = self.config.max_buffer;
        let mut options = self.udp(id)?.options;
        match option {
            O::Broadcast => options.broadcast = number != 0,
            O::ReceiveBuffer => {
                options.receive_buffer = Some(buffer(number, LEAST_BUFFERS.1, most));
            }
            O::Ttl => options.ttl = ttl(number)?,
            O::Tos => options.tos = tos(number),
            // A datagram is sent at once: there is nothing to hold, to linger for or to keep alive.
            O::SendBuffer | O::KeepAlive | O::Linger => {}
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
        }
        self.set_udp_options(id, |old| *old = options, out)
    }
}

/// Payload bytes of a buffer that `asked` sets. As on Linux, a negative number is a huge one.
fn buffer(asked: i32, least: u32, most: u32) -> u32 {
    u32::try_from(asked).unwrap_or(u32::MAX).clamp(least, most.max(least))
}

fn seconds(asked: i32) -> Result<Duration, Errno> {
    match u64::try_from(asked) {
        Ok(seconds @ 1..=MOST_KEEPALIVE_S) => Ok(Duration::from_secs(seconds)),
        Ok(_) | Err(_) => Err(Errno::INVAL),
    }
}

fn max_segment(asked: i32) -> Result<Option<u16>, Errno> {
    match u16::try_from(asked) {
        Ok(0) => Ok(None),
        Ok(bytes) if SEGMENTS.contains(&bytes) => Ok(Some(bytes)),
        Ok(_) | Err(_) => Err(Errno::INVAL),
    }
}

/// RFC 9293 3.9.2 MUST-49: the program can set it.
fn ttl(asked: i32) -> Result<Option<u8>, Errno> {
    match u8::try_from(asked) {
        Ok(0) => Err(Errno::INVAL),
        Ok(ttl) => Ok(Some(ttl)),
        Err(_) if asked == -1 => Ok(None),
        Err(_) => Err(Errno::INVAL),
    }
}

/// Linux takes the low octet of any number.
fn tos(asked: i32) -> u8 {
    asked.to_le_bytes()[0]
}
