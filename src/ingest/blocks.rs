//! Text files cut into blocks of whole records, so that several threads can read one file.

use std::io::{self, Read};

const BLOCK_BYTES: usize = 4 << 20;
/// A record longer than this is a quote that was never closed.
const RECORD_BYTES_MAX: usize = 64 << 20;

/// Cuts a stream of text at the ends of records.
pub(super) struct Blocks<R> {
    input: R,
    /// The delimiter of fields, where a line end inside double quotes belongs to a record.
    delimiter: Option<u8>,
    /// The beginning of a record whose end was not read yet.
    rest: Vec<u8>,
    block_bytes: usize,
    record_bytes_max: usize,
    ended: bool,
}

impl<R: Read> Blocks<R> {
    pub(super) fn new(input: R, delimiter: Option<u8>) -> Self {
        Self {
            input,
            delimiter,
            rest: Vec::new(),
            block_bytes: BLOCK_BYTES,
            record_bytes_max: RECORD_BYTES_MAX,
            ended: false,
        }
    }

    /// The next records; `None` at the end of the file.
    pub(super) fn next_block(&mut self) -> io::Result<Option<Vec<u8>>> {
        if self.ended {
            return Ok(None);
        }
        let mut block = std::mem::take(&mut self.rest);
        let mut wanted = self.block_bytes;
        loop {
            let missing = wanted.saturating_sub(block.len());
            block.reserve_exact(missing);
            let read = (&mut self.input)
                .take(missing as u64)
                .read_to_end(&mut block)?;
            if read < missing {
                self.ended = true;
                return Ok((!block.is_empty()).then_some(block));
            }
            if let Some(end) = last_record_end(&block, self.delimiter) {
                self.rest.extend_from_slice(&block[end..]);
                block.truncate(end);
                return Ok(Some(block));
            }
            if block.len() > self.record_bytes_max {
                if self.delimiter.is_some() && memchr::memchr(b'"', &block).is_some() {
                    // A quote is open at its end: who reads the records says in which row.
                    self.ended = true;
                    return Ok(Some(block));
                }
                return Err(io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a line longer than 64 MiB",
                ));
            }
            wanted = block.len() * 2;
        }
    }
}

/// Where the last whole record ends; the block begins with a record.
fn last_record_end(block: &[u8], delimiter: Option<u8>) -> Option<usize> {
    let delimiter = delimiter.filter(|_| memchr::memchr(b'"', block).is_some());
    let Some(delimiter) = delimiter else {
        return memchr::memrchr(b'\n', block).map(|at| at + 1);
    };
    let mut in_quotes = false;
    let mut end = None;
    let mut marks = memchr::memchr2_iter(b'"', b'\n', block);
    while let Some(at) = marks.next() {
        if block[at] == b'\n' {
            if !in_quotes {
                end = Some(at + 1);
            }
        } else if !in_quotes {
            // Only at its beginning a field is opened, as whoever reads it sees it too.
            let before = at.checked_sub(1).map(|before| block[before]);
            in_quotes = before.is_none_or(|byte| byte == delimiter || byte == b'\n');
        } else if block.get(at + 1) == Some(&b'"') {
            marks.next();
        } else {
            in_quotes = false;
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
        let text = "a,b\n1,\"x\ny\"\n2,\"\"\"\n\"\n3,5\" club\n4,\"\"\n5,z\"\"z\n6,\"q\"\"\n\"";
        let records = [
            "a,b\n",
            "1,\"x\ny\"\n",
            "2,\"\"\"\n\"\n",
            "3,5\" club\n",
            "4,\"\"\n",
            "5,z\"\"z\n",
            "6,\"q\"\"\n\"",
        ];
        assert_eq!(records.concat(), text);
        for block_bytes in 1..60 {
            let mut blocks = Blocks::new(text.as_bytes(), Some(b','));
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

    #[test]
    fn a_quote_that_stays_open_is_left_to_the_reader() {
        let text = format!("a,b\n1,\"{}", "x".repeat(1000));
        let mut blocks = Blocks::new(text.as_bytes(), Some(b','));
        (blocks.block_bytes, blocks.record_bytes_max) = (16, 64);
        assert_eq!(blocks.next_block().unwrap().unwrap(), b"a,b\n");
        assert!(
            blocks
                .next_block()
                .unwrap()
                .unwrap()
                .starts_with(b"1,\"xxx")
        );
        assert_eq!(blocks.next_block().unwrap(), None);
        let mut blocks = Blocks::new(text.as_bytes(), None);
        (blocks.block_bytes, blocks.record_bytes_max) = (16, 64);
        blocks.next_block().unwrap();
        assert!(blocks.next_block().is_err());
    }
}
