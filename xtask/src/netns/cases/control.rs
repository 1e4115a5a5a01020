//! The control socket's clients, beside Linux's own tools that look at the same connections from
//! the other end.

use std::fs;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::{Case, HOST, Lab, Lane, MOMENT, STACK, wait};
use crate::netns::process::{Output, Process};

pub(super) const CASES: &[Case] = &[
    Case::new("control/ss-beside-the-kernels", beside)
        .needs(&["ss", "nc"])
        .stackd_only()
        .core()
        .lane(Lane::Idle),
    Case::new("control/tables", tables).needs(&["ping"]).stackd_only().core(),
    Case::new("control/changes", changes).needs(&["ping"]).stackd_only(),
    Case::new("control/ping", asks).stackd_only().core(),
    Case::new("control/monitor", monitor).stackd_only(),
    Case::new("control/capture", capture).needs(&["tshark"]).stackd_only().core(),
    Case::new("control/top", top).needs(&["nc"]).stackd_only(),
    Case::new("control/two-daemons", two).stackd_only(),
    Case::new("control/exit-codes", exit_codes).stackd_only(),
    Case::new("control/config", config).stackd_only(),
    Case::new("control/readme", readme).needs(&["curl"]).stackd_only(),
];

/// Ends the hang of a transfer through a bad path.
const PATIENCE: Duration = Duration::from_secs(90);

/// Bytes that go each way in the comparison.
const BYTES: u64 = 1_000_000;

/// The control socket of this case's daemon.
fn socket(lab: &Lab) -> String {
    lab.file("control.sock").display().to_string()
}

/// Flags for a daemon with a control socket.
fn flags(lab: &Lab) -> String {
    format!("--control {}", socket(lab))
}

/// Runs a client to its end.
fn client(lab: &Lab, line: &str) -> anyhow::Result<Output> {
    let socket = socket(lab);
    let words = line.split_whitespace().chain(["--control", &socket]);
    lab.run_stackd(&words.collect::<Vec<_>>())
}

/// Starts one and lets it run.
fn start_client(lab: &Lab, line: &str) -> anyhow::Result<Process> {
    let (program, socket) = (lab.settings.stackd.display().to_string(), socket(lab));
    let words = [program.as_str()].into_iter().chain(line.split_whitespace());
    lab.spawn(&words.chain(["--control", &socket]).collect::<Vec<_>>())
}

fn json(lab: &Lab, line: &str) -> anyhow::Result<Value> {
    let said = client(lab, &format!("{line} --json"))?.ok()?;
    serde_json::from_str(&said).with_context(|| format!("{line} --json: {said}"))
}

/// A member that must be a number.
fn number(value: &Value, name: &str) -> anyhow::Result<u64> {
    value[name].as_u64().with_context(|| format!("no number {name} in {value}"))
}

/// A word `name:number` of the kernel's `ss`, `0` where it is left out; of `rtt:1.5/2` the first.
fn word(said: &str, name: &str) -> f64 {
    let prefix = format!("{name}:");
    let value = said.split_whitespace().find_map(|word| word.strip_prefix(&prefix));
    let value = value.and_then(|value| value.split(['/', ',']).next());
    value.and_then(|value| value.parse().ok()).unwrap_or(0.0)
}

/// An echo of a million bytes through a path that loses and delays, then both ends' accounts.
fn beside(lab: &mut Lab) -> anyhow::Result<()> {
    let flags = flags(lab);
    lab.start_impaired("--seed 3 --loss 1 --delay-ms 20", &format!("--host-address none {flags}"))?;
    let mut talker = lab.spawn(&["nc", STACK, "7"])?;
    let bytes = usize::try_from(BYTES)?;
    // A line of so many bytes; nc then waits for the next one.
    talker.tell(&"x".repeat(bytes - 1))?;
    wait::until("the whole echo", PATIENCE, || {
        ensure!(talker.ended()?.is_none(), "nc ended");
        Ok((talker.stdout().len() == bytes).then_some(()))
    })?;
    let filter = "ss --state established --sport 7 -i";
    // The last acknowledgement may still be on its way.
    let ours = wait::until("all acknowledged", PATIENCE, || {
        let all = json(lab, filter)?;
        let one = all["sockets"].as_array().and_then(|all| all.first().cloned());
        let one = one.context("ss does not show the connection")?;
        Ok((number(&one, "bytes_acked")? == BYTES).then_some(one))
    })?;
    let theirs = lab.run(&format!("ss -tinH dst {STACK}"))?.ok()?;
    compare(&ours, &theirs)?;
    let nstat = json(lab, "nstat")?;
    let counters = &nstat["counters"];
    let resent = number(&ours, "retrans_total")?;
    ensure!(number(counters, "TcpRetransSegs")? == resent, "nstat: {nstat}\nss: {ours}");
    ensure!(number(counters, "TcpPassiveOpens")? == 1, "nstat: {nstat}");
    let text = client(lab, "ss -tinpe --sport 7")?.ok()?;
    for part in ["ESTAB", &format!("{STACK}:7"), "cubic", "wscale:", "minrtt:", "retrans:0/"] {
        ensure!(text.contains(part), "ss does not say {part}:\n{text}");
    }
    Ok(())
}

