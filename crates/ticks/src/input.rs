//! The files that are read, and the processes that write them.

use std::collections::HashMap;
use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{anyhow, bail, Context};
use ticks_format::layout::{counter, MAGIC};
use ticks_format::{Address, Entry, Key, ReadAt, Recording, Source};

use crate::logs::{self, Log};
use crate::memory::{Core, Memory};
use crate::plain::{plain, say};
use crate::process::{self, State};
use crate::snapshot::{self, Origin, Snapshot};
use crate::temporary::Temporary;

/// Stands for standard input, in arguments and in the commands that are suggested.
const STDIN: &str = "-";

/// One recording with its place.
#[derive(Debug)]
pub struct Input {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub recording: Recording<File>,
    /// The process's number here, where it was found by that: in a container it has another one.
    pid: Option<u32>,
    /// What is added to its times, so that they are by the clock of the first recording's host.
    pub shift_ns: i64,
    /// What was seen in it, if it is a text log; the recording was made of it.
    pub log: Option<Log>,
    /// Where it is from, if it was read from a process's memory; the recording was made of that.
    pub snapshot: Option<Snapshot>,
}

impl Input {
    /// Opens the file at `path`.
    pub fn open(path: &Path) -> anyhow::Result<Input> {
        let file = open_file(path).map_err(|error| match error.kind() {
            io::ErrorKind::InvalidInput => anyhow!("{error}; - reads standard input"),
            _ => error.into(),
        });
        Input::of_file(path, file.with_context(|| path.display().to_string())?)
    }

    /// Reads standard input to its end.
    fn of_stdin() -> anyhow::Result<Input> {
        const NAME: &str = "standard input";
        let file = Temporary::of(io::stdin().lock()).context(NAME)?;
        let mut begin = [0; 16];
        let got = file.read_up_to(0, &mut begin).context(NAME)?;
        if begins_core(&begin[..got]) {
            bail!("{NAME}: a core dump, which is read from a file only");
        }
        Input::of_file(Path::new(STDIN), file)
    }

    fn of_file(path: &Path, file: File) -> anyhow::Result<Input> {
        let open = || -> anyhow::Result<(Recording<File>, Option<Log>)> {
            let mut begin = [0; 16];
            match file.read_up_to(0, &mut begin)? {
                0 => bail!("is empty; nothing was recorded, or it was cut off"),
                _ if !is_magic(begin) && logs::is_log(&file)? => {
                    let (file, log) = logs::import(file)?;
                    Ok((Recording::open(file)?, Some(log)))
                }
                _ if !is_magic(begin) => bail!(
                    "is not a recording; that of a program that was run with ASYNC_IO_TRACE=DIR is \
                     DIR/<pid>.ticks, and a text log has lines as `[time LEVEL module] message` or \
                     `time LEVEL module: message`"
                ),
                _ => Ok((Recording::open(file)?, None)),
            }
        };
        let (recording, log) = open().with_context(|| path.display().to_string())?;
        let path = path.to_owned();
        Ok(Input { path, recording, pid: None, shift_ns: 0, log, snapshot: None })
    }

    /// What the memory of the live process says.
    fn of_memory(
        pid: u32,
        earlier: Option<(&Recording<File>, &Snapshot)>,
        with_stacks: bool,
    ) -> anyhow::Result<Vec<Input>> {
        let found = snapshot::of_process(pid, earlier, with_stacks)?.into_iter();
        Ok(found
            .map(|found| Input::of_snapshot(pid.to_string().into(), Some(pid), found))
            .collect())
    }

    /// What a core dump says: the recording that the process had, if that is still there, or else its memory.
    fn of_core(path: &Path, exe: Option<&Path>) -> anyhow::Result<Vec<Input>> {
        let of_core = || -> anyhow::Result<_> {
            let core = Core::open(path, exe)?;
            match recording_beside(path, &core) {
                Some(recording) => Ok((vec![recording], Vec::new())),
                None => Ok((Vec::new(), snapshot::of_core(path, &core, exe)?)),
            }
        };
        let (recorded, found) = of_core().with_context(|| path.display().to_string())?;
        if let Some(input) = recorded.first() {
            say!("{}: its recording {} is read", path.display(), input.path.display());
            return Ok(recorded);
        }
        Ok(found
            .into_iter()
            .map(|found| Input::of_snapshot(path.to_owned(), None, found))
            .collect())
    }

