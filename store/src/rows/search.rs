//! The search index of one replica: the terms of messages, in blocks of a conversation.
//!
//! Whole blocks of events are indexed, with the present bodies of their messages. A block is built
//! at once and never changed: a commit that edits or erases one of its messages removes the block,
//! in the same batch, and it is built again later. A reader looks at the events of all other blocks
//! themselves, and at each message that a block names. So results never depend on what is built.
//!
//! The rows are derived. They lie in the family `node`, which is in no snapshot, digest or backup,
//! and versions before 0.2 leave them alone.
//!
//! | key                                          | value                               |
//! | -------------------------------------------- | ----------------------------------- |
//! | `search/b`, slot, conversation, block        | the form of the block               |
//! | `search/t`, slot, conversation, block, term  | the places of its messages, in the block |
//!
//! A term is a word of [`troupe_core::search::terms`], or a sender behind a byte 1, or the kind of
//! a body behind a byte 2: no word begins with these.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeInclusive};

use troupe_core::feature::Edits;
use troupe_core::record::{Table, within};
use troupe_core::search::{Lookup, terms, text_of};
use troupe_core::{Body, ConversationId, Event, EventKind, Seq, UserId, limits};

use super::view::View;
use crate::engine::{Batch, EngineError, Family, Op, Reader};
use crate::key::slot_range;

/// Of the rows below. Blocks of another form are built again.
const FORM: u8 = 1;
const BUILT: &[u8] = b"search/b";
const TERMS: &[u8] = b"search/t";
/// Rows of one prefix that are read. With more, a block may have it anywhere.
const PREFIX_ROWS: usize = 512;

/// Events of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockSize(u64);

impl BlockSize {
    /// Places are bytes.
    pub const MAX: BlockSize = BlockSize(256);

    /// `None`: zero, there is no index.
    pub fn new(events: u64) -> Option<BlockSize> {
        (events > 0).then_some(BlockSize(events.min(BlockSize::MAX.0)))
    }

    fn of(self, seq: Seq) -> u32 {
        u32::try_from(seq.0.saturating_sub(1) / self.0).unwrap_or(u32::MAX)
    }

    /// The seqs of the block of this event.
    pub fn around(self, seq: Seq) -> RangeInclusive<u64> {
        let first = u64::from(self.of(seq)) * self.0 + 1;
        first..=first + self.0 - 1
    }

    /// Whole blocks below this head.
    fn whole(self, head: Seq) -> u32 {
        u32::try_from(head.0 / self.0).unwrap_or(u32::MAX)
    }
}

/// One block of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Block {
    pub conversation: ConversationId,
    number: u32,
}

impl Block {
    pub fn of(conversation: ConversationId, seq: Seq, size: BlockSize) -> Block {
        Block { conversation, number: size.of(seq) }
    }

    fn key(self, area: &[u8]) -> Vec<u8> {
        [area, &Event::prefix(&self.conversation), &self.number.to_be_bytes()].concat()
    }

    fn first(self, size: BlockSize) -> u64 {
        u64::from(self.number) * size.0 + 1
    }

    fn remove(self, batch: &mut Batch) {
        batch.delete(Family::Node, self.key(BUILT));
        let (from, to) = self.term_range();
        batch.delete_range(Family::Node, from, to);
    }

    fn term_range(self) -> (Vec<u8>, Vec<u8>) {
        let from = self.key(TERMS);
        let to = self.number.checked_add(1).map(|number| Block { number, ..self }.key(TERMS));
        let to = to.unwrap_or_else(|| [&from[..], &[u8::MAX]].concat());
        (from, to)
    }
}

/// All rows of the index for a range of slots.
pub fn ranges((from, to): (u16, u16)) -> Vec<(Family, Vec<u8>, Vec<u8>)> {
    let (from, to) = slot_range(from, to);
    let area = |area: &[u8]| (Family::Node, [area, &from].concat(), [area, &to].concat());
    vec![area(BUILT), area(TERMS)]
}

