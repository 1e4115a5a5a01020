//! The seccomp filter: which calls of a program are answered by the supervisor.
//!
//! ```text
//!    foreign ABI, io_uring            ENOSYS      no way around the filter
//!    socket(AF_INET)                  notified    answered with one end of a pair
//!    socket(AF_INET6)                 EAFNOSUPPORT
//!    socket(AF_UNIX, AF_NETLINK)      as always   local, and none of ours
//!    socket(anything else)            EPERM
//!    bind, connect, accept, ...       notified    ours or not is seen there
//!    sendto, recvfrom                 notified if there is an address
//!    everything else                  as always   read, write, poll, epoll, sendfile, ...
//! ```
//!
//! A filter sees registers, not memory: of `sendmsg` and its kin it cannot see whether there is an
//! address, so all of them are notified. What is the same for every call of a number (`read`), the
//! kernel answers from a bitmap, without running any of this.
//!
//! A small assembler of its own: what there is for Rust compiles rules to one verdict each, and
//! here one call needs three.

#[cfg(test)]
mod tests;

use nix::libc::{self, c_long};

/// An instruction of classic BPF, laid out as the kernel's `sock_filter`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip if true.
    pub jt: u8,
    /// Instructions to skip if false.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// `A = data[k..k+4]`.
const LOAD: u16 = 0x20;
/// `A == k`.
const EQUAL: u16 = 0x15;
/// `A >= k`.
const AT_LEAST: u16 = 0x35;
/// The answer is k.
const RETURN: u16 = 0x06;

/// Places in `struct seccomp_data`.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// `AUDIT_ARCH_*` of linux/audit.h.
#[cfg(target_arch = "x86_64")]
const NATIVE: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const NATIVE: u32 = 0xc000_00b7;

/// Numbers from here on are x32's on x86-64, and nobody's elsewhere.
const FOREIGN: u32 = 0x4000_0000;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;
const NOTIFY: u32 = libc::SECCOMP_RET_USER_NOTIF;

const fn refuse(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | (errno as u32 & libc::SECCOMP_RET_DATA)
}

/// Calls on sockets that are always notified.
const CONTROL: &[c_long] = &[
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_connect,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_getsockname,
    libc::SYS_getpeername,
    libc::SYS_setsockopt,
    libc::SYS_getsockopt,
    libc::SYS_shutdown,
    libc::SYS_sendmsg,
    libc::SYS_recvmsg,
    libc::SYS_sendmmsg,
    libc::SYS_recvmmsg,
];

/// Calls that are notified if their fifth argument, an address, is there.
const ADDRESSED: &[c_long] = &[libc::SYS_sendto, libc::SYS_recvfrom];

/// Ways to sockets that a filter does not see.
const HIDDEN: &[c_long] =
    &[libc::SYS_io_uring_setup, libc::SYS_io_uring_enter, libc::SYS_io_uring_register];

/// The program that every process under `run` carries.
pub fn program() -> Vec<Instruction> {
    let mut code = vec![
        load(ARCHITECTURE),
        jump(EQUAL, NATIVE, 1, 0),
        answer(refuse(libc::ENOSYS)),
        load(NUMBER),
        jump(AT_LEAST, FOREIGN, 0, 1),
        answer(refuse(libc::ENOSYS)),
    ];
    rule(&mut code, libc::SYS_socket, &family());
    for &number in ADDRESSED {
        rule(&mut code, number, &if_given(4));
    }
    for &number in CONTROL {
        rule(&mut code, number, &[answer(NOTIFY)]);
    }
    for &number in HIDDEN {
        rule(&mut code, number, &[answer(refuse(libc::ENOSYS))]);
    }
    code.push(answer(ALLOW));
    code
}

/// `body`, which ends with an answer, for the call of that number.
fn rule(code: &mut Vec<Instruction>, number: c_long, body: &[Instruction]) {
    let skip = u8::try_from(body.len()).unwrap_or(u8::MAX);
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    code.push(jump(EQUAL, number, 0, skip));
    code.extend_from_slice(body);
}

/// By the first argument of `socket`, of which the kernel looks at 32 bits.
fn family() -> Vec<Instruction> {
    let verdicts = [
        (libc::AF_INET, NOTIFY),
        (libc::AF_INET6, refuse(libc::EAFNOSUPPORT)),
        (libc::AF_UNIX, ALLOW),
        (libc::AF_NETLINK, ALLOW),
    ];
    let mut code = vec![load(low(0))];
    for (family, verdict) in verdicts {
        code.push(jump(EQUAL, family as u32, 0, 1));
        code.push(answer(verdict));
    }
    code.push(answer(refuse(libc::EPERM)));
    code
}

/// Notified unless the pointer in argument `index` is null.
fn if_given(index: u32) -> Vec<Instruction> {
    vec![
        load(low(index)),
        jump(EQUAL, 0, 0, 2),
        load(high(index)),
        jump(EQUAL, 0, 1, 0),
        answer(NOTIFY),
        answer(ALLOW),
    ]
}

/// The lower half of an argument on a little-endian machine.
const fn low(index: u32) -> u32 {
    ARGUMENTS + 8 * index
}

const fn high(index: u32) -> u32 {
    low(index) + 4
}

const fn load(k: u32) -> Instruction {
    Instruction { code: LOAD, jt: 0, jf: 0, k }
}

const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> Instruction {
    Instruction { code, jt, jf, k }
}

const fn answer(k: u32) -> Instruction {
    Instruction { code: RETURN, jt: 0, jf: 0, k }
}