/// What the two ends say of one connection has to fit.
fn compare(ours: &Value, theirs: &str) -> anyhow::Result<()> {
    let told = || format!("\nours: {ours}\ntheirs: {theirs}");
    let n = |name: &str| number(ours, name).map(|n| n as f64);
    // Linux counts its SYN.
    ensure!(word(theirs, "bytes_received") == n("bytes_acked")?, "bytes to the kernel{}", told());
    let acked = word(theirs, "bytes_acked") - 1.0;
    ensure!(acked == n("bytes_received")?, "bytes from the kernel{}", told());
    // 20 ms each way.
    let (our_least, their_least) = (n("minrtt_us")? / 1000.0, word(theirs, "minrtt"));
    ensure!((40.0..60.0).contains(&our_least), "minrtt{}", told());
    ensure!((our_least - their_least).abs() < 0.2 * their_least, "minrtt{}", told());
    let (our_rtt, their_rtt) = (n("rtt_us")? / 1000.0, word(theirs, "rtt"));
    ensure!(our_rtt < 2.5 * their_rtt && their_rtt < 2.5 * our_rtt, "rtt{}", told());
    ensure!(n("mss")? == word(theirs, "mss"), "mss{}", told());
    ensure!(n("pmtu")? == word(theirs, "pmtu"), "pmtu{}", told());
    // What is sent again is what got lost, a little more where an acknowledgement came late. Both
    // ends lose one frame in a hundred.
    let sent = n("data_segs_out")?;
    let lost = sent - word(theirs, "data_segs_in");
    ensure!(lost > 0.0 && lost < 0.05 * sent, "{lost} of {sent} lost{}", told());
    let resent = n("retrans_total")?;
    ensure!(resent >= lost && resent < 3.0 * lost + 20.0, "{lost} lost{}", told());
    let lost_there = word(theirs, "data_segs_out") - n("data_segs_in")?;
    ensure!(lost_there > 0.0 && lost_there < 0.05 * sent, "{lost_there} lost{}", told());
    // Segments, not bytes: after losses at 1 in 100 both are a few dozen.
    for cwnd in [n("cwnd")?, word(theirs, "cwnd")] {
        ensure!((1.0..1000.0).contains(&cwnd), "cwnd {cwnd}{}", told());
    }
    let scales = theirs.split_whitespace().find_map(|word| word.strip_prefix("wscale:"));
    let (theirs_first, ours_first) = scales.and_then(|s| s.split_once(',')).context("wscale")?;
    let ours_of = |at: usize| ours["wscale"][at].to_string();
    // Each end names the other's first.
    ensure!([ours_of(0), ours_of(1)] == [ours_first, theirs_first], "wscale{}", told());
    Ok(())
}

fn tables(lab: &mut Lab) -> anyhow::Result<()> {
    let flags = flags(lab);
    lab.start(&flags)?;
    super::ping(lab, "", 3)?;
    for (line, parts) in [
        ("addr", vec![STACK, "t0", "10.9.0.255"]),
        ("link", vec!["t0", "1500", "yes"]),
        ("route", vec!["10.9.0.0/24", "t0"]),
        ("neigh", vec![HOST, "reachable"]),
        ("nstat", vec!["IcmpInEchos", "IcmpOutEchoReps"]),
        ("nstat -az TcpExtTCPOFO", vec!["TcpExtTCPOFOQueue", "0"]),
        ("ss -tuln", vec!["LISTEN", "0.0.0.0:80", "udp", "0.0.0.0:7"]),
        ("sysctl tcp_ecn", vec!["net.ipv4.tcp_ecn = 2"]),
    ] {
        let said = client(lab, line)?.ok()?;
        for part in parts {
            ensure!(said.contains(part), "{line} does not say {part}:\n{said}");
        }
        ensure!(!said.contains('\x1b'), "{line} is coloured, and nobody looks:\n{said}");
    }
    let echoes = number(&json(lab, "nstat")?["counters"], "IcmpInEchos")?;
    ensure!(echoes == 3, "{echoes} echo requests of 3");
    let curl = format!("curl -sS --unix-socket {} http://x/v1/ss?state=LISTEN", socket(lab));
    let said = lab.run(&curl)?.ok()?;
    ensure!(said.contains("0.0.0.0:80"), "curl sees no listener: {said}");
    Ok(())
}

