//! `stackd run`: unmodified programs on the stack, in each role they have, with the kernel on the
//! other side; what their sockets do in detail (`run/behaviour.py`); that nothing of them gets past
//! the stack; and what is left when one of the three, program, supervisor or daemon, is killed.

use std::fmt::Write;
use std::fs;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::Signal;
use sha2::{Digest, Sha256};

use super::{Case, HOST, Lab, Lane, MOMENT, Process, STACK, listen, wait};
use crate::workspace;

pub(super) const CASES: &[Case] = &[
    Case::new("run/curl", curl).needs(&["curl", "python3"]).stackd_only(),
    Case::new("run/python", python).needs(&["curl", "python3"]).stackd_only(),
    Case::new("run/static", busybox).needs(&["busybox", "python3"]).stackd_only(),
    Case::new("run/dns", dns).needs(&["dig", "dnsmasq", "python3"]).stackd_only(),
    Case::new("run/nginx", nginx).needs(&["nginx", "curl"]).stackd_only(),
    Case::new("run/redis", redis).needs(&["redis-server", "redis-benchmark"]).stackd_only(),
    Case::new("run/behaviour", behaviour).needs(&["python3"]).stackd_only(),
    Case::new("run/behaviour-daemon", behaviour_daemon).needs(&["python3"]).stackd_only(),
    Case::new("run/endings", endings).stackd_only(),
    Case::new("run/readme", readme).needs(&["curl", "python3"]).stackd_only(),
    Case::new("run/no-leak", no_leak).needs(&["python3", "tcpdump"]).stackd_only(),
    Case::new("run/kills", kills).stackd_only().lane(Lane::Idle),
];

/// Sends what is put to it where the file is asked for again, so that both ways are compared.
const FILES: &str = include_str!("run/files.py");
/// Fifty-odd things that programs rely on.
const BEHAVIOUR: &str = include_str!("run/behaviour.py");
/// The other side of that.
const PEER: &str = include_str!("run/peer.py");
/// Tries every way out.
const WAYS_OUT: &str = include_str!("run/ways_out.py");

/// A TAP with the kernel's address, which servers need before there is a stack.
fn tap(lab: &Lab) -> anyhow::Result<()> {
    let line = format!(
        "ip tuntap add dev t0 mode tap && ip address add {HOST}/24 dev t0 && ip link set t0 up"
    );
    lab.shell(&line)?.ok().map(drop)
}

/// `stackd run` on a stack of its own, with a program.
fn words(lab: &Lab, flags: &str, program: &[&str]) -> Vec<String> {
    let stackd = lab.settings.stackd.display().to_string();
    let pipeline = lab.pipeline.name();
    let mut words: Vec<String> = [&*stackd, "run", "--tap", "t0", "--pipeline", pipeline]
        .into_iter()
        .chain(flags.split_whitespace())
        .map(str::to_owned)
        .collect();
    words.push("--".to_owned());
    words.extend(program.iter().map(|word| (*word).to_owned()));
    words
}

fn start(lab: &Lab, flags: &str, program: &[&str]) -> anyhow::Result<Process> {
    lab.spawn(&words(lab, flags, program))
}

/// Runs a program on the stack; it must end well. Returns what it said.
fn run(lab: &Lab, program: &[&str]) -> anyhow::Result<String> {
    lab.finish(start(lab, "", program)?)?.ok()
}

/// Writes a script, and returns its path.
fn script(lab: &Lab, name: &str, text: &str) -> anyhow::Result<String> {
    let path = lab.file(name);
    fs::write(&path, text)?;
    Ok(path.display().to_string())
}

