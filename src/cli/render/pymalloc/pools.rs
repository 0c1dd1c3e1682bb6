//! pymalloc's classes of sizes, bytes and arenas.

use super::super::heap::percent;
use super::bytes;
use crate::cli::{Out, Style};
use pydbg::diag::counted;
use pydbg::heap::alloc::pymalloc::{ArenaRow, StateFigures};
use std::io;

/// An arena of which no more than this is in use, in percent, is kept by few blocks.
const FEW: f64 = 10.0;

/// The tables of one state; `named` if there are several.
pub(super) fn state(out: &mut Out<'_>, state: &StateFigures, named: bool) -> io::Result<()> {
    if named {
        let ids: Vec<String> = state.interpreters.iter().map(i64::to_string).collect();
        let what = if ids.len() == 1 {
            "Interpreter"
        } else {
            "Interpreters"
        };
        out.put(format_args!("{what} {}:\n", ids.join(", ")))?;
    }
    out.put(format_args!(
        "{:>5} {:>6} {:>10} {:>15} {:>17}\n",
        "Class", "Size", "Pools", "Blocks in use", "Available blocks"
    ))?;
    for row in &state.classes {
        let available = row.available();
        out.put(format_args!(
            "{:>5} {:>6} {:>10} {:>15} {available:>17}\n",
            row.class, row.size, row.pools, row.used
        ))?;
    }
    out.end()?;
    let whole = state.size;
    out.put(format_args!("{:<42} {:>15} {:>6}\n", "Bytes", "", "%"))?;
    bytes(out, "blocks in use", state.bytes.used, whole)?;
    bytes(out, "available blocks", state.bytes.available, whole)?;
    let unused = format!(
        "{} unused pools of {} bytes",
        state.unused_pools, state.pool_size
    );
    bytes(out, &unused, state.bytes.unused_pools, whole)?;
    bytes(out, "headers of pools", state.bytes.headers, whole)?;
    bytes(
        out,
        "lost behind the blocks of pools",
        state.bytes.quantization,
        whole,
    )?;
    bytes(
        out,
        "lost to the alignment of arenas",
        state.bytes.alignment,
        whole,
    )?;
    if state.bytes.damaged > 0 {
        bytes(out, "damaged pools", state.bytes.damaged, whole)?;
    }
    let arenas = format!("total, {}", counted(state.arenas.len(), "arena"));
    bytes(out, &arenas, whole, whole)?;
    if let Some(totals) = state.totals {
        let reclaimed = totals.ever.saturating_sub(totals.now);
        out.put(format_args!(
            "Arenas so far: {}, of which {reclaimed} were given back; at most {} at a time.\n",
            totals.ever, totals.most
        ))?;
    }
    kept(out, state)
}

/// How few blocks keep how many arenas.
fn kept(out: &mut Out<'_>, state: &StateFigures) -> io::Result<()> {
    let few: Vec<&ArenaRow> = state.arenas.iter().filter(|row| is_few(row)).collect();
    if few.is_empty() {
        return Ok(());
    }
    let sum = |part: fn(&ArenaRow) -> u64| few.iter().map(|row| part(row)).sum::<u64>();
    let arenas = counted(few.len(), "arena");
    let blocks = counted(sum(|row| row.used_blocks), "block");
    let pools = counted(sum(|row| row.used_pools.into()), "pool");
    out.put(format_args!(
        "{arenas} of {} bytes cannot be given back because of {blocks} ({} bytes) in {pools}.\n",
        sum(|row| row.size),
        sum(|row| row.used_bytes),
    ))
}

/// Whether few blocks keep an arena, of which a good part was in use once.
fn is_few(row: &ArenaRow) -> bool {
    let once = u64::from(row.pools.saturating_sub(row.fresh_pools)) * 2 > u64::from(row.pools);
    row.used_blocks > 0 && once && percent(row.used_bytes, row.size) <= FEW
}

/// The table of arenas.
pub(super) fn arenas(out: &mut Out<'_>, state: &StateFigures) -> io::Result<()> {
    out.put(format_args!(
        "{:<18} {:>9} {:>6} {:>6} {:>6} {:>10} {:>7}\n",
        "Arena", "Size", "Used", "Free", "Fresh", "Blocks", "Used %"
    ))?;
    for row in &state.arenas {
        out.styled(Style::Address, &format!("{:<18}", row.address.to_string()))?;
        out.put(format_args!(
            " {:>9} {:>6} {:>6} {:>6} {:>10} {:>7.1}",
            row.size,
            row.used_pools,
            row.free_pools,
            row.fresh_pools,
            row.used_blocks,
            percent(row.used_bytes, row.size),
        ))?;
        if is_few(row) {
            let blocks = counted(row.used_blocks, "block");
            let pools = counted(row.used_pools, "pool");
            out.put(format_args!("  pinned by {blocks} in {pools}"))?;
        }
        if row.damaged_pools > 0 {
            let pools = counted(row.damaged_pools, "pool");
            out.put(format_args!("  {pools} damaged"))?;
        }
        out.end()?;
    }
    Ok(())
}
