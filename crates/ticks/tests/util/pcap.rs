//! Captures made in memory.

use std::net::SocketAddrV4;

use etherparse::PacketBuilder;

/// A segment: when, from whom, to whom, its first byte's number, what is expected next, flags and bytes.
pub struct Segment {
    pub utc_ns: u64,
    pub from: SocketAddrV4,
    pub to: SocketAddrV4,
    pub seq: u32,
    pub ack: Option<u32>,
    pub flags: &'static str,
    pub bytes: usize,
}

/// The file, with IP packets and nothing before, and nanoseconds.
pub fn capture(segments: &[Segment]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_3c4d_u32, 0x0004_0002, 0, 0, 65_535, 101] {
        file.extend(word.to_ne_bytes());
    }
    for segment in segments {
        let frame = frame(segment);
        let (seconds, ns) = (segment.utc_ns / 1_000_000_000, segment.utc_ns % 1_000_000_000);
        for word in [seconds as u32, ns as u32, frame.len() as u32, frame.len() as u32] {
            file.extend(word.to_ne_bytes());
        }
        file.extend(frame);
    }
    file
}

/// The same as pcapng, with times in nanoseconds, and what a reader has to pass over: a block of a kind that it does
/// not know, and an interface of a link that it does not know.
pub fn capture_ng(segments: &[Segment]) -> Vec<u8> {
    let mut file = block(0x0a0d_0d0a, &[0x1a2b_3c4d, 1, u32::MAX, u32::MAX], &[]);
    file.extend(block(1, &[147, 65_535], &[]));
    // Of the option if_tsresol: 10 to the minus 9.
    file.extend(block(1, &[101, 65_535, 1 << 16 | 9, 9, 0], &[]));
    file.extend(block(0x7777, &[1, 2], &[]));
    for segment in segments {
        let frame = frame(segment);
        let [high, low] = [(segment.utc_ns >> 32) as u32, segment.utc_ns as u32];
        let length = frame.len() as u32;
        file.extend(block(6, &[1, high, low, length, length], &frame));
    }
    file.extend(block(6, &[0, 0, 0, 4, 4], &[1, 2, 3, 4]));
    file
}

fn block(kind: u32, words: &[u32], bytes: &[u8]) -> Vec<u8> {
    let padded = bytes.len().next_multiple_of(4);
    let length = (12 + 4 * words.len() + padded) as u32;
    let mut block: Vec<u8> = [kind, length].iter().flat_map(|word| word.to_ne_bytes()).collect();
    block.extend(words.iter().flat_map(|word| word.to_ne_bytes()));
    block.extend(bytes);
    block.resize(block.len() + padded - bytes.len(), 0);
    block.extend(length.to_ne_bytes());
    block
}

fn frame(segment: &Segment) -> Vec<u8> {
    let (from, to) = (segment.from, segment.to);
    let builder = PacketBuilder::ipv4(from.ip().octets(), to.ip().octets(), 64);
    let mut builder = builder.tcp(from.port(), to.port(), segment.seq, 1024);
    if segment.flags.contains("SYN") {
        builder = builder.syn();
    }
    if segment.flags.contains("FIN") {
        builder = builder.fin();
    }
    if let Some(ack) = segment.ack {
        builder = builder.ack(ack);
    }
    let mut frame = Vec::new();
    builder.write(&mut frame, &vec![b'x'; segment.bytes]).expect("written");
    frame
}
