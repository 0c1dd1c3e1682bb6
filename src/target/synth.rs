//! A process built in memory, in ten lines, for the tests of every layer:
//!
//! ```
//! use pydbg::target::synth::TargetBuilder;
//! let target = TargetBuilder::new()
//!     .memory(0x1000, b"hello\0".to_vec())
//!     .mapping(0x40_0000, 0x40_1000, "r-x", "/bin/prog", 0)
//!     .thread(7, &[(7, 0x7ffe_0000), (16, 0x40_0010)])
//!     .build();
//! assert_eq!(target.memory.cstr(pydbg::Addr(0x1000), 80).unwrap(), b"hello");
//! ```
//!
//! What is read is what [`Synth`] is given; a whole core file for tests is made by
//! [`super::synth_core`].

use super::memory::{Fault, Memory, Why};
use super::{
    Files, Mapping, Options, Origin, ProcessInfo, Registers, SignalInfo, Target, TargetThread,
};
use crate::addr::Addr;
use crate::diag::Notes;
use std::sync::Arc;

/// Memory that consists of given pieces.
#[derive(Clone, Debug, Default)]
pub struct Synth(Vec<(u64, Vec<u8>)>);

impl Synth {
    /// Adds a piece. Where pieces overlap, the one with the highest start at or below an address
    /// is read.
    pub fn add(&mut self, start: u64, bytes: Vec<u8>) {
        let at = self.0.partition_point(|(known, _)| *known <= start);
        self.0.insert(at, (start, bytes));
    }

    /// The piece's bytes from `at` on; empty where nothing is.
    fn tail(&self, at: u64) -> &[u8] {
        let behind = self.0.partition_point(|(start, _)| *start <= at);
        let piece = behind.checked_sub(1).and_then(|index| self.0.get(index));
        piece
            .and_then(|(start, bytes)| bytes.get(usize::try_from(at - start).ok()?..))
            .unwrap_or_default()
    }
}

impl Memory for Synth {
    fn read(&self, addr: Addr, buf: &mut [u8]) -> Result<(), Fault> {
        let mut at = addr;
        let mut rest = buf;
        while !rest.is_empty() {
            let tail = self.tail(at.0);
            if tail.is_empty() {
                return Err(Fault {
                    addr: at,
                    why: Why::Unmapped,
                });
            }
            let here = tail.len().min(rest.len());
            let (now, later) = rest.split_at_mut(here);
            now.copy_from_slice(tail.get(..here).unwrap_or_default());
            at = at.add(here as u64);
            rest = later;
        }
        Ok(())
    }

    fn borrow(&self, addr: Addr, len: usize) -> Option<&[u8]> {
        self.tail(addr.0).get(..len)
    }
}

/// Collects what a [`Target`] is made of.
#[derive(Debug, Default)]
pub struct TargetBuilder {
    memory: Synth,
    mappings: Vec<Mapping>,
    threads: Vec<TargetThread>,
    process: ProcessInfo,
    auxv: Vec<(u64, u64)>,
    signal: Option<SignalInfo>,
    options: Options,
}

impl TargetBuilder {
    /// A process without anything.
    pub fn new() -> TargetBuilder {
        TargetBuilder::default()
    }

    /// Adds readable bytes. They lie in an anonymous `rw-` mapping of their own unless some
    /// mapping holds their start.
    #[must_use]
    pub fn memory(mut self, start: u64, bytes: Vec<u8>) -> TargetBuilder {
        self.memory.add(start, bytes);
        self
    }

    /// Adds little-endian 64-bit words.
    #[must_use]
    pub fn words(self, start: u64, words: &[u64]) -> TargetBuilder {
        self.memory(
            start,
            words.iter().flat_map(|word| word.to_le_bytes()).collect(),
        )
    }

    /// Adds a mapping; `perms` is as in /proc/PID/maps (`r-x`), an empty path means anonymous.
    #[must_use]
    pub fn mapping(
        mut self,
        start: u64,
        end: u64,
        perms: &str,
        path: &str,
        offset: u64,
    ) -> TargetBuilder {
        self.mappings.push(Mapping {
            start: Addr(start),
            end: Addr(end),
            read: perms.contains('r'),
            write: perms.contains('w'),
            execute: perms.contains('x'),
            shared: perms.ends_with('s'),
            offset,
            path: (!path.is_empty()).then(|| path.to_owned()),
            deleted: false,
        });
        self
    }

    /// Adds a thread with these registers, by DWARF number.
    #[must_use]
    pub fn thread(mut self, tid: i32, registers: &[(usize, u64)]) -> TargetBuilder {
        let mut known = Registers::default();
        for (number, value) in registers {
            if let Some(slot) = known.general.get_mut(*number) {
                *slot = Some(*value);
            }
        }
        self.threads.push(TargetThread {
            tid,
            registers: Some(known),
            ..TargetThread::default()
        });
        self
    }

    /// Adds a thread as it is.
    #[must_use]
    pub fn whole_thread(mut self, thread: TargetThread) -> TargetBuilder {
        self.threads.push(thread);
        self
    }

    /// Adds an auxiliary vector entry.
    #[must_use]
    pub fn aux(mut self, kind: u64, value: u64) -> TargetBuilder {
        self.auxv.push((kind, value));
        self
    }

    /// Says who the process is.
    #[must_use]
    pub fn process(mut self, process: ProcessInfo) -> TargetBuilder {
        self.process = process;
        self
    }

    /// Says what the process died of.
    #[must_use]
    pub fn signal(mut self, signal: SignalInfo) -> TargetBuilder {
        self.signal = Some(signal);
        self
    }

    /// Says where files are.
    #[must_use]
    pub fn options(mut self, options: Options) -> TargetBuilder {
        self.options = options;
        self
    }

    /// The process.
    pub fn build(mut self) -> Target {
        let bare = |start: u64| !self.mappings.iter().any(|m| m.contains(Addr(start)));
        let pieces = self.memory.0.iter().filter(|(start, _)| bare(*start));
        let bare: Vec<(u64, u64)> = pieces
            .map(|(start, bytes)| (*start, start.saturating_add(bytes.len() as u64)))
            .collect();
        for (start, end) in bare {
            self = self.mapping(start, end, "rw-", "", 0);
        }
        self.mappings.sort_by_key(|mapping| mapping.start);
        let notes = Notes::default();
        let files = Files::new(self.options, None, &notes);
        if let Some(exe) = &self.process.exe {
            files.set_exe(exe);
        }
        Target {
            origin: Origin::Synthetic,
            memory: Arc::new(self.memory),
            mappings: self.mappings,
            threads: self.threads,
            process: self.process,
            auxv: self.auxv,
            signal: self.signal,
            files: Arc::new(files),
            notes,
            dumped: Vec::new(),
            kept: None,
            live: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_read_across_and_gaps_are_faults() {
        let target = TargetBuilder::new()
            .memory(0x1000, vec![1; 16])
            .words(0x1010, &[u64::from_le_bytes([2; 8])])
            .build();
        let mut buf = [0; 24];
        target.memory.read(Addr(0x1000), &mut buf).unwrap();
        assert_eq!((buf[15], buf[16]), (1, 2));
        assert!(target.memory.borrow(Addr(0x1000), 24).is_none());
        let memory = &*target.memory;
        assert_eq!(
            memory.cstr(Addr(0x1000), 80).unwrap_err().addr,
            Addr(0x1018)
        );
        let fault = target.memory.read(Addr(0x1010), &mut buf).unwrap_err();
        assert_eq!((fault.addr, fault.why), (Addr(0x1018), Why::Unmapped));
        assert_eq!(target.mappings.len(), 2);
    }
}
