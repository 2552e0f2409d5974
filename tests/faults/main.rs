//! Faults of 2.6.0: each module begins with the story of one, and its tests fail there.
//!
//! Most of them run in a process of their own. What a fault does, it does to the whole process, and other
//! tests' threads would drive the reactor where a test needs a certain thread to do it.

#[path = "../util/mod.rs"]
mod util;

mod block_on_in_tls_destructor;
mod block_on_in_waker;
mod busy_block_on;
mod cancelled_timers_hold_tasks;
mod consumed_readiness_lost;
mod error_queue_spin;
mod error_wedges_direction;
mod fd_number_reused;
mod fork_child;
mod idle_block_on_elsewhere;
mod into_inner_error;
mod one_error_drops_a_round;
mod out_of_fds;
mod own_fds_closed;
mod panic_in_waker_drop;
mod regular_file;
mod slow_poll_never_ready;
mod unarmed_timer_forgets;
mod unix_connect_full_backlog;
mod wake_under_source_lock;
mod waker_differs_each_poll;
