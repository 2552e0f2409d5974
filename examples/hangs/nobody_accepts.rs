//! The server has bound its port and hangs before it accepts. The first callers get into the kernel's queue; the
//! others knock, and the kernel drops what they send. Their `connect` waits.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use async_io::{block_on, Async};
use socket2::{Domain, Socket, Type};

use crate::story::{executor, hangs_now};

const CALLERS: usize = 5;

async fn call(server: SocketAddr) -> io::Result<Async<TcpStream>> {
    Async::<TcpStream>::connect(server).await // hangs here
}

pub fn run() -> io::Result<()> {
    let server = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    server.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
    server.listen(1)?;
    let address = server.local_addr()?.as_socket().expect("an address of IPv4");
    let executor = executor();
    block_on(executor.run(async {
        let calls: Vec<_> = (0..CALLERS).map(|_| executor.spawn(call(address))).collect();
        hangs_now();
        let mut connections = Vec::new();
        for call in calls {
            connections.push(call.await?);
        }
        println!("{} are connected", connections.len());
        Ok(())
    }))
}
