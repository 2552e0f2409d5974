//! Libraries come and go while a program runs, and whoever unwinds through one reads its descriptions of
//! frames. An unwinder that reads them where the library was ends the program when that is unloaded at the
//! same moment; one that keeps what it has read takes one library for another that has come to its place. And
//! descriptions may be missing, or damaged. The libraries here are built by the C compiler that links Rust
//! programs.
#![cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64")))]

mod util;

use std::ffi::{c_void, CString};
use std::fs;
use std::hint::black_box;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use object::{Object, ObjectSection, ObjectSegment, ObjectSymbol};
use ticks_format::layout::counter;
use ticks_format::StackEnd;
use ticks_recorder::stack_here;
use util::{counter, in_memory, modules, own, recorded, recorded_with, stack};

/// What the libraries contain: a function that calls back, with a frame of its own.
const SOURCE: &str = "\
int before_it(int x) { volatile int pad[SIZE]; pad[0] = x; return pad[0] + SIZE; }
long through(long (*call)(void)) { volatile long pad[SIZE]; pad[0] = 1; return call() + pad[0] - 1; }
";

type Through = extern "C" fn(extern "C" fn() -> u64) -> u64;

extern "C" fn callback() -> u64 {
    black_box(stack_here(3))
}

/// Builds a library whose functions are of a length that follows from `size`.
fn build(dir: &Path, name: &str, size: u32, flags: &[&str]) -> PathBuf {
    let (source, library) = (dir.join(format!("{name}.c")), dir.join(format!("lib{name}.so")));
    fs::write(&source, SOURCE).unwrap();
    // `CC` is set where the tests are for another system than this machine's.
    let compiler = std::env::var_os("CC").unwrap_or_else(|| "cc".into());
    let output = Command::new(compiler)
        .args(["-shared", "-fPIC", "-O1", "-nostdlib", &format!("-DSIZE={size}")])
        .args(flags)
        .arg("-o")
        .args([&library, &source])
        .output()
        .expect("a C compiler, which Rust links with");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

/// A library that is loaded until this is dropped.
struct Library(*mut c_void);

impl Library {
    fn load(path: &Path) -> Option<Library> {
        let path = CString::new(path.as_os_str().as_bytes()).unwrap();
        // SAFETY: the libraries here run nothing when they are loaded.
        let handle = unsafe { libc::dlopen(path.as_ptr(), libc::RTLD_NOW | libc::RTLD_LOCAL) };
        (!handle.is_null()).then_some(Library(handle))
    }

    /// The stack that is taken by a call through the library.
    fn taken_through(&self) -> u64 {
        // SAFETY: the library has this function, of this type.
        let through = unsafe {
            let function = libc::dlsym(self.0, c"through".as_ptr());
            assert!(!function.is_null());
            std::mem::transmute::<*mut c_void, Through>(function)
        };
        black_box(through(callback))
    }
}

impl Drop for Library {
    fn drop(&mut self) {
        // SAFETY: none of its functions is being called.
        unsafe { libc::dlclose(self.0) };
    }
}

/// Where the function `through` is in the file.
fn through_in(path: &Path) -> Range<u64> {
    let bytes = fs::read(path).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let symbol = file.dynamic_symbols().find(|symbol| symbol.name() == Ok("through")).unwrap();
    symbol.address()..symbol.address() + symbol.size()
}

/// Whether the stack goes through the library, at the call in its function, and then on to its beginning. While
/// another thread is at the libraries' numbers, it may be without its own.
#[track_caller]
fn goes_through(number: u64, path: &Path, function: &Range<u64>) -> bool {
    let stack = stack(number);
    let mut frames = stack.frames.iter().zip(modules(&stack));
    let of_library = frames.find(|(_, module)| Path::new(module).parent() == path.parent());
    let Some((frame, module)) = of_library else {
        assert!(stack.frames.iter().any(|frame| frame.module == 0), "{stack:x?}");
        return false;
    };
    assert_eq!(Path::new(&module), path);
    assert!(function.contains(&frame.address), "{frame:x?} not in {function:x?}");
    assert_eq!(stack.end, StackEnd::Whole, "{stack:x?}");
    true
}

/// Until the stack goes through the library. Bounded by the test's watchdog.
#[track_caller]
fn soon_goes_through(library: &Library, path: &Path, function: &Range<u64>) {
    while !goes_through(library.taken_through(), path, function) {
        thread::sleep(Duration::from_millis(1));
    }
}

/// Sets it when it is dropped, in a panic too.
struct Sets<'a>(&'a AtomicBool);

