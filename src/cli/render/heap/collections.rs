//! Containers by how full they are.

use super::duplicates::groups;
use super::one::thing;
use super::percent;
use crate::cli::{Out, Report};
use pydbg::diag::{Note, counted, human};
use pydbg::heap::{Collections, FILLS};
use serde_json::Value;
use std::io;

/// The column of the kinds.
const INDENT: usize = 82;

/// An answer of `collections`.
pub struct Filling(pub Collections);

impl Report for Filling {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let found = &self.0;
        out.put(format_args!(
            "{} of {} bytes; {} of these ({}, {:.1} %) are for items that they do not have.\n",
            counted(
                usize::try_from(found.count).unwrap_or(usize::MAX),
                "container"
            ),
            found.bytes,
            found.unused,
            human(found.unused),
            percent(found.unused, found.bytes),
        ))?;
        out.put(format_args!("{:>9}", "Count"))?;
        for fill in FILLS {
            out.put(format_args!(" {fill:>8}"))?;
        }
        out.put(format_args!(" {:>12} {:>12}  Kind\n", "Bytes", "Unused"))?;
        for kind in &found.kinds {
            out.put(format_args!("{:>9}", kind.count))?;
            for number in kind.fill {
                out.put(format_args!(" {number:>8}"))?;
            }
            out.put(format_args!(" {:>12} {:>12}  ", kind.bytes, kind.unused))?;
            out.target(&kind.name)?;
            out.end()?;
            groups(out, INDENT, "in", &kind.holders, kind.more_holders)?;
        }
        if found.left_out > 0 {
            let more = counted(found.left_out, "more kind");
            out.put(format_args!("… {more} left out; see -n\n"))?;
        }
        if found.largest.is_empty() {
            return Ok(());
        }
        out.put(format_args!(
            "\n{:>12} {:>10} {:>10}  Container\n",
            "Unused", "Items", "Places"
        ))?;
        for one in &found.largest {
            out.put(format_args!(
                "{:>12} {:>10} {:>10}  ",
                one.unused, one.used, one.room
            ))?;
            thing(out, &one.object)?;
            out.end()?;
            if let Some(path) = &one.path {
                out.put(format_args!("{:38}", ""))?;
                out.target(path)?;
                out.end()?;
            }
        }
        Ok(())
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }

    fn notes(&self) -> Vec<Note> {
        let broken = self.0.broken;
        let text = format!("{broken} containers make no sense and are not counted");
        let note = |text| Note::partial(text);
        (broken > 0).then(|| note(text)).into_iter().collect()
    }
}
