//! Objects and types as a user names them.

use crate::cli::Session;
use crate::cli::render::address;
use anyhow::bail;
use pydbg::expr::did_you_mean;
use pydbg::heap::{Heap, Named, TypeMatch};
use std::sync::Arc;

/// The heap, and the id of the object at an address.
pub fn object(session: &mut Session, text: &str) -> anyhow::Result<(Arc<Heap>, u32)> {
    let address = address::evaluate(session, text)?;
    let heap = session.heap()?;
    let id = heap.object_at(address)?;
    Ok((heap, id))
}

/// The most lines that are wanted, where 0 stands for all.
pub fn most(count: usize) -> usize {
    match count {
        0 => usize::MAX,
        count => count,
    }
}

/// The types of a name.
pub fn types(heap: &Heap, name: &str) -> anyhow::Result<Named> {
    const MOST_NAMES: usize = 10;
    match heap.types_named(name) {
        TypeMatch::Found(types) => Ok(types),
        TypeMatch::Ambiguous(names) => {
            let some: Vec<&str> = names.iter().take(MOST_NAMES).map(|name| &**name).collect();
            let more = names.len().saturating_sub(some.len());
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            bail!(
                "Several types are called \"{name}\": {}{more}.",
                some.join(", ")
            )
        }
        TypeMatch::Unknown(names) => {
            let last = |name: &Arc<str>| name.rsplit('.').next().map(str::to_owned);
            let full = did_you_mean(name, names.iter().map(|name| name.to_string()));
            let hint = full.or_else(|| did_you_mean(name, names.iter().filter_map(last)));
            let hint = hint
                .unwrap_or_else(|| "\"heap --by type\" lists the types of all objects.".to_owned());
            bail!("There is no type \"{name}\". {hint}")
        }
    }
}

/// Names of types that begin with a word, where the objects are known already: nobody waits for
/// completion.
pub fn complete(session: &Session, word: &str) -> Vec<String> {
    let (Some(heap), Ok(python)) = (&session.inferior.heap, session.python()) else {
        return Vec::new();
    };
    if !Arc::ptr_eq(&heap.python, python) {
        return Vec::new();
    }
    let names = heap.types().into_keys();
    let fits = names.filter(|name| name.starts_with(word));
    fits.map(|name| name.to_string()).collect()
}
