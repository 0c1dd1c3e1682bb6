//! The objects of one row by their size (guppy/heapy/Part.py, `IdFormat`), each with its address
//! and a short `repr`.

use super::browse::Browsing;
use super::{doubts, more, objects, percent, width};
use crate::cli::render::value::ValueView;
use crate::cli::{Out, Report, Session};
use pydbg::diag::Note;
use pydbg::heap::Heap;
use pydbg::python::value::Limits;
use rayon::prelude::*;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::io;
use std::ops::Range;

/// The objects of a row.
pub struct Listing {
    /// The rows drilled into, the last of which these are the objects of.
    pub path: Vec<String>,
    /// Their ids, the largest first.
    pub objects: Vec<u32>,
    /// Their bytes in all.
    pub bytes: u64,
}

impl Listing {
    /// Sorts the objects.
    pub fn of(heap: &Heap, path: Vec<String>, mut objects: Vec<u32>) -> Listing {
        objects.par_sort_unstable_by_key(|id| (Reverse(heap.size(*id)), *id));
        let sizes = objects.iter().map(|id| heap.size(*id));
        Listing {
            path,
            bytes: sizes.fold(0, u64::saturating_add),
            objects,
        }
    }
}

/// One object.
struct Line {
    bytes: u64,
    value: ValueView,
}

/// Some objects of a row.
pub struct ListView {
    browsing: Browsing,
    rows: Range<usize>,
    lines: Vec<Line>,
    /// Bytes of the objects before the first line.
    before: u64,
}

/// The limits of values in a table.
pub fn brief(session: &Session) -> Limits {
    const LONGEST: usize = 60;
    let mut limits = crate::cli::render::value::limits(session);
    limits.total = limits.total.min(LONGEST);
    limits.elements = limits.elements.min(LONGEST);
    limits.attributes = false;
    limits
}

impl ListView {
    /// Reads the values of these rows.
    pub fn of(session: &Session, heap: &Heap, browsing: Browsing, rows: Range<usize>) -> ListView {
        let limits = brief(session);
        let listed = browsing.listing.as_ref();
        let ids = listed.map_or(&[][..], |listing| &listing.objects);
        let line = |id: &u32| Line {
            bytes: heap.size(*id),
            value: ValueView::of(&heap.python, heap.address(*id), limits),
        };
        let before = ids.iter().take(rows.start).map(|id| heap.size(*id));
        ListView {
            before: before.fold(0, u64::saturating_add),
            lines: ids
                .iter()
                .skip(rows.start)
                .take(rows.len())
                .map(line)
                .collect(),
            browsing,
            rows,
        }
    }
}

impl Report for ListView {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let Some(listing) = &self.browsing.listing else {
            return Ok(());
        };
        let kind = listing.path.last().map_or("", |name| name);
        let (count, bytes) = (listing.objects.len(), listing.bytes);
        if self.rows.start == 0 {
            out.put(format_args!("Set of {count} <"))?;
            out.target(kind)?;
            out.put(format_args!(
                "> {}. Total size = {bytes} bytes.\n",
                objects(count as u64)
            ))?;
        }
        let largest = self.lines.first().map_or(0, |line| line.bytes);
        let (of_size, of_sum) = (width(largest, 8), width(bytes, 9));
        // guppy's heading is one place wider than its column.
        let under_sum = of_sum + 1;
        out.put(format_args!(
            " Index {:>of_size$}   %   {:>under_sum$}  %   Brief\n",
            "Size", "Cumulative",
        ))?;
        let mut sum = self.before;
        for (index, line) in self.rows.clone().zip(&self.lines) {
            sum = sum.saturating_add(line.bytes);
            out.put(format_args!(
                "{index:6} {:of_size$} {:5.1} {sum:of_sum$} {:5.1} ",
                line.bytes,
                percent(line.bytes, bytes),
                percent(sum, bytes),
            ))?;
            let class = line.value.class.as_deref().unwrap_or("?");
            out.target(class)?;
            out.put(format_args!(": {} ", line.value.address))?;
            out.target(&line.value.repr)?;
            out.end()?;
        }
        match count.saturating_sub(self.rows.end) {
            0 => Ok(()),
            left => out.put(format_args!("{}", more(left))),
        }
    }

    fn json(&self) -> Value {
        let listing = self.browsing.listing.as_ref();
        let lines: Vec<Value> = (self.rows.clone().zip(&self.lines))
            .map(|(index, line)| {
                let mut value = json!(line.value);
                value["index"] = json!(index);
                value["size"] = json!(line.bytes);
                value
            })
            .collect();
        json!({
            "within": listing.map(|listing| &listing.path),
            "count": listing.map(|listing| listing.objects.len()),
            "bytes": listing.map(|listing| listing.bytes),
            "objects": lines,
            "doubts": self.browsing.doubts,
        })
    }

    fn notes(&self) -> Vec<Note> {
        doubts(&self.browsing.doubts)
    }
}
