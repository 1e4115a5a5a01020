//! The filter, run in an interpreter.

use super::*;

/// What the kernel hands to a filter.
struct Data {
    number: i64,
    architecture: u32,
    arguments: [u64; 6],
}

impl Data {
    fn call(number: c_long) -> Self {
        Self { number, architecture: NATIVE, arguments: [0; 6] }
    }

    fn with(mut self, index: usize, value: u64) -> Self {
        self.arguments[index] = value;
        self
    }

    fn word(&self, at: u32) -> u32 {
        match at {
            NUMBER => self.number as u32,
            ARCHITECTURE => self.architecture,
            _ => {
                let at = at - ARGUMENTS;
                (self.arguments[(at / 8) as usize] >> (8 * (at % 8))) as u32
            }
        }
    }
}

/// Runs the filter as `Documentation/networking/filter.rst` says.
fn verdict(data: &Data) -> u32 {
    let code = program();
    let (mut at, mut accumulator) = (0, 0);
    loop {
        let Instruction { code, jt, jf, k } = code[at];
        at += 1;
        let mut branch = |is: bool| at += usize::from(if is { jt } else { jf });
        match code {
            LOAD => accumulator = data.word(k),
            EQUAL => branch(accumulator == k),
            AT_LEAST => branch(accumulator >= k),
            RETURN => return k,
            other => panic!("unknown operation {other:#x}"),
        }
    }
}

fn socket(family: i32) -> Data {
    // The upper half is noise: the kernel takes an int.
    Data::call(libc::SYS_socket).with(0, 0xdead_beef_0000_0000 | family as u64)
}

#[test]
fn internet_sockets_are_answered_here_and_the_rest_is_refused() {
    assert_eq!(verdict(&socket(libc::AF_INET)), NOTIFY);
    assert_eq!(verdict(&socket(libc::AF_INET6)), refuse(libc::EAFNOSUPPORT));
    assert_eq!(verdict(&socket(libc::AF_UNIX)), ALLOW);
    assert_eq!(verdict(&socket(libc::AF_NETLINK)), ALLOW);
    for family in (0..64).filter(|family| ![1, 2, 10, 16].contains(family)) {
        assert_eq!(verdict(&socket(family)), refuse(libc::EPERM), "family {family}");
    }
}

#[test]
fn other_abis_and_rings_do_not_exist() {
    for architecture in [0x4000_0003, 0xc000_0015, 0, NATIVE ^ 0x8000_0000] {
        let data = Data { architecture, ..Data::call(libc::SYS_read) };
        assert_eq!(verdict(&data), refuse(libc::ENOSYS), "{architecture:#x}");
    }
    for number in [libc::SYS_socket, libc::SYS_read] {
        let x32 = number | 0x4000_0000;
        assert_eq!(verdict(&Data::call(x32)), refuse(libc::ENOSYS));
    }
    assert_eq!(verdict(&Data::call(-1)), refuse(libc::ENOSYS));
    for &number in HIDDEN {
        assert_eq!(verdict(&Data::call(number)), refuse(libc::ENOSYS));
    }
}

#[test]
fn data_stays_native() {
    for number in [
        libc::SYS_read,
        libc::SYS_write,
        libc::SYS_readv,
        libc::SYS_writev,
        libc::SYS_close,
        libc::SYS_ppoll,
        libc::SYS_epoll_pwait,
        libc::SYS_sendfile,
        libc::SYS_splice,
        libc::SYS_dup,
        libc::SYS_fcntl,
        libc::SYS_execve,
        libc::SYS_clone,
        libc::SYS_socketpair,
    ] {
        assert_eq!(verdict(&Data::call(number)), ALLOW, "call {number}");
    }
}

#[test]
fn of_all_numbers_only_the_listed_ones_are_touched() {
    for number in 0..1024 {
        let listed = CONTROL.contains(&number);
        let refused = HIDDEN.contains(&number);
        let expected = match number {
            _ if listed => NOTIFY,
            _ if refused => refuse(libc::ENOSYS),
            libc::SYS_socket => refuse(libc::EPERM),
            _ => ALLOW,
        };
        assert_eq!(verdict(&Data::call(number)), expected, "call {number}");
    }
}

#[test]
fn an_address_is_what_makes_sendto_a_control_call() {
    for &number in ADDRESSED {
        assert_eq!(verdict(&Data::call(number).with(1, 7).with(5, 16)), ALLOW);
        for pointer in [1, 0x1_0000_0000, u64::MAX, 0x7fff_0000_0000] {
            assert_eq!(verdict(&Data::call(number).with(4, pointer)), NOTIFY, "{pointer:#x}");
        }
    }
}
