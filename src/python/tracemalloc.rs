//! The traces of `tracemalloc` (Modules/_tracemalloc.c, from 3.13 on Python/tracemalloc.c): for each
//! block of memory that was allocated since it was started, its size and where that was.

use super::Python;
use super::layout::TraceTable;
use super::scan::is_python;
use crate::addr::Addr;
use crate::bytes;
use crate::escape::lossy;
use crate::target::{Fault, Memory};
use rustc_hash::FxHashMap;
use serde::Serialize;
use std::cmp::Reverse;

/// Members of `struct _tracemalloc_runtime_state`, the same in all versions that have it.
mod member {
    /// `config.initialized`, then `config.tracing`.
    pub(super) const CONFIG: u64 = 0;
    pub(super) const TRACES: u64 = 184;
    pub(super) const DOMAINS: u64 = 192;
}

/// Where a table leads to its buckets.
const BUCKETS: u64 = 16;

/// The most blocks that are believed.
const MOST_BLOCKS: u64 = 1 << 32;

/// Buckets that are read at once.
const AT_ONCE: u64 = 1 << 16;

/// The longest name of a file, in characters.
const LONGEST_NAME: u64 = 4096;

/// Why there are no traces.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Untraced {
    /// This version has none.
    #[error("this version of Python has no tracemalloc")]
    Version,
    /// Without symbols nothing leads to them.
    #[error(
        "the traces of tracemalloc are not found: up to 3.11 they need the symbols of the interpreter"
    )]
    NotFound,
    /// It does not trace.
    #[error(
        "tracemalloc is not tracing: start the program with PYTHONTRACEMALLOC=1, or -X tracemalloc"
    )]
    Off,
    /// The table makes no sense or cannot be read.
    #[error("the traces of tracemalloc cannot be read: {0}")]
    Broken(String),
}

impl From<Fault> for Untraced {
    fn from(fault: Fault) -> Untraced {
        Untraced::Broken(fault.to_string())
    }
}

/// One block.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Block {
    start: u64,
    size: u64,
    traceback: Addr,
}

/// A line of a traceback.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize)]
pub struct Line {
    /// The file; `None` where it cannot be read.
    pub file: Option<String>,
    /// The line.
    pub line: u32,
}

/// What sites are told apart by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SiteBy {
    /// The line.
    Line,
    /// The file.
    File,
    /// The whole traceback.
    Traceback,
}

/// What was allocated at one place.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Site {
    /// The place, the caller first; of a file its line is 0.
    pub traceback: Vec<Line>,
    /// Bytes.
    pub size: u64,
    /// Blocks.
    pub count: u64,
}

/// All sites.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Sites {
    /// What makes a site.
    pub by: SiteBy,
    /// Blocks in all.
    pub count: u64,
    /// Their bytes.
    pub size: u64,
    /// The sites, the largest first.
    pub sites: Vec<Site>,
    /// How many of them are left out.
    pub left_out: usize,
    /// What was allocated there, in bytes.
    pub left_out_size: u64,
    /// How many blocks the tables should have, but were not found.
    pub missing: u64,
}

/// Where one block was allocated.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Allocation {
    /// Where the block begins.
    pub start: Addr,
    /// Its size in bytes.
    pub size: u64,
    /// The place, the caller first.
    pub traceback: Vec<Line>,
}

/// The traces of a process.
pub struct Traces<'p> {
    python: &'p Python,
    table: TraceTable,
    /// By address.
    blocks: Vec<Block>,
    missing: u64,
}

