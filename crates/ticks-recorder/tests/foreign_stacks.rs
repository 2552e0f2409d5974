//! A program polled a future within a coroutine, whose stack is a piece of the heap: an unwinder that trusts
//! the stack pointer reads on at the piece's end, and what lies behind it may be no memory at all. The same
//! holds of a signal's own stack, of a stack that was made larger on the way, and of code that keeps
//! something else than a frame's address in the frame pointer. On a stack that is not the thread's own none
//! is taken and that is counted; on its own the reading never leaves it.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod util;

use std::hint::black_box;
use std::mem;
use std::process::Command;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use ticks_format::layout::counter;
use ticks_format::StackEnd;
use ticks_recorder::stack_here;
use util::{counter, in_memory, recorded, recorded_with, stack};

#[inline(never)]
fn taken() -> u64 {
    black_box(stack_here(1))
}

/// Whether this is code of the function, or shortly behind it.
fn is_in(address: u64, function: usize) -> bool {
    (function as u64..function as u64 + 4096).contains(&address)
}

fn elsewhere() -> u64 {
    counter(counter::STACKS_ELSEWHERE)
}

#[test]
fn a_coroutine_has_none() {
    recorded("a_coroutine_has_none", || {
        assert_ne!(taken(), 0);
        let mut coroutine = corosensei::Coroutine::new(|yielder, ()| {
            yielder.suspend(taken());
            yielder.suspend(taken());
        });
        for nth in 1..=2 {
            let number = coroutine.resume(()).as_yield().expect("it goes on");
            assert_eq!((number, elsewhere()), (0, nth));
            assert_ne!(taken(), 0, "this is the thread's own again");
        }
        // A coroutine's first stack of all on its thread.
        let first = || {
            let mut coroutine = corosensei::Coroutine::<(), (), u64>::new(|_, ()| taken());
            (coroutine.resume(()).as_return().expect("it is over"), taken())
        };
        let (within, without) = thread::spawn(first).join().unwrap();
        assert_eq!(within, 0);
        assert_ne!(without, 0);
    });
}

#[test]
fn a_stack_that_was_made_larger_has_none() {
    recorded("a_stack_that_was_made_larger_has_none", || {
        assert_ne!(taken(), 0);
        assert_eq!(stacker::grow(1 << 20, taken), 0);
        assert_eq!(elsewhere(), 1);
        assert_ne!(taken(), 0);
    });
}

static IN_HANDLER: AtomicU64 = AtomicU64::new(0);

extern "C" fn handler(_: libc::c_int) {
    IN_HANDLER.store(taken(), Ordering::Relaxed);
}

/// ThreadSanitizer takes it that a signal comes at any time. Here it comes when the test calls `raise`.
fn lets_handlers_allocate(command: &mut Command) {
    let options = std::env::var("TSAN_OPTIONS").unwrap_or_default();
    command.env("TSAN_OPTIONS", format!("{options} report_signal_unsafe=0"));
}

/// Has the signal call `handler`.
fn handle(signal: libc::c_int, flags: libc::c_int) {
    // SAFETY: all bytes zero are a valid `sigaction`; the handler does nothing that a test's own
    // `raise`, which is where it is called from, would not let it.
    unsafe {
        let mut action: libc::sigaction = mem::zeroed();
        action.sa_sigaction = handler as extern "C" fn(libc::c_int) as usize;
        action.sa_flags = flags;
        assert_eq!(libc::sigaction(signal, &action, ptr::null_mut()), 0);
    }
}

#[test]
fn a_signal_handler_on_the_same_stack() {
    recorded_with("a_signal_handler_on_the_same_stack", lets_handlers_allocate, || {
        handle(libc::SIGUSR1, 0);
        // SAFETY: the handler is there.
        unsafe { libc::raise(libc::SIGUSR1) };
        let number = IN_HANDLER.load(Ordering::Relaxed);
        let frames = in_memory(&stack(number));
        let handler = handler as extern "C" fn(libc::c_int) as usize;
        assert!(frames.iter().any(|address| is_in(*address, handler)), "{frames:x?}");
        // Where the frame that the kernel has put there is described, it goes on to what was interrupted.
        if cfg!(all(target_env = "gnu", target_arch = "x86_64")) {
            assert_eq!(stack(number).end, StackEnd::Whole);
        }
        assert_ne!(taken(), 0);
    });
}

