//! A wait for a lock that nobody gives back: the place of the wait is in a library, and which of the tasks of
//! the program came there, and how, is on the stack alone. So the recorder takes it. The stack must be the
//! true one, whatever code is on it, and taking it must never fault: a tool that ends a program which it is
//! to explain is worse than none. Each test is a child process that looks at its own recording.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod util;

use std::hint::black_box;
use std::thread;

use ticks_format::layout::counter;
use ticks_format::stacks::FRAMES_MAX;
use ticks_format::StackEnd;
use ticks_recorder::stack_here;
use util::{in_memory, modules, own, recorded, recorded_with, stack, AT_THE_BEGINNING};

/// Where this is called from by ours and by the standard library's unwinder must be the same, outward to where
/// the thread began. Returns how many frames that are.
#[inline(never)]
#[track_caller]
fn is_as_the_unwinder_says() -> usize {
    let number = stack_here(1);
    let mut expected = Vec::new();
    backtrace::trace(|frame| {
        // It may end with a frame that is none.
        expected.extend(Some(frame.ip() as u64).filter(|ip| *ip != 0));
        true
    });
    let stack = stack(number);
    assert_eq!(stack.end, AT_THE_BEGINNING, "{stack:x?}");
    let mut found = in_memory(&stack);
    if stack.end == StackEnd::Unknown {
        // Its last frame is of a function that is not described. The unwinder leaves it out.
        found.pop();
    }
    let pairs = found.iter().rev().zip(expected.iter().rev());
    let same = pairs.take_while(|(ours, theirs)| ours == theirs).count();
    // But for the innermost: the calls from here differ.
    assert!(same + 2 >= found.len() && same >= 5, "{found:x?}\n{expected:x?}");
    same
}

#[inline(never)]
fn deep(levels: u32, innermost: &mut dyn FnMut()) {
    match levels {
        0 => innermost(),
        _ => deep(levels - 1, innermost),
    }
    // Not a call at the end, which would leave no frame.
    black_box(levels);
}

/// Calls it so often, always from the same place.
#[inline(never)]
fn repeat(times: u32, call: &mut dyn FnMut()) {
    let mut left = black_box(times);
    while left > 0 {
        call();
        left = black_box(left - 1);
    }
}

#[test]
fn it_is_as_the_unwinder_says() {
    recorded("it_is_as_the_unwinder_says", || {
        let shallow = is_as_the_unwinder_says();
        deep(20, &mut || assert!(is_as_the_unwinder_says() >= shallow + 20));
        // Again, from what is remembered by then.
        deep(20, &mut || assert!(is_as_the_unwinder_says() >= shallow + 20));
        let on_another_thread = thread::spawn(is_as_the_unwinder_says).join().unwrap();
        assert!(on_another_thread >= 5);
    });
}

/// The C library sorts with a comparison of ours: there are frames of C between those of Rust.
#[test]
#[cfg_attr(target_env = "musl", ignore = "musl does not describe its functions for unwinding")]
fn frames_of_c_are_passed() {
    extern "C" fn compare(a: *const libc::c_void, b: *const libc::c_void) -> libc::c_int {
        is_as_the_unwinder_says();
        (a as usize).cmp(&(b as usize)) as libc::c_int
    }
    recorded("frames_of_c_are_passed", || {
        let mut numbers = [3, 1, 2];
        // SAFETY: the array has three elements of four bytes, and the comparison keeps to itself.
        unsafe { libc::qsort(numbers.as_mut_ptr().cast(), 3, 4, Some(compare)) };
        black_box(numbers);
    });
}

#[inline(never)]
fn one_way() -> u64 {
    black_box(stack_here(1))
}

#[inline(never)]
fn other_way() -> u64 {
    black_box(stack_here(1))
}

#[test]
fn a_stack_is_kept_once() {
    recorded("a_stack_is_kept_once", || {
        let mut numbers = Vec::new();
        repeat(3, &mut || numbers.push((one_way(), other_way())));
        assert_ne!(numbers[0].0, numbers[0].1);
        assert!(numbers.iter().all(|pair| *pair == numbers[0]), "{numbers:?}");
        // Outward another thread's are different, and the next thread's are those of that one.
        let mut elsewhere = Vec::new();
        repeat(2, &mut || elsewhere.push(thread::spawn(one_way).join().unwrap()));
        assert_eq!(elsewhere[0], elsewhere[1]);
        assert_ne!(elsewhere[0], numbers[0].0);
        assert_ne!(stack(elsewhere[0]), stack(numbers[0].0));
    });
}

