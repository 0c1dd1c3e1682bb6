//! `dups`: objects with equal values, of which one would do.

use crate::cli::render::heap::duplicates::Duplicated;
use crate::cli::render::heap::named::{complete, most, types};
use crate::cli::render::heap::one::of_sizes;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::bail;

/// Show equal strings, bytes, numbers and tuples, and what they waste.
///
/// Objects have the same value if they are of one type and their bytes are equal: str, bytes (in
/// Python 2.7 str and unicode), int, float, and tuples whose items are the same objects or have the
/// same values. Only instances of these types themselves are compared, not those of subclasses.
///
/// For each value it is told how many objects have it, how large each is, and what all but one of
/// them take, as sys.getsizeof tells sizes; then the objects that refer to them, by kind, and what
/// keeps them alive.
///
/// Examples:
///     dups                       the values that waste most
///     dups --type str -n 50      more of them, only strings
///     dups --type tuple
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Dups {
    /// Only objects of this type
    #[arg(long = "type", value_name = "TYPE")]
    name: Option<String>,
    /// Show so many values; 0: all
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
}

impl Run for Dups {
    const NAME: &'static str = "dups";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let heap = session.heap()?;
        let wanted = self.name.as_deref().map(|name| types(&heap, name));
        let wanted = wanted.transpose()?;
        if let (Some(wanted), Some(name)) = (&wanted, &self.name)
            && !wanted.values().flatten().any(|ty| heap.is_compared(*ty))
        {
            bail!("The values of \"{name}\" are not compared; see \"help dups\".");
        }
        let found = heap.duplicates(wanted.as_ref(), most(self.n))?;
        Ok(of_sizes(&heap, Duplicated(found)))
    }

    fn complete(session: &Session, word: &str) -> Vec<String> {
        complete(session, word)
    }
}
