//! A dump of Redis (RDB): its strings, with all other values passed over.
//!
//! Each length is capped before anything is allocated, and a string that is too long is passed over
//! too. Types that CIM does not write, and that cannot be passed over without knowing them, are an
//! error.

use std::io::{self, Read};

use crate::{Error, Result};

pub const MAGIC: &[u8] = b"REDIS";
/// Bytes of a string that is taken: twice a message, whose JSON is escaped twice, and some.
const STRING_BYTES: u64 = 1024 * 1024;

struct Reader<'a, R> {
    from: R,
    place: &'a str,
    at: u64,
}

/// Calls `each` with each string: its key, and its value unless that is too long.
pub fn strings(from: impl Read, place: &str, mut each: impl FnMut(&[u8], Option<&[u8]>)) -> Result<()> {
    let mut reader = Reader { from, place, at: 0 };
    let head: [u8; 9] = reader.bytes()?;
    let version = head.strip_prefix(MAGIC).and_then(|digits| std::str::from_utf8(digits).ok()?.parse::<u32>().ok());
    if !version.is_some_and(|version| (1..=12).contains(&version)) {
        return Err(reader.wrong("this is no RDB of a version from 1 to 12"));
    }
    loop {
        match reader.byte()? {
            0xff => return Ok(()),
            // Properties of the dump.
            0xfa => {
                reader.skip_string()?;
                reader.skip_string()?;
            }
            // Sizes, the number of a database, idle times, frequencies, functions.
            0xfb => {
                reader.length()?;
                reader.length()?;
            }
            0xfe | 0xf8 => drop(reader.length()?),
            0xf9 => drop(reader.byte()?),
            0xf5 => reader.skip_string()?,
            0xf4 => {
                for _ in 0..3 {
                    reader.length()?;
                }
            }
            // The end of the next key: what CIM keeps for days is taken all the same.
            0xfc => drop(reader.bytes::<8>()?),
            0xfd => drop(reader.bytes::<4>()?),
            kind => {
                let key = reader.string()?.unwrap_or_default();
                if kind == 0 {
                    let value = reader.string()?;
                    each(&key, value.as_deref());
                } else {
                    reader.pass_over(kind)?;
                    // It has no text, and is reported by its key.
                    each(&key, None);
                }
            }
        }
    }
}

/// A length, or how a string is written without one.
enum Length {
    Of(u64),
    Special(u8),
}

