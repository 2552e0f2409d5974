//! A page went to a mailing list, and the addresses of customers with it. With `--redact` none of them is in its file,
//! and what belongs together can still be told to.
//!
//! And a task was called `</script>`. The page ended there.

use std::collections::BTreeSet;
use std::fs;
use std::future::Future;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use async_io::{block_on, trace, Async};
use futures_lite::future;
use serde_json::Value as Json;

use crate::seen::{data, report, rows};
use crate::util::process::{role, wait, Process};
use crate::util::{path, stdout};

/// Whose the recording is, as its directory says.
const USER: &str = "leopoldine";

const EVIL: &str = "</script><script>document.title='evil'</script><b>&amp;";

/// Whether both are waited for. Whoever reads true has what was done before it was stored.
static WAITS: AtomicBool = AtomicBool::new(false);

/// Waits on a connection, on a Unix socket whose path has a name, and in a task whose name is not to be read as a tag.
pub fn play() {
    let dir = tempfile::tempdir().expect("a directory");
    let socket = dir.path().join("of-a-customer.sock");
    let listener = TcpListener::bind((Ipv4Addr::new(127, 77, 3, 9), 0)).expect("a listener");
    let address = listener.local_addr().expect("an address");
    thread::Builder::new()
        .name("<i>waits</i>".into())
        .spawn(move || {
            let client = Async::<TcpStream>::new(TcpStream::connect(address).expect("a peer"));
            let client = client.expect("a stream");
            let datagrams = Async::<UnixDatagram>::bind(&socket).expect("a socket");
            let mut both = Box::pin(future::zip(client.readable(), datagrams.readable()));
            let waits = future::poll_fn(move |cx| {
                let polled = both.as_mut().poll(cx).map(drop);
                WAITS.store(true, Ordering::Release);
                polled
            });
            block_on(trace::task(EVIL, waits));
        })
        .expect("a thread");
    let (_accepted, _) = listener.accept().expect("the client");
    while !WAITS.load(Ordering::Acquire) {
        thread::yield_now();
    }
    wait();
}

/// All addresses that the recording has: of sockets, without ports.
fn addresses(recording: &str) -> BTreeSet<String> {
    let stat: Json = serde_json::from_str(&stdout(["stat", "--json", recording])).expect("JSON");
    let sources = stat["sources"].as_array().expect("sources");
    let all = sources.iter().flat_map(|source| [&source["local"], &source["peer"]]);
    let all = all.filter_map(|address| address.as_str()).filter(|address| *address != "-");
    all.map(|address| match address.parse::<std::net::SocketAddr>() {
        Ok(address) => address.ip().to_string(),
        Err(_) => address.to_owned(),
    })
    .collect()
}

#[test]
fn no_address_is_in_a_redacted_page() {
    if role().is_some() {
        return play();
    }
    let mut process = Process::start("hidden::no_address_is_in_a_redacted_page", "plays", true);
    process.child.kill().expect("it was there");
    process.child.wait().expect("it was there");
    let home = process.dir.path().join("home").join(USER);
    fs::create_dir_all(&home).expect("a directory");
    let recording = home.join("service.ticks");
    fs::rename(process.file(), &recording).expect("it can be moved");
    let recording = path(&recording);

    let page = report(process.dir.path(), recording, &[]);
    let open = fs::read_to_string(&page).expect("the page");
    let shown = data(&page);
    let host = about(&shown, "host").to_owned();
    let mut hidden = addresses(recording);
    assert!(hidden.contains("127.77.3.9"), "{hidden:?}");
    assert!(hidden.iter().any(|address| address.ends_with("of-a-customer.sock")), "{hidden:?}");
    hidden.extend(["of-a-customer".to_owned(), USER.to_owned()]);
    for text in &hidden {
        assert!(open.contains(text.as_str()), "{text} is in the open page");
    }

    let page = report(process.dir.path(), recording, &["--redact"]);
    let redacted = fs::read_to_string(&page).expect("the page");
    for text in &hidden {
        assert!(!redacted.contains(text.as_str()), "{text} is in the redacted page");
    }
    let shown = data(&page);
    assert_eq!(about(&shown, "host"), "machine-1", "not {host}");
    assert_same_names(&shown);
    assert_evil_is_a_text(&page);
}

/// What a page says of the recording.
fn about<'a>(data: &'a Json, name: &str) -> &'a str {
    let about = data["tables"]["processes"][0]["about"].as_array().expect("pairs");
    let pair = about.iter().find(|pair| pair[0] == name).expect("it is said");
    pair[1].as_str().expect("a text")
}

/// The same address has the same name in the tables, and keeps its port.
fn assert_same_names(data: &Json) {
    let stream = rows(data, "sources").iter().find(|row| row["kind"] == "tcp").expect("the stream");
    let (local, peer) =
        (stream["local"].as_str().expect("a text"), stream["peer"].as_str().expect("a text"));
    let (host, port) = peer.split_once(':').expect("a port");
    assert!(host.starts_with("host-") && port.parse::<u16>().is_ok(), "{peer}");
    let address = format!("{local} → {peer}");
    assert!(rows(data, "waits").iter().any(|row| row["address"] == *address), "{address}");
    let told = rows(data, "tasks")
        .iter()
        .any(|row| row["for"].as_str().is_some_and(|text| text.contains(&address)));
    assert!(told, "{address}");
}

/// The task is called what it is called, and the page's file has it as no tag.
fn assert_evil_is_a_text(page: &Path) {
    let text = fs::read_to_string(page).expect("the page");
    assert_eq!(text.matches("</script>").count(), 2, "the data's end and the script's");
    assert!(!text.contains("<i>waits</i>") && !text.contains("<b>&amp;"));
    let data = data(page);
    assert!(
        rows(&data, "tasks").iter().any(|row| row["name"] == EVIL),
        "{}",
        data["tables"]["tasks"]
    );
    assert!(rows(&data, "threads").iter().any(|row| row["name"] == "<i>waits</i>"));
}
