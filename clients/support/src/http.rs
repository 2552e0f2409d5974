//! As much of HTTP/1.1 as a load generator needs: a fixed answer to GET and HEAD, kept alive.

/// The longest request head that is read.
pub const HEAD_BYTES_MAX: usize = 8 * 1024;

/// What to do with the bytes that have been read so far.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The head is not complete: read on.
    Read,
    /// A request ends after `consumed` bytes: send `answer`, then go on with the rest.
    Answer {
        /// Length of the request.
        consumed: usize,
        /// The bytes to send.
        answer: &'static [u8],
    },
    /// Send this and close the connection.
    Close(&'static [u8]),
}

const OK: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n";
const OK_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\n";
const OK_CLOSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\nConnection: close\r\n\r\nhello\n";
const BAD_REQUEST: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const NOT_ALLOWED: &[u8] =
    b"HTTP/1.1 405 Method Not Allowed\r\nAllow: GET, HEAD\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
const TOO_LARGE: &[u8] = b"HTTP/1.1 431 Request Header Fields Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// Looks at what has been read of a connection and not been answered yet.
pub fn step(unanswered: &[u8]) -> Step {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    let consumed = match request.parse(unanswered) {
        Ok(httparse::Status::Complete(consumed)) => consumed,
        Ok(httparse::Status::Partial) if unanswered.len() < HEAD_BYTES_MAX => return Step::Read,
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Step::Close(TOO_LARGE)
        }
        Err(_) => return Step::Close(BAD_REQUEST),
    };
    match request.method {
        Some("GET") if closes(&request) => Step::Close(OK_CLOSE),
        Some("GET") => Step::Answer { consumed, answer: OK },
        Some("HEAD") => Step::Answer { consumed, answer: OK_HEAD },
        _ => Step::Close(NOT_ALLOWED),
    }
}

/// Whether this is the connection's last request: the client says so, speaks HTTP/1.0, or sends a
/// body, which is not read here.
fn closes(request: &httparse::Request<'_, '_>) -> bool {
    request.version == Some(0)
        || request.headers.iter().any(|header| {
            header.name.eq_ignore_ascii_case("content-length")
                || header.name.eq_ignore_ascii_case("transfer-encoding")
                || (header.name.eq_ignore_ascii_case("connection")
                    && header.value.eq_ignore_ascii_case(b"close"))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_of_a_request_asks_for_more() {
        let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
        for end in 0..request.len() {
            assert_eq!(step(&request[..end]), Step::Read, "{end}");
        }
        assert!(
            matches!(step(request), Step::Answer { consumed, .. } if consumed == request.len())
        );
    }

    #[test]
    fn what_cannot_be_answered_closes() {
        assert_eq!(step(b"\x16\x03\x01\x02\x00"), Step::Close(BAD_REQUEST));
        assert_eq!(step(b"POST / HTTP/1.1\r\n\r\n"), Step::Close(NOT_ALLOWED));
        let endless = [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'y'; HEAD_BYTES_MAX]].concat();
        assert_eq!(step(&endless), Step::Close(TOO_LARGE));
        let many = [b"GET / HTTP/1.1\r\n".as_slice(), &b"X: y\r\n".repeat(65), b"\r\n"].concat();
        assert_eq!(step(&many), Step::Close(TOO_LARGE));
    }
}
