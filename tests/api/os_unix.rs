//! `async_io::os::unix`.

use std::os::unix::io::BorrowedFd;

#[test]
fn reactor_fd() {
    let _: fn() -> Option<BorrowedFd<'static>> = async_io::os::unix::reactor_fd;
}
