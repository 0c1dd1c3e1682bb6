//! Objects with equal values, by what they waste.

use super::one::thing;
use super::percent;
use crate::cli::{Out, Report};
use pydbg::diag::{Note, counted, human};
use pydbg::heap::Duplicates;
use pydbg::heap::partition::Row;
use serde_json::Value;
use std::io;

/// The column of the values.
const INDENT: usize = 36;

/// An answer of `dups`.
pub struct Duplicated(pub Duplicates);

impl Report for Duplicated {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let found = &self.0;
        let bytes = found.types.iter().map(|row| row.bytes);
        let bytes = bytes.fold(0, u64::saturating_add);
        out.put(format_args!(
            "{} bytes ({}, {:.1} % of {bytes}) would be saved by one object for each value.\n",
            found.wasted,
            human(found.wasted),
            percent(found.wasted, bytes),
        ))?;
        out.put(format_args!(
            "{:>10} {:>12} {:>10} {:>10} {:>12}  Type\n",
            "Objects", "Bytes", "Equal ones", "Values", "Wasted"
        ))?;
        for row in &found.types {
            out.put(format_args!(
                "{:>10} {:>12} {:>10} {:>10} {:>12}  ",
                row.objects, row.bytes, row.duplicates, row.values, row.wasted
            ))?;
            out.target(&row.name)?;
            out.end()?;
        }
        if found.values.is_empty() {
            return Ok(());
        }
        out.put(format_args!(
            "\n{:>10} {:>10} {:>12}  One of the equal objects\n",
            "Count", "Each", "Wasted"
        ))?;
        for value in &found.values {
            out.put(format_args!(
                "{:>10} {:>10} {:>12}  ",
                value.count, value.object.size, value.wasted
            ))?;
            thing(out, &value.object)?;
            out.end()?;
            groups(out, INDENT, "in", &value.holders, value.more_holders)?;
            groups(out, INDENT, "kept by", &value.owners, value.more_owners)?;
        }
        match found.left_out {
            0 => Ok(()),
            more => out.put(format_args!(
                "… {} left out, which waste {} bytes; see -n\n",
                counted(more, "more value"),
                found.left_out_wasted
            )),
        }
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    fn notes(&self) -> Vec<Note> {
        let unread: u64 = self.0.types.iter().map(|row| row.unread).sum();
        let text = format!("the values of {unread} objects could not be read");
        let note = |text| Note::partial(text);
        (unread > 0).then(|| note(text)).into_iter().collect()
    }
}

/// `in list (990), dict of app.Account (10)`
pub(super) fn groups(
    out: &mut Out<'_>,
    indent: usize,
    word: &str,
    rows: &[Row],
    more: usize,
) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    out.put(format_args!("{:indent$}{word} ", ""))?;
    for (number, row) in rows.iter().enumerate() {
        if number > 0 {
            out.put(format_args!(", "))?;
        }
        out.target(&row.name)?;
        out.put(format_args!(" ({})", row.count))?;
    }
    if more > 0 {
        out.put(format_args!(" and {more} more"))?;
    }
    out.put(format_args!("\n"))
}