    fn of_snapshot(
        path: PathBuf,
        pid: Option<u32>,
        (recording, snapshot): (Recording<File>, Snapshot),
    ) -> Input {
        Input { path, recording, pid, shift_ns: 0, log: None, snapshot: Some(snapshot) }
    }

    /// What is meant: the file, or the recordings of the live process with this number.
    fn find(file_or_pid: &Path, exe: Option<&Path>) -> anyhow::Result<Vec<Input>> {
        let pid = file_or_pid.to_str().and_then(|text| text.parse::<u32>().ok());
        match pid {
            Some(pid) if !file_or_pid.is_file() => {
                let found = match process::recordings(pid) {
                    Ok(found) => found.into_iter(),
                    // It is looked at without.
                    Err(error) if process::has_proc() => {
                        let maps = fs::read(format!("/proc/{pid}/maps"));
                        let why = |memory: anyhow::Error| match maps {
                            // A zombie has none.
                            Ok(maps) if maps.is_empty() => error,
                            Ok(_) => anyhow!("{error:#}; and its memory does not tell: {memory:#}"),
                            // Says which right is missing, and what helps.
                            Err(denied) if denied.kind() == io::ErrorKind::PermissionDenied => {
                                memory
                            }
                            Err(_) => error,
                        };
                        let found = Input::of_memory(pid, None, true).map_err(why);
                        return found.with_context(|| format!("process {pid}"));
                    }
                    Err(error) => return Err(error.context(format!("process {pid}"))),
                };
                let of = |(path, recording)| Input {
                    path,
                    recording,
                    pid: Some(pid),
                    shift_ns: 0,
                    log: None,
                    snapshot: None,
                };
                Ok(found.map(of).collect())
            }
            None if file_or_pid == Path::new(STDIN) => Ok(vec![Input::of_stdin()?]),
            None if file_or_pid.is_dir() => bail!(
                "{}: expected a recording, found a directory; name a file in it",
                file_or_pid.display()
            ),
            None if is_word(file_or_pid) && !file_or_pid.exists() => {
                bail!("{}: neither a file nor the number of a process", file_or_pid.display())
            }
            _ if is_core(file_or_pid) => Input::of_core(file_or_pid, exe),
            _ => Ok(vec![Input::open(file_or_pid)?]),
        }
    }

    /// The file's path, to name it in an error.
    pub fn place(&self) -> String {
        self.path.display().to_string()
    }

    /// Looks again and again for that long, if it is a process's memory, which does not say since when anything is as it
    /// is: what was the same each time has been so all the while.
    pub fn watch(&mut self, long: Duration) -> anyhow::Result<()> {
        /// A task that is found running each time is in one long poll, and not in many.
        const LOOKS: u32 = 10;
        let is_memory =
            self.snapshot.as_ref().is_some_and(|it| matches!(it.origin, Origin::Process(_)));
        if is_memory {
            for look in 1..=LOOKS {
                std::thread::sleep(long / LOOKS);
                self.look_again(look == LOOKS)?;
            }
        }
        Ok(())
    }

    /// Has what follows be of now: the memory of a process is read anew, and of a recording the clock, which is
    /// all of it that a reader keeps.
    pub fn refresh(&mut self) -> anyhow::Result<()> {
        self.look_again(true)
    }

