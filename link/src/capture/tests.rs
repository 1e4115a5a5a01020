//! What is written is read back by the parser of the same crate, field by field.

use super::*;
use crate::cable;
use crate::tests::{Super, judge};
use pcap_file::pcapng::{Block, PcapNgReader};

/// A writer whose bytes can be looked at.
#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A disk that is full.
struct Full;

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The section and interface headers still fit.
        if bytes.len() > 40 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn frames_with_time_interface_direction_and_comment() {
    let buffer = Buffer::default();
    let mut capture = Capture::new(Box::new(buffer.clone()), &["tap0", "tap1"]).unwrap();
    // 22 November 2026, and 123456789 ns: needs more than 32 bits and more than microseconds.
    let now = 1_795_348_228_123_456_789;
    let packet = PacketBuf::copy_from(b"an Ethernet frame, more or less");
    capture.record(now, InterfaceId(1), Direction::In, &packet, None).unwrap();
    let odd = Some("link.runt");
    capture.record(now + 1, InterfaceId(0), Direction::Out, &packet, odd).unwrap();
    assert!(capture.record(now, InterfaceId(2), Direction::In, &packet, None).is_err());
    drop(capture);

    let bytes = buffer.0.lock().clone();
    let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
    let mut names = Vec::new();
    let mut seen = Vec::new();
    while let Some(block) = reader.next_block() {
        match block.unwrap().into_owned() {
            Block::InterfaceDescription(block) => {
                assert_eq!(block.linktype, DataLink::ETHERNET);
                assert!(block.options.contains(&InterfaceDescriptionOption::IfTsResol(9)));
                names.push(block.options[0].clone());
            }
            Block::EnhancedPacket(block) => seen.push(block),
            other => panic!("{other:?}"),
        }
    }
    let name = |name: &'static str| InterfaceDescriptionOption::IfName(Cow::Borrowed(name));
    assert_eq!(names, [name("tap0"), name("tap1")]);
    let [first, second] = &seen[..] else { panic!("{seen:?}") };
    assert_eq!(first.timestamp, Duration::from_nanos(now));
    assert_eq!(second.timestamp, Duration::from_nanos(now + 1));
    assert_eq!((first.interface_id, second.interface_id), (1, 0));
    assert_eq!(first.data, packet.to_vec());
    assert_eq!(first.original_len, 31);
    assert_eq!(first.options, [EnhancedPacketOption::Flags(1)]);
    let comment = EnhancedPacketOption::Comment(Cow::Borrowed("link.runt"));
    assert_eq!(second.options, [EnhancedPacketOption::Flags(2), comment]);
}

/// The frames that a capture of `packet` shows.
fn shown(packet: &PacketBuf) -> Vec<u8> {
    let buffer = Buffer::default();
    let mut capture = Capture::new(Box::new(buffer.clone()), &["x"]).unwrap();
    capture.record(0, InterfaceId(0), Direction::Out, packet, None).unwrap();
    let bytes = buffer.0.lock().clone();
    let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
    while let Some(block) = reader.next_block() {
        if let Block::EnhancedPacket(block) = block.unwrap() {
            return block.data.into_owned();
        }
    }
    panic!("nothing recorded")
}

#[test]
fn partial_checksums_are_shown_completed() {
    let super_segment = Super::tcp_v4(1460, &[9; 30_001]).frame(5000);
    judge(&shown(&super_segment)).unwrap();
    assert_eq!(shown(&super_segment).len(), super_segment.len());
    // The packet itself is as it was.
    assert!(judge(&super_segment.to_vec()).is_err());

    let mut hostile = PacketBuf::copy_from(&[1; 20]);
    hostile.offload_mut().checksum = ChecksumState::Partial { start: 19, field: 0 };
    assert_eq!(shown(&hostile), [1; 20]);
}

#[test]
fn a_tee_records_both_ways() {
    let (ours, mut theirs) = cable::pair(cable::Options::default()).unwrap();
    let buffer = Buffer::default();
    let capture = Arc::new(Mutex::new(Capture::new(Box::new(buffer.clone()), &["c"]).unwrap()));
    let empty = buffer.0.lock().len();
    let mut ours = tee(ours, InterfaceId(0), &capture, || 7);
    let frame = || vec![PacketBuf::copy_from(&[5; 60])];

    assert_eq!(ours.transmitter.transmit(&mut frame()).unwrap().sent, 1);
    let one = buffer.0.lock().len();
    assert!(one > empty + 60);
    theirs.transmitter.transmit(&mut frame()).unwrap();
    let mut batch = frame();
    assert_eq!(ours.receiver.receive(&mut batch, 64).unwrap(), 1);
    // One more, not two: what was in the batch before is not ours to record again.
    assert_eq!(buffer.0.lock().len() - one, one - empty);
}

#[test]
fn a_full_disk_is_told_once_and_stops_no_traffic() {
    let (ours, _theirs) = cable::pair(cable::Options::default()).unwrap();
    let capture = Arc::new(Mutex::new(Capture::new(Box::new(Full), &["c"]).unwrap()));
    let mut ours = tee(ours, InterfaceId(0), &capture, || 7);
    for _ in 0..2 {
        let mut frames = vec![PacketBuf::copy_from(&[5; 60])];
        assert_eq!(ours.transmitter.transmit(&mut frames).unwrap().sent, 1);
    }
    assert!(capture.lock().take_failure().is_some());
    assert!(capture.lock().take_failure().is_none());
}
