//! The sums: how many bytes of the address space are for what, and how many of them there are.

use super::what::What;
use crate::addr::Addr;
use crate::target::resident::Resident;
use serde::Serialize;
use std::ops::Range;

/// One line of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
pub struct Row {
    /// What the memory is for.
    pub what: What,
    /// Bytes that are in RAM, or in the core.
    pub resident: u64,
    /// Bytes of the address space.
    pub size: u64,
    /// How many blocks, objects or mappings it is.
    pub count: u64,
}

/// The sums by what they are for.
pub(super) struct Ledger<'r> {
    resident: &'r Resident,
    rows: [Row; What::ALL.len()],
}

impl<'r> Ledger<'r> {
    pub(super) fn new(resident: &'r Resident) -> Ledger<'r> {
        Ledger {
            resident,
            rows: What::ALL.map(|what| Row {
                what,
                resident: 0,
                size: 0,
                count: 0,
            }),
        }
    }

    /// Books `len` bytes from an address on.
    pub(super) fn book(&mut self, what: What, start: Addr, len: u64) {
        let resident = self.resident.bytes(start, len);
        self.add(what, len, resident);
    }

    /// Books bytes of which it is known how many there are.
    pub(super) fn add(&mut self, what: What, size: u64, resident: u64) {
        if let Some(row) = self.rows.get_mut(what.index()) {
            row.size += size;
            row.resident += resident;
            row.count += 1;
        }
    }

    /// Adds what another one has.
    pub(super) fn join(mut self, other: &Ledger<'_>) -> Ledger<'r> {
        for (row, more) in self.rows.iter_mut().zip(&other.rows) {
            row.size += more.size;
            row.resident += more.resident;
            row.count += more.count;
        }
        self
    }

    /// Whether all of a run of memory is there.
    pub(super) fn is_whole(&self, run: &Range<u64>) -> bool {
        let len = run.end.saturating_sub(run.start);
        self.resident.bytes(Addr(run.start), len) == len
    }

    /// The lines, in the order of the table, without those that have nothing.
    pub(super) fn rows(&self) -> Vec<Row> {
        let rows = self.rows.iter().filter(|row| row.size > 0);
        rows.copied().collect()
    }
}
