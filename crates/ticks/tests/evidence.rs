//! At 2 a.m. one has a recording, a listing of strace and a capture, and three windows to compare them in by eye.
//! A client and a server on loopback are recorded, traced and captured; `ticks show` puts all of it on one timeline.
#![cfg(target_os = "linux")]

mod util;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_io::Async;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use serde_json::Value as Json;
use tempfile::TempDir;
use ticks_format::layout::SectionKind;
use ticks_format::Recording;
use util::process::{role, Process};
use util::{path, stderr, stdout, ticks};

/// Answers one client, after it has waited for its question.
fn serve() {
    let listener = Async::<TcpListener>::bind(([127, 0, 0, 1], 0)).expect("bound");
    let port = listener.get_ref().local_addr().expect("bound").port();
    println!("\nwaits");
    println!("{port}");
    async_io::block_on(async {
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().await.expect("accepted");
            let mut question = [0; 5];
            stream.read_exact(&mut question).await.expect("read");
            // So that the client waits for it: what is there already causes no event.
            async_io::Timer::after(Duration::from_millis(30)).await;
            stream.write_all(b"good morning").await.expect("written");
            assert_eq!(stream.read(&mut question).await.expect("read"), 0);
        }
    });
}

/// Asks three times, when the server has begun to wait.
fn ask(port: u16) {
    println!("\nwaits");
    async_io::block_on(async {
        for _ in 0..3 {
            let address = SocketAddr::from(([127, 0, 0, 1], port));
            let mut stream = Async::<TcpStream>::connect(address).await.expect("connected");
            async_io::Timer::after(Duration::from_millis(30)).await;
            stream.write_all(b"hello").await.expect("written");
            let mut answer = [0; 12];
            stream.read_exact(&mut answer).await.expect("read");
        }
    });
}

/// What was seen of a client and a server.
struct Scene {
    dir: TempDir,
    client: PathBuf,
    server: PathBuf,
    server_pid: String,
}

impl Scene {
    fn file(&self, name: &str) -> String {
        path(&self.dir.path().join(name)).to_owned()
    }
}

/// The recording in the directory. Strace's process is another one than the one that is recorded.
fn recording(process: &Process) -> PathBuf {
    let here = fs::read_dir(process.dir.path().join("here")).expect("a directory");
    let mut files = here.map(|entry| entry.expect("an entry").path());
    files.find(|file| file.extension().is_some_and(|end| end == "ticks")).expect("a recording")
}

/// Has a client talk to a server, both recorded; with strace at both and tcpdump between them if `traced`. `None`:
/// one of the two cannot be used here.
fn scene(test: &str, traced: bool) -> Option<Scene> {
    let dir = tempfile::tempdir().expect("a directory");
    let file = |name: &str| path(&dir.path().join(name)).to_owned();
    let strace =
        |listing: &str| ["strace", "-f", "-ttt", "-T", "-yy", "-o", listing].map(str::to_owned);
    let start = |listing: &str, role: &str| {
        let words = if traced { strace(&file(listing)).to_vec() } else { Vec::new() };
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        Process::start_under(&words, test, role, true)
    };
    if traced && !usable(test) {
        return None;
    }
    let mut server = start("server.strace", "serves");
    let port = server.stdout.next().expect("a line").expect("text");
    let capture = traced.then(|| capture(&file("lo.pcap"), &port));
    let mut client = start("client.strace", &format!("asks {port}"));
    for process in [&mut client, &mut server] {
        process.stdin = None;
        assert!(process.child.wait().expect("it ends").success());
    }
    if let Some(capture) = capture {
        capture.finish(&file("lo.pcap"));
    }
    let copy = |process: &Process, name: &str| {
        let (from, to) = (recording(process), dir.path().join(name));
        fs::copy(&from, &to).expect("copied");
        (to, from.file_stem().and_then(|stem| stem.to_str()).expect("a number").to_owned())
    };
    let (client, _) = copy(&client, "client.ticks");
    let (server, server_pid) = copy(&server, "server.ticks");
    Some(Scene { dir, client, server, server_pid })
}

/// Whether strace may trace and tcpdump may capture. For a user who has them not, the test is left out.
fn usable(test: &str) -> bool {
    let succeeds = |command: &mut Command| {
        let output = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
        output.is_ok_and(|status| status.success())
    };
    let strace = succeeds(Command::new("strace").args(["-o", "/dev/null", "true"]));
    let tcpdump = can_capture();
    if strace && tcpdump {
        return true;
    }
    let missing = if strace { "tcpdump" } else { "strace" };
    let message = format!(
        "{test}: left out, {missing} cannot be used here (apt-get install strace tcpdump; as root)"
    );
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{message}");
    let _ = writeln!(std::io::stderr(), "{message}");
    false
}

