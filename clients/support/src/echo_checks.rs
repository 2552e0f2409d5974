//! What every echo program must do, whichever runtime it is built on. Blocking sockets of std on
//! this side: nothing here shares the reactor under test.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::process::Command;
use std::thread;
use std::time::Duration;

use crate::Server;

/// A running echo program and where it listens.
pub struct Echo {
    _server: Server,
    tcp: String,
    udp: String,
    http: String,
}

impl Echo {
    /// Starts the program on free ports of loopback.
    ///
    /// # Errors
    ///
    /// If it cannot be started or does not say where it listens.
    pub fn start(program: &str) -> io::Result<Echo> {
        let mut server =
            Server::start(Command::new(program).args(["--tcp", "0", "--udp", "0", "--http", "0"]))?;
        Ok(Echo {
            tcp: server.line_after("tcp ")?,
            udp: server.line_after("udp ")?,
            http: server.line_after("http ")?,
            _server: server,
        })
    }

    /// Connections that stay open beside each other, each with more bytes than the socket buffers
    /// hold, so that both directions of the server's socket have to wait.
    ///
    /// # Errors
    ///
    /// If a connection fails, or an echo differs from what was sent.
    pub fn tcp_returns_every_byte(&self) -> io::Result<()> {
        const CONNECTIONS: u8 = 16;
        const BYTES: usize = 8 << 20;
        let exchanges: Vec<_> = (0..CONNECTIONS)
            .map(|number| {
                let stream = TcpStream::connect(&self.tcp)?;
                Ok(thread::spawn(move || exchange(stream, number, BYTES)))
            })
            .collect::<io::Result<_>>()?;
        for exchange in exchanges {
            exchange.join().expect("an exchange panicked")?;
        }
        Ok(())
    }

    /// Datagrams one at a time; loopback loses none of these.
    ///
    /// # Errors
    ///
    /// If one does not come back within 20 s, or comes back changed.
    pub fn udp_returns_every_datagram(&self) -> io::Result<()> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.connect(&self.udp)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let mut buffer = [0; 2048];
        for number in 0..500_usize {
            let sent = vec![number as u8; number * 2];
            socket.send(&sent)?;
            let count = socket.recv(&mut buffer)?;
            same(&format!("datagram {number}"), &buffer[..count], &sent)?;
        }
        Ok(())
    }

    /// Requests one after the other, two at once, a byte at a time, and a last one.
    ///
    /// # Errors
    ///
    /// If an answer is not the one expected.
    pub fn http_answers(&self) -> io::Result<()> {
        const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        const LAST: &[u8] = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n";
        let mut stream = TcpStream::connect(&self.http)?;
        stream.set_nodelay(true)?;
        for _ in 0..100 {
            stream.write_all(GET)?;
            expect_hello(&mut stream)?;
        }
        stream.write_all(&[GET, GET].concat())?;
        expect_hello(&mut stream)?;
        expect_hello(&mut stream)?;
        for byte in GET {
            stream.write_all(&[*byte])?;
        }
        expect_hello(&mut stream)?;
        stream.write_all(LAST)?;
        let mut rest = String::new();
        stream.read_to_string(&mut rest)?;
        if rest.starts_with("HTTP/1.1 200 OK\r\n") && rest.ends_with("\r\n\r\nhello\n") {
            Ok(())
        } else {
            Err(io::Error::other(format!("last answer: found {rest:?}")))
        }
    }
}

/// Writes from a thread of its own while it reads here.
fn exchange(mut stream: TcpStream, number: u8, bytes: usize) -> io::Result<()> {
    let sent: Vec<u8> = (0..bytes).map(|at| (at % 251) as u8 ^ number).collect();
    let mut writing = stream.try_clone()?;
    let copy = sent.clone();
    let writer = thread::spawn(move || {
        writing.write_all(&copy)?;
        writing.shutdown(Shutdown::Write)
    });
    let mut echo = Vec::with_capacity(bytes);
    stream.read_to_end(&mut echo)?;
    writer.join().expect("a writer panicked")?;
    same(&format!("connection {number}"), &echo, &sent)
}

fn same(what: &str, found: &[u8], expected: &[u8]) -> io::Result<()> {
    if found == expected {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "{what}: {} bytes sent, {} bytes came back, or other ones",
        expected.len(),
        found.len()
    )))
}

fn expect_hello(stream: &mut TcpStream) -> io::Result<()> {
    const EXPECTED: &[u8] =
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n";
    let mut answer = [0; EXPECTED.len()];
    stream.read_exact(&mut answer)?;
    if answer == EXPECTED {
        return Ok(());
    }
    let found = String::from_utf8_lossy(&answer).into_owned();
    Err(io::Error::other(format!("answer: found {found:?}")))
}
