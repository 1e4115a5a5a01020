//! [`ToSocketAddrs`]: what may stand for an address, as in `std::net`.
//!
//! Left out: names of hosts. To ask for them is the program's business: the resolver of std would
//! use the kernel's network, not this stack.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::io;
use std::vec;

use crate::Errno;

/// What can be turned into addresses: those of `std::net::ToSocketAddrs`, but no host names, and
/// bare octets.
pub trait ToSocketAddrs {
    /// The addresses, to be tried in this order.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for text that is no address.
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>>;
}

macro_rules! one_address {
    ($($kind:ty),+) => {
        $(impl ToSocketAddrs for $kind {
            fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
                Ok(vec![SocketAddr::from(*self)].into_iter())
            }
        })+
    };
}

one_address!(
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16),
    ([u8; 4], u16)
);

impl ToSocketAddrs for (&str, u16) {
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        let (text, port) = *self;
        let ip: IpAddr = text.parse().map_err(|_| no_address(text))?;
        (ip, port).to_socket_addrs()
    }
}

impl ToSocketAddrs for str {
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        let address: SocketAddr = self.parse().map_err(|_| no_address(self))?;
        address.to_socket_addrs()
    }
}

impl ToSocketAddrs for String {
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        self.as_str().to_socket_addrs()
    }
}

impl ToSocketAddrs for [SocketAddr] {
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        let all: Vec<SocketAddr> = self.into();
        Ok(all.into_iter())
    }
}

impl<T: ToSocketAddrs + ?Sized> ToSocketAddrs for &T {
    fn to_socket_addrs(&self) -> io::Result<vec::IntoIter<SocketAddr>> {
        (**self).to_socket_addrs()
    }
}

fn no_address(text: &str) -> io::Error {
    let message = format!("{text:?} is no address; names of hosts are not resolved here");
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// Tries each address until one works; the last error otherwise, as std does.
pub(super) fn first_that_works<R>(
    addresses: impl ToSocketAddrs,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<R>,
) -> io::Result<R> {
    let mut failed: io::Error = Errno::INVAL.into();
    for address in addresses.to_socket_addrs()? {
        match attempt(address) {
            Ok(done) => return Ok(done),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_an_address_or_refused_and_the_next_address_is_tried() {
        let wanted: SocketAddr = ([10, 0, 0, 1], 80).into();
        assert_eq!("10.0.0.1:80".to_socket_addrs().unwrap().next(), Some(wanted));
        assert_eq!(("10.0.0.1", 80).to_socket_addrs().unwrap().next(), Some(wanted));
        let refused = "example.com:80".to_socket_addrs().unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
        let second: SocketAddr = ([10, 0, 0, 2], 80).into();
        let pick = |address| if address == second { Ok(address) } else { Err(Errno::INVAL.into()) };
        assert_eq!(first_that_works(&[wanted, second][..], pick).unwrap(), second);
        let nobody = first_that_works(&[][..], pick).unwrap_err();
        assert_eq!(nobody.kind(), io::ErrorKind::InvalidInput);
    }
}
