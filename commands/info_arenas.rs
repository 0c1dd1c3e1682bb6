//! `info arenas`: the memory of glibc's arenas, run by run.

use crate::cli::render::malloc::arenas::ArenasView;
use crate::cli::render::malloc::{Malloc, picture};
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::{Context, bail};
use std::path::PathBuf;

/// Cells of the picture.
const CELLS: u64 = 16 << 10;

/// Show the memory of malloc's arenas: where it is, how full, and what pins it.
///
/// Each arena of glibc's malloc has one or several runs of memory. Of arenas that are mostly free
/// the blocks nearest to the end are shown, which keep the memory below from being given back.
///
/// Examples:
///     info arenas
///     info arenas --svg arenas.svg    the memory as a picture, page by page
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct InfoArenas {
    /// Write a picture of the memory
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
}

impl Run for InfoArenas {
    const NAME: &'static str = "info arenas";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let (malloc, made) = Malloc::of(session, |glibc, pieces| {
            (glibc.map(pieces, CELLS), glibc.figures(pieces))
        })?;
        let Some((map, figures)) = made else {
            bail!("No arena of glibc's malloc was found; see \"info malloc\".");
        };
        let mut written = None;
        if let Some(file) = &self.svg {
            let (text, left_out) = picture::svg(&map, &figures);
            if left_out > 0 {
                let text = format!("{left_out} runs of memory are not in the picture");
                session.process()?.target.notes.partial(text);
            }
            std::fs::write(file, text)
                .with_context(|| format!("cannot write {}", file.display()))?;
            written = Some(file.display().to_string());
        }
        Ok(Box::new(ArenasView {
            malloc,
            map,
            figures,
            written,
        }))
    }
}
