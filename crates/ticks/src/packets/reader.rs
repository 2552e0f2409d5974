//! Reads captures, pcap and pcapng, in a stream.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context};
use pcap_parser::pcapng::Block;
use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{create_reader, PcapBlockOwned, PcapError};

use super::headers::{self, Link};
use super::Packet;
use crate::input::open_file;
use crate::units;

/// A buffer for packets and blocks of usual sizes, and how far it may grow for others.
const BUFFER_BYTES: usize = 1 << 18;
const BUFFER_BYTES_MAX: usize = 1 << 26;

/// A capture that is being read.
pub struct Capture {
    /// Where it is.
    pub path: PathBuf,
    reader: Box<dyn PcapReaderIterator + Send>,
    bytes: u64,
    buffer_bytes: usize,
    interfaces: Vec<Interface>,
    /// Of how many packets each link that is not understood has.
    unknown: HashMap<i32, u64>,
    problem: Option<String>,
    /// The time of the last packet: those without one of their own are taken to be of then.
    last_ns: u64,
    ended: bool,
}

/// Where packets were captured, and how their times are counted.
#[derive(Clone, Copy)]
struct Interface {
    link: Option<Link>,
    number: i32,
    units_per_second: u128,
    offset_s: i64,
}

impl Interface {
    /// When, by the file's count.
    fn utc_ns(&self, time: u64) -> u64 {
        let ns = i128::try_from(u128::from(time) * 1_000_000_000 / self.units_per_second.max(1));
        let ns = ns.unwrap_or(i128::MAX).saturating_add(i128::from(self.offset_s) * 1_000_000_000);
        u64::try_from(ns.max(0)).unwrap_or(u64::MAX)
    }
}

/// What was found in a block.
enum Found {
    Packet(Packet),
    Interface(Interface),
    Section,
    Unknown(i32),
    Nothing,
}

impl Capture {
    /// Opens a capture.
    pub fn open(path: &Path) -> anyhow::Result<Capture> {
        let place = || path.display().to_string();
        let file = open_file(path).with_context(place)?;
        let bytes = file.metadata().with_context(place)?.len();
        let reader = Self::reader(file).with_context(place)?;
        Ok(Capture {
            path: path.to_owned(),
            reader,
            bytes,
            buffer_bytes: BUFFER_BYTES,
            interfaces: Vec::new(),
            unknown: HashMap::new(),
            problem: None,
            last_ns: 0,
            ended: false,
        })
    }

    fn reader(file: File) -> anyhow::Result<Box<dyn PcapReaderIterator + Send>> {
        match create_reader(BUFFER_BYTES, file) {
            Ok(reader) => Ok(reader),
            Err(PcapError::Eof) => bail!("is empty; a capture that is still being written has its first packets late: tcpdump -U"),
            Err(PcapError::ReadError) => bail!("cannot be read"),
            Err(_) => bail!("is not a capture: expected pcap or pcapng, as tcpdump -w and Wireshark write them"),
        }
    }

    /// How many bytes there are.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many of them were read.
    pub fn read_bytes(&self) -> u64 {
        self.reader.consumed() as u64
    }

    /// What was found wrong so far, a sentence each.
    pub fn problems(&self) -> Vec<String> {
        let place = self.path.display();
        let of_link = |(link, count): (&i32, &u64)| {
            let packets = units::things(*count, "packet");
            format!("{place}: left out: {packets} of link type {link}, which is not understood")
        };
        let mut all: Vec<String> = self.unknown.iter().map(of_link).collect();
        all.sort();
        all.extend(self.problem.iter().map(|problem| format!("{place}: {problem}")));
        all
    }

