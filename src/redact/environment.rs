//! Arguments and environment: where the kernel put them on the first stack (`create_elf_tables` of
//! Linux fs/binfmt_elf.c), what `environ` leads to by now, and the copies that libraries made of both.

use super::blanks::Fill;
use super::bounds::{Wanted, What};
use crate::addr::Addr;
use crate::native::Process;
use crate::target::Target;
use rustc_hash::FxHashSet;
use std::ops::Range;

const AT_PLATFORM: u64 = 15;
const AT_RANDOM: u64 = 25;
const AT_EXECFN: u64 = 31;

/// The random bytes before the strings.
const RANDOM_BYTES: u64 = 16;

/// The path that was executed is shorter.
const PAGE: u64 = 4096;

/// The longest name of a platform.
const MOST_PLATFORM: usize = 64;

/// The most bytes of all strings: Linux's limit is 6 MiB.
const MOST_STRINGS: u64 = 8 << 20;

/// The most variables, and the longest of them.
const MOST_VARIABLES: u64 = 1 << 16;
const LONGEST: usize = 4 << 17;

/// Shorter texts are no secrets, and many things look like them.
const SHORTEST: usize = 4;

/// What the process was started with, and what it has added.
pub(super) struct Environment {
    /// What the kernel put on the stack.
    pub(super) at: Option<(Addr, u64)>,
    /// What `environ` leads to.
    now: Vec<(Addr, u64)>,
    /// Arguments, variables with their names and without.
    texts: FxHashSet<Vec<u8>>,
}

impl Environment {
    /// As the first stack and the C library have it.
    pub(super) fn of(process: &Process) -> Environment {
        let target = &process.target;
        let at = strings(target);
        let bytes = at.and_then(|(start, len)| {
            let len = usize::try_from(len).ok()?;
            target.memory.bytes(start, len).ok()
        });
        let bytes = bytes.unwrap_or_default();
        let mut texts = FxHashSet::default();
        let mut now = Vec::new();
        let added = added(process, &mut now);
        let added = added.iter().map(Vec::as_slice);
        for text in bytes.split(|byte| *byte == 0).chain(added) {
            let equals = text.iter().position(|byte| *byte == b'=');
            let value = equals.and_then(|at| text.get(at + 1..));
            for text in [Some(text), value].into_iter().flatten() {
                if text.len() >= SHORTEST {
                    texts.insert(text.to_vec());
                }
            }
        }
        Environment { at, now, texts }
    }

    /// What is to be blanked.
    pub(super) fn wanted(&self) -> impl Iterator<Item = Wanted> {
        let all = self.at.iter().chain(&self.now);
        all.filter_map(|(start, len)| Wanted::of(start.0, *len, Fill::BetweenZeros, What::Text))
    }

    /// Where the path is that was executed, behind them; debuggers read it.
    pub(super) fn path(&self) -> Option<Range<u64>> {
        let (start, len) = self.at?;
        let end = start.0.checked_add(len)?;
        Some(end..end.saturating_add(PAGE))
    }

    /// Whether a block of memory begins with one of these texts and the zero behind it, in characters
    /// of one byte or of four: how many bytes that is.
    pub(super) fn begins(&self, block: &[u8]) -> Option<u64> {
        let narrow = block.split(|byte| *byte == 0).next()?;
        if narrow.len() < block.len() && self.texts.contains(narrow) {
            return Some(narrow.len() as u64);
        }
        let wide = block
            .as_chunks::<4>()
            .0
            .iter()
            .map(|c| u32::from_le_bytes(*c));
        let mut text = Vec::new();
        for character in wide {
            if character == 0 {
                return self.texts.contains(&text).then_some(text.len() as u64 * 4);
            }
            let mut utf8 = [0; 4];
            let character = char::from_u32(character)?;
            text.extend_from_slice(character.encode_utf8(&mut utf8).as_bytes());
        }
        None
    }
}

/// The variables as `environ` has them, with where they are.
fn added(process: &Process, at: &mut Vec<(Addr, u64)>) -> Vec<Vec<u8>> {
    let memory = &process.target.memory;
    let table = process.images.exported("environ");
    let table = table.and_then(|(_, table, _)| memory.ptr(table).ok());
    let Some(table) = table.filter(|table| !table.is_null()) else {
        return Vec::new();
    };
    let entries = (0..MOST_VARIABLES).map_while(|entry| {
        let text = memory.ptr(table.add(entry * 8)).ok()?;
        (!text.is_null()).then_some(text)
    });
    let texts = entries.filter_map(|text| {
        let bytes = memory.cstr(text, LONGEST).ok()?;
        at.push((text, bytes.len() as u64));
        Some(bytes.to_vec())
    });
    texts.collect()
}

/// Where the strings begin, and how many bytes they have: between the platform's name and the path that
/// was executed.
fn strings(target: &Target) -> Option<(Addr, u64)> {
    let end = target.aux(AT_EXECFN)?;
    let random = target.aux(AT_RANDOM)?.checked_add(RANDOM_BYTES)?;
    let platform = target.aux(AT_PLATFORM).and_then(|at| {
        let name = target.memory.cstr(Addr(at), MOST_PLATFORM).ok()?;
        at.checked_add(name.len() as u64 + 1)
    });
    let start = platform
        .filter(|at| *at < end)
        .map_or(random, |at| at.max(random));
    let len = end.checked_sub(start).filter(|len| *len <= MOST_STRINGS)?;
    Some((Addr(start), len))
}
