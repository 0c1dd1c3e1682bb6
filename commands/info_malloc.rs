//! `info malloc`: what the C library's allocator has, in use and free.

use crate::cli::render::malloc::Malloc;
use crate::cli::render::malloc::figures::FiguresView;
use crate::cli::{Class, Needs, Report, Run, Session};

/// Show what malloc has: in use, cached, free, and what could be given back.
///
/// glibc's arenas are read chunk by chunk. "Cached" is what threads keep for themselves (tcache),
/// "Fast" and "Bins" are lists of free chunks, "Top" is what is left at the end of an arena. "Trim" is
/// what malloc_trim(0) could give back, "Pinned" what is free below the highest block of the arena
/// that is still in use, so that the arena cannot shrink. Sizes include the headers of blocks.
///
/// If another library serves malloc, it is named.
///
/// Examples:
///     info malloc            all arenas
///     info malloc --sizes    and how many blocks there are of each size
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoMalloc {
    /// Also list blocks by size
    #[arg(long)]
    sizes: bool,
}

impl Run for InfoMalloc {
    const NAME: &'static str = "info malloc";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let (malloc, figures) = Malloc::of(session, |glibc, pieces| glibc.figures(pieces))?;
        Ok(Box::new(FiguresView {
            malloc,
            figures: figures.unwrap_or_default(),
            sizes: self.sizes,
        }))
    }
}
