//! What a relay's log tells of how a connection was accepted.

/// How often libp2p's TCP transport was polled up to its word that a connection came in, or to the
/// log's end if it never said so. It asks the reactor each time. `log` is that of the time in which
/// one peer connected.
pub fn polls(log: &str) -> usize {
    log.lines()
        .filter(|line| line.split_whitespace().nth(2) == Some("libp2p_tcp"))
        .take_while(|line| !line.contains("Incoming connection"))
        .filter(|line| line.ends_with("-> Transport::poll;"))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLLED_THEN_ACCEPTED: &str = "\
[2026-01-01T00:00:00.000001Z TRACE async_io::reactor 1  2] ReactorLock::react: ev
[2026-01-01T00:00:00.000002Z TRACE libp2p_swarm 2  1] -> Transport::poll;
[2026-01-01T00:00:00.000003Z TRACE libp2p_tcp 3  1] -> Transport::poll;
[2026-01-01T00:00:00.000004Z DEBUG libp2p_tcp 4  1] Incoming connection from remote at local
[2026-01-01T00:00:00.000005Z TRACE libp2p_tcp 3  1] -> Transport::poll;
";

    #[test]
    fn ends_with_the_connection() {
        assert_eq!(polls(POLLED_THEN_ACCEPTED), 1);
    }

    #[test]
    fn without_a_connection_all_count() {
        let log = POLLED_THEN_ACCEPTED.replace("Incoming", "No");
        assert_eq!(polls(&log), 2);
    }
}
