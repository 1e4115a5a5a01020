//! Structures of a program, well made and hostile.

use core::cell::RefCell;

use super::*;

/// A few kilobytes at `BASE`; everything else is a hole.
struct Fake(RefCell<Vec<u8>>);

const BASE: u64 = 0x1000;

impl Fake {
    fn new() -> Self {
        Self(RefCell::new(vec![0; 8192]))
    }

    fn put(&self, at: u64, data: &[u8]) {
        self.write(at, data).unwrap();
    }

    fn get(&self, at: u64, len: usize) -> Vec<u8> {
        let mut data = vec![0; len];
        self.read(at, &mut data).unwrap();
        data
    }

    fn range(&self, at: u64, len: usize) -> Result<core::ops::Range<usize>, Errno> {
        let start = at.checked_sub(BASE).and_then(|at| usize::try_from(at).ok()).ok_or(EFAULT)?;
        let end = start.checked_add(len).filter(|&end| end <= 8192).ok_or(EFAULT)?;
        Ok(start..end)
    }
}

impl Memory for Fake {
    fn read(&self, address: u64, buffer: &mut [u8]) -> Result<(), Errno> {
        let range = self.range(address, buffer.len())?;
        buffer.copy_from_slice(&self.0.borrow()[range]);
        Ok(())
    }

    fn write(&self, address: u64, data: &[u8]) -> Result<(), Errno> {
        let range = self.range(address, data.len())?;
        self.0.borrow_mut()[range].copy_from_slice(data);
        Ok(())
    }
}

/// A `msghdr` at `BASE` whose vector stands at `BASE + 64`.
fn message(memory: &Fake, name: (u64, u32), pieces: &[(u64, u64)], count: u64) {
    memory.put(BASE, &name.0.to_ne_bytes());
    memory.put(BASE + 8, &name.1.to_ne_bytes());
    memory.put(BASE + 16, &(BASE + 64).to_ne_bytes());
    memory.put(BASE + 24, &count.to_ne_bytes());
    for (i, (base, len)) in pieces.iter().enumerate() {
        memory.put(BASE + 64 + 16 * i as u64, &base.to_ne_bytes());
        memory.put(BASE + 72 + 16 * i as u64, &len.to_ne_bytes());
    }
}

#[test]
fn an_address_is_read_and_written_as_linux_lays_it_out() {
    let memory = Fake::new();
    // AF_INET, port 80, 192.0.2.7.
    memory.put(BASE, &[2, 0, 0, 80, 192, 0, 2, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
    let expected: SocketAddrV4 = "192.0.2.7:80".parse().unwrap();
    for len in [16, 28, 128] {
        assert_eq!(name(&memory, BASE, len), Ok(Name::Internet(expected)));
    }
    assert_eq!(sockaddr(expected.into()), *memory.get(BASE, 16));
    memory.put(BASE, &[0, 0]);
    assert_eq!(name(&memory, BASE, 2), Ok(Name::Unspecified));
    memory.put(BASE, &[1, 0]);
    assert_eq!(name(&memory, BASE, 110), Ok(Name::Foreign));
}

#[test]
fn an_address_of_a_length_that_cannot_be_is_refused() {
    let memory = Fake::new();
    memory.put(BASE, &[2, 0]);
    for len in [i32::MIN, -1, 0, 1, 2, 8, 15, 129, i32::MAX] {
        assert_eq!(name(&memory, BASE, len), Err(Errno::INVAL), "length {len}");
    }
    for at in [0, BASE - 1, BASE + 8192 - 15, u64::MAX] {
        assert_eq!(name(&memory, at, 16), Err(EFAULT));
    }
}

#[test]
fn an_answer_is_cut_to_the_room_and_tells_its_length() {
    let memory = Fake::new();
    let address: SocketAddr = "10.9.0.1:7".parse().unwrap();
    let len = BASE + 100;
    memory.put(len, &4i32.to_ne_bytes());
    write_name(&memory, BASE, len, address).unwrap();
    assert_eq!(memory.get(BASE, 8), [2, 0, 0, 7, 0, 0, 0, 0]);
    assert_eq!(memory.get(len, 4), 16i32.to_ne_bytes());
    memory.put(len, &(-1i32).to_ne_bytes());
    assert_eq!(write_name(&memory, BASE, len, address), Err(Errno::INVAL));
    assert_eq!(write_name(&memory, BASE, 8, address), Err(EFAULT));
    assert_eq!(write_name(&memory, 0, 8, address), Ok(()), "nobody asked");
    // getsockopt tells what was written.
    memory.put(len, &2i32.to_ne_bytes());
    write_sized(&memory, BASE, len, &[1, 2, 3], None).unwrap();
    assert_eq!(memory.get(len, 4), 2i32.to_ne_bytes());
}

#[test]
fn a_message_is_gathered_and_scattered_over_its_pieces() {
    let memory = Fake::new();
    memory.put(BASE + 1000, b"hello");
    memory.put(BASE + 2000, b"world");
    let pieces = [(BASE + 1000, 5), (0, 0), (BASE + 2000, 3)];
    message(&memory, (BASE + 500, 16), &pieces, 3);
    let read = Message::read(&memory, BASE).unwrap();
    assert_eq!((read.name, read.name_len, read.room()), (BASE + 500, 16, 8));
    assert_eq!(read.gather(&memory).unwrap(), b"hellowor");
    read.scatter(&memory, b"abcdefghij").unwrap();
    assert_eq!(memory.get(BASE + 1000, 5), b"abcde");
    assert_eq!(memory.get(BASE + 2000, 5), b"fghld", "nothing beyond the pieces");
    read.finish(&memory, Some("10.9.0.1:7".parse().unwrap()), 0x20).unwrap();
    assert_eq!(memory.get(BASE + 500, 8), [2, 0, 0, 7, 10, 9, 0, 1]);
    assert_eq!(memory.get(BASE + 8, 4), 16u32.to_ne_bytes());
    assert_eq!(memory.get(BASE + 48, 4), 0x20i32.to_ne_bytes());
}

#[test]
fn hostile_lengths_allocate_nothing_and_fail_as_in_linux() {
    let memory = Fake::new();
    for count in [1025, u64::from(u32::MAX), u64::MAX] {
        message(&memory, (0, 0), &[], count);
        assert_eq!(Message::read(&memory, BASE), Err(Errno::MSGSIZE), "{count} pieces");
    }
    message(&memory, (0, 0), &[(BASE, u64::MAX)], 1);
    assert_eq!(Message::read(&memory, BASE), Err(Errno::INVAL));
    message(&memory, (0, 0), &[(BASE, i64::MAX as u64), (BASE, i64::MAX as u64)], 2);
    let read = Message::read(&memory, BASE).unwrap();
    assert_eq!(read.room(), LONGEST);
    assert_eq!(read.gather(&memory), Err(EFAULT));
    // A vector that runs into a hole.
    message(&memory, (0, 0), &[], 1024);
    assert_eq!(Message::read(&memory, BASE), Err(EFAULT));
    assert_eq!(Message::read(&memory, u64::MAX), Err(EFAULT));
    message(&memory, (BASE, u32::MAX), &[], 0);
    let read = Message::read(&memory, BASE).unwrap();
    let from = Some("10.9.0.1:7".parse().unwrap());
    assert_eq!(read.finish(&memory, from, 0), Err(Errno::INVAL));
}
