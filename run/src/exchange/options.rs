//! `setsockopt` and `getsockopt`: Linux's bytes to the hub's values and back.
//!
//! Options that are hints, and that a stack may leave unheeded, are taken and forgotten: a program
//! that insists on them would not run otherwise. They are listed. What is not known is refused.

use layer::Duration;
use nix::libc;
use socket::{Errno, OptionValue, SocketOption};

use super::{Exchange, Role, hub, tcp_info};
use crate::request::End;

/// Hints: they change when something happens, not what.
const HINTS: &[(i32, i32)] = &[
    (libc::SOL_SOCKET, libc::SO_PRIORITY),
    (libc::SOL_SOCKET, libc::SO_INCOMING_CPU),
    (libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT),
    (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER),
    (libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT),
];

/// Longest name of a congestion control: TCP_CA_NAME_MAX.
const LONGEST_NAME: usize = 16;

impl Exchange {
    /// `setsockopt`.
    pub(super) fn set_option(
        &mut self,
        end: End,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Errno> {
        let id = self.entry(end)?.socket;
        let Some(option) = SocketOption::from_linux(level, name) else {
            let known = HINTS.contains(&(level, name));
            return if known { Ok(()) } else { Err(Errno::NOPROTOOPT) };
        };
        let value = read(option, value)?;
        hub(&self.stack, |hub, out| hub.set_option(id, option, &value, out))
    }

    /// `getsockopt`.
    pub(super) fn get_option(&mut self, end: End, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        let entry = self.entry(end)?;
        let id = entry.socket;
        let Some(option) = SocketOption::from_linux(level, name) else {
            let known = HINTS.contains(&(level, name));
            return if known { Ok(vec![0; 4]) } else { Err(Errno::NOPROTOOPT) };
        };
        if let SocketOption::Error = option {
            let error = entry.error.take();
            if error.is_some() || matches!(entry.role, Role::Dead) {
                return Ok(error.map_or(0, Errno::raw).to_ne_bytes().to_vec());
            }
        }
        let ask = |hub: &mut socket::Hub, out: &mut layer::Out<'_, socket::Hub>| {
            hub.option(id, option, out)
        };
        match hub(&self.stack, ask) {
            // TCP was asked, and has usually answered by now.
            Err(Errno::INPROGRESS) => write(&hub(&self.stack, ask)?),
            value => write(&value?),
        }
    }
}

/// An option's value out of a program's bytes.
fn read(option: SocketOption, value: &[u8]) -> Result<OptionValue, Errno> {
    let int = |at: usize| {
        let bytes = value.get(at..at + 4).and_then(|bytes| bytes.try_into().ok());
        bytes.map(i32::from_ne_bytes).ok_or(Errno::INVAL)
    };
    match option {
        SocketOption::Linger => {
            let (on, seconds) = (int(0)? != 0, u64::try_from(int(4)?).unwrap_or(0));
            Ok(OptionValue::Linger(on.then(|| Duration::from_secs(seconds))))
        }
        SocketOption::Congestion => {
            let end = value.iter().position(|&byte| byte == 0).unwrap_or(value.len());
            let name = &value[..end.min(LONGEST_NAME)];
            Ok(OptionValue::Name(String::from_utf8_lossy(name).into_owned()))
        }
        // As Linux: these may also be a single byte.
        SocketOption::Tos | SocketOption::Ttl if !value.is_empty() && value.len() < 4 => {
            Ok(OptionValue::Int(value.first().copied().map_or(0, i32::from)))
        }
        _ => int(0).map(OptionValue::Int),
    }
}

/// A value as Linux lays it out.
fn write(value: &OptionValue) -> Result<Vec<u8>, Errno> {
    match value {
        OptionValue::Int(value) => Ok(value.to_ne_bytes().to_vec()),
        OptionValue::Linger(linger) => {
            let seconds = linger.map_or(0, |linger| linger.as_secs());
            let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
            let on = i32::from(linger.is_some());
            Ok([on.to_ne_bytes(), seconds.to_ne_bytes()].concat())
        }
        OptionValue::Name(name) => {
            let mut bytes = name.as_bytes().to_vec();
            bytes.resize(LONGEST_NAME, 0);
            Ok(bytes)
        }
        OptionValue::Info(info) => Ok(tcp_info::bytes(&info.tcp)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_written_as_linux_lays_them_out() {
        let on = OptionValue::Int(1);
        assert_eq!(read(SocketOption::NoDelay, &1i32.to_ne_bytes()), Ok(on.clone()));
        assert_eq!(write(&on), Ok(1i32.to_ne_bytes().to_vec()));
        assert_eq!(read(SocketOption::Tos, &[0x10]), Ok(OptionValue::Int(0x10)));
        let linger = OptionValue::Linger(Some(Duration::from_secs(5)));
        let bytes = [1i32.to_ne_bytes(), 5i32.to_ne_bytes()].concat();
        assert_eq!(read(SocketOption::Linger, &bytes), Ok(linger.clone()));
        assert_eq!(write(&linger), Ok(bytes));
        let name = OptionValue::Name("cubic".to_owned());
        assert_eq!(read(SocketOption::Congestion, b"cubic\0xyz"), Ok(name.clone()));
        assert_eq!(write(&name).unwrap(), b"cubic\0\0\0\0\0\0\0\0\0\0\0");
    }

    #[test]
    fn values_that_are_too_short_are_refused() {
        assert_eq!(read(SocketOption::NoDelay, &[1]), Err(Errno::INVAL));
        assert_eq!(read(SocketOption::NoDelay, &[]), Err(Errno::INVAL));
        assert_eq!(read(SocketOption::Linger, &[0; 7]), Err(Errno::INVAL));
        assert_eq!(read(SocketOption::Tos, &[]), Err(Errno::INVAL));
        let endless = [b'x'; 300];
        let cut = OptionValue::Name("x".repeat(16));
        assert_eq!(read(SocketOption::Congestion, &endless), Ok(cut));
    }
}
