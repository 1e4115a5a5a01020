//! The system calls that rustix does not wrap: reading into spare capacity, ioctls on TAPs and
//! interfaces, options of packet sockets. The only unsafe code of this crate; nothing here decides
//! anything.
#![expect(unsafe_code, reason = "system calls and an uninitialised read buffer")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use bytes::BytesMut;
use layer::MacAddr;
use nix::libc::{self, c_int, c_uint, ifreq};

mod raw {
    use super::{c_int, c_uint, ifreq, libc};
    // linux/if_tun.h
    nix::ioctl_write_int!(tun_set_offload, b'T', 208);
    nix::ioctl_write_ptr!(tun_set_vnet_header_len, b'T', 216, c_int);
    // Declared as if it read an int; what it writes is an ifreq.
    nix::ioctl_read_bad!(
        tun_get_iff,
        nix::request_code_read!(b'T', 210, size_of::<c_uint>()),
        ifreq
    );
    // linux/sockios.h
    nix::ioctl_read_bad!(get_flags, libc::SIOCGIFFLAGS, ifreq);
    nix::ioctl_read_bad!(get_mtu, libc::SIOCGIFMTU, ifreq);
    nix::ioctl_read_bad!(get_hardware_address, libc::SIOCGIFHWADDR, ifreq);
    nix::ioctl_write_ptr_bad!(set_queue_len, libc::SIOCSIFTXQLEN, ifreq);
}

/// Reads once into the spare capacity of `block` and lengthens it by what came.
pub(crate) fn read_block(fd: BorrowedFd<'_>, block: &mut BytesMut) -> rustix::io::Result<usize> {
    let (read, _) = rustix::io::read(fd, block.spare_capacity_mut())?;
    let (n, len) = (read.len(), block.len());
    // SAFETY: the kernel has written the first `n` bytes of the spare capacity.
    unsafe { block.set_len(len + n) };
    Ok(n)
}

/// Takes over a descriptor that its owner has just given up with `into_raw_fd`.
pub(crate) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the caller got `fd` from `IntoRawFd`, so nobody else closes it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// A descriptor of our own for the open file that `number` names, or `EBADF`.
pub(crate) fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: the borrow ends with this call; a number that is not open is answered with EBADF.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(rustix::io::fcntl_dupfd_cloexec(borrowed, 0)?)
}

/// Name and flags (`IFF_TAP`, `IFF_NO_PI`, `IFF_VNET_HDR`) of the TUN or TAP behind `fd`.
pub(crate) fn tap_state(fd: BorrowedFd<'_>) -> io::Result<(String, c_int)> {
    let mut request = request("");
    // SAFETY: the kernel writes one ifreq, which is what `request` is.
    unsafe { raw::tun_get_iff(fd.as_raw_fd(), &raw mut request) }?;
    let name = request.ifr_name.iter().take_while(|&&c| c != 0).map(|c| c.cast_unsigned());
    let name = String::from_utf8_lossy(&name.collect::<Vec<u8>>()).into_owned();
    // SAFETY: TUNGETIFF fills in ifru_flags.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    Ok((name, c_int::from(flags.cast_unsigned())))
}

/// `TUNSETOFFLOAD`: what the kernel may leave to us in frames it hands up.
pub(crate) fn set_offload(fd: BorrowedFd<'_>, bits: c_uint) -> io::Result<()> {
    // SAFETY: the argument is a number.
    unsafe { raw::tun_set_offload(fd.as_raw_fd(), u64::from(bits)) }?;
    Ok(())
}

/// `TUNSETVNETHDRSZ`: bytes of virtio-net header before each frame.
pub(crate) fn set_vnet_header_len(fd: BorrowedFd<'_>, len: c_int) -> io::Result<()> {
    // SAFETY: the kernel reads one int.
    unsafe { raw::tun_set_vnet_header_len(fd.as_raw_fd(), &raw const len) }?;
    Ok(())
}

/// The flags (`IFF_UP`) of interface `name`; `control` is any socket.
pub(crate) fn interface_flags(control: BorrowedFd<'_>, name: &str) -> io::Result<c_int> {
    let mut request = request(name);
    // SAFETY: the kernel reads and writes one ifreq.
    unsafe { raw::get_flags(control.as_raw_fd(), &raw mut request) }?;
    // SAFETY: SIOCGIFFLAGS fills in ifru_flags.
    Ok(c_int::from(unsafe { request.ifr_ifru.ifru_flags }.cast_unsigned()))
}

