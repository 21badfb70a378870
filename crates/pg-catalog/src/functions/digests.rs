//! Digests and encodings of bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::Functions;
use super::text::{count, str_at};
use crate::cast::failure;
use crate::error::Result;
use crate::value::Value;

pub fn register(f: &mut Functions) {
    f.strict("md5", "text", "text", |_, a| {
        Ok(Value::text(hex(&md5(str_at(a, 0).as_bytes()))))
    });
    f.strict("md5", "bytea", "text", |_, a| {
        Ok(Value::text(hex(&md5(bytes_at(a, 0)))))
    });
    f.strict("sha224", "bytea", "bytea", |_, a| digest::<Sha224>(a));
    f.strict("sha256", "bytea", "bytea", |_, a| digest::<Sha256>(a));
    f.strict("sha384", "bytea", "bytea", |_, a| digest::<Sha384>(a));
    f.strict("sha512", "bytea", "bytea", |_, a| digest::<Sha512>(a));
    f.strict("length", "bytea", "int4", |_, a| {
        Ok(count(bytes_at(a, 0).len()))
    });
    f.strict("octet_length", "bytea", "int4", |_, a| {
        Ok(count(bytes_at(a, 0).len()))
    });
    f.strict("encode", "bytea, text", "text", encode);
    f.strict("decode", "text, text", "bytea", decode);
    f.strict("convert_from", "bytea, text", "text", |_, a| {
        let text = String::from_utf8(bytes_at(a, 0).to_vec());
        let wrong = |_| failure("22021", "invalid byte sequence for encoding \"UTF8\"");
        text.map(Value::text).map_err(wrong)
    });
    f.strict("convert_to", "text, text", "bytea", |_, a| {
        Ok(Value::Bytes(str_at(a, 0).as_bytes().into()))
    });
}

fn bytes_at(a: &[Value], position: usize) -> &[u8] {
    match a.get(position) {
        Some(Value::Bytes(bytes)) => bytes,
        Some(Value::Text(text)) => text.as_bytes(),
        _ => &[],
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest<D: Digest>(a: &[Value]) -> Result<Value> {
    Ok(Value::Bytes(D::digest(bytes_at(a, 0)).as_slice().into()))
}

fn unknown(name: &str) -> crate::error::Error {
    failure("22023", format!("unrecognized encoding: \"{name}\""))
}

fn encode(_: &super::Context<'_>, a: &[Value]) -> Result<Value> {
    let bytes = bytes_at(a, 0);
    Ok(Value::text(
        match str_at(a, 1).to_ascii_lowercase().as_str() {
            "hex" => hex(bytes),
            "base64" => {
                // As MIME has it, in lines of 76 letters.
                let text = STANDARD.encode(bytes);
                let lines = text.as_bytes().chunks(76);
                let lines = lines.map(|line| String::from_utf8_lossy(line).into_owned());
                lines.collect::<Vec<_>>().join("\n")
            }
            "escape" => {
                let letters = bytes.iter().map(|byte| match byte {
                    b'\\' => "\\\\".to_owned(),
                    0 | 0x80.. => format!("\\{byte:03o}"),
                    byte => char::from(*byte).to_string(),
                });
                letters.collect()
            }
            name => return Err(unknown(name)),
        },
    ))
}

fn decode(_: &super::Context<'_>, a: &[Value]) -> Result<Value> {
    let text = str_at(a, 0);
    let bytes = match str_at(a, 1).to_ascii_lowercase().as_str() {
        "hex" => {
            let digits: Vec<u32> = text
                .chars()
                .filter(|c| !c.is_whitespace())
                .map(|c| {
                    let message =
                        || failure("22023", format!("invalid hexadecimal digit: \"{c}\""));
                    c.to_digit(16).ok_or_else(message)
                })
                .collect::<Result<_>>()?;
            if digits.len() % 2 == 1 {
                let message = "invalid hexadecimal data: odd number of digits";
                return Err(failure("22023", message));
            }
            let bytes = digits.chunks(2).map(|pair| match pair {
                [high, low] => (high * 16 + low) as u8,
                _ => 0,
            });
            bytes.collect()
        }
        "base64" => {
            let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            let bytes = STANDARD.decode(text);
            bytes.map_err(|_| failure("22023", "invalid base64 end sequence"))?
        }
        "escape" => {
            let wrong = || failure("22P02", "invalid input syntax for type bytea");
            let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
            while let Some((first, after)) = rest.split_first() {
                rest = after;
                if *first != b'\\' {
                    bytes.push(*first);
                    continue;
                }
                if let Some(after) = rest.strip_prefix(b"\\") {
                    bytes.push(b'\\');
                    rest = after;
                    continue;
                }
                let digits = rest
                    .get(..3)
                    .and_then(|digits| std::str::from_utf8(digits).ok());
                let byte = digits.and_then(|digits| u8::from_str_radix(digits, 8).ok());
                bytes.push(byte.ok_or_else(wrong)?);
                rest = rest.get(3..).unwrap_or(&[]);
            }
            bytes
        }
        name => return Err(unknown(name)),
    };
    Ok(Value::Bytes(bytes.into()))
}

/// RFC 1321.
fn md5(message: &[u8]) -> [u8; 16] {
    const SHIFTS: [[u32; 4]; 4] = [
        [7, 12, 17, 22],
        [5, 9, 14, 20],
        [4, 11, 16, 23],
        [6, 10, 15, 21],
    ];
    let mut padded = message.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend(((message.len() as u64).wrapping_mul(8)).to_le_bytes());
    let mut state: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];
    for block in padded.chunks_exact(64) {
        let word = |at: usize| {
            let bytes = block
                .get(at * 4..at * 4 + 4)
                .and_then(|bytes| bytes.try_into().ok());
            bytes.map_or(0, u32::from_le_bytes)
        };
        let [mut a, mut b, mut c, mut d] = state;
        for step in 0..64_usize {
            let (mixed, at) = match step / 16 {
                0 => ((b & c) | (!b & d), step),
                1 => ((d & b) | (!d & c), (5 * step + 1) % 16),
                2 => (b ^ c ^ d, (3 * step + 5) % 16),
                _ => (c ^ (b | !d), (7 * step) % 16),
            };
            let sine = ((step as f64 + 1.0).sin().abs() * 4_294_967_296.0) as u32;
            let shift = SHIFTS.get(step / 16).and_then(|row| row.get(step % 4));
            let sum = a
                .wrapping_add(mixed)
                .wrapping_add(sine)
                .wrapping_add(word(at));
            (a, d, c) = (d, c, b);
            b = b.wrapping_add(sum.rotate_left(shift.copied().unwrap_or(0)));
        }
        for (part, add) in state.iter_mut().zip([a, b, c, d]) {
            *part = part.wrapping_add(add);
        }
    }
    let mut digest = [0; 16];
    for (place, byte) in digest
        .iter_mut()
        .zip(state.iter().flat_map(|part| part.to_le_bytes()))
    {
        *place = byte;
    }
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn md5_is_that_of_the_rfc() {
        let hex = |text: &str| -> String {
            let digest = md5(text.as_bytes());
            digest.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        assert_eq!(hex(""), "d41d8cd98f00b204e9800998ecf8427e");
        assert_eq!(hex("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
        assert_eq!(
            hex(&"1234567890".repeat(8)),
            "57edf4a22be3c955ac49da2e2107b67a"
        );
    }
}