/// Routes, neighbours and settings are changed while the stack runs.
fn changes(lab: &mut Lab) -> anyhow::Result<()> {
    let flags = flags(lab);
    lab.start(&flags)?;
    client(lab, "route add 10.7.0.0/16 via 10.9.0.1")?.ok()?;
    lab.run("ip address add 10.7.0.1/16 dev lo")?.ok()?;
    lab.run(&format!("ping -n -q -c 1 -W 5 -I 10.7.0.1 {STACK}"))?.ok()?;
    client(lab, "route del 10.7.0.0/16")?.ok()?;
    lab.run(&format!("ping -n -q -c 1 -W 1 -I 10.7.0.1 {STACK}"))?.code(1)?;
    client(lab, "neigh add 10.9.0.77 lladdr 02:00:00:00:00:77")?.ok()?;
    let said = client(lab, "neigh")?.ok()?;
    ensure!(said.contains("02:00:00:00:00:77"), "{said}");
    client(lab, "neigh del 10.9.0.77")?.ok()?;
    let said = client(lab, "sysctl net.ipv4.tcp_congestion_control=reno")?.ok()?;
    ensure!(said.trim() == "net.ipv4.tcp_congestion_control = reno", "{said}");
    Ok(())
}

/// The stack pings, and Linux answers.
fn asks(lab: &mut Lab) -> anyhow::Result<()> {
    let flags = flags(lab);
    lab.start(&flags)?;
    let said = client(lab, &format!("ping {HOST} -c 3 -i 0.05"))?.ok()?;
    for part in ["64 bytes from 10.9.0.1: icmp_seq=3 ttl=64", "3 received, 0% packet loss"] {
        ensure!(said.contains(part), "ping does not say {part}:\n{said}");
    }
    let output = client(lab, "ping 10.9.0.99 -c 1")?;
    output.code(1).map(drop)
}

fn monitor(lab: &mut Lab) -> anyhow::Result<()> {
    let flags = flags(lab);
    lab.start(&flags)?;
    let mut events = start_client(lab, "monitor --events state --count 3 --json")?;
    // Until the monitor listens nothing is told; so connections are made until it has enough.
    let said = wait::until("three events", MOMENT, || {
        if events.ended()?.is_none() {
            lab.helper(&format!("echo {STACK}:7 --bytes 1000"))?;
            return Ok(None);
        }
        Ok(Some(events.stdout()))
    })?;
    for line in said.lines() {
        let event: Value = serde_json::from_str(line).with_context(|| line.to_owned())?;
        ensure!(event["event"] == "state" && event["local"] == format!("{STACK}:7"), "{line}");
    }
    ensure!(said.lines().count() == 3, "{said}");
    Ok(())
}

/// A capture with comments that tshark finds nothing wrong with.
fn capture(lab: &mut Lab) -> anyhow::Result<()> {
    let flags = flags(lab);
    lab.start(&flags)?;
    let file = lab.file("live.pcapng");
    let line = format!("capture -w {} --count 300 port 7", file.display());
    let mut capture = start_client(lab, &line)?;
    wait::until("a capture of 300 frames", MOMENT, || {
        if capture.ended()?.is_none() {
            lab.helper(&format!("echo {STACK}:7 --bytes 100000"))?;
            return Ok(None);
        }
        Ok(Some(()))
    })?;
    capture.wait(MOMENT)?.ok()?;
    let read = |filter: &str| lab.run(&format!("tshark -n -r {} {filter}", file.display()));
    let malformed = read("-Y _ws.malformed")?.ok()?;
    ensure!(malformed.trim().is_empty(), "malformed: {malformed}");
    let wrong =
        read("-o tcp.check_checksum:TRUE -o ip.check_checksum:TRUE -Y tcp.checksum.status==0")?
            .ok()?;
    ensure!(wrong.trim().is_empty(), "wrong checksums: {wrong}");
    let comments = read("-T fields -e frame.comment")?.ok()?;
    ensure!(comments.lines().count() == 300, "{} frames", comments.lines().count());
    ensure!(comments.contains("ESTAB, cwnd "), "no comment says cwnd:\n{comments}");
    Ok(())
}

/// One frame of `top`, as scripts get it.
fn top(lab: &mut Lab) -> anyhow::Result<()> {
    let flags = flags(lab);
    lab.start(&flags)?;
    super::ping(lab, "", 2)?;
    let mut talker = lab.spawn(&["nc", STACK, "7"])?;
    talker.tell("hello")?;
    let said = wait::until("the connection in top", MOMENT, || {
        ensure!(talker.ended()?.is_none(), "nc ended");
        let said = client(lab, "top --once")?.ok()?;
        Ok(said.contains(&format!("{STACK}:7")).then_some(said))
    })?;
    for part in ["Connections", "Layers", "Drops", "tcp", "ESTAB"] {
        ensure!(said.contains(part), "top does not show {part}:\n{said}");
    }
    ensure!(!said.contains('\x1b'), "top --once is coloured:\n{said}");
    Ok(())
}