#[test]
fn a_signal_handler_on_a_stack_of_its_own() {
    recorded_with("a_signal_handler_on_a_stack_of_its_own", lets_handlers_allocate, || {
        assert_ne!(taken(), 0);
        let mut place = vec![0_u8; 256 << 10];
        let own =
            libc::stack_t { ss_sp: place.as_mut_ptr().cast(), ss_flags: 0, ss_size: place.len() };
        handle(libc::SIGUSR2, libc::SA_ONSTACK);
        let mut before = own;
        // SAFETY: the place outlives its use, which ends with the second call.
        unsafe {
            assert_eq!(libc::sigaltstack(&own, &mut before), 0);
            libc::raise(libc::SIGUSR2);
            assert_eq!(libc::sigaltstack(&before, ptr::null_mut()), 0);
        }
        assert_eq!(IN_HANDLER.load(Ordering::Relaxed), 0);
        assert_eq!(elsewhere(), 1);
        assert_ne!(taken(), 0);
    });
}

/// Functions of assembly that nothing describes, with whatever in the frame pointer.
#[cfg(target_arch = "x86_64")]
mod undescribed {
    use super::*;

    std::arch::global_asm!(
        ".text",
        ".globl ticks_test_undescribed",
        ".type ticks_test_undescribed, @function",
        "ticks_test_undescribed:",
        "push rbp",
        "mov rbp, rsi",
        "call rdi",
        "pop rbp",
        "ret",
        ".size ticks_test_undescribed, . - ticks_test_undescribed",
    );

    extern "C" {
        /// Calls `function` with `frame_pointer` in the register that is for it.
        fn ticks_test_undescribed(function: extern "C" fn() -> u64, frame_pointer: u64) -> u64;
    }

    extern "C" fn callee() -> u64 {
        taken()
    }

    #[inline(never)]
    fn called_with(frame_pointer: u64) -> u64 {
        // SAFETY: the function restores what it changes, and `callee` does not look at the register.
        black_box(unsafe { ticks_test_undescribed(callee, frame_pointer) })
    }

    #[test]
    fn whatever_the_frame_pointer_says() {
        recorded("undescribed::whatever_the_frame_pointer_says", || {
            // As the stack of a damaged thread might look: a frame that is its own caller, among others.
            let mut trap = [0_u64; 8];
            let trap_at = trap.as_ptr() as u64;
            let code = taken as fn() -> u64 as usize as u64;
            trap = [trap_at, code + 1, trap_at + 1, code, trap_at - 64, u64::MAX, 7, code];
            black_box(&mut trap);
            let near = &trap as *const _ as u64;
            let mut pointers = vec![0, 1, 7, 8, u64::MAX, u64::MAX - 8, i64::MAX as u64, code];
            // All over this stack and far beyond both of its ends, at odd addresses too.
            for step in 0..64 {
                let far = 1_u64 << step;
                pointers.extend([near.wrapping_add(far), near.wrapping_sub(far)]);
            }
            pointers.extend((0..64).map(|word| trap_at + 8 * word));
            let callee = callee as extern "C" fn() -> u64 as usize;
            for pointer in pointers {
                let number = called_with(pointer);
                let stack = stack(number);
                let frames = in_memory(&stack);
                assert!(
                    is_in(frames[1], callee) || is_in(frames[2], callee),
                    "{pointer:x}: {frames:x?}"
                );
            }
            assert_ne!(taken(), 0);
        });
    }

    /// A code address that belongs to nothing ends the stack, and is not told of.
    #[test]
    fn an_address_of_no_code_ends_it() {
        recorded("undescribed::an_address_of_no_code_ends_it", || {
            let mut frame = [0_u64, 0x1234_5678];
            let at = black_box(&mut frame).as_ptr() as u64;
            let stack = stack(called_with(at));
            assert_eq!(stack.end, StackEnd::Unknown, "{stack:x?}");
            let frames = in_memory(&stack);
            assert!(frames.iter().all(|address| *address != 0x1234_5678), "{frames:x?}");
            assert!(frames.len() <= 6, "{frames:x?}");
        });
    }
}
