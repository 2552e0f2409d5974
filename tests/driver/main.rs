//! Who drives the reactor: calls of `block_on`, alone and many at once, and the helper thread.

#[path = "../util/mod.rs"]
mod util;

mod block_on;
mod fork_in_waker;
mod helper_in_a_waker;
mod helper_leaves;
mod idle;
mod impatient_poll;
mod nested_block_on;
mod only_user;
mod panic;
mod threads;
