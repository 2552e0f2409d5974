//! What a relay's log tells of how a connection was accepted.

/// So many lines from the beginning and from the end, if there are more.
const SHOWN_EACH: usize = 24;

/// How a connection was accepted.
pub struct Accept {
    /// How often libp2p's TCP transport was polled up to its word that a connection came in, or
    /// to the log's end if it never said so. It asks the reactor each time.
    pub polls: usize,
    /// Up to there: the reactor's and the poller's lines, and the transport's word.
    pub lines: Vec<String>,
}

impl Accept {
    /// Reads the log of the time in which one peer connected.
    pub fn new(log: &str) -> Accept {
        let mut polls = 0;
        let mut lines = Vec::new();
        for line in log.lines() {
            let module = line.split_whitespace().nth(2).unwrap_or_default();
            let accepted = module == "libp2p_tcp" && line.contains("Incoming connection");
            polls += usize::from(module == "libp2p_tcp" && line.ends_with("-> Transport::poll;"));
            if accepted || module.starts_with("async_io") {
                lines.push(line.to_owned());
            }
            if accepted {
                break;
            }
        }
        Accept { polls, lines: shorten(lines) }
    }
}

fn shorten(mut lines: Vec<String>) -> Vec<String> {
    if lines.len() > 2 * SHOWN_EACH {
        let left_out = lines.len() - 2 * SHOWN_EACH;
        let note = format!("... {left_out} lines left out ...");
        lines.splice(SHOWN_EACH..SHOWN_EACH + left_out, [note]);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_with_the_connection() {
        let log = "\
[2026-01-01T00:00:00.000001Z TRACE async_io::reactor 1  2] ReactorLock::react: ev
[2026-01-01T00:00:00.000002Z TRACE libp2p_swarm 2  1] poll
[2026-01-01T00:00:00.000003Z TRACE libp2p_tcp 3  1] -> Transport::poll;
[2026-01-01T00:00:00.000004Z DEBUG libp2p_tcp 4  1] Incoming connection from remote at local
[2026-01-01T00:00:00.000005Z TRACE libp2p_tcp 3  1] -> Transport::poll;
[2026-01-01T00:00:00.000006Z TRACE async_io::reactor 5  1] Source::new
";
        let accept = Accept::new(log);
        assert_eq!(accept.polls, 1);
        assert_eq!(accept.lines.len(), 2, "{:?}", accept.lines);
        assert!(accept.lines[0].ends_with("ReactorLock::react: ev"));
        assert!(accept.lines[1].ends_with("at local"));
    }

    #[test]
    fn long_ones_are_shortened() {
        let kept = shorten((0..1000).map(|number| number.to_string()).collect());
        assert_eq!(kept.len(), 2 * SHOWN_EACH + 1);
        assert_eq!(kept[SHOWN_EACH - 1], "23");
        assert_eq!(kept[SHOWN_EACH], "... 952 lines left out ...");
        assert_eq!(kept[SHOWN_EACH + 1], "976");
    }
}
