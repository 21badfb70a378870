//! A request's body that comes in chunks, for programs that begin to send before they know how long it
//! will be. Strictly: what could be read in two ways is refused.

use axum::http::StatusCode;
use bytes::{Buf, BytesMut};

use super::problem::Problem;

/// How long the line before a chunk may be, with extensions, which mean nothing here.
const LINE_LIMIT: usize = 256;
/// How much may follow the last chunk; it means nothing here either.
const TRAILER_LIMIT: usize = 4 << 10;
const LINE_END: &[u8] = b"\r\n";

/// The body so far.
#[derive(Default)]
pub struct Chunks {
    body: Vec<u8>,
    next: Next,
}

/// What is expected next.
#[derive(Clone, Copy, Default)]
enum Next {
    /// The line with the length of a chunk.
    #[default]
    Length,
    /// So many bytes of a chunk.
    Bytes(usize),
    /// The end of the line behind them.
    End,
    /// What follows the last chunk, of which so much may still come.
    Trailer(usize),
}

impl Chunks {
    /// Takes what is there of the body, which is at most `limit` bytes long; whether that is all of it.
    pub fn take(&mut self, buffer: &mut BytesMut, limit: usize) -> Result<bool, Problem> {
        loop {
            match self.next {
                Next::Length => {
                    let Some(line) = line(buffer, LINE_LIMIT)? else {
                        return Ok(false);
                    };
                    let length = length(&line)?;
                    if length > limit - self.body.len() {
                        let detail = format!("the body is larger than {limit} bytes");
                        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
                    }
                    self.next = match length {
                        0 => Next::Trailer(TRAILER_LIMIT),
                        length => Next::Bytes(length),
                    };
                }
                Next::Bytes(left) => {
                    let count = left.min(buffer.len());
                    self.body.extend_from_slice(&buffer[..count]);
                    buffer.advance(count);
                    if count < left {
                        self.next = Next::Bytes(left - count);
                        return Ok(false);
                    }
                    self.next = Next::End;
                }
                Next::End => {
                    let there = buffer.len().min(LINE_END.len());
                    if buffer[..there] != LINE_END[..there] {
                        return Err(wrong());
                    }
                    if there < LINE_END.len() {
                        return Ok(false);
                    }
                    buffer.advance(there);
                    self.next = Next::Length;
                }
                Next::Trailer(left) => {
                    let Some(line) = line(buffer, left)? else {
                        return Ok(false);
                    };
                    if line.is_empty() {
                        return Ok(true);
                    }
                    let left = left.saturating_sub(line.len() + LINE_END.len());
                    self.next = Next::Trailer(left);
                }
            }
        }
    }

    /// All of it.
    pub fn body(self) -> Vec<u8> {
        self.body
    }
}

fn wrong() -> Problem {
    Problem::request("the chunks of the body are wrong")
}

/// Takes a line without its end; `None` where it is not whole.
fn line(buffer: &mut BytesMut, limit: usize) -> Result<Option<BytesMut>, Problem> {
    let looked_at = &buffer[..buffer.len().min(limit + LINE_END.len())];
    let Some(end) = looked_at.iter().position(|byte| *byte == b'\n') else {
        return match looked_at.len() == limit + LINE_END.len() {
            true => Err(wrong()),
            false => Ok(None),
        };
    };
    let mut line = buffer.split_to(end + 1);
    // Others take either alone for the end of a line.
    if line.iter().filter(|byte| **byte == b'\r').count() != 1 || !line.ends_with(LINE_END) {
        return Err(wrong());
    }
    line.truncate(end - 1);
    Ok(Some(line))
}

/// How long a chunk is, by the line before it.
fn length(line: &[u8]) -> Result<usize, Problem> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    let is_length = (1..=8).contains(&digits.len()) && digits.iter().all(u8::is_ascii_hexdigit);
    let text = std::str::from_utf8(digits).ok().filter(|_| is_length);
    let length = text.and_then(|text| usize::from_str_radix(text, 16).ok());
    length.ok_or_else(wrong)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const LIMIT: usize = 20;

    /// The body, and what is behind it; or the status that refuses it. It comes in pieces of this size.
    fn read(text: &str, size: usize) -> Result<(String, String), u16> {
        let (mut chunks, mut buffer) = (Chunks::default(), BytesMut::new());
        let mut is_whole = false;
        for piece in text.as_bytes().chunks(size) {
            buffer.extend_from_slice(piece);
            if !is_whole {
                is_whole = chunks
                    .take(&mut buffer, LIMIT)
                    .map_err(|problem| problem.status.as_u16())?;
            }
        }
        match is_whole {
            true => Ok((
                String::from_utf8(chunks.body()).unwrap(),
                String::from_utf8(buffer.to_vec()).unwrap(),
            )),
            false => Err(100),
        }
    }

    #[test]
    fn chunks_are_one_body_however_they_come() {
        for (text, body, behind) in [
            ("0\r\n\r\n", "", ""),
            ("5\r\nabcde\r\n0\r\n\r\nGET /", "abcde", "GET /"),
            (
                "3\r\na\r\n\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\n\r\n",
                "a\r\n0123456789",
                "",
            ),
            (
                "1\r\na\r\n0\r\nTrailer: x\r\nOther: y\r\n\r\nmore",
                "a",
                "more",
            ),
        ] {
            for size in [1, 2, 3, 7, text.len()] {
                let expected = Ok((body.to_owned(), behind.to_owned()));
                assert_eq!(read(text, size), expected, "{text:?} by {size}");
            }
            if behind.is_empty() {
                assert_eq!(read(&text[..text.len() - 1], 2), Err(100), "{text:?}");
            }
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        let long = format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(LINE_LIMIT));
        let trailer = format!("0\r\n{}\r\n", "a: b\r\n".repeat(TRAILER_LIMIT));
        for (text, status) in [
            ("\r\n", 400),
            ("x\r\n", 400),
            ("-1\r\n", 400),
            ("+1\r\na\r\n0\r\n\r\n", 400),
            ("0x1\r\na\r\n", 400),
            ("1 \r\na\r\n", 400),
            ("1\na\n0\n\n", 400),
            ("1\r\r\na\r\n", 400),
            ("1;\ra\r\na\r\n", 400),
            ("1\r\nab\r\n0\r\n\r\n", 400),
            ("1\r\na\n0\r\n\r\n", 400),
            ("000000001\r\na\r\n", 400),
            ("15\r\n", 413),
            ("14\r\n01234567890123456789\r\n1\r\n", 413),
            ("ffffffff\r\n", 413),
            (long.as_str(), 400),
            (trailer.as_str(), 400),
        ] {
            for size in [1, 3, text.len()] {
                assert_eq!(read(text, size), Err(status), "{text:?} by {size}");
            }
        }
    }
}
