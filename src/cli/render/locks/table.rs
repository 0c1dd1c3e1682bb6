//! The table of all locks.

use super::{LocksView, owner};
use crate::cli::Out;
use crate::cli::render::number::list;
use comfy_table::{Table, presets};
use pydbg::escape::escape;
use pydbg::sync::{BusyOwner, Lock, Owner};
use rustc_hash::FxHashMap;
use std::io;

/// How many waiters are named in the table.
const MOST_WAITERS: usize = 6;

impl LocksView {
    /// Prints the table.
    pub fn table(&self, out: &mut Out<'_>) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING);
        table.set_header([
            "Address", "Kind", "Name", "State", "Owner", "Evidence", "Waiters",
        ]);
        let busy = self.locks.busy.iter().map(|busy| (busy.lock, busy));
        let busy: FxHashMap<usize, &BusyOwner> = busy.collect();
        for (at, lock) in self.locks.all.iter().enumerate() {
            let (owner, evidence) = owner(&lock.owner);
            table.add_row([
                lock.address.to_string(),
                lock.kind.words().to_owned(),
                escape(lock.name.as_deref().unwrap_or("-")).into_owned(),
                state(lock).to_owned(),
                match busy.get(&at) {
                    Some(busy) => escape(&format!("{owner}: {}", busy.doing.text)).into_owned(),
                    None => escape(&owner).into_owned(),
                },
                evidence.to_owned(),
                match lock.waiters.as_slice() {
                    [] => "-".to_owned(),
                    few if few.len() <= MOST_WAITERS => list(few),
                    many => format!("{} threads", many.len()),
                },
            ]);
        }
        for line in table.lines() {
            out.put(format_args!("{}\n", line.trim_end()))?;
        }
        Ok(())
    }
}

/// What state a lock is in.
pub(super) fn state(lock: &Lock) -> &'static str {
    match (&lock.owner, lock.kind.is_held(), lock.locked) {
        (Owner::Orphaned { .. }, _, _) => "orphaned",
        (_, false, _) => "awaited",
        (_, true, Some(true)) => "held",
        (_, true, Some(false)) => "free",
        (_, true, None) => "?",
    }
}
