//! What has grown from one dump to another: a table of kinds in the form of guppy's, with signs, and
//! one of owners.

use super::width;
use crate::cli::{Out, Report, Style};
use pydbg::diag::counted;
use pydbg::heap::Growth;
use serde_json::Value;
use std::io;

/// An answer of `heap diff`.
pub struct Diff {
    /// What has grown.
    pub growth: Growth,
    /// The names of the dumps, the older one's first.
    pub names: [String; 2],
}

impl Report for Diff {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let growth = &self.growth;
        let both = [&growth.old, &growth.new];
        for ((title, name), whole) in ["old", "new"].iter().zip(&self.names).zip(both) {
            out.put(format_args!("{title}: "))?;
            out.target(name)?;
            out.put(format_args!(
                ", {} objects of {} bytes\n",
                whole.objects, whole.bytes
            ))?;
        }
        self.kinds(out)?;
        self.owners(out)
    }

    fn json(&self) -> Value {
        let mut value = serde_json::to_value(&self.growth).unwrap_or_default();
        value["names"] = self.names.to_vec().into();
        value
    }
}

impl Diff {
    fn kinds(&self, out: &mut Out<'_>) -> io::Result<()> {
        let growth = &self.growth;
        if growth.kinds.is_empty() {
            return out.put(format_args!("No kind differs.\n"));
        }
        let largest = growth
            .kinds
            .iter()
            .map(|row| row.new.count.max(row.old.count));
        let of_count = width(largest.max().unwrap_or(0), 6) + 1;
        let largest = growth
            .kinds
            .iter()
            .map(|row| row.new.bytes.max(row.old.bytes));
        let of_size = width(largest.max().unwrap_or(0), 8) + 1;
        out.put(format_args!(
            " Index {:>of_count$} {:>of_size$} {:>of_count$} {:>of_size$}  Kind (class / dict of class)\n",
            "+Count", "+Size", "Count", "Size",
        ))?;
        for (index, row) in growth.kinds.iter().enumerate() {
            out.put(format_args!(
                "{index:6} {:>+of_count$} {:>+of_size$} {:>of_count$} {:>of_size$}  ",
                row.count, row.bytes, row.new.count, row.new.bytes,
            ))?;
            out.target(&row.kind)?;
            let mark = match (row.old.count, row.new.count) {
                (0, _) => "  new",
                (_, 0) => "  gone",
                _ => "",
            };
            out.styled(Style::Strong, mark)?;
            out.end()?;
        }
        left(out, growth.kinds_left_out, "kind")
    }

    fn owners(&self, out: &mut Out<'_>) -> io::Result<()> {
        let growth = &self.growth;
        if growth.owners.is_empty() {
            let least = growth.least;
            return out.put(format_args!("No owner of {least} bytes or more differs.\n"));
        }
        let all = growth.owners.iter();
        let largest = all.map(|row| row.new.unwrap_or(0).max(row.old.unwrap_or(0)));
        let of_size = width(largest.max().unwrap_or(0), 9) + 1;
        out.put(format_args!(
            "{:>of_size$} {:>of_size$} {:>of_size$}  Owner\n",
            "+Retained", "Before", "Now",
        ))?;
        let amount = |amount: Option<u64>| amount.map_or("-".to_owned(), |bytes| bytes.to_string());
        for row in &growth.owners {
            out.put(format_args!(
                "{:>+of_size$} {:>of_size$} {:>of_size$}  ",
                row.bytes,
                amount(row.old),
                amount(row.new),
            ))?;
            out.target(&row.path)?;
            let words = format!("  {} {}", pydbg::escape::escape(&row.class), row.address);
            out.styled(Style::Faint, &words)?;
            out.end()?;
        }
        left(out, growth.owners_left_out, "owner")
    }
}

fn left(out: &mut Out<'_>, count: usize, what: &str) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    let more = counted(count, &format!("more {what}"));
    out.put(format_args!("… {more} left out; see -n\n"))
}
