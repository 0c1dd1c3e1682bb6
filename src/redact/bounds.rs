//! Where what is to be blanked ends at the latest. Lengths are the target's word, and a damaged one
//! would lead over its neighbours: every run is cut at the end of the allocator's block in which it
//! begins, or, outside of all allocators, where the next object begins or its mapping ends.

use super::blanks::{Fill, Run};
use crate::sum::Sum;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a run has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum What {
    /// The characters of a string.
    String,
    /// A copy of them in another encoding, which is not counted again.
    Copy,
    /// Data of an array, a file, a mapping.
    Buffer,
    /// Text that no object has.
    Text,
}

/// A run whose end nobody else has confirmed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) run: Run,
    pub(super) what: What,
}

impl Wanted {
    /// A run of so many bytes.
    pub(super) fn of(start: u64, len: u64, fill: Fill, what: What) -> Option<Wanted> {
        // A length that leads out of the address space is cut as any other.
        let len = len.min(u64::MAX - start);
        let run = Run::of(start, len, fill)?;
        Some(Wanted { run, what })
    }
}

/// What was blanked, by kind.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub(super) strings: Sum,
    pub(super) buffers: Sum,
    pub(super) texts: Sum,
    /// Runs whose end is not known.
    pub(super) left: u64,
}

/// Runs with the ends of the blocks in which they begin.
pub(super) struct Bounds {
    /// By where they begin.
    wanted: Vec<Wanted>,
    /// The end of the block for each; 0 while it is not known.
    ends: Vec<AtomicU64>,
}

impl Bounds {
    pub(super) fn new(mut wanted: Vec<Wanted>) -> Bounds {
        wanted.sort_unstable_by_key(|wanted| wanted.run.start);
        let mut ends = Vec::new();
        ends.resize_with(wanted.len(), AtomicU64::default);
        Bounds { wanted, ends }
    }

    /// Tells of a block; whether any run begins there.
    pub(super) fn block(&self, start: u64, end: u64) -> bool {
        let first = (self.wanted).partition_point(|wanted| wanted.run.start < start);
        let wanted = self.wanted.get(first..).unwrap_or_default();
        let ends = self.ends.get(first..).unwrap_or_default();
        let inside = wanted.iter().zip(ends);
        let mut any = false;
        for (_, known) in inside.take_while(|(wanted, _)| wanted.run.start < end) {
            known.store(end, Ordering::Relaxed);
            any = true;
        }
        any
    }

    /// The runs as they may be blanked. For those outside of all blocks `loose` tells the end, or that
    /// it is not known.
    pub(super) fn cut(self, loose: impl Fn(&Wanted) -> Loose, runs: &mut Vec<Run>) -> Sums {
        let mut sums = Sums::default();
        for (wanted, end) in self.wanted.into_iter().zip(self.ends) {
            let end = match end.into_inner() {
                0 => loose(&wanted),
                end => Loose::Until(end),
            };
            let end = match end {
                Loose::Until(end) => wanted.run.end.min(end),
                Loose::Constant => continue,
                Loose::Unknown => {
                    sums.left += 1;
                    continue;
                }
            };
            let bytes = end.saturating_sub(wanted.run.start);
            match wanted.what {
                What::String => sums.strings.add(bytes),
                What::Buffer => sums.buffers.add(bytes),
                What::Text => sums.texts.add(bytes),
                What::Copy => {}
            }
            runs.push(Run { end, ..wanted.run });
        }
        sums
    }
}

/// What is known of a run outside of all blocks.
pub(super) enum Loose {
    /// It may reach up to there.
    Until(u64),
    /// A file put it there: it is the program's own.
    Constant,
    /// Nothing tells where it ends.
    Unknown,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_ends_with_its_block() {
        let wanted = |start, len| Wanted::of(start, len, Fill::Zeros, What::String).unwrap();
        let all = vec![
            wanted(0x2010, u64::MAX),
            wanted(0x1010, 8),
            wanted(0x5000, 0x1000),
            wanted(0x9000, 8),
            wanted(0x9100, 8),
        ];
        let bounds = Bounds::new(all);
        assert!(bounds.block(0x1000, 0x1040) && bounds.block(0x2000, 0x2040));
        assert!(!bounds.block(0x1011, 0x1040));
        let loose = |wanted: &Wanted| match wanted.run.start {
            0x5000 => Loose::Until(0x5800),
            0x9000 => Loose::Constant,
            _ => Loose::Unknown,
        };
        let mut runs = Vec::new();
        let sums = bounds.cut(loose, &mut runs);
        let found: Vec<_> = runs.iter().map(|run| (run.start, run.end)).collect();
        assert_eq!(
            found,
            [(0x1010, 0x1018), (0x2010, 0x2040), (0x5000, 0x5800)]
        );
        assert_eq!((sums.strings.count, sums.left), (3, 1));
    }
}