/// Whether tcpdump begins to listen.
fn can_capture() -> bool {
    let mut command = Command::new("tcpdump");
    command.args(["-i", "lo", "-w", "/dev/null"]).stdout(Stdio::null()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else { return false };
    let said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let listens = said.map_while(Result::ok).any(|line| line.contains("listening on"));
    let _ = child.kill();
    let _ = child.wait();
    listens
}

/// A capture that is under way. It is killed when this is dropped.
struct Capturing(Child);

impl Drop for Capturing {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Captures what is sent to and from a port. Returns when it does.
fn capture(file: &str, port: &str) -> Capturing {
    let mut command = Command::new("tcpdump");
    command.args([
        "-i",
        "lo",
        "-U",
        "--immediate-mode",
        "-s",
        "96",
        "-w",
        file,
        "tcp",
        "port",
        port,
    ]);
    let mut child =
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("tcpdump runs");
    let said = BufReader::new(child.stderr.take().expect("a pipe")).lines();
    let capturing = Capturing(child);
    assert!(
        said.map_while(Result::ok).any(|line| line.contains("listening on")),
        "tcpdump listens"
    );
    capturing
}

impl Capturing {
    /// Waits until the ends of all three connections are in the file.
    fn finish(self, file: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let shown = String::from_utf8(ticks(["show", "--pcap", file]).stdout).expect("UTF-8");
            if shown.matches("FIN").count() >= 6 {
                return;
            }
            assert!(Instant::now() < deadline, "the capture has not all:\n{shown}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The place of the first line that has all of these, from `from` on.
#[track_caller]
fn place(lines: &[&str], from: usize, all: &[&str]) -> usize {
    let found =
        lines[from..].iter().position(|line| all.iter().all(|wanted| line.contains(wanted)));
    from + found
        .unwrap_or_else(|| panic!("no line from {from} on has {all:?}:\n{}", lines.join("\n")))
}

#[test]
fn one_timeline() {
    match role().as_deref() {
        Some("serves") => return serve(),
        Some(role) => {
            return ask(role.strip_prefix("asks ").expect("a port").parse().expect("a port"))
        }
        None => {}
    }
    let Some(scene) = scene("one_timeline", true) else { return };
    let (client, server) = (path(&scene.client), path(&scene.server));
    let [strace, other, pcap] =
        ["client.strace", "server.strace", "lo.pcap"].map(|name| scene.file(name));
    let evidence = ["--strace", &strace, "--strace", &other, "--pcap", &pcap];
    let shown = stdout([&["show", client, server][..], &evidence].concat());
    let lines: Vec<&str> = shown.lines().collect();
    // The client's question, from its call to the server's.
    let pid = |file: &Path| {
        let file = fs::File::open(file).expect("a recording");
        Recording::open(file).expect("a recording").header().pid.to_string()
    };
    let (client_pid, server_pid) = (pid(&scene.client), scene.server_pid.as_str());
    let connects = place(&lines, 0, &["strace", "└ connect(", &client_pid, "in a poll of task"]);
    let called = place(&lines, connects, &["pcap", " SYN"]);
    let accepts = place(&lines, called, &["strace", "└ accept4(", "= ", server_pid, "TCP:["]);
    let sends = place(&lines, accepts, &["strace", "\"hello\"", "= 5", &client_pid]);
    let sent = place(
        &lines,
        sends,
        &["pcap", "PSH ACK, 5 bytes", "from fd ", &format!("of {server_pid}")],
    );
    let event =
        place(&lines, sent, &["ev=Event", "readable: true", "← PSH ACK, 5 bytes", server_pid]);
    place(&lines, event, &["strace", "\"hello\"", "= 5", server_pid, "in a poll of task"]);
    // A wait is under the round that made it.
    place(&lines, 0, &["strace", "└ epoll_pwait2(", "in a round's wait"]);
    // Every event of a connection has its packet.
    let events = lines
        .iter()
        .copied()
        .filter(|line| line.contains("ev=Event") && line.contains("readable: true"));
    let (with, without): (Vec<&str>, Vec<&str>) = events.partition(|line| line.contains(" ← "));
    assert!(with.len() >= 3 && without.is_empty(), "{with:#?}\n{without:#?}");

    filters(&scene, &evidence);
    json(&scene, &evidence);
    export(&scene, &evidence);
}

/// Calls and packets have tracks of their own, and arrows lead from packets to the events that they caused.
fn export(scene: &Scene, evidence: &[&str]) {
    let files = ["export", "--chrome", "-o", "-", path(&scene.client), path(&scene.server)];
    let output = ticks([&files[..], evidence].concat());
    let trace: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    let events = trace["traceEvents"].as_array().expect("events");
    let slices = |category: &str| -> Vec<&Json> {
        events.iter().filter(|event| event["cat"] == category && event["ph"] == "B").collect()
    };
    let calls = slices("call");
    let accepts = calls.iter().filter(|call| call["name"] == "accept4").count();
    assert_eq!(accepts, 3);
    let failed =
        calls.iter().find(|call| call["name"] == "accept4 EAGAIN").expect("one that found nobody");
    assert!(
        failed["args"]["result"].as_str().is_some_and(|text| text.contains("EAGAIN")),
        "{failed}"
    );
    let packets = slices("packet");
    let received =
        packets.iter().filter(|packet| packet["name"] == "received PSH ACK, 5 bytes").count();
    assert!(received >= 1, "{packets:#?}");
    // Of each track, each slice that begins ends.
    let mut open: std::collections::HashMap<(String, String), i64> = Default::default();
    for event in events {
        let depth = open.entry((event["pid"].to_string(), event["tid"].to_string())).or_default();
        match event["ph"].as_str() {
            Some("B") => *depth += 1,
            Some("E") => *depth -= 1,
            _ => {}
        }
        assert!(*depth >= 0, "{event}");
    }
    assert!(open.values().all(|depth| *depth == 0));
    // An arrow begins where a packet is, and ends where its event is.
    let place = |event: &Json| [&event["pid"], &event["tid"], &event["ts"]].map(Json::to_string);
    let of_packets: Vec<_> = packets.iter().map(|packet| place(packet)).collect();
    let begins =
        events.iter().filter(|event| event["ph"] == "s" && of_packets.contains(&place(event)));
    let ids: Vec<&Json> = begins.map(|event| &event["id"]).collect();
    let sources: Vec<_> = slices("source").into_iter().map(place).collect();
    let ends = events.iter().filter(|event| event["ph"] == "f" && ids.contains(&&event["id"]));
    assert!(ends.filter(|event| sources.contains(&place(event))).count() >= 3, "{ids:?}");
}

/// Filters apply to calls and packets as to records.
fn filters(scene: &Scene, evidence: &[&str]) {
    let show = |args: &[&str]| {
        stdout([&["show", path(&scene.client), path(&scene.server)], evidence, args].concat())
    };
    let calls = show(&["--kind", "accept4"]);
    assert!(
        calls.lines().count() >= 3 && calls.lines().all(|line| line.contains("└ accept4(")),
        "{calls}"
    );
    let packets = show(&["--kind", "Packet", "--dir", "read"]);
    assert!(
        packets.lines().count() >= 6 && packets.lines().all(|line| line.contains("pcap")),
        "{packets}"
    );
    let task = show(&["--task", "1", "--kind", "Call"]);
    assert!(task.lines().count() > 10, "{task}");
    assert!(task.lines().all(|line| line.ends_with("in a poll of task 1")), "{task}");
    let nobody = show(&["--fd", "9999"]);
    assert_eq!(nobody, "");
}

fn json(scene: &Scene, evidence: &[&str]) {
    let shown = stdout([&["show", "--json", path(&scene.server)], evidence].concat());
    let objects: Vec<Json> =
        shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut times = objects.iter().map(|object| object["utc_ns"].as_u64().expect("a time"));
    assert!(times.next().is_some());
    let is_caused = |object: &&Json| object["caused_by"]["bytes"] == 5;
    assert!(objects.iter().any(|object| is_caused(&object)));
    let call = objects.iter().find(|object| object["name"] == "accept4").expect("a call");
    assert_eq!((&call["record"], &call["in"]), (&"Call".into(), &"TaskPollBegin".into()));
    assert_eq!(call["pid"].as_u64().map(|pid| pid.to_string()).as_ref(), Some(&scene.server_pid));
    let packet =
        objects.iter().find(|object| object["fields"]["to_source"].is_object()).expect("a packet");
    assert_eq!(packet["record"], "Packet");
    // Every name is described.
    let page = include_str!("../JSON.md");
    let section = page.split("\n## ").find(|section| section.starts_with("`ticks show --json`"));
    let section = section.expect("show has a section");
    for object in [call, packet, objects.iter().find(is_caused).expect("one")] {
        for (name, value) in object.as_object().expect("an object") {
            assert!(section.contains(&format!("`{name}`")), "JSON.md does not say what {name} is");
            let is_seen = matches!(object["record"].as_str(), Some("Call" | "Packet"));
            let inner =
                value.as_object().filter(|_| name == "caused_by" || name == "fields" && is_seen);
            for name in inner.into_iter().flat_map(|inner| inner.keys()) {
                assert!(
                    section.contains(&format!("`{name}`")),
                    "JSON.md does not say what {name} is"
                );
            }
        }
    }
}

/// Makes the recording one of another host, whose clock is ahead by so much.
fn move_to_another_host(file: &Path, ahead_ns: i64) {
    let recording =
        Recording::open(fs::File::open(file).expect("a recording")).expect("a recording");
    let section = recording
        .header()
        .sections
        .iter()
        .find(|section| section.kind == SectionKind::Anchors as u64);
    let section = *section.expect("anchors");
    let mut bytes = fs::read(file).expect("read");
    for entry in 0..section.len / section.entry_bytes {
        // The sequence and the counter come before UTC.
        let at = (section.offset + entry * section.entry_bytes) as usize;
        let word = |bytes: &[u8], at: usize| {
            u64::from_ne_bytes(bytes[at..at + 8].try_into().expect("a word"))
        };
        if word(&bytes, at) != 0 {
            let utc_ns = word(&bytes, at + 16).saturating_add_signed(ahead_ns);
            bytes[at + 16..at + 24].copy_from_slice(&utc_ns.to_ne_bytes());
        }
    }
    let name = b"boot_id=";
    let place = bytes.windows(name.len()).position(|window| window == name).expect("a boot id")
        + name.len();
    bytes[place..place + 8].copy_from_slice(b"00000000");
    fs::write(file, bytes).expect("written");
}

/// How far the clocks are said to be off at most.
fn unsure_ns(said: &str) -> u64 {
    let text = said.split("± ").nth(1).and_then(|text| text.split(", by").next());
    let (number, unit) = text.and_then(|text| text.split_once(' ')).expect("an uncertainty");
    let unit_ns = match unit {
        "ns" => 1.0,
        "µs" => 1e3,
        "ms" => 1e6,
        _ => 1e9,
    };
    // It is rounded to three digits.
    (number.parse::<f64>().expect("a number") * unit_ns * 1.02) as u64 + 2
}

/// Two hosts' clocks are never the same. Merged by their times as they are, what a client asked came seconds after it
/// was answered.
#[test]
fn two_hosts_have_one_clock() {
    match role().as_deref() {
        Some("serves") => return serve(),
        Some(role) => {
            return ask(role.strip_prefix("asks ").expect("a port").parse().expect("a port"))
        }
        None => {}
    }
    let scene = scene("two_hosts_have_one_clock", false).expect("nothing else is needed");
    let (client, server) = (path(&scene.client), path(&scene.server));
    let order = |files: [&str; 2]| {
        let output = ticks(["show", "--json", files[0], files[1]]);
        let shown = String::from_utf8(output.stdout.clone()).expect("UTF-8");
        let objects: Vec<Json> =
            shown.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        (objects, stderr(&output))
    };
    // One host: nothing is said, and times are as they were.
    let (one, said) = order([client, server]);
    assert_eq!(said, "");
    let times = |objects: &[Json], server_pid: &str| -> Vec<u64> {
        let of_server = |object: &&Json| object["pid"].as_u64() == server_pid.parse().ok();
        objects
            .iter()
            .filter(of_server)
            .map(|object| object["utc_ns"].as_u64().expect("a time"))
            .collect()
    };
    let truth = times(&one, &scene.server_pid);
    const AHEAD_NS: i64 = 2_500_000_000;
    move_to_another_host(&scene.server, AHEAD_NS);
    let (two, said) = order([client, server]);
    assert!(said.contains("ahead of that of") && said.contains("by 3 connections"), "{said}");
    let unsure_ns = unsure_ns(&said);
    let shown = times(&two, &scene.server_pid);
    assert_eq!(shown.len(), truth.len());
    let wrong_ns = shown
        .iter()
        .zip(&truth)
        .map(|(shown, truth)| shown.abs_diff(*truth))
        .max()
        .expect("records");
    // The truth is within what is said of it.
    assert!(wrong_ns <= unsure_ns && wrong_ns < AHEAD_NS as u64 / 2, "{wrong_ns} ns off: {said}");
    // Asked the other way round, the other clock is behind.
    let (_, said) = order([server, client]);
    assert!(said.contains("behind that of"), "{said}");
}