/// Two daemons with names of their own, and one that finds its name taken.
fn two(lab: &mut Lab) -> anyhow::Result<()> {
    let flags = flags(lab);
    lab.start(&flags)?;
    let again = format!("--tap t1 --address 10.8.0.2/24 {flags}");
    let again: Vec<&str> = again.split_whitespace().collect();
    let output = lab.run_stackd(&again)?;
    ensure!(output.stderr.contains("another daemon answers"), "{}", output.said());
    output.code(1)?;
    lab.stack()?.stop()?;
    let left = lab.file("control.sock").exists();
    ensure!(!left, "the socket is left behind");
    Ok(())
}

/// 0 done, 1 could not be done, 2 makes no sense; and what to do where no daemon is.
fn exit_codes(lab: &mut Lab) -> anyhow::Result<()> {
    let output = client(lab, "ss")?;
    let path = socket(lab);
    for part in [path.as_str(), "help:", "stackd"] {
        ensure!(output.stderr.contains(part), "{}", output.told(&format!("does not name {part}")));
    }
    output.code(1)?;
    let flags = flags(lab);
    lab.start(&flags)?;
    client(lab, "ss")?.code(0)?;
    client(lab, "route del 192.0.2.0/24")?.code(1)?;
    client(lab, "sysctl tcp_wings")?.code(1)?;
    for line in
        ["ss --state sleepy", "route add", "ping", "sysctl", "monitor --count 0", "frobnicate"]
    {
        client(lab, line)?.code(2)?;
    }
    Ok(())
}

/// A host from a file; what is wrong in one is named by its line.
fn config(lab: &mut Lab) -> anyhow::Result<()> {
    let file = lab.file("stackd.toml").display().to_string();
    let text = format!(
        "control = \"{}\"\nservice = [\"echo:7007\"]\n\n[[interface]]\ntap = \"t0\"\n\
         address = \"{STACK}/24\"\nmtu = 1400\n",
        socket(lab)
    );
    fs::write(&file, text)?;
    let shown = lab.run_stackd(&["config", "--show", "--config", &file, "--acd", "off"])?.ok()?;
    for line in ["mtu = 1400", "stackd.toml:7", "acd = \"off\"  # flag", "# default"] {
        ensure!(shown.contains(line), "config --show does not say {line}:\n{shown}");
    }
    let program = lab.settings.stackd.display().to_string();
    let process = lab.spawn(&[program.as_str(), "--config", &file])?;
    lab.adopt(process, lab.file("from-a-file"), true, None)?;
    lab.helper(&format!("echo {STACK}:7007 --bytes 10000"))?;
    let links = json(lab, "link")?;
    ensure!(links["links"][0]["mtu"] == 1400, "{links}");
    fs::write(&file, "\nadress = \"10.9.0.2/24\"\n")?;
    let output = lab.run_stackd(&["--config", &file])?;
    let hint = "stackd.toml:2: there is no key \"adress\"; did you mean address?";
    ensure!(output.stderr.contains(hint), "{}", output.told("does not name the line"));
    output.code(2).map(drop)
}

/// Every command of the README's section, word by word.
fn readme(lab: &mut Lab) -> anyhow::Result<()> {
    let flags = flags(lab);
    lab.start(&flags)?;
    let readme = fs::read_to_string(crate::workspace::root().join("README.md"))?;
    let section = readme.split("\n## ").find(|part| part.starts_with("ss, nstat, top, capture"));
    let section = section.context("the README has no section on ss, nstat, top, capture")?;
    let commands: Vec<&str> = section.lines().filter_map(|l| l.strip_prefix("    $ ")).collect();
    ensure!(commands.len() >= 6, "the section has {} commands", commands.len());
    let folder = lab.settings.stackd.parent().context("no folder")?.display().to_string();
    let socket = socket(lab);
    let trace = lab.file("trace.pcapng").display().to_string();
    for command in commands {
        let command = command.replace("/run/stackd/stackd.sock", &socket);
        let command = command.replace("trace.pcapng", &trace);
        let line = format!("PATH={folder}:$PATH STACKD_CONTROL={socket} {command}");
        let mut running = lab.spawn(&["sh", "-c", &line])?;
        wait::until(&command, MOMENT, || {
            if running.ended()?.is_some() {
                return Ok(Some(()));
            }
            // For those that wait for something to happen.
            lab.helper(&format!("echo {STACK}:7 --bytes 100000"))?;
            Ok(None)
        })?;
        running.wait(MOMENT)?.ok()?;
    }
    Ok(())
}