impl<R: Read> Reader<'_, R> {
    fn wrong(&self, why: impl Into<String>) -> Error {
        Error::invalid(format!("{} at byte {}", self.place, self.at), why)
    }

    fn io(&self, error: io::Error) -> Error {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.wrong("the dump ends too early: make it again"),
            _ => Error::Io { place: self.place.to_owned(), error },
        }
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.from.read_exact(&mut bytes).map_err(|error| self.io(error))?;
        self.at += N as u64;
        Ok(bytes)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.bytes::<1>()?[0])
    }

    fn length_or(&mut self) -> Result<Length> {
        let first = self.byte()?;
        Ok(match first >> 6 {
            0 => Length::Of(u64::from(first & 0x3f)),
            1 => Length::Of(u64::from(first & 0x3f) << 8 | u64::from(self.byte()?)),
            2 if first == 0x80 => Length::Of(u64::from(u32::from_be_bytes(self.bytes()?))),
            2 if first == 0x81 => Length::Of(u64::from_be_bytes(self.bytes()?)),
            2 => return Err(self.wrong("this is no length")),
            _ => Length::Special(first & 0x3f),
        })
    }

    fn length(&mut self) -> Result<u64> {
        match self.length_or()? {
            Length::Of(length) => Ok(length),
            Length::Special(_) => Err(self.wrong("this is no length")),
        }
    }

    /// `None`: it is too long, and was passed over.
    fn string(&mut self) -> Result<Option<Vec<u8>>> {
        match self.length_or()? {
            Length::Of(length) => self.raw(length),
            Length::Special(0) => Ok(Some((self.byte()? as i8).to_string().into_bytes())),
            Length::Special(1) => Ok(Some(i16::from_le_bytes(self.bytes()?).to_string().into_bytes())),
            Length::Special(2) => Ok(Some(i32::from_le_bytes(self.bytes()?).to_string().into_bytes())),
            Length::Special(3) => {
                let (packed, length) = (self.length()?, self.length()?);
                let Some(packed) = self.raw(packed)? else { return Ok(None) };
                if length > STRING_BYTES {
                    return Ok(None);
                }
                let unpacked = unpacked(&packed, length as usize);
                unpacked.map(Some).ok_or_else(|| self.wrong("a compressed string is damaged"))
            }
            Length::Special(_) => Err(self.wrong("this is no string")),
        }
    }

    fn raw(&mut self, length: u64) -> Result<Option<Vec<u8>>> {
        if length > STRING_BYTES {
            self.skip(length)?;
            return Ok(None);
        }
        // It grows with what is there.
        let mut bytes = Vec::new();
        let read = (&mut self.from).take(length).read_to_end(&mut bytes).map_err(|error| self.io(error))?;
        self.at += read as u64;
        if (read as u64) < length {
            return Err(self.io(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(Some(bytes))
    }

    fn skip(&mut self, length: u64) -> Result<()> {
        let passed = io::copy(&mut (&mut self.from).take(length), &mut io::sink()).map_err(|error| self.io(error))?;
        self.at += passed;
        if passed < length { Err(self.io(io::ErrorKind::UnexpectedEof.into())) } else { Ok(()) }
    }

    fn skip_string(&mut self) -> Result<()> {
        match self.length_or()? {
            Length::Of(length) => self.skip(length),
            Length::Special(0) => self.skip(1),
            Length::Special(1) => self.skip(2),
            Length::Special(2) => self.skip(4),
            Length::Special(3) => {
                let packed = self.length()?;
                self.length()?;
                self.skip(packed)
            }
            Length::Special(_) => Err(self.wrong("this is no string")),
        }
    }

    /// Passes over a value that is no string. Each element takes at least a byte, so a wrong count
    /// ends with the file.
    fn pass_over(&mut self, kind: u8) -> Result<()> {
        match kind {
            // Lists and sets, and lists of packed lists: strings.
            1 | 2 | 14 => {
                for _ in 0..self.length()? {
                    self.skip_string()?;
                }
            }
            // A sorted set: strings with a number in text, or in 8 bytes.
            3 => {
                for _ in 0..self.length()? {
                    self.skip_string()?;
                    match self.byte()? {
                        253..=255 => {}
                        length => self.skip(length.into())?,
                    }
                }
            }
            5 => {
                for _ in 0..self.length()? {
                    self.skip_string()?;
                    self.skip(8)?;
                }
            }
            // A hash.
            4 => {
                for _ in 0..self.length()? {
                    self.skip_string()?;
                    self.skip_string()?;
                }
            }
            // A list of packed or plain parts.
            18 => {
                for _ in 0..self.length()? {
                    self.length()?;
                    self.skip_string()?;
                }
            }
            // Whole values packed in one string.
            9..=13 | 16 | 17 | 20 => self.skip_string()?,
            other => {
                let why = format!("a value of type {other} cannot be passed over: dump the database of CIM alone");
                return Err(self.wrong(why));
            }
        }
        Ok(())
    }
}

/// LZF: literal runs, and copies of what is there already.
fn unpacked(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(length);
    let mut rest = packed;
    while let Some((&control, behind)) = rest.split_first() {
        rest = behind;
        let control = usize::from(control);
        if control < 32 {
            let (literal, behind) = rest.split_at_checked(control + 1)?;
            out.extend(literal);
            rest = behind;
        } else {
            let mut next = || {
                let (&byte, behind) = rest.split_first()?;
                rest = behind;
                Some(usize::from(byte))
            };
            let mut count = control >> 5;
            if count == 7 {
                count += next()?;
            }
            let back = (control & 0x1f) << 8 | next()?;
            let from = out.len().checked_sub(back + 1)?;
            // One by one: a copy may reach into itself.
            for at in from..from + count + 2 {
                out.push(*out.get(at)?);
            }
        }
        if out.len() > length {
            return None;
        }
    }
    (out.len() == length).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compressed_strings_unpack() {
        assert_eq!(unpacked(&[4, b'h', b'e', b'l', b'l', b'o'], 5).as_deref(), Some(b"hello".as_slice()));
        // One `a`, then nine more from one byte back.
        assert_eq!(unpacked(&[0, b'a', 0xe0, 0, 0], 10).as_deref(), Some(b"aaaaaaaaaa".as_slice()));
        for bad in [&[4, b'h'][..], &[0x20, 0], &[0xe0, 0], &[0, b'a', 0x20, 5]] {
            assert_eq!(unpacked(bad, 5), None, "{bad:?}");
        }
        assert_eq!(unpacked(&[0, b'a'], 5), None, "too short");
        assert_eq!(unpacked(&[1, b'a', b'b'], 1), None, "too long");
    }
}