/// The blocks of events, and of edited messages, that these writes touch, and those of them that
/// the writes complete.
pub fn touched(batch: &Batch, size: BlockSize) -> (BTreeSet<Block>, BTreeSet<Block>) {
    let (mut touched, mut completed) = (BTreeSet::new(), BTreeSet::new());
    for op in &batch.ops {
        let (family, key) = match op {
            Op::Put(family, key, _) | Op::Delete(family, key) => (*family, key),
            Op::DeleteRange(..) => continue,
        };
        let (conversation, seq) = match family {
            Family::Events => match Event::key_in(key) {
                Some(key) => key,
                None => continue,
            },
            Family::Conversations if key.get(2).copied() == Edits::TAG => match Edits::key_in(key) {
                Some(key) => key,
                None => continue,
            },
            _ => continue,
        };
        let block = Block::of(conversation, seq, size);
        touched.insert(block);
        if family == Family::Events && seq.0.is_multiple_of(size.0) {
            completed.insert(block);
        }
    }
    (touched, completed)
}

/// Removes these blocks in the batch, if they are built. Returns those that were.
pub fn invalidate<R: Reader>(
    view: &View<R>,
    blocks: &BTreeSet<Block>,
    batch: &mut Batch,
) -> Result<Vec<Block>, EngineError> {
    let mut removed = Vec::new();
    for block in blocks {
        if view.reader.get(Family::Node, &block.key(BUILT))?.is_some() {
            block.remove(batch);
            removed.push(*block);
        }
    }
    Ok(removed)
}

/// Places in a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places([u64; 4]);

const BITMAP_BYTES: usize = 32;

impl Places {
    const NONE: Places = Places([0; 4]);
    const ALL: Places = Places([u64::MAX; 4]);

    fn add(&mut self, place: u8) {
        self.0[usize::from(place / 64)] |= 1 << (place % 64);
    }

    fn has(self, place: u8) -> bool {
        self.0[usize::from(place / 64)] & (1 << (place % 64)) != 0
    }

    fn and(self, other: Places) -> Places {
        Places(std::array::from_fn(|at| self.0[at] & other.0[at]))
    }

    fn or(self, other: Places) -> Places {
        Places(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }

    fn iter(self) -> impl DoubleEndedIterator<Item = u8> {
        (0..=u8::MAX).filter(move |place| self.has(*place))
    }

    /// A byte per place while that is shorter than one bit for each.
    fn encode(self) -> Vec<u8> {
        let bits: u32 = self.0.iter().map(|word| word.count_ones()).sum();
        if (bits as usize) < BITMAP_BYTES {
            return self.iter().collect();
        }
        self.0.iter().flat_map(|word| word.to_be_bytes()).collect()
    }

    fn decode(bytes: &[u8]) -> Places {
        let mut places = Places::NONE;
        if bytes.len() == BITMAP_BYTES {
            for (word, bytes) in places.0.iter_mut().zip(bytes.chunks_exact(8)) {
                *word = bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
            }
        } else {
            bytes.iter().for_each(|place| places.add(*place));
        }
        places
    }
}

/// The conditions of a search that terms can decide.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub words: BTreeSet<Lookup>,
    pub sender: Option<UserId>,
    pub kind: Option<u32>,
}

impl Wanted {
    pub fn is_empty(&self) -> bool {
        self.words.is_empty() && self.sender.is_none() && self.kind.is_none()
    }
}

fn sender_term(sender: UserId) -> Vec<u8> {
    [&[1][..], &sender.0.to_be_bytes()].concat()
}

fn kind_term(kind: u32) -> Vec<u8> {
    [&[2][..], &kind.to_be_bytes()].concat()
}

impl<R: Reader> View<R> {
    /// The present body of a message; `None`: it is none, or its content is gone.
    pub fn present_body(&self, conversation: ConversationId, event: &Event) -> Result<Option<Body>, EngineError> {
        let EventKind::Message(body) = &event.kind else { return Ok(None) };
        let Some(edits) = self.get::<Edits>(&(conversation, event.seq))? else { return Ok(Some(body.clone())) };
        let last = edits.seqs.last().map_or(Seq::ZERO, |seq| Seq(*seq));
        Ok(match self.event(conversation, last)?.map(|event| event.kind) {
            Some(EventKind::Edited { body, .. } | EventKind::StreamEnded { body, .. }) => Some(body),
            _ => None,
        })
    }

