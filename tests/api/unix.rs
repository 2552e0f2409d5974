//! `Async<UnixListener>`, `Async<UnixStream>` and `Async<UnixDatagram>`.

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use async_io::Async;
use futures_io::{AsyncRead, AsyncWrite};

use crate::assert::{future1, future2, future3, stream1, Auto};

fn any_path<P: AsRef<Path>>() {
    let _: fn(P) -> io::Result<Async<UnixListener>> = Async::<UnixListener>::bind::<P>;
    let _: fn(P) -> io::Result<Async<UnixDatagram>> = Async::<UnixDatagram>::bind::<P>;
}

fn any_path_to_come<'a, P: AsRef<Path> + Auto>() {
    future1::<P, io::Result<Async<UnixStream>>, _>(Async::<UnixStream>::connect::<P>);
    future3::<&'a Async<UnixDatagram>, &'a [u8], P, io::Result<usize>, _>(
        Async::<UnixDatagram>::send_to::<P>,
    );
}

fn stream<'a>() {
    type Accepted = io::Result<(Async<UnixStream>, SocketAddr)>;
    future1::<&'a Async<UnixListener>, Accepted, _>(Async::<UnixListener>::accept);
    stream1::<&'a Async<UnixListener>, io::Result<Async<UnixStream>>, _>(
        Async::<UnixListener>::incoming,
    );
    type Pair = io::Result<(Async<UnixStream>, Async<UnixStream>)>;
    let _: fn() -> Pair = Async::<UnixStream>::pair;
}

fn datagram<'a>() {
    type Socket<'a> = &'a Async<UnixDatagram>;
    type Count = io::Result<usize>;
    type CountFrom = io::Result<(usize, SocketAddr)>;
    future2::<Socket<'a>, &'a mut [u8], Count, _>(Async::<UnixDatagram>::recv);
    future2::<Socket<'a>, &'a mut [u8], CountFrom, _>(Async::<UnixDatagram>::recv_from);
    future2::<Socket<'a>, &'a [u8], Count, _>(Async::<UnixDatagram>::send);
    type Pair = io::Result<(Async<UnixDatagram>, Async<UnixDatagram>)>;
    let _: fn() -> Pair = Async::<UnixDatagram>::pair;
    let _: fn() -> io::Result<Async<UnixDatagram>> = Async::<UnixDatagram>::unbound;
}

fn a_stream_of_connections_must_be_used(listener: &Async<UnixListener>) {
    #[expect(unused_must_use)]
    {
        listener.incoming();
    }
}

#[test]
fn sockets_of_std_convert() {
    is!(Async<UnixListener>: TryFrom<UnixListener, Error = io::Error>);
    is!(Async<UnixStream>: TryFrom<UnixStream, Error = io::Error>);
    is!(Async<UnixDatagram>: TryFrom<UnixDatagram, Error = io::Error>);
}

#[test]
fn streams_read_and_write() {
    is!(Async<UnixStream>: AsyncRead + AsyncWrite);
    is!(&'static Async<UnixStream>: AsyncRead + AsyncWrite);
}

#[test]
fn paths_of_every_shape() {
    any_path::<&'static Path>();
    any_path::<PathBuf>();
    any_path::<&'static str>();
    any_path_to_come::<String>();
    stream();
    datagram();
}
