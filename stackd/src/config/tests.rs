//! Derived addresses.

use super::*;

fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

#[test]
fn the_machines_end_is_the_first_address_that_is_not_ours() {
    let host = |ours: &[&str]| {
        let mut interface = Interface::tap("x");
        interface.addresses = ours.iter().map(|text| net(text)).collect();
        interface.derived_host_address()
    };
    assert_eq!(host(&["10.9.0.2/24"]), Some(net("10.9.0.1/24")));
    assert_eq!(host(&["10.9.0.1/24", "10.9.0.2/24"]), Some(net("10.9.0.3/24")));
    assert_eq!(host(&["192.0.2.0/31"]), Some(net("192.0.2.1/31")));
    assert_eq!(host(&["192.0.2.7/32"]), None);
    assert_eq!(host(&[]), None);
}

#[test]
fn the_ethernet_address_is_locally_administered_and_names_the_ip_address() {
    let mac = derived_mac(Some(Ipv4Addr::new(10, 9, 0, 2)));
    assert_eq!(mac.to_string(), "02:00:0a:09:00:02");
    assert!(mac.is_unicast());
}

#[test]
fn pipelines_have_names() {
    for pipeline in Pipeline::ALL {
        assert_eq!(pipeline.name().parse(), Ok(pipeline));
    }
    assert_eq!("layer".parse::<Pipeline>(), Err(NoSuchPipeline));
}