    /// The first blocks of a conversation that are whole and not built.
    pub fn blocks_missing(
        &self,
        conversation: ConversationId,
        size: BlockSize,
        limit: usize,
    ) -> Result<Vec<Block>, EngineError> {
        let head = self.conversation(conversation)?.map_or(Seq::ZERO, |row| row.head);
        let whole = size.whole(head);
        let prefix = [BUILT, &Event::prefix(&conversation)].concat();
        let mut range = within(&prefix, None);
        let (mut missing, mut next) = (Vec::new(), 0);
        while missing.len() < limit && next < whole {
            let rows = self.reader.scan(Family::Node, range.clone(), false, 256)?;
            for (key, form) in &rows {
                let number = key.last_chunk().map_or(0, |number| u32::from_be_bytes(*number));
                if form[..] == [FORM] {
                    missing.extend((next..number.min(whole)).map(|number| Block { conversation, number }));
                    next = number.saturating_add(1);
                }
            }
            match rows.last() {
                Some((last, _)) => range.0 = Bound::Excluded(last.clone()),
                None => {
                    missing.extend((next..whole).map(|number| Block { conversation, number }));
                    break;
                }
            }
        }
        missing.truncate(limit);
        Ok(missing)
    }

    pub fn is_built(&self, block: Block) -> Result<bool, EngineError> {
        Ok(self.reader.get(Family::Node, &block.key(BUILT))?.is_some_and(|form| form[..] == [FORM]))
    }

    /// The rows of a whole block. `forgets`: a planted bug leaves its last message out.
    pub fn build(&self, block: Block, size: BlockSize, forgets: bool) -> Result<Batch, EngineError> {
        let first = block.first(size);
        let end = first + size.0 - u64::from(forgets);
        let mut postings: BTreeMap<Vec<u8>, Places> = BTreeMap::new();
        let mut after = Seq(first - 1);
        while after.0 + 1 < end {
            let events = self.events(block.conversation, after, (end - 1 - after.0) as usize, limits::PAGE_BYTES)?;
            let Some(last) = events.last() else { break };
            after = last.seq;
            for event in &events {
                let Some(body) = self.present_body(block.conversation, event)? else { continue };
                let words = terms(&text_of(&body)).into_iter().map(String::into_bytes);
                for term in words.chain([sender_term(event.sender), kind_term(body.kind)]) {
                    postings.entry(term).or_insert(Places::NONE).add((event.seq.0 - first) as u8);
                }
            }
        }
        let mut batch = Batch::default();
        let key = block.key(TERMS);
        // A block of an earlier form.
        if self.reader.get(Family::Node, &block.key(BUILT))?.is_some() {
            block.remove(&mut batch);
        }
        for (term, places) in postings {
            batch.put(Family::Node, [&key[..], &term].concat(), places.encode());
        }
        batch.put(Family::Node, block.key(BUILT), [FORM]);
        Ok(batch)
    }

    /// The events of a block that may be wanted, newest first, and the rows that were read. `None`:
    /// the block is not built, so each may be.
    pub fn may_be_wanted(
        &self,
        block: Block,
        size: BlockSize,
        wanted: &Wanted,
    ) -> Result<(Option<Vec<Seq>>, usize), EngineError> {
        let mut rows = 1;
        if !self.is_built(block)? {
            return Ok((None, rows));
        }
        let key = block.key(TERMS);
        let mut places = Places::ALL;
        let exact = wanted.sender.map(sender_term).into_iter().chain(wanted.kind.map(kind_term));
        let words = wanted.words.iter().filter_map(|lookup| match lookup {
            Lookup::Term(term) => Some(term.clone().into_bytes()),
            Lookup::Prefix(_) => None,
        });
        for term in exact.chain(words) {
            rows += 1;
            let row = self.reader.get(Family::Node, &[&key[..], &term].concat())?;
            places = places.and(row.map_or(Places::NONE, |row| Places::decode(&row)));
            if places == Places::NONE {
                return Ok((Some(Vec::new()), rows));
            }
        }
        for lookup in &wanted.words {
            let Lookup::Prefix(prefix) = lookup else { continue };
            let range = within(&[&key[..], prefix.as_bytes()].concat(), None);
            let found = self.reader.scan(Family::Node, range, false, PREFIX_ROWS)?;
            rows += 1 + found.len();
            if found.len() < PREFIX_ROWS {
                let any = found.iter().fold(Places::NONE, |any, (_, row)| any.or(Places::decode(row)));
                places = places.and(any);
            }
            if places == Places::NONE {
                break;
            }
        }
        let first = block.first(size);
        let seqs = places.iter().rev().map(|place| Seq(first + u64::from(place)));
        Ok((Some(seqs.filter(|seq| seq.0 < first + size.0).collect()), rows))
    }
}
