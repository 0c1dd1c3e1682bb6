//! `refcount-audit`: objects whose counts of references are wrong.

use crate::cli::render::address;
use crate::cli::render::heap::named::{complete, most, types};
use crate::cli::render::heap::one::{of_sizes, thing};
use crate::cli::{Class, Needs, Out, Report, Run, Session};
use anyhow::bail;
use pydbg::Addr;
use pydbg::diag::{Note, counted};
use pydbg::heap::{Heap, Thing};
use pydbg::memory::{Audit, Miscounted, MiscountedType, Verdict};
use serde_json::{Value, json};
use std::io;
use std::sync::Arc;

/// Find objects that count more or fewer references than there are.
///
/// An object that counts more than there are words in memory that are its address was leaked: some code
/// in C forgot a Py_DECREF, and the object is never freed. One that counts less than the references of
/// objects to it was given back once too often: it will be freed while it is in use, and the process
/// will crash. Objects that the collector tracks are looked at; those that are never freed are not.
///
/// With --all, objects are listed, too, that count more references than are known, where words in
/// memory may be the others: C code holds them, or they are leaked and old words are left.
///
/// Examples:
///     refcount-audit                 types whose objects are miscounted
///     refcount-audit app.Account     the miscounted objects of a type
///     refcount-audit 0x7f8d604a3f10  one object
///     refcount-audit --all           what is only not explained, too
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct RefcountAudit {
    /// A type, or the address of an object
    #[arg(value_name = "WHICH")]
    which: Option<String>,
    /// List what is only not explained, too
    #[arg(long)]
    all: bool,
    /// Show so many types or objects; 0: all
    #[arg(short, value_name = "N", default_value_t = 10)]
    n: usize,
}

impl Run for RefcountAudit {
    const NAME: &'static str = "refcount-audit";
    const CLASS: Class = Class::Python;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let which = self.which.as_deref();
        let is_address =
            |word: &&str| word.starts_with(|c: char| c.is_ascii_digit() || "$&".contains(c));
        let address = which.filter(is_address);
        let address = address
            .map(|text| address::evaluate(session, text))
            .transpose()?;
        let heap = session.heap()?;
        let wanted: Box<dyn Fn(Addr) -> bool> = match (which, address) {
            (_, Some(address)) => {
                heap.object_at(address)?;
                Box::new(move |at| at == address)
            }
            (Some(name), None) => {
                let named = types(&heap, name)?;
                let mut ids = heap.instances(&named);
                ids.sort_unstable();
                let heap = Arc::clone(&heap);
                Box::new(move |at| heap.id(at).is_some_and(|id| ids.binary_search(&id).is_ok()))
            }
            (None, None) => Box::new(|_| true),
        };
        let audit = Audit::of(&heap)?;
        let shown = |verdict| self.all || which.is_some() || verdict != Verdict::Unexplained;
        if which.is_some() {
            let mut rows = audit.all.iter().filter(|row| wanted(row.address)).copied();
            let objects: Vec<Miscounted> = rows.by_ref().take(most(self.n)).collect();
            if let (true, Some(address)) = (objects.is_empty(), address) {
                bail!("The count of the object at {address} is explained, or it is not looked at.");
            }
            let left_out = rows.count();
            return Ok(of_sizes(&heap, Objects::of(&heap, objects, left_out)));
        }
        let types: Vec<MiscountedType> = audit
            .types
            .iter()
            .filter(|ty| shown(ty.verdict))
            .cloned()
            .collect();
        let left_out = types.len().saturating_sub(most(self.n));
        let types = types.into_iter().take(most(self.n)).collect();
        Ok(of_sizes(
            &heap,
            Types {
                audit,
                types,
                left_out,
            },
        ))
    }

    fn complete(session: &Session, word: &str) -> Vec<String> {
        complete(session, word)
    }
}

/// A verdict in words.
fn words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::TooFew => "too few",
        Verdict::Leaked => "leaked",
        Verdict::Unexplained => "unexplained",
    }
}

/// The types whose objects are miscounted.
struct Types {
    audit: Audit,
    types: Vec<MiscountedType>,
    left_out: usize,
}

impl Report for Types {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        out.put(format_args!(
            "{} objects that the collector tracks were looked at.\n",
            self.audit.objects
        ))?;
        let found = &self.types;
        let has = |verdict| found.iter().any(|ty| ty.verdict == verdict);
        if !has(Verdict::TooFew) && !has(Verdict::Leaked) {
            out.put(format_args!(
                "None is known to be leaked or freed too early.\n"
            ))?;
        }
        if found.is_empty() {
            return Ok(());
        }
        out.put(format_args!(
            "{:>9} {:>11}  {:<11}  {:<18}  {}\n",
            "Objects", "Difference", "Counted", "Example", "Type"
        ))?;
        for ty in found {
            out.put(format_args!(
                "{:>9} {:>11}  {:<11}  {:<18}  ",
                ty.objects,
                ty.difference,
                words(ty.verdict),
                ty.example.to_string()
            ))?;
            out.target(&ty.name)?;
            out.end()?;
        }
        match self.left_out {
            0 => Ok(()),
            more => {
                let more = counted(more, "more type");
                out.put(format_args!("… {more} left out; see -n\n"))
            }
        }
    }

    fn json(&self) -> Value {
        json!({
            "objects": self.audit.objects,
            "uncounted": self.audit.uncounted,
            "types": self.types,
            "left_out": self.left_out,
        })
    }

    fn notes(&self) -> Vec<Note> {
        let text = format!(
            "{} objects were left out: they are never freed, or how they count is not known",
            self.audit.uncounted
        );
        (self.audit.uncounted > 0)
            .then(|| Note::info(text))
            .into_iter()
            .collect()
    }
}

/// Miscounted objects.
struct Objects {
    rows: Vec<(Miscounted, Thing)>,
    left_out: usize,
}

impl Objects {
    fn of(heap: &Heap, rows: Vec<Miscounted>, left_out: usize) -> Objects {
        let named = |row: Miscounted| Some((row, heap.thing(heap.id(row.address)?)));
        Objects {
            rows: rows.into_iter().filter_map(named).collect(),
            left_out,
        }
    }
}

impl Report for Objects {
    fn text(&self, out: &mut Out<'_>) -> io::Result<()> {
        if self.rows.is_empty() {
            return out.put(format_args!("The counts of all of them are explained.\n"));
        }
        for (row, object) in &self.rows {
            thing(out, object)?;
            out.end()?;
            out.put(format_args!(
                "  {}: counts {}, {} references are known",
                words(row.verdict),
                row.count,
                row.known
            ))?;
            match row.verdict {
                Verdict::TooFew => out.put(format_args!("\n"))?,
                _ => out.put(format_args!(", {} words may be references\n", row.words))?,
            }
        }
        match self.left_out {
            0 => Ok(()),
            more => {
                let more = counted(more, "more object");
                out.put(format_args!("… {more} left out; see -n\n"))
            }
        }
    }

    fn json(&self) -> Value {
        let row = |(row, object): &(Miscounted, Thing)| json!({ "counted": row, "object": object });
        let rows: Vec<Value> = self.rows.iter().map(row).collect();
        json!({ "objects": rows, "left_out": self.left_out })
    }
}