/// A module is the program's file, by its path and its build.
#[test]
fn modules_are_named() {
    recorded("modules_are_named", || {
        let stack = stack(one_way());
        let paths = modules(&stack);
        let program = std::env::current_exe().unwrap();
        assert_eq!(paths[0], program.to_str().unwrap(), "{paths:?}");
        let module = own().module(stack.frames[0].module).unwrap().expect("a module");
        assert_eq!(module.file_bytes, program.metadata().unwrap().len());
        assert_ne!(module.file_mtime_ns, 0);
        let function = one_way as fn() -> u64 as usize as u64;
        assert!((module.start..module.end).contains(&function));
    });
}

#[test]
fn a_stack_too_deep_says_so() {
    recorded("a_stack_too_deep_says_so", || {
        let mut number = 0;
        deep(2_000, &mut || number = one_way());
        let stack = stack(number);
        assert_eq!(stack.frames.len(), FRAMES_MAX);
        assert_eq!(stack.end, StackEnd::TooDeep);
    });
}

/// More different stacks than there is room for: those that are there stay, the others are counted.
#[test]
fn what_finds_no_room_is_counted() {
    let small = |command: &mut std::process::Command| {
        command.env("ASYNC_IO_TRACE_MIB", "1");
    };
    recorded_with("what_finds_no_room_is_counted", small, || {
        let mut numbers = Vec::new();
        repeat(200, &mut || {
            let level = numbers.len() as u32 % 100;
            deep(level, &mut || numbers.push(one_way()));
        });
        let (first, second) = numbers.split_at(100);
        assert_eq!(first, second);
        let kept = first.iter().filter(|number| **number != 0).count();
        assert!((10..100).contains(&kept), "{kept}");
        assert_eq!(util::counter(counter::STACKS_LEFT_OUT), 2 * (100 - kept as u64));
        for (level, number) in first.iter().enumerate().filter(|(_, number)| **number != 0) {
            assert!(stack(*number).frames.len() >= level);
        }
    });
}

#[test]
fn a_switch_turns_it_off() {
    let off = |command: &mut std::process::Command| {
        command.env("ASYNC_IO_TRACE_STACKS", "0");
    };
    recorded_with("a_switch_turns_it_off", off, || {
        assert_eq!(one_way(), 0);
        let recording = own();
        let line = recording.about().iter().find(|(name, _)| name == "stacks");
        assert_eq!(line.map(|(_, value)| value.as_str()), Some("off"));
    });
}

#[test]
fn a_switch_that_is_not_understood_is_reported() {
    let odd = |command: &mut std::process::Command| {
        command.env("ASYNC_IO_TRACE_STACKS", "no");
    };
    let said = recorded_with("a_switch_that_is_not_understood_is_reported", odd, || {
        assert_ne!(one_way(), 0);
    });
    if util::child::role().is_none() {
        assert!(said.contains("ASYNC_IO_TRACE_STACKS is \"no\"; expected 0 or 1"), "{said}");
    }
}

/// A forked child has a recording of its own, with stacks of its own.
#[test]
fn a_forked_child_takes_its_own() {
    recorded("a_forked_child_takes_its_own", || {
        let parents = stack(one_way());
        // SAFETY: the test's child has one other thread, the harness, which holds nothing that is used here.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let ended = std::panic::catch_unwind(|| {
                assert!(ticks_recorder::listens(&util::CLIENT));
                let stack = stack(one_way());
                assert_eq!(stack.end, AT_THE_BEGINNING);
                assert_eq!(modules(&stack)[0], modules(&parents)[0]);
                assert_eq!(modules(&stack).last(), modules(&parents).last());
                is_as_the_unwinder_says();
            });
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(i32::from(ended.is_err())) };
        }
        let mut status = 0;
        // SAFETY: `child` is not reaped yet, or fork's -1 for an error, and `status` outlives the call.
        let reaped = unsafe { libc::waitpid(child, &mut status, 0) };
        assert!(child > 0 && reaped == child, "{}", std::io::Error::last_os_error());
        assert_eq!(status, 0);
    });
}