    fn look_again(&mut self, with_stacks: bool) -> anyhow::Result<()> {
        let Some(Snapshot { origin: Origin::Process(pid), place, .. }) = self.snapshot else {
            return Ok(self.recording.refresh_clock()?);
        };
        // Of a process that has ended since, what was seen last stays.
        let earlier = self.snapshot.as_ref().map(|snapshot| (&self.recording, snapshot));
        let found = Input::of_memory(pid, earlier, with_stacks);
        let mut found = found.unwrap_or_default().into_iter();
        if let Some(input) = found.nth(place) {
            *self = input;
        }
        Ok(())
    }

    /// Says on stderr what was found wrong so far, and whether there was anything.
    pub fn report_problems(&self) -> bool {
        for problem in self.snapshot.iter().flat_map(|snapshot| &snapshot.problems) {
            say!("{}: {problem}", self.path.display());
        }
        for problem in self.recording.problems() {
            say!("{}: {problem}", self.path.display());
        }
        !self.recording.problems().is_empty()
    }

    /// The path of the process's program, if the file has it.
    pub fn program(&self) -> Option<&str> {
        let mut about = self.recording.about().iter();
        about.find(|(name, _)| name == "program").map(|(_, path)| path.as_str())
    }

    /// The name of the process's program, if the file has it.
    pub fn program_name(&self) -> Option<&str> {
        let path = self.program()?;
        // Its system's separators, which need not be ours.
        let is_windows = self.recording.about().contains(&("os".to_owned(), "windows".to_owned()));
        let separators: &[char] = if is_windows { &['/', '\\'] } else { &['/'] };
        path.rsplit(separators).next().filter(|name| !name.is_empty())
    }

    /// The process, with its program's name if the file has it; a log does not say whose it is.
    pub fn process_name(&self) -> String {
        if self.log.is_some() {
            let name = self.path.file_name().unwrap_or(self.path.as_os_str());
            return format!("log {}", plain(&name.to_string_lossy()));
        }
        let pid = self.recording.header().pid;
        match self.program_name() {
            Some(name) => format!("{} ({pid})", plain(name)),
            None => format!("process {pid}"),
        }
    }

    /// What the process that writes the file is doing.
    pub fn state(&self) -> State {
        if self.log.is_some() {
            return State::Unknown;
        }
        match &self.snapshot {
            Some(Snapshot { origin: Origin::Process(pid), .. }) => {
                return State::of_process(u64::from(*pid))
            }
            Some(Snapshot { origin: Origin::Core, .. }) => return State::Dumped,
            None => {}
        }
        if self.recording.counter(counter::CLOSED).is_ok_and(|closed| closed != 0) {
            return State::Ended;
        }
        let about = |name| {
            self.recording.about().iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
        };
        // It came from another machine, where its process may go on.
        if about("os").is_some_and(|os| os != env::consts::OS) {
            return State::Unknown;
        }
        let boot_id = about("boot_id");
        let header = self.recording.header();
        State::of(self.pid(), header, boot_id, self.recording.file(), &self.path)
    }

    /// The process's number here.
    pub fn pid(&self) -> u64 {
        self.pid.map_or(self.recording.header().pid, u64::from)
    }

    /// Whether more may be recorded.
    pub fn is_live(&self) -> bool {
        self.state().is_live()
    }

    /// What a record's time means: UTC, nanoseconds since 1970.
    pub fn utc_ns(&self, time: u64) -> u64 {
        self.recording.clock().utc_ns(time).saturating_add_signed(self.shift_ns)
    }

    /// What the file says about the process under this name.
    pub fn about(&self, wanted: &str) -> Option<&str> {
        let mut about = self.recording.about().iter();
        about.find(|(name, _)| name == wanted).map(|(_, text)| text.as_str())
    }

    /// When the last record was made, if there is one.
    pub fn last_record_ns(&self) -> anyhow::Result<Option<u64>> {
        /// Enough slots to hold a whole record.
        const TAIL_SLOTS: u64 = 64;
        let mut last = None;
        for ring in self.recording.rings()? {
            let from = ring.head.saturating_sub(TAIL_SLOTS);
            for record in self.recording.records_from(&ring, from).into_iter().flatten() {
                last = last.max(Some(self.utc_ns(record?.time)));
            }
        }
        Ok(last)
    }

