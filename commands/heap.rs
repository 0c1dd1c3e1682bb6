//! `heap`: how many objects of each type there are, and how large.

use crate::cli::{Class, Needs, Out, Report, Run, Session};
use pydbg::heap::Census;
use serde_json::Value;
use std::io;

/// Show how many objects of each type there are, and how large.
///
/// Examples:
///     heap
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Heap {}

impl Run for Heap {
    const NAME: &'static str = "heap";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let python = session.python()?.clone();
        Ok(Box::new(Partition(Census::of(&python))))
    }
}

/// The objects by type.
struct Partition(Census);

impl Report for Partition {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let census = &self.0;
        out.put(format_args!(
            "Partition of a set of {} objects. Total size = {} bytes.\n",
            census.count, census.bytes
        ))?;
        out.put(format_args!(
            " Index  Count   %     Size   % Cumulative  % Kind (class / dict of class)\n"
        ))?;
        let percent = |part: u64, all: u64| (part as f64 * 100.0 / all.max(1) as f64).round();
        let mut cumulative = 0;
        for (index, row) in census.types.iter().take(20).enumerate() {
            cumulative += row.bytes;
            out.put(format_args!(
                "{index:6} {:6} {:3} {:8} {:3} {cumulative:10} {:3} {}{}\n",
                row.count,
                percent(row.count, census.count),
                row.bytes,
                percent(row.bytes, census.bytes),
                percent(cumulative, census.bytes),
                if row.dicts { "dict of " } else { "" },
                row.name
            ))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}
