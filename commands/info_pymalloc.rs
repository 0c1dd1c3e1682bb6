//! `info pymalloc`: what CPython's own allocator has in use, and what it keeps.

use crate::cli::render::pymalloc::{Allocators, picture};
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::{Context, bail};
use std::path::PathBuf;

/// Show what CPython's allocator of small blocks has in use, and what it keeps.
///
/// pymalloc serves requests of up to 512 bytes: it cuts arenas of 256 KiB (1 MiB from 3.10 on) into
/// pools, and each pool into blocks of one size. The figures are those of sys._debugmallocstats().
/// An arena goes back to the system only when none of its pools has a block in use; the last lines
/// tell how few blocks keep how many arenas. Larger blocks come from malloc.
///
/// Free-threaded builds have mimalloc instead: segments of 32 MiB, whose pages have blocks of one size.
/// Its heaps are shown by what they are for.
///
/// Examples:
///     info pymalloc                   pools and blocks by size, bytes by what they are for
///     info pymalloc --arenas          each arena, and what keeps it
///     info pymalloc --svg pools.svg   a picture of the arenas, each pool coloured by its filling
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoPymalloc {
    /// List the arenas, or the segments of mimalloc
    #[arg(short, long)]
    arenas: bool,
    /// Draw the arenas with their pools
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Run for InfoPymalloc {
    const NAME: &'static str = "info pymalloc";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let python = session.python()?.clone();
        let mut view = Allocators::of(&python, self.arenas);
        if let Some(file) = self.svg {
            let Some(text) = picture::of(&view) else {
                bail!("pymalloc has no arenas that could be drawn");
            };
            std::fs::write(&file, text)
                .with_context(|| format!("cannot write {}", file.display()))?;
            view.written = Some(file.display().to_string());
        }
        Ok(Box::new(view))
    }
}