    /// When the program ended, if it said so.
    pub fn ended_ns(&self) -> Option<u64> {
        let closed = self.recording.counter(counter::CLOSED).ok().filter(|closed| *closed != 0)?;
        Some(self.utc_ns(closed))
    }

    /// The sources that the reactor has at this moment. A recording's table is its writer's own; a memory is looked at
    /// again.
    pub fn sources_now(&self) -> anyhow::Result<HashMap<Key, Source>> {
        let Some(Snapshot { origin: Origin::Process(pid), place, .. }) = self.snapshot else {
            return self.sources();
        };
        let now = Input::of_memory(pid, None, false)?.into_iter().nth(place);
        now.map_or_else(|| Ok(HashMap::new()), |now| now.sources())
    }

    /// The sources that the table describes, by key.
    pub fn sources(&self) -> anyhow::Result<HashMap<Key, Source>> {
        let mut sources = HashMap::new();
        for entry in self.recording.sources() {
            if let Entry::Whole(source) = entry? {
                sources.insert(source.key, source);
            }
        }
        Ok(sources)
    }
}

/// Core dumps that are looked at.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Cores {
    /// A core dump, also one that systemd-coredump has compressed with zstd, lz4 or xz
    #[arg(long = "core", value_name = "CORE")]
    pub cores: Vec<PathBuf>,
    /// The program that the core dump is of, if its file is not where it ran
    #[arg(long, value_name = "FILE")]
    pub exe: Option<PathBuf>,
}

/// What is looked at: the recordings that can be opened, of those that were asked for.
#[derive(Debug)]
pub struct Inputs {
    /// In the order in which they were asked for.
    pub all: Vec<Input>,
    /// Whether some could not be opened, which was said.
    pub failed: bool,
}

impl Inputs {
    /// Opens all that is meant. One that cannot be opened hides none of the others: it is said on stderr, and
    /// an error only if there is nothing else to look at.
    pub fn open(files_or_pids: &[PathBuf]) -> anyhow::Result<Inputs> {
        Inputs::with_cores(files_or_pids, &Cores::default())
    }

    /// Those that have records: of a process's memory there is nothing to be told of what was before.
    pub fn recorded(files_or_pids: &[PathBuf]) -> anyhow::Result<Inputs> {
        let mut inputs = Inputs::open(files_or_pids)?;
        let without = |input: &Input| {
            let path = input.path.display();
            format!(
                "{path}: it has no records, as it was not recorded; who waits in it now says ticks who {path}. To \
                 record, start it with ASYNC_IO_TRACE=DIR in its environment, or by `ticks record -- CMD`"
            )
        };
        let mut missing: Vec<String> =
            inputs.all.iter().filter(|input| input.snapshot.is_some()).map(without).collect();
        inputs.all.retain(|input| input.snapshot.is_none());
        inputs.failed |= !missing.is_empty();
        if inputs.all.is_empty() {
            if let Some(last) = missing.pop() {
                bail!(last);
            }
        }
        missing.iter().for_each(|text| say!("{text}"));
        Ok(inputs)
    }

    /// The same, with core dumps.
    pub fn with_cores(files_or_pids: &[PathBuf], cores: &Cores) -> anyhow::Result<Inputs> {
        let (mut all, mut errors) = (Vec::new(), Vec::new());
        let exe = cores.exe.as_deref();
        let found = files_or_pids.iter().map(|file_or_pid| Input::find(file_or_pid, exe));
        let of_cores = cores.cores.iter().map(|core| Input::of_core(core, exe));
        for found in found.chain(of_cores) {
            match found {
                Ok(found) => all.extend(found),
                Err(error) => errors.push(error),
            }
        }
        let failed = !errors.is_empty();
        let last = if all.is_empty() { errors.pop() } else { None };
        for error in errors {
            say!("{error:#}");
        }
        match last {
            Some(error) => Err(error),
            None => Ok(Inputs { all, failed }),
        }
    }

