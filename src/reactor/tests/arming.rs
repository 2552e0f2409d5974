//! A source's owner goes while a driver changes what is watched of it.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::*;
use crate::poller::Interest;

/// A driver ended the watch of a source by its descriptor's number, while the owner removed the source and
/// closed the descriptor. The number was the next source's by then, whose registration got the wrong key. Now
/// the removal waits for the driver's call, and there is none after it.
#[test]
fn a_removal_waits_for_the_call_under_way() {
    let (reactor, script) = scripted(Mode::Edge);
    let fd = socket();
    let source = source(reactor, &fd);
    static CALLED: AtomicBool = AtomicBool::new(false);
    let (begins, begun) = mpsc::channel();
    script.during_modify(move || {
        begins.send(()).unwrap();
        // Long enough for the removal to go past, if it does.
        thread::sleep(Duration::from_millis(50));
        CALLED.store(true, Ordering::SeqCst);
    });
    let driver = thread::spawn({
        let source = source.clone();
        move || source.arm_again(reactor, &mut Vec::new())
    });
    begun.recv().unwrap();
    source.remove();
    assert!(CALLED.load(Ordering::SeqCst), "the source was removed in the midst of the call");
    driver.join().unwrap();

    let asked = std::mem::take(&mut *script.modified.lock().unwrap());
    assert_eq!(asked.len(), 1);
    source.arm_again(reactor, &mut Vec::new());
    assert_eq!(*script.modified.lock().unwrap(), [], "the source is gone");
}

/// Somebody closes a descriptor behind its owner's back, and the number comes again. A driver that is about
/// to arm the old source gives the new one's registration the old key. The new source takes it back.
#[test]
fn who_takes_a_number_over_has_its_registration_for_itself() {
    let (reactor, script) = scripted(Mode::Edge);
    let fd = socket();
    let old = source(reactor, &fd);
    let new = source(reactor, &fd);
    let reads = Interest { readable: true, writable: false };
    assert_eq!(*script.modified.lock().unwrap(), [(new.key(), reads)]);
    old.arm_again(reactor, &mut Vec::new());
    assert_eq!(script.modified.lock().unwrap().len(), 1, "the number is not the old source's");
    new.arm_again(reactor, &mut Vec::new());
    assert_eq!(script.modified.lock().unwrap().len(), 2, "it is the new one's");
}
