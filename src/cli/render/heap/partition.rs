//! The table of a partition (guppy/heapy/Part.py, `SetFormat`).

use super::browse::Browsing;
use super::{doubts, more, objects, percent, width};
use crate::cli::{Out, Report};
use pydbg::diag::Note;
use serde_json::{Value, json};
use std::io;
use std::ops::Range;

/// Some rows of a partition.
pub struct PartitionView {
    /// The partition.
    pub browsing: Browsing,
    /// The rows.
    pub rows: Range<usize>,
}

impl PartitionView {
    /// The table with what belongs to the objects, in place of cumulative sizes.
    fn with_blocks(&self, out: &mut Out<'_>) -> io::Result<()> {
        let partition = &self.browsing.partition;
        let all = || partition.rows.iter();
        let blocks = |row| self.browsing.blocks_of(row).unwrap_or_default();
        let of_count = width(all().map(|row| row.count).max().unwrap_or(0), 6);
        let of_size = width(all().map(|row| row.bytes).max().unwrap_or(0), 8);
        let of_blocks = width(all().map(|row| blocks(row).blocks).max().unwrap_or(0), 8);
        let of_buffers = width(all().map(|row| blocks(row).buffers).max().unwrap_or(0), 8);
        out.put(format_args!(
            " Index {:>of_count$} {:>of_size$} {:>of_blocks$} {:>of_buffers$} {}\n",
            "Count",
            "Size",
            "Blocks",
            "Buffers",
            partition.by.heading()
        ))?;
        for index in self.rows.clone() {
            let Some(row) = partition.rows.get(index) else {
                break;
            };
            let own = blocks(row);
            out.put(format_args!(
                "{index:6} {:of_count$} {:of_size$} {:of_blocks$} {:of_buffers$} ",
                row.count, row.bytes, own.blocks, own.buffers,
            ))?;
            out.target(&row.name)?;
            out.end()?;
        }
        let mut sum = pydbg::heap::parts::Blocks::default();
        all().for_each(|row| sum.add(blocks(row)));
        out.put(format_args!(
            "In all {} bytes of blocks and {} bytes of buffers.\n",
            sum.blocks, sum.buffers
        ))?;
        match partition.rows.len().saturating_sub(self.rows.end) {
            0 => Ok(()),
            left => out.put(format_args!("{}", more(left))),
        }
    }
}

impl Report for PartitionView {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let partition = &self.browsing.partition;
        let (count, bytes) = (partition.count, partition.bytes);
        if self.rows.start == 0 {
            out.put(format_args!(
                "Partition of a set of {count} {}. Total size = {bytes} bytes.\n",
                objects(count)
            ))?;
        }
        if self.browsing.blocks.is_some() {
            return self.with_blocks(out);
        }
        let of_count = width(
            partition
                .rows
                .iter()
                .map(|row| row.count)
                .max()
                .unwrap_or(0),
            6,
        );
        let largest = partition.rows.first().map_or(0, |row| row.bytes);
        let (of_size, of_sum) = (width(largest, 8), width(bytes, 9));
        // guppy's heading is one place wider than its column.
        let under_sum = of_sum + 1;
        out.put(format_args!(
            " Index {:>of_count$}   % {:>of_size$}   % {:>under_sum$}  % {}\n",
            "Count",
            "Size",
            "Cumulative",
            partition.by.heading()
        ))?;
        let before = partition.rows.iter().take(self.rows.start);
        let mut sum = before.fold(0u64, |sum, row| sum.saturating_add(row.bytes));
        for index in self.rows.clone() {
            let Some(row) = partition.rows.get(index) else {
                break;
            };
            sum = sum.saturating_add(row.bytes);
            out.put(format_args!(
                "{index:6} {:of_count$} {:3.0} {:of_size$} {:3.0} {sum:of_sum$} {:3.0} ",
                row.count,
                percent(row.count, count),
                row.bytes,
                percent(row.bytes, bytes),
                percent(sum, bytes),
            ))?;
            out.target(&row.name)?;
            out.end()?;
        }
        match partition.rows.len().saturating_sub(self.rows.end) {
            0 => Ok(()),
            left => out.put(format_args!("{}", more(left))),
        }
    }

    fn json(&self) -> Value {
        let partition = &self.browsing.partition;
        let rows = partition.rows.iter().enumerate();
        let rows = rows.skip(self.rows.start).take(self.rows.len());
        let rows: Vec<Value> = rows
            .map(|(index, row)| {
                let mut shown = json!({
                    "index": index,
                    "name": row.name,
                    "count": row.count,
                    "bytes": row.bytes,
                });
                if let Some(all) = self.browsing.blocks_of(row) {
                    shown["blocks"] = json!(all.blocks);
                    shown["buffers"] = json!(all.buffers);
                }
                shown
            })
            .collect();
        json!({
            "by": partition.by,
            "within": self.browsing.path,
            "count": partition.count,
            "bytes": partition.bytes,
            "rows": rows,
            "rows_in_all": partition.rows.len(),
            "doubts": self.browsing.doubts,
        })
    }

    fn notes(&self) -> Vec<Note> {
        doubts(&self.browsing.doubts)
    }
}