    /// Those of these processes, without the ones that have ended since they were found.
    pub fn of_processes(pids: &[u32]) -> Inputs {
        let of_process =
            |pid: &u32| Input::find(Path::new(&pid.to_string()), None).unwrap_or_default();
        Inputs { all: pids.iter().flat_map(of_process).collect(), failed: false }
    }

    /// Does something with each, and returns what came of it. An error, which is to name the file, is said;
    /// whether there was one anywhere is returned.
    pub fn each<'a, T>(&'a self, work: impl Fn(&'a Input) -> anyhow::Result<T>) -> (Vec<T>, bool) {
        let (mut done, mut failed) = (Vec::new(), self.failed);
        for input in &self.all {
            match work(input) {
                Ok(result) => done.push(result),
                Err(error) => {
                    failed = true;
                    say!("{error:#}");
                }
            }
        }
        (done, failed)
    }
}

/// Opens what is a file. A pipe of that name, which anybody can put into a directory that is shared, would
/// have us wait for whoever writes to it.
pub fn open_file(path: &Path) -> io::Result<File> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "expected a file that can be read at any place, found another kind",
        ));
    }
    File::open(path)
}

/// The recording of the process that the core dump is of: where it was mapped from, or beside the dump.
fn recording_beside(path: &Path, core: &Core) -> Option<Input> {
    let pid = core.pid()?;
    let mapped = core.mappings().iter().filter_map(|mapping| mapping.path.clone());
    let mapped = mapped.filter(|path| path.extension().is_some_and(|it| it == "ticks"));
    let beside = path.with_file_name(format!("{pid}.ticks"));
    let inputs = mapped.chain([beside]).filter_map(|path| Input::open(&path).ok());
    inputs.into_iter().find(|input| input.recording.header().pid == u64::from(pid))
}

/// Whether the file begins like a core dump or a program, or is compressed as core dumps are.
fn is_core(path: &Path) -> bool {
    let mut begin = [0; 16];
    let got = open_file(path).and_then(|file| file.read_up_to(0, &mut begin)).unwrap_or(0);
    begins_core(&begin[..got])
}

fn begins_core(begin: &[u8]) -> bool {
    Core::is_elf(begin) || Core::is_packed(begin)
}

/// Whether a file that begins like this is a recording, of a machine of either byte order.
pub fn is_magic(begin: [u8; 16]) -> bool {
    let orders = [u64::to_le_bytes, u64::to_be_bytes];
    orders.iter().any(|order| begin == MAGIC.map(order).concat()[..])
}

/// Whether the path looks like something else that was meant to be a file or a number.
fn is_word(path: &Path) -> bool {
    path.extension().is_none() && path.components().count() == 1
}

/// `local → peer`, as far as there are addresses.
pub fn addresses(local: &Address, peer: &Address) -> String {
    match (local, peer) {
        (Address::None, Address::None) => String::new(),
        (local, Address::None) => local.to_string(),
        (local, peer) => format!("{local} → {peer}"),
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::AsRawFd;
    use std::process;

    use async_io::Async;

    use super::*;

    /// Of a service whose connections come and go it was said, and called proven, that somebody had closed their
    /// descriptors: whether the reactor still had them was looked up in what had been read of the memory before.
    #[test]
    fn a_source_that_was_dropped_since_is_not_there_now() {
        let socket = Async::<UdpSocket>::bind(([127, 0, 0, 1], 0)).expect("a socket");
        let fd = i64::from(socket.as_raw_fd());
        let inputs = Input::of_memory(process::id(), None, false).expect("it can be looked at");
        let [input] = &inputs[..] else { panic!("{} reactors", inputs.len()) };
        let key = *input.sources().expect("a table").iter().find(|it| it.1.fd == fd).expect("it").0;
        let is_there = || input.sources_now().expect("a table").contains_key(&key);
        assert!(is_there());
        drop(socket);
        assert!(!is_there());
        assert!(input.sources().expect("a table").contains_key(&key), "as it was read");
    }
}
