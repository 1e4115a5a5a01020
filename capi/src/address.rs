//! [`Address`]: an IP address with a port, as C has it.

use core::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::answer::Failure;

/// An IP address with a port. stack_address_parse makes one from text.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// 4 or 6.
    pub family: u8,
    /// The address, in the order of the wire; of family 4 the first four bytes.
    pub ip: [u8; 16],
    /// The port, in the order of this machine.
    pub port: u16,
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        let mut ip = [0; 16];
        let family = match address.ip() {
            IpAddr::V4(v4) => {
                ip[..4].copy_from_slice(&v4.octets());
                4
            }
            IpAddr::V6(v6) => {
                ip = v6.octets();
                6
            }
        };
        Self { family, ip, port: address.port() }
    }
}

impl Address {
    pub(crate) fn get(&self) -> Result<SocketAddr, Failure> {
        let [a, b, c, d, ..] = self.ip;
        match self.family {
            4 => Ok((Ipv4Addr::new(a, b, c, d), self.port).into()),
            6 => Ok((IpAddr::from(self.ip), self.port).into()),
            other => Err(Failure::argument(format!("{other} is no family: 4 or 6"))),
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let address: SocketAddr = text
            .parse()
            .map_err(|_| Failure::argument(format!("{text:?} is no address with a port")))?;
        Ok(address.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_go_to_c_and_back() {
        for text in ["10.9.0.2:80", "[2001:db8::1]:443"] {
            let Ok(address) = Address::parse(text) else { panic!("{text}") };
            assert_eq!(address.get().ok(), text.parse().ok());
        }
        assert!(Address::parse("example.com:80").is_err());
        assert!(Address::default().get().is_err(), "no family");
    }
}
