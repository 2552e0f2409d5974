//! A file whose poll consumes its readiness: the ring buffer of a perf event.
//!
//! The event samples page faults of one thread, every one of them, and that thread makes one on request.
//! The kernel's `poll` on the ring answers "readable" once for each wake-up and then forgets it, whoever
//! asked and whether or not a sample was read.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

/// The kernel's `struct perf_event_attr` as of its first version, which every later kernel accepts.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    sample_period: u64,
    sample_type: u64,
    read_format: u64,
    flags: u64,
    wakeup_events: u32,
    breakpoint_type: u32,
    config1: u64,
}

const TYPE_SOFTWARE: u32 = 1;
const SOFTWARE_PAGE_FAULTS: u64 = 2;
/// Each sample holds the instruction pointer and nothing else.
const SAMPLE_IP: u64 = 1;
const RECORD_SAMPLE: u32 = 9;
const FLAG_EXCLUDE_KERNEL: u64 = 1 << 5;
const FLAG_EXCLUDE_HYPERVISOR: u64 = 1 << 6;
/// The control page's offset of `data_head`, and of `data_tail` behind it, in bytes.
const HEAD_OFFSET: usize = 1024;
const TAIL_OFFSET: usize = HEAD_OFFSET + 8;

/// Memory from `mmap`, unmapped when dropped.
struct Mapping {
    start: NonNull<u8>,
    len: usize,
}

// SAFETY: a mapping belongs to the process and not to a thread; what this file does with its bytes
// through `&self` is atomic or volatile.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Mapping {
    fn new(len: usize, flags: libc::c_int, fd: libc::c_int) -> io::Result<Mapping> {
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping at an address that the kernel chooses touches no memory of ours.
        let start = unsafe { libc::mmap(ptr::null_mut(), len, protection, flags, fd, 0) };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let start = NonNull::new(start.cast()).expect("mmap never maps address zero");
        Ok(Mapping { start, len })
    }

    fn at(&self, offset: usize) -> *mut u8 {
        assert!(offset + 8 <= self.len, "offset {offset} is in the mapping");
        // SAFETY: the assertion keeps the offset within the one mapping that `start` begins.
        unsafe { self.start.as_ptr().add(offset) }
    }

    fn counter(&self, offset: usize) -> &AtomicU64 {
        // SAFETY: `at` checks the bounds, the offsets used are multiples of 8 in a page, the mapping
        // lives as long as `self`, and the kernel too reads and writes these words whole.
        unsafe { &*self.at(offset).cast::<AtomicU64>() }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: `start` and `len` are what `mmap` was given, and no borrow outlives `self`.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.len) };
    }
}

/// The ring: what to wait on, and how many samples are in it.
pub struct PerfRing {
    fd: OwnedFd,
    // Control page and one page of records.
    pages: Mapping,
    page_len: usize,
}

impl AsFd for PerfRing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl PerfRing {
    /// A ring of the calling thread's page faults.
    fn of_this_thread(page_len: usize) -> io::Result<PerfRing> {
        let attributes = Attributes {
            kind: TYPE_SOFTWARE,
            size: std::mem::size_of::<Attributes>() as u32,
            config: SOFTWARE_PAGE_FAULTS,
            sample_period: 1,
            sample_type: SAMPLE_IP,
            flags: FLAG_EXCLUDE_KERNEL | FLAG_EXCLUDE_HYPERVISOR,
            wakeup_events: 1,
            ..Attributes::default()
        };
        let (this_thread, any_cpu, no_group, flags) = (0, -1, -1, 1 << 3 /* close on exec */);
        // SAFETY: the kernel reads `size` bytes of the attributes, which outlive the call, and keeps no
        // pointer to them.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_perf_event_open,
                &attributes,
                this_thread,
                any_cpu,
                no_group,
                flags,
            )
        };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call returned a new descriptor, which nothing else owns.
        let fd = unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) };
        let pages = Mapping::new(2 * page_len, libc::MAP_SHARED, fd.as_raw_fd())?;
        Ok(PerfRing { fd, pages, page_len })
    }

    /// Takes all records out of the ring and returns how many of them are samples.
    pub fn drain(&self) -> usize {
        // Acquire: the kernel wrote the records before it moved the head.
        let head = self.pages.counter(HEAD_OFFSET).load(Ordering::Acquire);
        let mut tail = self.pages.counter(TAIL_OFFSET).load(Ordering::Relaxed);
        let mut samples = 0;
        while tail < head {
            let offset = tail as usize % self.page_len;
            // Records begin at multiples of 8, so that a header (type: u32, misc: u16, size: u16) never
            // wraps.
            let header = self.pages.counter(self.page_len + offset);
            let header = header.load(Ordering::Relaxed).to_ne_bytes();
            let kind = u32::from_ne_bytes(header[..4].try_into().expect("four bytes"));
            let len = u16::from_ne_bytes(header[6..].try_into().expect("two bytes"));
            assert!(len >= 8, "a record of {len} bytes at {tail}");
            samples += usize::from(kind == RECORD_SAMPLE);
            tail += u64::from(len);
        }
        // Release: the kernel may overwrite the records from here on.
        self.pages.counter(TAIL_OFFSET).store(tail, Ordering::Release);
        samples
    }
}

/// The thread whose page faults are sampled.
pub struct Faulter {
    requests: mpsc::Sender<()>,
}

impl Faulter {
    /// Asks for one sample and does not wait for it.
    pub fn fault(&self) {
        self.requests.send(()).expect("the sampled thread runs");
    }
}

/// Starts a thread that faults on request, and its ring.
///
/// Fails where perf events are not compiled in, or forbidden to this user.
pub fn start() -> io::Result<(PerfRing, Faulter)> {
    let (requests, next) = mpsc::channel();
    let (opened, ring) = mpsc::channel();
    thread::spawn(move || {
        let page_len = page_len();
        let made = PerfRing::of_this_thread(page_len).and_then(|ring| {
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            Ok((ring, Mapping::new(page_len, flags, -1)?))
        });
        let page = match made {
            Ok((ring, page)) => {
                opened.send(Ok(ring)).expect("the test waits for its ring");
                page
            }
            Err(error) => return opened.send(Err(error)).expect("the test waits for its ring"),
        };
        for () in next {
            touch(&page);
        }
    });
    let ring = ring.recv().expect("the sampled thread answers")?;
    Ok((ring, Faulter { requests }))
}

/// Writes to the page after giving it back to the kernel, which is one fault.
fn touch(page: &Mapping) {
    // SAFETY: the mapping is private and anonymous, nothing else refers to it, and its contents, which
    // this discards, mean nothing.
    let given_back =
        unsafe { libc::madvise(page.start.as_ptr().cast(), page.len, libc::MADV_DONTNEED) };
    assert_eq!(given_back, 0, "madvise: {}", io::Error::last_os_error());
    // SAFETY: the first byte of a mapping that this thread owns and that may be written.
    unsafe { page.at(0).write_volatile(1) };
}

fn page_len() -> usize {
    // SAFETY: a query without memory.
    let len = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(len).expect("the page size is known")
}
