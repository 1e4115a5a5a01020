//! One line a frame, as the `Link` layer sees it: the layer alone, over a device alone.
//!
//! ```text
//! unshare -rn                                          # a network of your own, or be root
//! cargo run -p link --example sniff -- tap0 & sleep 1  # makes a TAP; the kernel gets 10.9.0.1
//! ping -c 3 10.9.0.2                                   # nobody answers, but see what is asked
//! ```
//!
//! `afpacket:eth0` listens on an existing interface instead, `fd:3` on an inherited descriptor.

use layer::outlet::Driver;
use layer::{Instant, InterfaceId, Layer, MacAddr, boundary::Frame};
use link::{Config, Device, DeviceError, Link, afpacket, tap};
use rustix::event::{PollFd, PollFlags, poll};

fn open(name: &str) -> Result<Device, link::OpenError> {
    if let Some(interface) = name.strip_prefix("afpacket:") {
        return afpacket::open(interface, &afpacket::Options::default());
    }
    if let Some(Ok(number)) = name.strip_prefix("fd:").map(str::parse) {
        return tap::inherit(number, &tap::Options { offload: true, ..Default::default() });
    }
    let host_address = "10.9.0.1/24".parse().ok();
    tap::open(name, &tap::Options { offload: true, up: true, host_address, ..Default::default() })
}

fn main() {
    if let Err(error) = sniff() {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn sniff() -> Result<(), Box<dyn std::error::Error>> {
    let name =
        std::env::args().nth(1).ok_or("usage: sniff TAP | afpacket:INTERFACE | fd:NUMBER")?;
    let mut device = open(&name)?;
    let mac = device.mac.unwrap_or(MacAddr([2, 0, 0, 0, 0, 1]));
    println!("listening on {} as {mac}, MTU {}", device.name, device.mtu);

    let interface = InterfaceId(0);
    let mut link = Link::new(Config::new(interface, mac, device.mtu));
    let mut driver = Driver::new(64);
    let mut batch = Vec::new();
    loop {
        poll(&mut [PollFd::from_borrowed_fd(device.receiver.as_fd(), PollFlags::IN)], None)?;
        match device.receiver.receive(&mut batch, 64) {
            Ok(_) => {}
            Err(error @ DeviceError::Down { .. }) => eprintln!("{error}"),
            Err(error) => return Err(error.into()),
        }
        for packet in batch.drain(..) {
            // A layer reads no clock; this one would not care either.
            link.receive(Instant::ZERO, Frame { interface, packet }, &mut driver.out());
        }
        link.poll(Instant::ZERO, &mut driver.out());
        while let Some(item) = driver.up.pop() {
            let (from, ethertype, packet) = (item.source, item.ethertype, item.packet);
            let (len, cast, offload) = (packet.len(), item.cast, packet.offload());
            print!("{from} {cast:?} type {ethertype:#06x} {len} bytes {:?}", offload.checksum);
            match offload.segmentation {
                Some(segmentation) => println!(", segments of {}", segmentation.size),
                None => println!(),
            }
        }
        for (reason, total) in driver.ledger.nonzero() {
            println!("  dropped so far: {total} {}", reason.name());
        }
    }
}
