//! TCP's settings under Linux's names (ip-sysctl), with Linux's units.
//!
//! Left out: settings that only mean something at the start (`tcp_mem`, `ip_local_port_range` are
//! shown and cannot be changed), and those that Linux does not have.

use layer::Duration;
use tcp::{BufferSizes, CONGESTION, Config, EcnPolicy, SynCookies, Tcp};

/// A setting as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// `net.ipv4.tcp_...`.
    pub(crate) name: &'static str,
    /// As `sysctl` would print it.
    pub(crate) value: String,
    /// It can be changed while the stack runs.
    pub(crate) writable: bool,
}

type Read = fn(&Config) -> String;
type Write = fn(&mut Config, &str) -> Result<(), String>;

/// Name, how it is read, how it is written.
type Row = (&'static str, Read, Option<Write>);

const ROWS: &[Row] = &[
    (
        "net.ipv4.ip_local_port_range",
        |c| format!("{}\t{}", c.ephemeral_ports.0, c.ephemeral_ports.1),
        None,
    ),
    (
        "net.ipv4.tcp_congestion_control",
        |c| c.congestion.to_owned(),
        Some(|c, text| {
            let known = CONGESTION.iter().find(|name| **name == text);
            c.congestion = known.ok_or_else(|| format!("there are {}", CONGESTION.join(", ")))?;
            Ok(())
        }),
    ),
    (
        "net.ipv4.tcp_ecn",
        |c| match c.ecn {
            EcnPolicy::Off => "0".to_owned(),
            EcnPolicy::Active => "1".to_owned(),
            EcnPolicy::Passive => "2".to_owned(),
        },
        Some(|c, text| {
            c.ecn = match number(text, 0, 2)? {
                0 => EcnPolicy::Off,
                1 => EcnPolicy::Active,
                _ => EcnPolicy::Passive,
            };
            Ok(())
        }),
    ),
    (
        "net.ipv4.tcp_fin_timeout",
        |c| c.fin_wait_2.as_secs().to_string(),
        Some(|c, text| {
            c.fin_wait_2 = Duration::from_secs(number(text, 1, 3600)?);
            Ok(())
        }),
    ),
    (
        "net.ipv4.tcp_max_syn_backlog",
        |c| c.max_half_open.to_string(),
        Some(|c, text| {
            c.max_half_open = usize::try_from(number(text, 1, 1 << 20)?).unwrap_or(usize::MAX);
            Ok(())
        }),
    ),
    (
        "net.ipv4.tcp_mem",
        |c| {
            // Linux counts pages.
            let pages = |bytes: u64| bytes / 4096;
            let limits = c.memory;
            let (low, pressure, high) = (limits.low, limits.pressure, limits.high);
            format!("{}\t{}\t{}", pages(low), pages(pressure), pages(high))
        },
        None,
    ),
    (
        "net.ipv4.tcp_orphan_retries",
        |c| c.orphan_retries.to_string(),
        Some(|c, text| count(&mut c.orphan_retries, text, 1)),
    ),
    (
        "net.ipv4.tcp_retries1",
        |c| c.doubt_after.to_string(),
        // RFC 9293 3.8.3 has at least three for R1.
        Some(|c, text| count(&mut c.doubt_after, text, 3)),
    ),
    (
        "net.ipv4.tcp_retries2",
        |c| c.retries.to_string(),
        Some(|c, text| count(&mut c.retries, text, 1)),
    ),
    (
        "net.ipv4.tcp_rmem",
        |c| sizes(&c.receive_buffer),
        Some(|c, text| {
            c.receive_buffer = parse_sizes(text)?;
            Ok(())
        }),
    ),
    (
        "net.ipv4.tcp_rto_max_ms",
        |c| c.rto_max.as_millis().to_string(),
        Some(|c, text| {
            // RFC 6298 2.5 has at least 60 s.
            c.rto_max = Duration::from_millis(number(text, 60_000, 3_600_000)?);
            Ok(())
        }),
    ),
    (
        "net.ipv4.tcp_rto_min_us",
        |c| c.rto_min.as_micros().to_string(),
        Some(|c, text| {
            c.rto_min = Duration::from_micros(number(text, 1000, 1_000_000)?);
            Ok(())
        }),
    ),
    (
        "net.ipv4.tcp_sack",
        |c| u8::from(c.sack).to_string(),
        Some(|c, text| {
            c.sack = number(text, 0, 1)? == 1;
            Ok(())
        }),
    ),
    (
        "net.ipv4.tcp_syn_retries",
        |c| c.syn_retries.to_string(),
        Some(|c, text| count(&mut c.syn_retries, text, 1)),
    ),
    (
        "net.ipv4.tcp_synack_retries",
        |c| c.syn_ack_retries.to_string(),
        Some(|c, text| count(&mut c.syn_ack_retries, text, 1)),
    ),
    (
        "net.ipv4.tcp_syncookies",
        |c| match c.syn_cookies {
            SynCookies::Off => "0".to_owned(),
            SynCookies::WhenFull => "1".to_owned(),
            SynCookies::Always => "2".to_owned(),
        },
        Some(|c, text| {
            c.syn_cookies = match number(text, 0, 2)? {
                0 => SynCookies::Off,
                1 => SynCookies::WhenFull,
                _ => SynCookies::Always,
            };
            Ok(())
        }),
    ),
    (
        "net.ipv4.tcp_timestamps",
        |c| u8::from(c.timestamps).to_string(),
        Some(|c, text| {
            c.timestamps = number(text, 0, 1)? == 1;
            Ok(())
        }),
    ),
    (
        "net.ipv4.tcp_wmem",
        |c| sizes(&c.send_buffer),
        Some(|c, text| {
            c.send_buffer = parse_sizes(text)?;
            Ok(())
        }),
    ),
];

/// All of them, by name.
pub(super) fn all(config: &Config) -> Vec<Setting> {
    ROWS.iter().map(|row| show(row, config)).collect()
}

/// Changes one, and says what it is now. The short name, `tcp_ecn`, will do; a slash is a dot.
pub(super) fn set(tcp: &mut Tcp, name: &str, value: &str) -> Result<Setting, String> {
    let name = name.replace('/', ".");
    let row =
        ROWS.iter().find(|row| row.0 == name || row.0.strip_prefix("net.ipv4.") == Some(&name));
    let Some(row) = row else { return Err(format!("{name}: there is no such setting")) };
    let Some(write) = row.2 else {
        return Err(format!("{}: cannot be changed while the stack runs", row.0));
    };
    let mut config = tcp.config().clone();
    write(&mut config, value.trim()).map_err(|why| format!("{}: {why}", row.0))?;
    tcp.tune(|now| *now = config);
    Ok(show(row, tcp.config()))
}

fn show(row: &Row, config: &Config) -> Setting {
    let (name, read, write) = row;
    Setting { name, value: read(config), writable: write.is_some() }
}

fn number(text: &str, least: u64, most: u64) -> Result<u64, String> {
    let number = text.parse().ok().filter(|n| (least..=most).contains(n));
    number.ok_or_else(|| format!("{text:?} is no number from {least} to {most}"))
}

fn count(place: &mut u32, text: &str, least: u64) -> Result<(), String> {
    *place = u32::try_from(number(text, least, 255)?).unwrap_or(255);
    Ok(())
}

fn sizes(sizes: &BufferSizes) -> String {
    format!("{}\t{}\t{}", sizes.least, sizes.initial, sizes.most)
}

fn parse_sizes(text: &str) -> Result<BufferSizes, String> {
    let wanted = "three sizes in bytes are wanted, each at least the one before: least first most";
    let numbers: Option<Vec<u32>> = text.split_whitespace().map(|n| n.parse().ok()).collect();
    match numbers.as_deref() {
        Some(&[least, initial, most]) if 1024 <= least && least <= initial && initial <= most => {
            Ok(BufferSizes { least, initial, most })
        }
        Some(_) | None => Err(wanted.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp() -> Tcp {
        Tcp::new(Config::new([7; 16]))
    }

    #[test]
    fn what_is_set_is_what_is_shown() {
        let mut tcp = tcp();
        for (name, value) in [
            ("net.ipv4.tcp_ecn", "1"),
            ("tcp_sack", "0"),
            ("net/ipv4/tcp_rto_min_us", "5000"),
            ("tcp_congestion_control", "reno"),
            ("tcp_rmem", "4096\t131072\t6291456"),
        ] {
            let setting = set(&mut tcp, name, value).unwrap();
            assert_eq!(setting.value, value, "{name}");
            assert!(all(tcp.config()).contains(&setting));
        }
        assert_eq!(tcp.config().receive_buffer.most, 6_291_456);
    }

    #[test]
    fn nonsense_changes_nothing() {
        let mut tcp = tcp();
        let before = all(tcp.config());
        for (name, value, why) in [
            ("tcp_wings", "1", "no such setting"),
            ("tcp_ecn", "3", "from 0 to 2"),
            ("tcp_ecn", "x", "from 0 to 2"),
            ("tcp_congestion_control", "bbr9", "cubic"),
            ("tcp_rmem", "1 2", "three sizes"),
            ("tcp_rmem", "4096 2048 9999", "three sizes"),
            ("tcp_rto_max_ms", "100", "from 60000"),
            ("tcp_mem", "1 2 3", "cannot be changed"),
        ] {
            let said = set(&mut tcp, name, value).unwrap_err();
            assert!(said.contains(why), "{name}: {said}");
        }
        assert_eq!(all(tcp.config()), before);
    }

    #[test]
    fn names_are_sorted_and_linuxs() {
        let names: Vec<&str> = ROWS.iter().map(|row| row.0).collect();
        assert!(names.is_sorted());
        assert!(names.iter().all(|name| name.starts_with("net.ipv4.")));
    }
}
