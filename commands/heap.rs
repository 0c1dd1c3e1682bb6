//! `heap`: all Python objects in groups, as guppy partitions them, and what is in a group.

use crate::cli::render::heap::browse::Browsing;
use crate::cli::render::heap::list::ListView;
use crate::cli::render::heap::partition::PartitionView;
use crate::cli::render::heap::treemap::Treemap;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::{Context, anyhow, bail};
use pydbg::heap::partition::By;
use std::path::PathBuf;
use std::sync::Arc;

/// Show all Python objects in groups, the largest first, as guppy does.
///
/// Without options the groups are kinds: the class of the objects; dictionaries that hold the
/// attributes of instances, modules or classes are a kind of their own, "dict of CLASS". Sizes are
/// those of sys.getsizeof. With a ROW of the table shown last, the objects of that row are listed
/// by their size, or put into groups again with --by.
///
/// --by takes:
///     kind         as without it
///     type         the class
///     module       the module of the class
///     size         the size of the single object
///     owner        the nearest module, frame or other root that alone keeps the object alive
///     interpreter  in whose lists of the garbage collector it is
///     generation   in which of these lists it is
///     alloc        the allocator its memory is from
///
/// Sizes lack what allocators add, attributes that lie apart, and mapped memory. With --blocks there
/// are two more columns: what allocators have set aside for the objects and their tables, and the
/// bytes of their buffers (bytearray, array, mmap, io, ctypes, numpy where it owns the data).
///
/// Examples:
///     heap                   the ten largest kinds
///     heap --more            the next ten
///     heap -n 50             the 50 largest kinds
///     heap 2                 the objects of row 2, the largest first
///     heap 2 --by owner      who keeps the objects of row 2 alive
///     heap --by module       all objects by the module of their class
///     heap --blocks          with what the allocators set aside
///     heap --treemap a.svg   a picture of who keeps how many bytes alive
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Heap {
    /// What makes a group: kind, type, module, size, owner, interpreter, generation or alloc
    #[arg(long, value_name = "KEY", value_parser = parse_by)]
    by: Option<By>,
    /// Show so many rows
    #[arg(short = 'n', value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Show the next rows of the table shown last
    #[arg(short, long, conflicts_with_all = ["by", "row"])]
    more: bool,
    /// Show what allocators set aside for the objects, and the bytes of their buffers
    #[arg(long, conflicts_with = "more")]
    blocks: bool,
    /// Write a picture of all bytes by what keeps them alive
    #[arg(long, value_name = "FILE", conflicts_with_all = ["by", "row", "more", "count"])]
    treemap: Option<PathBuf>,
    /// A row of the partition shown last
    #[arg(value_name = "ROW")]
    row: Option<usize>,
}

fn parse_by(text: &str) -> anyhow::Result<By> {
    let fits = By::ALL.into_iter().filter(|by| by.name().starts_with(text));
    match fits.collect::<Vec<By>>().as_slice() {
        [by] => Ok(*by),
        _ => {
            let names = By::ALL.map(By::name);
            Err(anyhow!("try one of {}", names.join(", ")))
        }
    }
}

impl Run for Heap {
    const NAME: &'static str = "heap";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        if let Some(file) = &self.treemap {
            return Ok(Box::new(Treemap::write(&*session.heap()?, file)?));
        }
        let mut browsing = match (self.more, self.row, self.by) {
            (true, ..) => session
                .browsing()
                .cloned()
                .context("no table was shown yet whose next rows could follow; try \"heap\"")?,
            (false, None, None | Some(By::Kind)) if !self.blocks => {
                let python = Arc::clone(session.python()?);
                Browsing::counted(&python)
            }
            (false, None, by) => {
                let by = by.unwrap_or(By::Kind);
                Browsing::grouped(&*session.heap()?, by)
            }
            (false, Some(_), None) if self.blocks => {
                bail!("--blocks is for groups; add --by, such as --by type")
            }
            (false, Some(row), by) => {
                let before = match session.browsing() {
                    Some(shown) => shown.clone(),
                    None => Browsing::counted(&Arc::clone(session.python()?)),
                };
                // A wrong number is told before the graph is made.
                before.row(row)?;
                let heap = session.heap()?;
                match by {
                    Some(by) => before.within(&heap, row, by)?,
                    None => before.list(&heap, row)?,
                }
            }
        };
        if self.blocks {
            browsing.measure(&*session.heap()?);
        }
        let is_list = browsing.listing.is_some();
        let count = self.count.and_then(|count| usize::try_from(count).ok());
        // Programs want it all, but for values, which take time.
        let whole = session.json && !self.more && !is_list;
        let rows = browsing.page(count.or(whole.then_some(usize::MAX)));
        if self.more && rows.is_empty() {
            bail!("all rows were shown");
        }
        session.inferior.browsing = Some(browsing.clone());
        if is_list {
            let heap = session.heap()?;
            return Ok(Box::new(ListView::of(session, &heap, browsing, rows)));
        }
        Ok(Box::new(PartitionView { browsing, rows }))
    }

    fn complete_after(_session: &Session, before: &str, word: &str) -> Vec<String> {
        if !before.trim_end().ends_with("--by") {
            return Vec::new();
        }
        let names = By::ALL.map(By::name).into_iter();
        let fits = names.filter(|name| name.starts_with(word));
        fits.map(str::to_owned).collect()
    }
}