impl Drop for Sets<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Calls it from so many levels further down, so that the stack is another one than the last.
#[inline(never)]
fn deep(levels: usize, innermost: &mut dyn FnMut()) {
    match levels {
        0 => innermost(),
        _ => deep(levels - 1, innermost),
    }
    black_box(levels);
}

/// One thread loads and unloads two libraries in turns, as like as two that the system puts at the same place;
/// others meanwhile take stacks through a third one, and through none.
#[test]
#[cfg_attr(target_feature = "crt-static", ignore = "a static program loads no library")]
fn libraries_come_and_go() {
    recorded("libraries_come_and_go", || {
        let dir = tempfile::tempdir().unwrap();
        let paths = [build(dir.path(), "one", 10, &[]), build(dir.path(), "two", 200, &[])];
        let functions = [through_in(&paths[0]), through_in(&paths[1])];
        assert_ne!(functions[0], functions[1]);
        let stays = build(dir.path(), "stays", 33, &[]);
        let in_stays = through_in(&stays);
        let stays_loaded = Library::load(&stays).unwrap();
        assert_ne!(stack_here(4), 0);
        let is_over = AtomicBool::new(false);
        let through_stays = stays_loaded.0 as usize;
        thread::scope(|scope| {
            let _ends_them = Sets(&is_over);
            for _ in 0..2 {
                scope.spawn(|| {
                    // It is unloaded when the threads have ended.
                    let library =
                        std::mem::ManuallyDrop::new(Library(through_stays as *mut c_void));
                    while !is_over.load(Ordering::Relaxed) {
                        goes_through(library.taken_through(), &stays, &in_stays);
                        assert_ne!(stack_here(4), 0);
                        thread::yield_now();
                    }
                });
            }
            for round in 0..100 {
                let (path, function) = (&paths[round % 2], &functions[round % 2]);
                let library = Library::load(path).unwrap();
                soon_goes_through(&library, path, function);
            }
        });
        // Whatever came again has kept its entry.
        assert_eq!(counter(counter::MODULES_LEFT_OUT), 0);
    });
}

/// A library in a place where another one was: a stack of that time still means that one.
#[test]
#[cfg_attr(target_feature = "crt-static", ignore = "a static program loads no library")]
fn what_is_gone_is_still_named() {
    recorded("what_is_gone_is_still_named", || {
        let dir = tempfile::tempdir().unwrap();
        let one = build(dir.path(), "one", 10, &[]);
        let two = build(dir.path(), "two", 200, &[]);
        let take = |path| Library::load(path).unwrap().taken_through();
        let (first, second) = (take(&one), take(&two));
        assert!(goes_through(first, &one, &through_in(&one)));
        assert!(goes_through(second, &two, &through_in(&two)));
    });
}

/// Without descriptions the stack ends where they are missing, and says so.
#[test]
#[cfg_attr(target_feature = "crt-static", ignore = "a static program loads no library")]
fn descriptions_may_be_missing() {
    recorded("descriptions_may_be_missing", || {
        let dir = tempfile::tempdir().unwrap();
        let without_index = build(dir.path(), "bare", 10, &["-Wl,--no-eh-frame-hdr"]);
        let without_any = build(
            dir.path(),
            "none",
            10,
            &["-fno-asynchronous-unwind-tables", "-fno-unwind-tables"],
        );
        for path in [without_index, without_any] {
            let stack = stack(Library::load(&path).unwrap().taken_through());
            let inner = in_memory(&stack)[..2].to_vec();
            let here = callback as extern "C" fn() -> u64 as usize as u64;
            assert!(inner.iter().any(|at| (here..here + 4096).contains(at)), "{inner:x?}");
        }
        assert_ne!(stack_here(1), 0);
    });
}

/// A generator of numbers that are the same in each run.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below
    }
}

/// Where a section's bytes are in the file.
fn section(bytes: &[u8], name: &str) -> Range<usize> {
    let file = object::File::parse(bytes).unwrap();
    let section = file.section_by_name(name).unwrap_or_else(|| panic!("no {name}"));
    let (offset, len) = section.file_range().unwrap();
    offset as usize..(offset + len) as usize
}

