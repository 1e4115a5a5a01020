//! Every flag, well said and badly said.

use super::*;

/// Without the variables of whoever runs the tests.
fn asked(line: &str) -> Result<Asked, clap::Error> {
    let words = std::iter::once("stackd").chain(line.split_ascii_whitespace());
    Asked::read_with(words, &|_| None)
}

fn read(line: &str) -> Result<Args, clap::Error> {
    match asked(line)? {
        Asked::Serve(args) => Ok(*args),
        Asked::Run(run) => panic!("{line} is {run:?}"),
        Asked::Command(command) => panic!("{line} is {command:?}"),
    }
}

/// What the message says, and that the process would end with status 2.
fn refused(line: &str) -> String {
    let error = read(line).unwrap_err();
    assert_eq!(error.exit_code(), 2, "{line}");
    error.to_string()
}

fn shape(args: &Args) -> Vec<(String, Vec<String>, Option<u32>)> {
    let texts = |i: &Interface| i.addresses.iter().map(ToString::to_string).collect();
    args.host.interfaces.iter().map(|i| (i.attachment.to_string(), texts(i), i.mtu)).collect()
}

#[test]
fn nothing_said_means_one_host_on_one_tap() {
    let args = read("").unwrap();
    assert_eq!(shape(&args), [("TAP stack0".to_owned(), vec!["10.9.0.2/24".to_owned()], None)]);
    assert_eq!(args.host.interfaces[0].host_address, HostAddress::Derived);
    assert_eq!(
        (args.host.pipeline, args.host.acd, args.host.offload),
        (Pipeline::Layers, Acd::Optimistic, true)
    );
    let services: Vec<String> = args.services.iter().map(ToString::to_string).collect();
    assert_eq!(services, ["echo:7", "discard:9", "source:19", "http:80"]);
    assert_eq!((args.host.gateway, args.host.capture), (None, None));
}

