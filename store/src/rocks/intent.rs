//! The decision to install files, as the row [`REPLACE`](crate::key::node::REPLACE) stores it.
//!
//! Layout, numbers big endian: u32 number of files, each family u8 and name; u32 number of writes,
//! each tag u8, family u8 and one or two byte strings. Strings are u32 length and bytes. The row
//! exists during an install. Its reader is the version that wrote it, or a later one of the same
//! format version.

use crate::engine::{Batch, Family, Op};

const PUT: u8 = 0;
const DELETE: u8 = 1;
const DELETE_RANGE: u8 = 2;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Intent {
    /// Names in the install directory, in the order of writing.
    pub(super) files: Vec<(Family, String)>,
    /// The batch to write after all files.
    pub(super) then: Batch,
}

impl Intent {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        number(&mut bytes, self.files.len());
        for (family, name) in &self.files {
            bytes.push(*family as u8);
            string(&mut bytes, name.as_bytes());
        }
        number(&mut bytes, self.then.ops.len());
        for op in &self.then.ops {
            let (tag, family, first, second) = match op {
                Op::Put(family, key, value) => (PUT, *family, key, Some(value)),
                Op::Delete(family, key) => (DELETE, *family, key, None),
                Op::DeleteRange(family, from, to) => (DELETE_RANGE, *family, from, Some(to)),
            };
            bytes.extend([tag, family as u8]);
            string(&mut bytes, first);
            if let Some(second) = second {
                string(&mut bytes, second);
            }
        }
        bytes
    }

    /// `None` if `bytes` are not exactly what [`Intent::encode`] gives.
    pub(super) fn decode(mut bytes: &[u8]) -> Option<Intent> {
        let rest = &mut bytes;
        let mut intent = Intent::default();
        for _ in 0..take_number(rest)? {
            let family = take_family(rest)?;
            intent.files.push((family, String::from_utf8(take_string(rest)?).ok()?));
        }
        for _ in 0..take_number(rest)? {
            let (tag, family, first) = (take_byte(rest)?, take_family(rest)?, take_string(rest)?);
            intent.then.ops.push(match tag {
                PUT => Op::Put(family, first, take_string(rest)?),
                DELETE => Op::Delete(family, first),
                DELETE_RANGE => Op::DeleteRange(family, first, take_string(rest)?),
                _ => return None,
            });
        }
        rest.is_empty().then_some(intent)
    }
}

fn number(bytes: &mut Vec<u8>, number: usize) {
    // Files, writes and strings of one install are far fewer and shorter than 2^32.
    let number = u32::try_from(number).expect("fits the format");
    bytes.extend(number.to_be_bytes());
}

fn string(bytes: &mut Vec<u8>, string: &[u8]) {
    number(bytes, string.len());
    bytes.extend(string);
}

fn take_byte(rest: &mut &[u8]) -> Option<u8> {
    rest.split_off_first().copied()
}

fn take_number(rest: &mut &[u8]) -> Option<usize> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    usize::try_from(u32::from_be_bytes(*head)).ok()
}

fn take_family(rest: &mut &[u8]) -> Option<Family> {
    let number = take_byte(rest)?;
    Family::ALL.into_iter().find(|family| *family as u8 == number)
}

fn take_string(rest: &mut &[u8]) -> Option<Vec<u8>> {
    let length = take_number(rest)?;
    rest.split_off(..length).map(<[u8]>::to_vec)
}
