//! What types, threads and modules keep alive.

use super::dominators::{branch, heading, left_out};
use super::percent;
use crate::cli::{Out, Report};
use pydbg::diag::counted;
use pydbg::heap::{Kept, TypesKept};
use serde_json::Value;
use std::io;

/// An answer of `retained` about all types.
pub struct ByType(pub TypesKept);

/// An answer of `retained` about one type, thread or module.
pub struct Together(pub Kept);

impl Report for ByType {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let found = &self.0;
        out.put(format_args!(
            "{} objects, {} bytes. Types by what dies with their instances:\n",
            found.objects, found.bytes
        ))?;
        out.put(format_args!(
            "{:>10} {:>12} {:>12} {:>6}  {}\n",
            "Instances", "Own size", "Retained", "%", "Type"
        ))?;
        for row in &found.types {
            out.put(format_args!(
                "{:>10} {:>12} {:>12} {:>6.1}  ",
                row.count,
                row.own,
                row.retained,
                percent(row.retained, found.bytes)
            ))?;
            out.target(&row.name)?;
            out.end()?;
        }
        match found.left_out {
            0 => Ok(()),
            more => {
                let more = counted(more, "more type");
                out.put(format_args!("… {more} left out; see -n\n"))
            }
        }
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}

impl Report for Together {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let found = &self.0;
        out.put(format_args!("Kept alive by "))?;
        out.target(&found.words)?;
        let objects = counted(found.objects, "object");
        out.put(format_args!(
            " alone: {objects} of {} bytes, {:.1} % of the heap",
            found.retained,
            percent(found.retained, found.all)
        ))?;
        if found.count > 0 {
            out.put(format_args!(
                "; themselves {} of {} bytes",
                found.count, found.own
            ))?;
        }
        out.put(format_args!(".\n"))?;
        heading(out)?;
        for owner in &found.owners {
            branch(out, owner, 0, found.retained)?;
        }
        let left = (found.left_out, found.left_out_retained);
        left_out(out, left, 0, found.retained)
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}
