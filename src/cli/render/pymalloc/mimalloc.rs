//! mimalloc's heaps, sizes of blocks and segments.

use super::super::heap::percent;
use super::bytes;
use crate::cli::{Out, Style};
use pydbg::diag::counted;
use pydbg::heap::alloc::mimalloc::Figures;
use std::io;

/// All tables; with the segments if `each`.
pub(super) fn text(out: &mut Out<'_>, figures: &Figures, each: bool) -> io::Result<()> {
    out.put(format_args!(
        "{:<34} {:>7} {:>11} {:>14} {:>14} {:>14} {:>11}\n",
        "Heap", "Pages", "Blocks", "Bytes in use", "Free", "Never used", "Overhead"
    ))?;
    for row in &figures.heaps {
        out.put(format_args!(
            "{:<34} {:>7} {:>11} {:>14} {:>14} {:>14} {:>11}\n",
            row.kind.words(),
            row.pages,
            row.used_blocks,
            row.used,
            row.free,
            row.fresh,
            row.overhead
        ))?;
    }
    out.put(format_args!(
        "\n{:>10} {:>7} {:>13} {:>13} {:>13}\n",
        "Size", "Pages", "Blocks in use", "Free", "Never used"
    ))?;
    for row in &figures.sizes {
        out.put(format_args!(
            "{:>10} {:>7} {:>13} {:>13} {:>13}\n",
            row.size, row.pages, row.used, row.free, row.fresh
        ))?;
    }
    let (mut used, mut free, mut fresh, mut overhead) = (0, 0, 0, figures.headers);
    for row in &figures.heaps {
        used += row.used;
        free += row.free;
        fresh += row.fresh;
        overhead += row.overhead;
    }
    let whole = figures.size;
    out.put(format_args!("\n{:<42} {:>15} {:>6}\n", "Bytes", "", "%"))?;
    bytes(out, "blocks in use", used, whole)?;
    bytes(out, "blocks that were freed", free, whole)?;
    bytes(out, "blocks that were never used", fresh, whole)?;
    bytes(out, "slices of no page", figures.unused, whole)?;
    bytes(out, "headers and padding", overhead, whole)?;
    if figures.damaged > 0 {
        bytes(out, "damaged pages", figures.damaged, whole)?;
    }
    bytes(
        out,
        &format!("total, {}", counted(figures.segments.len(), "segment")),
        whole,
        whole,
    )?;
    match each {
        true => segments(out, figures),
        false => Ok(()),
    }
}

fn segments(out: &mut Out<'_>, figures: &Figures) -> io::Result<()> {
    out.put(format_args!(
        "\n{:<18} {:>10} {:>6} {:>10} {:>14} {:>7}\n",
        "Segment", "Size", "Pages", "Blocks", "Bytes in use", "Used %"
    ))?;
    for row in &figures.segments {
        out.styled(Style::Address, &format!("{:<18}", row.address.to_string()))?;
        out.put(format_args!(
            " {:>10} {:>6} {:>10} {:>14} {:>7.1}{}\n",
            row.size,
            row.pages,
            row.used_blocks,
            row.used,
            percent(row.used, row.size),
            match (row.thread, row.pages) {
                (0, 0) => "  given back, kept for later",
                (0, _) => "  of a thread that has ended",
                _ => "",
            }
        ))?;
    }
    Ok(())
}