    /// The next packet of TCP or UDP.
    pub fn advance(&mut self) -> anyhow::Result<Option<Packet>> {
        while !self.ended {
            let found = match self.reader.next() {
                Ok((bytes, block)) => {
                    let found = look(&block, &self.interfaces, self.last_ns);
                    drop(block);
                    self.reader.consume(bytes);
                    found
                }
                Err(error) => {
                    let error = error.to_owned_vec();
                    self.recover(&error)?;
                    continue;
                }
            };
            match found {
                Found::Packet(packet) => {
                    self.last_ns = packet.utc_ns;
                    return Ok(Some(packet));
                }
                Found::Interface(interface) => self.interfaces.push(interface),
                Found::Section => self.interfaces.clear(),
                Found::Unknown(link) => *self.unknown.entry(link).or_default() += 1,
                Found::Nothing => {}
            }
        }
        Ok(None)
    }

    /// Gets more bytes, or ends.
    fn recover(&mut self, error: &PcapError<&'static [u8]>) -> anyhow::Result<()> {
        match error {
            PcapError::Incomplete(_) if !self.reader.reader_exhausted() => self.refill(),
            PcapError::BufferTooSmall if self.buffer_bytes < BUFFER_BYTES_MAX => {
                self.buffer_bytes *= 2;
                self.reader.grow(self.buffer_bytes);
                self.refill()
            }
            PcapError::Eof => {
                self.ended = true;
                Ok(())
            }
            PcapError::UnexpectedEof | PcapError::Incomplete(_) => self
                .end("it ends in the midst of a packet, as one that is still being written does"),
            PcapError::ReadError => bail!("{}: cannot be read", self.path.display()),
            _ => self.end("it is damaged; what lies beyond is left out"),
        }
    }

    fn refill(&mut self) -> anyhow::Result<()> {
        match self.reader.refill() {
            Ok(()) => Ok(()),
            Err(_) => bail!("{}: cannot be read", self.path.display()),
        }
    }

    fn end(&mut self, problem: &str) -> anyhow::Result<()> {
        self.problem = Some(problem.to_owned());
        self.ended = true;
        Ok(())
    }
}

/// What the block holds.
fn look(block: &PcapBlockOwned<'_>, interfaces: &[Interface], last_ns: u64) -> Found {
    match block {
        PcapBlockOwned::LegacyHeader(header) => Found::Interface(Interface {
            link: Link::of(header.network),
            number: header.network.0,
            units_per_second: if header.is_nanosecond_precision() {
                1_000_000_000
            } else {
                1_000_000
            },
            offset_s: 0,
        }),
        PcapBlockOwned::Legacy(frame) => {
            let Some(interface) = interfaces.first() else { return Found::Nothing };
            let per_second = u64::try_from(interface.units_per_second).unwrap_or(1);
            let time = u64::from(frame.ts_sec) * per_second + u64::from(frame.ts_usec);
            of_frame(interface, frame.data, interface.utc_ns(time))
        }
        PcapBlockOwned::NG(Block::SectionHeader(_)) => Found::Section,
        PcapBlockOwned::NG(Block::InterfaceDescription(about)) => Found::Interface(Interface {
            link: Link::of(about.linktype),
            number: about.linktype.0,
            units_per_second: units_per_second(about.if_tsresol),
            offset_s: about.if_tsoffset,
        }),
        PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
            let Some(interface) = interfaces.get(packet.if_id as usize) else {
                return Found::Nothing;
            };
            let time = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
            let kept = packet.data.get(..packet.caplen as usize).unwrap_or(packet.data);
            of_frame(interface, kept, interface.utc_ns(time))
        }
        PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
            let Some(interface) = interfaces.first() else { return Found::Nothing };
            of_frame(interface, packet.data, last_ns)
        }
        PcapBlockOwned::NG(_) => Found::Nothing,
    }
}

fn of_frame(interface: &Interface, frame: &[u8], utc_ns: u64) -> Found {
    let Some(link) = interface.link else {
        return Found::Unknown(interface.number);
    };
    headers::packet(link, frame, utc_ns).map_or(Found::Nothing, Found::Packet)
}

/// A negative power of ten, or of two if the highest bit is set.
fn units_per_second(resolution: u8) -> u128 {
    match resolution & 0x80 {
        0 => 10_u128.saturating_pow(u32::from(resolution).min(30)),
        _ => 1 << u32::from(resolution & 0x7f).min(100),
    }
}