/// The MTU of interface `name`.
pub(crate) fn interface_mtu(control: BorrowedFd<'_>, name: &str) -> io::Result<u32> {
    let mut request = request(name);
    // SAFETY: the kernel reads and writes one ifreq.
    unsafe { raw::get_mtu(control.as_raw_fd(), &raw mut request) }?;
    // SAFETY: SIOCGIFMTU fills in ifru_mtu.
    Ok(unsafe { request.ifr_ifru.ifru_mtu }.cast_unsigned())
}

/// The Ethernet address of interface `name`; `None` if it is not an Ethernet.
pub(crate) fn hardware_address(control: BorrowedFd<'_>, name: &str) -> io::Result<Option<MacAddr>> {
    let mut request = request(name);
    // SAFETY: the kernel reads and writes one ifreq.
    unsafe { raw::get_hardware_address(control.as_raw_fd(), &raw mut request) }?;
    // SAFETY: SIOCGIFHWADDR fills in ifru_hwaddr.
    let address = unsafe { request.ifr_ifru.ifru_hwaddr };
    let mut octets = [0; 6];
    for (octet, c) in octets.iter_mut().zip(address.sa_data) {
        *octet = c.cast_unsigned();
    }
    Ok((address.sa_family == libc::ARPHRD_ETHER).then_some(MacAddr(octets)))
}

/// Sets how many frames the kernel queues towards interface `name`.
pub(crate) fn set_queue_len(control: BorrowedFd<'_>, name: &str, frames: u32) -> io::Result<()> {
    let mut request = request(name);
    request.ifr_ifru.ifru_metric = c_int::try_from(frames).unwrap_or(c_int::MAX);
    // SAFETY: the kernel reads one ifreq; ifr_qlen is an int at the place of ifr_metric.
    unsafe { raw::set_queue_len(control.as_raw_fd(), &raw const request) }?;
    Ok(())
}

/// Sets an integer option of a packet socket.
pub(crate) fn set_packet_option(fd: BorrowedFd<'_>, option: c_int, value: c_int) -> io::Result<()> {
    set_option(fd, libc::SOL_PACKET, option, &value)
}

/// Lets the interface hand up frames for any station while `fd` is open.
pub(crate) fn set_promiscuous(fd: BorrowedFd<'_>, index: c_int) -> io::Result<()> {
    let membership = libc::packet_mreq {
        mr_ifindex: index,
        mr_type: libc::PACKET_MR_PROMISC.try_into().unwrap_or_default(),
        mr_alen: 0,
        mr_address: [0; 8],
    };
    set_option(fd, libc::SOL_PACKET, libc::PACKET_ADD_MEMBERSHIP, &membership)
}

/// Refuses frames whose VLAN tag the kernel has taken off: without it they would look like ours.
pub(crate) fn refuse_tagged(fd: BorrowedFd<'_>) -> io::Result<()> {
    const TAG_PRESENT: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_VLAN_TAG_PRESENT).cast_unsigned();
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: code as u16, jt, jf, k };
    let mut program = [
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, TAG_PRESENT),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, 0),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, u32::MAX),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, 0),
    ];
    let filter = libc::sock_fprog { len: 4, filter: program.as_mut_ptr() };
    set_option(fd, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)
}

/// Binds a packet socket to one interface, for frames of every type.
pub(crate) fn bind_packet(fd: BorrowedFd<'_>, index: c_int) -> io::Result<()> {
    // SAFETY: all zeros is a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { core::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = index;
    let len = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: pointer and length are those of a sockaddr_ll that outlives the call.
    match unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), len) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// A socket for interface ioctls.
pub(crate) fn control_socket() -> io::Result<OwnedFd> {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    Ok(socket_with(AddressFamily::INET, SocketType::DGRAM, SocketFlags::CLOEXEC, None)?)
}

/// The index of interface `name`, if there is one.
pub(crate) fn interface_index(control: &impl AsFd, name: &str) -> Option<u32> {
    rustix::net::netdevice::name_to_index(control, name).ok()
}

fn set_option<T>(fd: BorrowedFd<'_>, level: c_int, option: c_int, value: &T) -> io::Result<()> {
    let len = size_of::<T>() as libc::socklen_t;
    // SAFETY: pointer and length are those of `value`.
    let done =
        unsafe { libc::setsockopt(fd.as_raw_fd(), level, option, (&raw const *value).cast(), len) };
    match done {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// An ifreq for interface `name`, zero elsewhere.
fn request(name: &str) -> ifreq {
    // SAFETY: all zeros is a valid ifreq.
    let mut request: ifreq = unsafe { core::mem::zeroed() };
    // The last byte stays zero: names have at most 15.
    for (c, byte) in request.ifr_name.iter_mut().take(libc::IFNAMSIZ - 1).zip(name.bytes()) {
        *c = byte.cast_signed();
    }
    request
}