/// A file of many megabytes that do not repeat, its path and its SHA-256.
fn content(lab: &Lab) -> anyhow::Result<(String, String)> {
    let megabytes = usize::try_from(lab.megabytes(100, 1000))? / 1_000_000;
    let path = lab.file("content");
    let mut hash = Sha256::new();
    let mut file = Vec::with_capacity(megabytes * 1_000_000);
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    while file.len() < megabytes * 1_000_000 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        file.extend_from_slice(&state.to_be_bytes());
    }
    hash.update(&file);
    fs::write(&path, &file)?;
    Ok((path.display().to_string(), hex(&hash.finalize())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // A String takes whatever it is given.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn hash_of(path: &str) -> anyhow::Result<String> {
    let bytes = fs::read(path).with_context(|| path.to_owned())?;
    Ok(hex(&Sha256::digest(&bytes)))
}

/// The kernel's side of transfers: serves the lab's folder, and stores what is put.
fn serve_files(lab: &Lab) -> anyhow::Result<Process> {
    tap(lab)?;
    let path = script(lab, "files.py", FILES)?;
    let mut server = lab.spawn(&["python3", &path, HOST, &folder(lab)])?;
    server.wait_for("serving", MOMENT)?;
    Ok(server)
}

fn folder(lab: &Lab) -> String {
    lab.file("").display().to_string()
}

fn curl(lab: &mut Lab) -> anyhow::Result<()> {
    let (path, hash) = content(lab)?;
    let _server = serve_files(lab)?;
    let got = lab.file("got").display().to_string();
    run(lab, &["curl", "-sSf", "-o", &got, &format!("http://{HOST}:8000/content")])?;
    ensure!(hash_of(&got)? == hash, "what curl received is not what was sent");
    let put = format!("http://{HOST}:8000/put");
    run(lab, &["curl", "-sSf", "-T", &path, &put])?;
    ensure!(hash_of(&lab.file("put").display().to_string())? == hash, "curl sent something else");
    // The refusal of a connection is curl's exit code 7.
    let refused = ["curl", "-sS", &format!("http://{HOST}:1/")];
    lab.finish(start(lab, "", &refused)?)?.code(7).map(drop)
}

fn python(lab: &mut Lab) -> anyhow::Result<()> {
    let (_, hash) = content(lab)?;
    let kernel = serve_files(lab)?;
    let fetch = format!(
        "import hashlib, urllib.request as r
print(hashlib.sha256(r.urlopen('http://{HOST}:8000/content').read()).hexdigest())"
    );
    let said = run(lab, &["python3", "-c", &fetch])?;
    ensure!(said.trim() == hash, "urllib received something else: {said}");
    drop(kernel);
    let folder = folder(lab);
    let serve = ["python3", "-u", "-m", "http.server", "-d", &folder, "80"];
    let mut server = start(lab, "", &serve)?;
    server.wait_for("Serving", MOMENT)?;
    let got = lab.file("got").display().to_string();
    lab.run(&format!("curl -sSf -o {got} http://{STACK}/content"))?.ok()?;
    ensure!(hash_of(&got)? == hash, "http.server sent something else");
    stop(&mut server, 143)
}

/// Ends a program by a signal to its supervisor, which must end as the program did.
fn stop(supervisor: &mut Process, code: i32) -> anyhow::Result<()> {
    supervisor.signal(Signal::TERM)?;
    supervisor.wait(MOMENT)?.code(code).map(drop)
}

/// No C library to be fooled: a program of one piece.
fn busybox(lab: &mut Lab) -> anyhow::Result<()> {
    let (_, hash) = content(lab)?;
    let _server = serve_files(lab)?;
    let got = lab.file("got").display().to_string();
    run(lab, &["busybox", "wget", "-q", "-O", &got, &format!("http://{HOST}:8000/content")])?;
    ensure!(hash_of(&got)? == hash, "busybox received something else");
    Ok(())
}

/// dig by itself, and the C library's resolver, whose server is replaced.
fn dns(lab: &mut Lab) -> anyhow::Result<()> {
    tap(lab)?;
    let flags = "--no-daemon --conf-file=/dev/null --no-resolv --no-hosts --bind-interfaces \
                 --user=root --pid-file= --address=/web.test/192.0.2.80";
    let line = format!("dnsmasq {flags} --listen-address={HOST}");
    let mut server = lab.spawn(&line.split_whitespace().collect::<Vec<_>>())?;
    server.wait_for("started", MOMENT)?;
    for transport in ["+notcp", "+tcp"] {
        let at = format!("@{HOST}");
        let said = run(lab, &["dig", transport, "+short", "+time=5", &at, "web.test"])?;
        ensure!(said.trim() == "192.0.2.80", "dig {transport} says {said}");
    }
    let look = "import socket; print(socket.getaddrinfo('web.test', 80, proto=6)[0][4])";
    let flags = format!("--dns {HOST}");
    let said = lab.finish(start(lab, &flags, &["python3", "-c", look])?)?.ok()?;
    ensure!(said.trim() == "('192.0.2.80', 80)", "getaddrinfo says {said}");
    Ok(())
}

/// Two workers that share a listener, epoll with edges, sendfile, and connections outwards.
fn nginx(lab: &mut Lab) -> anyhow::Result<()> {
    let (_, hash) = content(lab)?;
    let _server = serve_files(lab)?;
    let folder = folder(lab);
    let mut paths = String::new();
    for kind in ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"] {
        write!(paths, "{kind}_temp_path {folder}/{kind}; ")?;
    }
    let configuration = format!(
        "worker_processes 2; daemon off; user root; pid {folder}/pid; error_log {folder}/errors;
events {{ worker_connections 256; }}
http {{ sendfile on; tcp_nopush on; access_log off; {paths}
server {{ listen 80; root {folder}; location /kernel/ {{ proxy_pass http://{HOST}:8000/; }} }} }}"
    );
    let path = script(lab, "nginx.conf", &configuration)?;
    let mut server = start(lab, "", &["nginx", "-c", &path])?;
    let url = format!("http://{STACK}/nginx.conf");
    lab.run(&format!("curl -sSf --retry 50 --retry-connrefused --retry-delay 0 {url}"))?.ok()?;
    let got = lab.file("got").display().to_string();
    for (place, times) in [("content", 1), ("kernel/content", 1), ("nginx.conf", 50)] {
        let urls = vec![format!("http://{STACK}/{place}"); times].join(" ");
        lab.shell(&format!("curl -sSf {urls} > {got}"))?.ok()?;
        if times == 1 {
            ensure!(hash_of(&got)? == hash, "nginx sent something else for {place}");
        }
    }
    let size = fs::metadata(&got)?.len();
    ensure!(size == 50 * configuration.len() as u64, "{size} bytes over one connection");
    let errors = fs::read_to_string(lab.file("errors"))?;
    ensure!(errors.is_empty(), "nginx complains:\n{errors}");
    stop(&mut server, 0)
}

fn redis(lab: &mut Lab) -> anyhow::Result<()> {
    tap(lab)?;
    let serve = ["redis-server", "--protected-mode", "no", "--save", "", "--bind"];
    let bench = ["redis-benchmark", "-c", "50", "-n", "5000", "-q", "-t", "ping,set,get", "-h"];
    let measured = |said: &str| said.matches("requests per second").count() >= 3;

    let mut server = start(lab, "", &[&serve[..], &["0.0.0.0"]].concat())?;
    server.wait_for("eady to accept connections", MOMENT)?;
    let said = lab.run_words(&[&bench[..], &[STACK]].concat())?.ok()?;
    ensure!(measured(&said), "the kernel's benchmark says:\n{said}");
    stop(&mut server, 0)?;

    let mut server = lab.spawn(&[&serve[..], &[HOST]].concat())?;
    server.wait_for("eady to accept connections", MOMENT)?;
    let said = run(lab, &[&bench[..], &[HOST]].concat())?;
    ensure!(measured(&said), "the benchmark on the stack says:\n{said}");
    Ok(())
}

/// Starts the kernel's side of `behaviour.py`.
fn peer(lab: &Lab) -> anyhow::Result<Process> {
    let path = script(lab, "peer.py", PEER)?;
    let mut peer = lab.spawn(&["python3", "-u", &path])?;
    peer.wait_for("ready", MOMENT)?;
    Ok(peer)
}

fn behaves(said: &str) -> anyhow::Result<()> {
    let bad: Vec<&str> = said.lines().filter(|line| line.starts_with("FAIL")).collect();
    ensure!(bad.is_empty(), "a program notices: {bad:?}");
    ensure!(said.lines().last() == Some("all done"), "it ended early:\n{said}");
    Ok(())
}

fn behaviour(lab: &mut Lab) -> anyhow::Result<()> {
    tap(lab)?;
    let _peer = peer(lab)?;
    let path = script(lab, "behaviour.py", BEHAVIOUR)?;
    behaves(&run(lab, &["python3", &path])?)
}

/// The control socket of this lab's daemon.
fn control(lab: &Lab) -> String {
    lab.file("daemon.sock").display().to_string()
}

/// The words that run a program on this lab's daemon.
fn on_daemon(lab: &Lab, program: &[&str]) -> Vec<String> {
    let (stackd, control) = (lab.settings.stackd.display().to_string(), control(lab));
    let words = [&*stackd, "run", "--stack", &control, "--"];
    words.iter().chain(program).map(|word| (*word).to_owned()).collect()
}

fn behaviour_daemon(lab: &mut Lab) -> anyhow::Result<()> {
    let flags = format!("--control {}", control(lab));
    lab.start(&flags)?;
    let _peer = peer(lab)?;
    let path = script(lab, "behaviour.py", BEHAVIOUR)?;
    behaves(&lab.finish(lab.spawn(&on_daemon(lab, &["python3", &path]))?)?.ok()?)
}

/// Exit codes and signals are the program's; what cannot be run says so.
fn endings(lab: &mut Lab) -> anyhow::Result<()> {
    tap(lab)?;
    let end = |program: &[&str], code| lab.finish(start(lab, "", program)?)?.code(code);
    end(&["true"], 0)?;
    end(&["sh", "-c", "exit 7"], 7)?;
    end(&["sh", "-c", "kill -KILL $$"], 137)?;
    end(&["sh", "-c", "trap 'exit 3' TERM; kill -TERM $PPID; sleep 5 & wait"], 3)?;
    let said = end(&["no-such-program"], 125)?;
    ensure!(said.contains("cannot run no-such-program"), "it says {said}");
    let nowhere = lab.file("nowhere").display().to_string();
    let said = lab.run_stackd(&["run", "--stack", &nowhere, "--", "true"])?.code(125)?;
    ensure!(said.contains("help: stackd --name nowhere"), "it says {said}");
    let help = lab.run_stackd(&["run", "--help"])?.ok()?;
    for word in ["--dns", "Examples:", "python3 -m http.server", "exit"] {
        ensure!(help.contains(word), "the help does not tell of {word}");
    }
    // What a program leaves in the background keeps its sockets.
    end(&["sh", "-c", "(sleep 0.3; exec true) & exit 4"], 4).map(drop)
}

/// The session in the README, line by line. What serves needs a moment until it does, so a line is
/// said again until the answer is right.
fn readme(lab: &mut Lab) -> anyhow::Result<()> {
    let text = fs::read_to_string(workspace::root().join("README.md"))?;
    let section = text.split("## Any program on it").nth(1).context("no such section")?;
    let section = section.split("\n## ").next().unwrap_or_default();
    let lines: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    ensure!(lines.len() > 5, "the session is gone");
    // With a /run of its own: the usual daemon of this machine is another one's. With processes of
    // its own: they all end with the shell.
    let mut shell =
        lab.spawn(&["unshare", "-m", "-p", "--mount-proc", "-f", "--kill-child", "sh"])?;
    let bin = lab.settings.stackd.parent().context("no folder")?.display().to_string();
    shell.tell(&format!("mount -t tmpfs none /run; cd {}; PATH={bin}:$PATH", folder(lab)))?;
    // Whoever runs a program before the daemon is there gets a stack of its own.
    let door = "[ -S /run/stackd/stackd.run ]";
    let mut number = 0;
    for (at, line) in lines.iter().enumerate() {
        let Some(command) = line.strip_prefix("$ ") else { continue };
        if let Some(command) = command.strip_suffix('&') {
            shell
                .tell(&format!("{command} >/dev/null 2>&1 </dev/null & started=\"$! $started\""))?;
            shell.tell(&format!("timeout 15 sh -c 'until {door}; do :; done'"))?;
            continue;
        }
        let answer = lines.iter().skip(at + 1).take_while(|line| !line.starts_with('$'));
        let answer: String = answer.map(|line| format!("{line}\n")).collect();
        wait::until(&format!("'{answer}' from {command}"), MOMENT, || {
            number += 1;
            shell.tell(&format!("echo begin {number}; {command}; echo; echo end {number}"))?;
            shell.wait_for(&format!("end {number}"), MOMENT)?;
            let said = shell.stdout();
            let said = said.split(&format!("begin {number}\n")).nth(1).unwrap_or_default();
            Ok(said.starts_with(&format!("{answer}\nend")).then_some(()))
        })?;
    }
    shell.tell("kill $started; wait; exit 0")?;
    shell.wait(MOMENT)?.ok().map(drop)
}

/// With the TAP's kernel side down and a default route elsewhere, nothing goes there.
fn no_leak(lab: &mut Lab) -> anyhow::Result<()> {
    tap(lab)?;
    lab.shell(
        "set -e
        ip link add e0 type veth peer name e1
        ip link set e0 arp off up; ip link set e1 arp off up
        ip address add 198.51.100.1/24 dev e0
        ip route add default via 198.51.100.2 dev e0",
    )?
    .ok()?;
    let dump = listen(lab, "any", "not host 10.9.0.1 and ip")?;
    let path = script(lab, "ways_out.py", WAYS_OUT)?;
    let flags = "--dns 198.51.100.53 --gateway 10.9.0.1";
    let mut program = start(lab, flags, &["python3", "-u", &path])?;
    program.wait_for("waiting", MOMENT)?;
    lab.run("ip link set t0 down")?.ok()?;
    program.tell("go")?;
    let said = program.finish(Duration::from_secs(60))?.ok()?;
    ensure!(said.contains("no way out"), "it got somewhere:\n{said}");
    // The capture works: the kernel's own datagram is in it, and nothing else.
    lab.shell(
        "echo seen > /dev/udp/198.51.100.9/9 2>/dev/null || echo seen | nc -u -w0 198.51.100.9 9",
    )?;
    let mut dump = dump;
    dump.wait_for("198.51.100.9", MOMENT)?;
    let seen = dump.stdout();
    let others: Vec<&str> = seen.lines().filter(|line| !line.contains("198.51.100.9")).collect();
    ensure!(others.is_empty(), "outside the stack: {others:#?}");
    Ok(())
}

/// Programs and supervisors are killed at random moments: somebody else's connection goes on, and
/// the daemon keeps nothing of theirs. Then the daemon is killed: programs are told.
fn kills(lab: &mut Lab) -> anyhow::Result<()> {
    let flags = format!("--control {}", control(lab));
    let daemon = lab.start(&flags)?.process.pid();
    let mut server = lab.start_helper("serve")?;
    server.wait_until_ready(MOMENT)?;
    let helper = lab.settings.helper.display().to_string();
    let to = format!("{HOST}:7");
    let mut witness = lab.spawn(&on_daemon(lab, &[&helper, "helper", "hold", &to]))?;
    witness.tell("before")?;
    witness.wait_for("echoed before", MOMENT)?;
    let before = descriptors(daemon)?;
    let rounds = if lab.settings.full { 200 } else { 20 };
    let source = format!("{HOST}:19");
    let victim = on_daemon(lab, &[&helper, "helper", "fetch", &source, "--bytes", "9000000000"]);
    for round in 0..rounds {
        let mut victim = lab.spawn(&victim)?;
        wait::pause(Duration::from_millis(round * 7919 % 250))?;
        if round % 2 == 0 {
            victim.signal(Signal::KILL)?;
        } else {
            // The program below; where it is not there yet, its supervisor.
            let line = format!(
                "kill -KILL $(cat /proc/{0}/task/{0}/children) || kill -KILL {0}",
                victim.pid()
            );
            lab.shell(&line)?;
        }
        let _ = victim.wait(MOMENT)?;
        witness.tell(&format!("round {round}"))?;
        witness.wait_for(&format!("echoed round {round}"), MOMENT)?;
    }
    wait::until("an end of their descriptors", MOMENT, || {
        Ok((descriptors(daemon)? <= before).then_some(()))
    })?;
    let killed = &mut lab.stack()?.process;
    killed.signal(Signal::KILL)?;
    // It says nothing at its end.
    let _ = killed.wait(MOMENT)?;
    witness.tell("after")?;
    let said = witness.wait(MOMENT)?.said();
    ensure!(!said.contains("echoed after"), "a dead daemon answers:\n{said}");
    Ok(())
}

/// How many descriptors a process has open.
fn descriptors(pid: u32) -> anyhow::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}
