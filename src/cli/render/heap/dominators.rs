//! The tree of owners: who keeps how much alive.

use super::one::thing;
use super::percent;
use crate::cli::{Out, Report, Style};
use pydbg::diag::counted;
use pydbg::heap::{Heap, Owner, Owners, Thing, TreeBounds, Who};
use serde_json::{Value, json};
use std::io;

/// An answer of `dominators` about the whole heap.
pub struct Tree(pub Owners);

/// An answer about one object.
pub struct One {
    /// The object with what dies with it.
    pub owner: Owner,
    /// What it dies with itself, the nearest first.
    pub above: Vec<Thing>,
    /// Whether there is more of that.
    pub more_above: bool,
}

impl One {
    /// The most dominators of the object that are named.
    const MOST_ABOVE: usize = 10;

    /// An object and its tree.
    pub fn of(heap: &Heap, id: u32, bounds: TreeBounds) -> One {
        let (above, more_above) = heap.owned_by(id, One::MOST_ABOVE);
        One {
            owner: heap.owner(id, bounds),
            above,
            more_above,
        }
    }
}

impl Report for Tree {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        let found = &self.0;
        out.put(format_args!(
            "{} objects, {} bytes. Owners by what dies with them:\n",
            found.objects, found.bytes
        ))?;
        heading(out)?;
        for owner in &found.owners {
            branch(out, owner, 0, found.bytes)?;
        }
        let left = (found.left_out, found.left_out_retained);
        left_out(out, left, 0, found.bytes)
    }

    fn json(&self) -> Value {
        serde_json::to_value(&self.0).unwrap_or_default()
    }
}

impl Report for One {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        heading(out)?;
        branch(out, &self.owner, 0, self.owner.retained)?;
        for (position, above) in self.above.iter().enumerate() {
            out.put(match position {
                0 => format_args!("It dies with "),
                _ => format_args!("  which dies with "),
            })?;
            thing(out, above)?;
            out.end()?;
        }
        if self.more_above {
            out.put(format_args!("  and so on\n"))?;
        }
        if self.above.is_empty() {
            out.put(format_args!("No single object keeps it alive.\n"))?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        json!({
            "owner": self.owner,
            "above": self.above,
            "more_above": self.more_above,
        })
    }
}

/// The titles of the columns.
pub(super) fn heading(out: &mut Out<'_>) -> io::Result<()> {
    out.put(format_args!(
        "{:>10} {:>12} {:>12} {:>6}  {}\n",
        "Objects", "Own size", "Retained", "%", "Owner"
    ))
}

/// An owner and those below it.
pub(super) fn branch(out: &mut Out<'_>, owner: &Owner, level: usize, whole: u64) -> io::Result<()> {
    out.put(format_args!(
        "{:>10} {:>12} {:>12} {:>6.1}  {:indent$}",
        owner.objects,
        owner.own,
        owner.retained,
        percent(owner.retained, whole),
        "",
        indent = 2 * level
    ))?;
    match &owner.who {
        Who::Object { via, object } => {
            if let Some(via) = via {
                out.target(via)?;
                out.put(format_args!(": "))?;
            }
            out.target(&object.class)?;
            out.put(format_args!(" at "))?;
            out.styled(Style::Address, &object.address.to_string())?;
            out.put(format_args!(" "))?;
            out.target(&object.repr)?;
        }
        Who::Roots { words } => out.styled(Style::Strong, words)?,
        Who::Several => out.put(format_args!("what several of these keep alive"))?,
        Who::Nothing => out.put(format_args!(
            "what no root leads to: garbage, or held by native memory only"
        ))?,
    }
    out.end()?;
    for below in &owner.owners {
        branch(out, below, level + 1, whole)?;
    }
    // Of an owner whose own are all small nothing is said.
    if owner.owners.is_empty() {
        return Ok(());
    }
    let left = (owner.left_out, owner.left_out_retained);
    left_out(out, left, level + 1, whole)
}

/// What is left out: how many owners, and what they retain.
pub(super) fn left_out(
    out: &mut Out<'_>,
    (owners, retained): (usize, u64),
    level: usize,
    whole: u64,
) -> io::Result<()> {
    if owners == 0 {
        return Ok(());
    }
    out.put(format_args!(
        "{:>10} {:>12} {retained:>12} {:>6.1}  {:indent$}… {}\n",
        "",
        "",
        percent(retained, whole),
        "",
        counted(owners, "more owner"),
        indent = 2 * level
    ))
}
