//! `Async<TcpListener>`, `Async<TcpStream>` and `Async<UdpSocket>`.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, UdpSocket};

use async_io::Async;
use futures_io::{AsyncRead, AsyncWrite};

use crate::assert::{future1, future2, future3, stream1, Auto};

fn any_address<A: Into<SocketAddr>>() {
    let _: fn(A) -> io::Result<Async<TcpListener>> = Async::<TcpListener>::bind::<A>;
    let _: fn(A) -> io::Result<Async<UdpSocket>> = Async::<UdpSocket>::bind::<A>;
}

fn any_address_to_come<'a, A: Into<SocketAddr> + Auto>() {
    future1::<A, io::Result<Async<TcpStream>>, _>(Async::<TcpStream>::connect::<A>);
    future3::<&'a Async<UdpSocket>, &'a [u8], A, io::Result<usize>, _>(
        Async::<UdpSocket>::send_to::<A>,
    );
}

fn tcp<'a>() {
    type Accepted = io::Result<(Async<TcpStream>, SocketAddr)>;
    future1::<&'a Async<TcpListener>, Accepted, _>(Async::<TcpListener>::accept);
    stream1::<&'a Async<TcpListener>, io::Result<Async<TcpStream>>, _>(
        Async::<TcpListener>::incoming,
    );
    future2::<&'a Async<TcpStream>, &'a mut [u8], io::Result<usize>, _>(Async::<TcpStream>::peek);
}

fn udp<'a>() {
    type Socket<'a> = &'a Async<UdpSocket>;
    type Count = io::Result<usize>;
    type CountFrom = io::Result<(usize, SocketAddr)>;
    future2::<Socket<'a>, &'a mut [u8], Count, _>(Async::<UdpSocket>::recv);
    future2::<Socket<'a>, &'a mut [u8], CountFrom, _>(Async::<UdpSocket>::recv_from);
    future2::<Socket<'a>, &'a mut [u8], Count, _>(Async::<UdpSocket>::peek);
    future2::<Socket<'a>, &'a mut [u8], CountFrom, _>(Async::<UdpSocket>::peek_from);
    future2::<Socket<'a>, &'a [u8], Count, _>(Async::<UdpSocket>::send);
}

/// The two lifetimes of socket and buffer are independent of each other.
fn lifetimes_are_independent<'a, 'b>() {
    type Count = io::Result<usize>;
    future2::<&'a Async<TcpStream>, &'b mut [u8], Count, _>(Async::<TcpStream>::peek);
    future2::<&'a Async<UdpSocket>, &'b mut [u8], Count, _>(Async::<UdpSocket>::recv);
    future2::<&'a Async<UdpSocket>, &'b [u8], Count, _>(Async::<UdpSocket>::send);
}

fn a_stream_of_connections_must_be_used(listener: &Async<TcpListener>) {
    #[expect(unused_must_use)]
    {
        listener.incoming();
    }
}

#[test]
fn sockets_of_std_convert() {
    is!(Async<TcpListener>: TryFrom<TcpListener, Error = io::Error>);
    is!(Async<TcpStream>: TryFrom<TcpStream, Error = io::Error>);
    is!(Async<UdpSocket>: TryFrom<UdpSocket, Error = io::Error>);
}

#[test]
fn streams_read_and_write() {
    is!(Async<TcpStream>: AsyncRead + AsyncWrite);
    is!(&'static Async<TcpStream>: AsyncRead + AsyncWrite);
}

#[test]
fn addresses_of_every_shape() {
    any_address::<SocketAddr>();
    any_address::<([u8; 4], u16)>();
    any_address::<(Ipv4Addr, u16)>();
    any_address::<SocketAddrV6>();
    any_address_to_come::<([u8; 4], u16)>();
    tcp();
    udp();
}