#[test]
fn options_belong_to_the_device_before_them() {
    let line = "--tap a --address 10.0.1.2/24 --address 10.0.1.3/24 --mtu 9000 \
                --device afpacket:veth1 --address 10.0.2.2/24 --tap-fd 3 --address 10.0.3.2/24";
    let expected = [
        ("TAP a", vec!["10.0.1.2/24", "10.0.1.3/24"], Some(9000)),
        ("interface veth1", vec!["10.0.2.2/24"], None),
        ("descriptor 3", vec!["10.0.3.2/24"], None),
    ];
    let found = shape(&read(line).unwrap());
    let found: Vec<_> = found
        .iter()
        .map(|(device, nets, mtu)| {
            (device.as_str(), nets.iter().map(String::as_str).collect(), *mtu)
        })
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn options_before_any_device_belong_to_the_first_and_the_mtu_to_all() {
    let line = "--mtu 1400 --address 10.0.1.2/24 --mac 02:00:00:00:00:01 --host-address none \
                --tap a --address 10.0.1.3/24 --tap b --address 10.0.2.2/24 --mtu 576";
    let args = read(line).unwrap();
    let addresses = |i: usize| -> Vec<String> {
        args.host.interfaces[i].addresses.iter().map(ToString::to_string).collect()
    };
    assert_eq!(addresses(0), ["10.0.1.2/24", "10.0.1.3/24"]);
    assert_eq!(addresses(1), ["10.0.2.2/24"]);
    assert_eq!((args.host.interfaces[0].mtu, args.host.interfaces[1].mtu), (Some(1400), Some(576)));
    assert_eq!(args.host.interfaces[0].host_address, HostAddress::None);
    assert_eq!(args.host.interfaces[1].host_address, HostAddress::Derived);
    assert_eq!(args.host.interfaces[0].mac, Some(MacAddr([2, 0, 0, 0, 0, 1])));
    assert_eq!(args.host.interfaces[1].mac, None);
}

#[test]
fn the_rest() {
    let line = "--gateway 10.9.0.1 --acd strict --service http:8080 --service echo \
                --pipeline inline --offload off --capture x.pcapng --host-address 10.9.0.9/24";
    let args = read(line).unwrap();
    assert_eq!(args.host.gateway, Some("10.9.0.1".parse().unwrap()));
    assert_eq!(
        (args.host.acd, args.host.pipeline, args.host.offload),
        (Acd::Strict, Pipeline::Inline, false)
    );
    let services: Vec<String> = args.services.iter().map(ToString::to_string).collect();
    assert_eq!(services, ["http:8080", "echo:7"]);
    assert_eq!(args.host.capture, Some("x.pcapng".into()));
    assert_eq!((&args.name, &args.control), (&None, &None));
    let host = HostAddress::Given("10.9.0.9/24".parse().unwrap());
    assert_eq!(args.host.interfaces[0].host_address, host);
}

#[test]
fn nonsense_is_refused_by_name() {
    for (line, says) in [
        ("--tap a/b", "1 to 15 bytes"),
        ("--tap abcdefghijklmnop", "1 to 15 bytes"),
        ("--tap-fd x", "invalid digit"),
        ("--tap-fd=-1", "-1 is not in"),
        ("--device eth0", "afpacket:eth0"),
        ("--device dpdk:0", "afpacket:eth0"),
        ("--address 10.9.0.2", "10.9.0.2/24"),
        ("--address 10.9.0.2/33", "10.9.0.2/24"),
        ("--address 10.9.0.0/24", "names the network"),
        ("--address 10.9.0.255/24", "names the network"),
        ("--address 127.0.0.1/8", "no address of a host"),
        ("--address 224.0.0.1/4", "no address of a host"),
        ("--address 0.0.0.0/0", "no address of a host"),
        ("--address 10.9.0.2/0", "is everything"),
        ("--address 10.9.0.2/24 --address 10.9.0.2/16", "given twice"),
        ("--host-address maybe", "10.9.0.2/24"),
        ("--host-address 10.9.0.2/24", "both the stack's and this machine's"),
        ("--host-address none --host-address 10.9.0.1/24", "twice for one device"),
        ("--device afpacket:v --address 10.9.0.2/24 --host-address 10.9.0.1/24", "is for TAPs"),
        ("--gateway 10.9.0.2", "is the stack itself"),
        ("--gateway 192.0.2.1", "in none of the networks"),
        ("--gateway router", "invalid IP"),
        ("--mac 1:2:3", "02:00:00:00:00:01"),
        ("--mac ff:ff:ff:ff:ff:ff", "no address of one station"),
        ("--mtu 67", "67 is not in"),
        ("--mtu 65536", "65536 is not in"),
        ("--mtu many", "invalid digit"),
        ("--acd maybe", "optimistic"),
        ("--service smtp", "echo, discard, source, http"),
        ("--service echo:0", "1 to 65535"),
        ("--service echo:x", "1 to 65535"),
        ("--service echo:80 --service http", "two services on port 80"),
        ("--pipeline long", "layers"),
        ("--name a/b", "1 to 32"),
        ("--control", "a value is required"),
        ("--mtu 1400 ls", "cannot be used with"),
        ("--offload maybe", "on"),
        ("--tap a --address 10.0.0.2/24 --tap a --address 10.0.0.3/24", "given twice"),
        ("--tap a --address 10.0.0.2/24 --tap b", "TAP b has no --address"),
        ("--colour", "--colour"),
        ("something", "something"),
    ] {
        let message = refused(line);
        assert!(message.contains(says), "{line}: {message}");
    }
}

#[test]
fn help_teaches_with_examples() {
    let help = read("--help").unwrap_err();
    assert_eq!(help.exit_code(), 0);
    let help = help.to_string();
    for word in ["Examples:", "ping 10.9.0.2", "--pipeline inline", "afpacket:veth1", "ready"] {
        assert!(help.contains(word), "{word} is not in:\n{help}");
    }
}

#[test]
fn where_the_control_socket_is() {
    let args = read("--name lab --control /tmp/x.sock").unwrap();
    assert_eq!(args.name, Some("lab".parse().unwrap()));
    assert_eq!(args.control, Some(Control::At("/tmp/x.sock".into())));
    assert_eq!(read("--control off").unwrap().control, Some(Control::Off));
}

#[test]
fn a_command_is_no_flag() {
    let asked = asked("ls").unwrap();
    assert!(matches!(asked, Asked::Command(Command::Ls(_))));
}