/// Damages of all kinds to a library's descriptions, each loaded and called through. The loader does not look
/// at them, so the recorder must be the one who does not trust them.
#[test]
#[cfg_attr(target_feature = "crt-static", ignore = "a static program loads no library")]
fn descriptions_may_be_damaged() {
    const DAMAGED: usize = 400;
    recorded("descriptions_may_be_damaged", || {
        let dir = tempfile::tempdir().unwrap();
        let path = build(dir.path(), "sound", 10, &[]);
        let sound = fs::read(&path).unwrap();
        let places = [section(&sound, ".eh_frame"), section(&sound, ".eh_frame_hdr")];
        let mut numbers = Numbers(0x5eed);
        let mut whole = 0;
        for nth in 0..DAMAGED {
            let mut bytes = sound.clone();
            for _ in 0..=numbers.next(4) {
                let place = &places[numbers.next(2)];
                let at = place.start + numbers.next(place.len());
                match numbers.next(3) {
                    0 => bytes[at] = numbers.next(256) as u8,
                    1 => bytes[at] ^= 1 << numbers.next(8),
                    _ => bytes[at..place.end].fill([0, 0x7f, 0x80, 0xff][numbers.next(4)]),
                }
            }
            let path = dir.path().join(format!("libdamaged{nth}.so"));
            fs::write(&path, &bytes).unwrap();
            let library = Library::load(&path).expect("the loader does not look at them");
            let mut number = 0;
            deep(nth % 50, &mut || number = library.taken_through());
            assert_ne!(number, 0, "{nth}");
            let stack = stack(number);
            let here = callback as extern "C" fn() -> u64 as usize as u64;
            let inner = in_memory(&stack)[..2].to_vec();
            assert!(inner.iter().any(|at| (here..here + 4096).contains(at)), "{inner:x?}");
            whole += usize::from(stack.end == StackEnd::Whole);
            fs::remove_file(&path).unwrap();
        }
        // Some damages hit what nobody asks for.
        assert!((1..DAMAGED).contains(&whole), "{whole}");
        let library = Library::load(&path).unwrap();
        deep(50, &mut || soon_goes_through(&library, &path, &through_in(&path)));
    });
}

/// The same of the program headers that say where the index is.
#[test]
#[cfg_attr(target_feature = "crt-static", ignore = "a static program loads no library")]
fn the_index_may_be_said_to_be_anywhere() {
    recorded("the_index_may_be_said_to_be_anywhere", || {
        let dir = tempfile::tempdir().unwrap();
        let path = build(dir.path(), "sound", 10, &[]);
        let sound = fs::read(&path).unwrap();
        let file = object::read::elf::ElfFile64::<object::Endianness>::parse(&*sound).unwrap();
        let end = file.segments().map(|it| it.address() + it.size()).max().unwrap();
        let headers = file.elf_header().e_phoff.get(file.endian()) as usize;
        let of_index = file
            .elf_program_headers()
            .iter()
            .position(|it| it.p_type.get(file.endian()) == object::elf::PT_GNU_EH_FRAME)
            .unwrap();
        // A header is 56 bytes, its address the third word, its length in memory the sixth.
        let header = headers + of_index * 56;
        for (nth, address) in (0..).zip([0, 1, 0x800, end - 1, end, end + 4096, 1 << 40, u64::MAX])
        {
            for (word, value) in [(2, address), (5, address)] {
                let mut bytes = sound.clone();
                bytes[header + 8 * word..][..8].copy_from_slice(&value.to_le_bytes());
                let path = dir.path().join(format!("libelsewhere{nth}-{word}.so"));
                fs::write(&path, &bytes).unwrap();
                // This the loader may look at.
                if let Some(library) = Library::load(&path) {
                    assert_ne!(library.taken_through(), 0);
                }
            }
        }
    });
}

/// More libraries than the recording has entries for: their frames are told by their addresses in memory.
#[test]
#[cfg_attr(target_feature = "crt-static", ignore = "a static program loads no library")]
fn libraries_without_an_entry_are_counted() {
    let small = |command: &mut Command| {
        command.env("ASYNC_IO_TRACE_MIB", "1");
    };
    recorded_with("libraries_without_an_entry_are_counted", small, || {
        let dir = tempfile::tempdir().unwrap();
        let sound = build(dir.path(), "sound", 10, &[]);
        let copy = |nth: u32| {
            let path = dir.path().join(format!("libcopy{nth}.so"));
            fs::copy(&sound, &path).unwrap();
            Library::load(&path).unwrap()
        };
        let libraries: Vec<Library> = (0..150).map(copy).collect();
        let stack = stack(libraries.last().unwrap().taken_through());
        assert!(counter(counter::MODULES_LEFT_OUT) > 0);
        assert_eq!(stack.end, StackEnd::Whole);
        assert!(stack.frames.iter().any(|frame| frame.module == 0), "{stack:x?}");
        let recording = own();
        let entries = (1..=128).filter(|number| recording.module(*number).unwrap().is_some());
        assert_eq!(entries.count(), 128);
    });
}
