//! Objects of the heap in answers: one by its address, references, paths, owners.

pub mod dominators;
pub mod kept;
pub mod path;
pub mod referrers;

use super::address;
use crate::cli::{Out, Session, Style};
use pydbg::heap::{Heap, Thing};
use std::io;
use std::sync::Arc;

/// The heap, and the id of the object at an address as a user writes it.
pub fn object(session: &mut Session, text: &str) -> anyhow::Result<(Arc<Heap>, u32)> {
    let address = address::evaluate(session, text)?;
    let heap = session.heap()?;
    let id = heap.object_at(address)?;
    Ok((heap, id))
}

/// `dict at 0x7f…, 232 bytes: {'a': 1}`, without the end of the line.
pub fn thing(out: &mut Out<'_>, thing: &Thing) -> io::Result<()> {
    out.target(&thing.class)?;
    out.put(format_args!(" at "))?;
    out.styled(Style::Address, &thing.address.to_string())?;
    out.put(format_args!(", {} bytes: ", thing.size))?;
    out.target(&thing.repr)
}

/// `1 object`, `5 objects`.
pub fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}
