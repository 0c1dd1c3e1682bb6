//! The references from an object or to it.

use super::one::thing;
use crate::cli::{Out, Report, Style};
use pydbg::diag::counted;
use pydbg::heap::{Neighbour, Neighbours};
use serde_json::Value;
use std::io;

/// The end of the references that was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// What the object refers to.
    Referents,
    /// What refers to it.
    Referrers,
}

/// An answer of `referents` or `referrers`.
pub struct References {
    /// What was found.
    pub found: Neighbours,
    /// Which of both it is.
    pub end: End,
}

impl Report for References {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let found = &self.found;
        thing(out, &found.object)?;
        out.end()?;
        for root in &found.roots {
            out.put(format_args!("  "))?;
            out.styled(Style::Strong, "root")?;
            out.put(format_args!("  "))?;
            out.target(&root.words)?;
            if !root.certain {
                out.put(format_args!(" (a word that looks like a reference)"))?;
            }
            if let Some(expression) = &root.expression {
                out.put(format_args!(": "))?;
                out.target(expression)?;
            }
            out.end()?;
        }
        if found.roots_left_out > 0 {
            let more = counted(found.roots_left_out, "more root");
            out.put(format_args!("  … {more} left out; see -n\n"))?;
        }
        for neighbour in &found.all {
            line(out, neighbour)?;
        }
        if found.left_out > 0 {
            let more = counted(found.left_out, "more object");
            out.put(format_args!("  … {more} left out; see -n\n"))?;
        }
        if found.all.is_empty() && found.roots.is_empty() {
            out.put(match self.end {
                End::Referents => format_args!("  It refers to nothing.\n"),
                End::Referrers => format_args!("  Nothing refers to it.\n"),
            })?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.found).unwrap_or_default()
    }
}

fn line(out: &mut Out<'_>, neighbour: &Neighbour) -> io::Result<()> {
    out.put(format_args!("  "))?;
    for (position, way) in neighbour.ways.iter().enumerate() {
        if position > 0 {
            out.put(format_args!(", "))?;
        }
        out.target(&way.words)?;
        if !way.certain {
            out.put(format_args!(" (a word that looks like a reference)"))?;
        }
    }
    if neighbour.more_ways {
        out.put(format_args!(", and more"))?;
    }
    if neighbour.ways.is_empty() {
        out.put(format_args!("somewhere"))?;
    }
    out.put(format_args!("  "))?;
    out.styled(Style::Faint, "—")?;
    out.put(format_args!("  "))?;
    thing(out, &neighbour.thing)?;
    out.end()
}