impl<'p> Traces<'p> {
    /// Reads the tables.
    pub fn read(python: &'p Python) -> Result<Traces<'p>, Untraced> {
        let table = python.layout.kinds.trace_table.ok_or(Untraced::Version)?;
        let memory = &*python.process.target.memory;
        let (traces, domains) = match python
            .layout
            .fields
            .runtime
            .as_ref()
            .and_then(|r| r.tracemalloc)
        {
            Some(field) => of_runtime(
                memory,
                field.of(python.runtime.addr.ok_or(Untraced::NotFound)?),
            )?,
            None => of_statics(python, memory)?,
        };
        let mut all = Traces {
            python,
            table,
            blocks: Vec::new(),
            missing: 0,
        };
        let mut others = Vec::new();
        if !domains.is_null() {
            all.entries(domains, |_, value| others.push(value))?;
        }
        if traces.is_null() {
            return Err(Untraced::Off);
        }
        for traces in std::iter::once(traces).chain(others) {
            let mut blocks = Vec::new();
            all.entries(traces, |key, trace| blocks.push((key, trace)))?;
            for (key, trace) in blocks {
                // trace_t { size; traceback }
                let word = |at: u64| memory.u64(trace.add(at));
                match (word(0), word(8)) {
                    (Ok(size), Ok(traceback)) => all.blocks.push(Block {
                        start: key,
                        size,
                        traceback: Addr(traceback),
                    }),
                    _ => all.missing += 1,
                }
            }
        }
        all.blocks.sort_unstable_by_key(|block| block.start);
        Ok(all)
    }

    /// Tells the key of each entry, and where its value is.
    fn entries(&mut self, at: Addr, mut found: impl FnMut(u64, Addr)) -> Result<(), Untraced> {
        const KEY: u64 = 16;
        let memory = &*self.python.process.target.memory;
        let table = self.table;
        let count = memory.u64(at.add(table.entries.into()))?;
        let buckets = memory.u64(at.add(table.buckets.into()))?;
        let start = memory.ptr(at.add(BUCKETS))?;
        if count > MOST_BLOCKS || buckets > MOST_BLOCKS || !buckets.is_power_of_two() {
            let text = format!("a table of {count} entries in {buckets} lists at {at}");
            return Err(Untraced::Broken(text));
        }
        let within = match table.key_size {
            Some(at_size) => Some(KEY + memory.u64(at.add(at_size.into()))?.min(KEY)),
            None => None,
        };
        let mut left = count;
        let mut bucket = 0;
        while bucket < buckets {
            let now = (buckets - bucket).min(AT_ONCE);
            let heads = memory.bytes(start.add(bucket * 8), now as usize * 8)?;
            for head in heads.chunks_exact(8) {
                let mut entry = Addr(bytes::u64_at(head, 0).unwrap_or(0));
                while !entry.is_null() && left > 0 {
                    // _Py_hashtable_entry_t { next; hash; key; … }
                    let Ok(raw) = memory.array::<32>(entry) else {
                        break;
                    };
                    let word = |at: usize| bytes::u64_at(&raw, at).unwrap_or(0);
                    let value = match within {
                        Some(offset) => entry.add(offset),
                        None => Addr(word(24)),
                    };
                    found(word(16), value);
                    left -= 1;
                    entry = Addr(word(0));
                }
            }
            bucket += now;
            if self.python.process.cancel.is_cancelled() {
                return Err(Untraced::Broken("interrupted".to_owned()));
            }
        }
        self.missing += left;
        Ok(())
    }

    /// What was allocated where; at most `most` sites.
    pub fn sites(&self, by: SiteBy, most: usize) -> Sites {
        let mut tops: FxHashMap<Addr, (Addr, u32)> = FxHashMap::default();
        let mut sums: FxHashMap<(Addr, u32), (u64, u64, Addr)> = FxHashMap::default();
        for block in &self.blocks {
            let key = match by {
                SiteBy::Traceback => (block.traceback, 0),
                SiteBy::Line | SiteBy::File => {
                    let top = tops.entry(block.traceback);
                    let (file, line) = *top.or_insert_with(|| {
                        let top = self.frames(block.traceback, 1).into_iter().next();
                        top.unwrap_or((Addr::NULL, 0))
                    });
                    (file, if by == SiteBy::File { 0 } else { line })
                }
            };
            let sum = sums.entry(key).or_insert((0, 0, block.traceback));
            sum.0 = sum.0.saturating_add(block.size);
            sum.1 += 1;
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by_key(|(key, (size, count, _))| {
            (Reverse(*size), Reverse(*count), *key)
        });
        let left = sums.get(most..).unwrap_or_default().iter();
        let site =
            |((file, line), (size, count, traceback)): &((Addr, u32), (u64, u64, Addr))| Site {
                traceback: match by {
                    SiteBy::Traceback => self.traceback(*traceback),
                    SiteBy::Line | SiteBy::File => vec![self.line(*file, *line)],
                },
                size: *size,
                count: *count,
            };
        let sizes = self.blocks.iter().map(|block| block.size);
        Sites {
            by,
            count: self.blocks.len() as u64,
            size: sizes.fold(0, u64::saturating_add),
            left_out: sums.len().saturating_sub(most),
            left_out_size: left.fold(0, |sum, (_, (size, ..))| sum.saturating_add(*size)),
            sites: sums.iter().take(most).map(site).collect(),
            missing: self.missing,
        }
    }

    /// Where the block was allocated that an address is in.
    pub fn at(&self, addr: Addr) -> Option<Allocation> {
        let next = self.blocks.partition_point(|block| block.start <= addr.0);
        let block = self.blocks.get(next.checked_sub(1)?)?;
        let into = addr.0 - block.start;
        (into < block.size.max(1)).then(|| Allocation {
            start: Addr(block.start),
            size: block.size,
            traceback: self.traceback(block.traceback),
        })
    }

    fn traceback(&self, at: Addr) -> Vec<Line> {
        let frames = self.frames(at, usize::MAX);
        let lines = frames.iter().rev();
        lines.map(|(file, line)| self.line(*file, *line)).collect()
    }

    /// Files and lines, the innermost first; what cannot be read is left out.
    fn frames(&self, at: Addr, most: usize) -> Vec<(Addr, u32)> {
        // traceback_t { hash; number of frames; …; frames { file; line } }, packed
        const COUNT: u64 = 8;
        const FRAMES: u64 = 12;
        const FRAME: u64 = 12;
        let memory = &*self.python.process.target.memory;
        let count = usize::from(memory.u16(at.add(COUNT)).unwrap_or(0)).min(most);
        let raw = memory.bytes(at.add(FRAMES), count * FRAME as usize);
        let raw = raw.unwrap_or_default();
        let frames = raw.chunks_exact(FRAME as usize).map(|frame| {
            let file = bytes::u64_at(frame, 0).unwrap_or(0);
            (Addr(file), bytes::u32_at(frame, 8).unwrap_or(0))
        });
        frames.collect()
    }

    fn line(&self, file: Addr, line: u32) -> Line {
        let file = match self.table.c_names {
            false => {
                let text = self.python.objects.text(file, LONGEST_NAME);
                text.ok().map(|text| text.value)
            }
            true => {
                let memory = &self.python.process.target.memory;
                let text = memory.cstr(file, LONGEST_NAME as usize);
                text.ok().map(|text| lossy(&text))
            }
        };
        Line { file, line }
    }
}

/// The tables of 3.12 and later.
fn of_runtime(memory: &dyn Memory, state: Addr) -> Result<(Addr, Addr), Untraced> {
    const INITIALIZED: u32 = 1;
    let config = state.add(member::CONFIG);
    if memory.u32(config)? != INITIALIZED || memory.u32(config.add(4))? != 1 {
        return Err(Untraced::Off);
    }
    let traces = memory.ptr(state.add(member::TRACES))?;
    Ok((traces, memory.ptr(state.add(member::DOMAINS))?))
}

/// The tables of versions that keep them in variables, which have symbols or are not found. The
/// last versions have a table for each domain.
fn of_statics(python: &Python, memory: &dyn Memory) -> Result<(Addr, Addr), Untraced> {
    let images = python.process.images.all.iter();
    let mut images = images.filter(|image| is_python(&image.path));
    let found = images.find_map(|image| {
        let traces = image.named("tracemalloc_traces")?.0;
        let domains = image.named("tracemalloc_domains").map(|found| found.0);
        Some((traces, domains))
    });
    let (traces, domains) = found.ok_or(Untraced::NotFound)?;
    let traces = memory.ptr(traces)?;
    let domains = domains.map_or(Ok(Addr::NULL), |domains| memory.ptr(domains))?;
    match traces.is_null() || memory.u64(traces)? == 0 && memory.u64(traces.add(8))? == 0 {
        true => Err(Untraced::Off),
        false => Ok((traces, domains)),
    }
}
