//! Text files cut into blocks of whole records, so that several threads can read one file.

use std::io::{self, Read};

const BLOCK_BYTES: usize = 4 << 20;
/// A record longer than this is a quote that was never closed.
const RECORD_BYTES_MAX: usize = 64 << 20;

/// Cuts a stream of text at the ends of records.
pub(super) struct Blocks<R> {
    input: R,
    /// Whether a line end inside double quotes belongs to a record.
    quotes: bool,
    /// The beginning of a record whose end was not read yet.
    rest: Vec<u8>,
    block_bytes: usize,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(input: R, quotes: bool) -> Self {
        Self {
            input,
            quotes,
            rest: Vec::new(),
            block_bytes: BLOCK_BYTES,
        }
    }

    /// The next records; `None` at the end of the file.
    pub(super) fn next_block(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut block = std::mem::take(&mut self.rest);
        let mut wanted = self.block_bytes;
        loop {
            let missing = wanted.saturating_sub(block.len());
            block.reserve_exact(missing);
            let read = (&mut self.input)
                .take(missing as u64)
                .read_to_end(&mut block)?;
            if read < missing {
                return Ok((!block.is_empty()).then_some(block));
            }
            if let Some(end) = last_record_end(&block, self.quotes) {
                self.rest.extend_from_slice(&block[end..]);
                block.truncate(end);
                return Ok(Some(block));
            }
            if block.len() > RECORD_BYTES_MAX {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a record longer than 64 MiB, perhaps a quote that is not closed",
                ));
            }
            wanted = block.len() * 2;
        }
    }
}

/// Where the last whole record ends; the block begins with a record.
fn last_record_end(block: &[u8], quotes: bool) -> Option<usize> {
    if !quotes || memchr::memchr(b'"', block).is_none() {
        return memchr::memrchr(b'\n', block).map(|at| at + 1);
    }
    let mut in_quotes = false;
    let mut end = None;
    for at in memchr::memchr2_iter(b'"', b'\n', block) {
        if block[at] == b'"' {
            in_quotes = !in_quotes;
        } else if !in_quotes {
            end = Some(at + 1);
        }
    }
    end
}

#[cfg(test)]
mod tests {
    #![expect(
        clippy::unwrap_used,
        reason = "a test may stop at what it did not expect"
    )]

    use super::*;

    #[test]
    fn blocks_end_with_records() {
        let text = "a,b\n1,\"x\ny\"\n2,\"\"\"\n\"\n3,z";
        let records = ["a,b\n", "1,\"x\ny\"\n", "2,\"\"\"\n\"\n", "3,z"];
        for block_bytes in 1..40 {
            let mut blocks = Blocks::new(text.as_bytes(), true);
            blocks.block_bytes = block_bytes;
            let mut read = Vec::new();
            while let Some(block) = blocks.next_block().unwrap() {
                let block = String::from_utf8(block).unwrap();
                let whole = (0..=records.len())
                    .flat_map(|from| (from..=records.len()).map(move |to| (from, to)))
                    .any(|(from, to)| records[from..to].concat() == block);
                assert!(whole, "{block_bytes}: {block:?}");
                read.push(block);
            }
            assert_eq!(read.concat(), text);
        }
    }
}
