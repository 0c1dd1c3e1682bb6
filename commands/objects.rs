//! `objects`: the instances of a type, those that fit a condition.

use crate::cli::render::heap::instances::{Filtered, InstancesView, Query, Sort};
use crate::cli::render::heap::named;
use crate::cli::{Class, Needs, Report, Run, Session};
use anyhow::anyhow;
use pydbg::diag::{Step, Unit};
use pydbg::expr::{self, Class as ErrorClass, Error, Evaluator, ObjectScope, Value};
use pydbg::heap::Heap;
use rayon::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// List the instances of a type, the largest first.
///
/// TYPE is the full name of a class (app.Account, dict), or its last part if only one class has it;
/// in a pattern, * stands for anything. Instances of subclasses are listed with --subclasses.
///
/// --where takes a condition in the language of py-print, in which "self" is the object; no code of
/// the target is run. An object for which the condition fails (because it lacks an attribute, say)
/// is left out, and a note tells how many there are.
///
/// --sort takes size (what sys.getsizeof tells), retained (what would be freed with the object) or
/// refs (how many references of other objects lead to it).
///
/// Examples:
///     objects app.Account
///     objects dict --where 'len(self) > 1000'
///     objects Account --where 'self.balance < 0' --sort retained
///     objects 'app.*Error' -n 50
///     objects BaseException --subclasses
#[derive(clap::Parser)]
#[command(verbatim_doc_comment)]
pub struct Objects {
    /// Only objects for which this expression is true
    #[arg(long = "where", value_name = "EXPR", allow_hyphen_values = true)]
    condition: Option<String>,
    /// What to sort by: size, retained or refs
    #[arg(
        long,
        value_name = "KEY",
        value_enum,
        default_value = "size",
        hide_possible_values = true
    )]
    sort: Sort,
    /// Show so many objects; 0: all
    #[arg(short = 'n', value_name = "COUNT", default_value_t = 20)]
    count: usize,
    /// Also the instances of subclasses
    #[arg(short, long)]
    subclasses: bool,
    /// The class
    #[arg(value_name = "TYPE")]
    name: String,
}

impl Run for Objects {
    const NAME: &'static str = "objects";
    const CLASS: Class = Class::Status;
    const NEEDS: Needs = Needs::Memory;

    fn run(self, session: &mut Session) -> anyhow::Result<Box<dyn Report>> {
        let python = Arc::clone(session.python()?);
        let two = python.layout.fields.instance.is_some();
        if let Some(condition) = &self.condition {
            // What is wrong with it for every object is told before all are looked at.
            expr::check(condition, two).map_err(|error| explained(condition, &error))?;
        }
        let heap = session.heap()?;
        let mut types = named::types(&heap, &self.name)?;
        if self.subclasses {
            heap.add_subclasses(&mut types);
        }
        let all = heap.instances(&types);
        let instances = all.len();
        let (fitting, filtered) = match &self.condition {
            None => (all, None),
            Some(condition) => {
                let (fitting, filtered) = filter(&heap, &session.inferior.values, condition, &all)?;
                (fitting, Some(filtered))
            }
        };
        let count = match self.count {
            0 => usize::MAX,
            count => count,
        };
        let query = Query {
            names: types.into_keys().collect(),
            instances,
            filtered,
            sort: self.sort,
            count,
        };
        Ok(Box::new(InstancesView::of(session, &heap, query, fitting)))
    }

    fn complete(session: &Session, word: &str) -> Vec<String> {
        named::complete(session, word)
    }
}

/// An error in the condition, with the place.
fn explained(condition: &str, error: &Error) -> anyhow::Error {
    let place = expr::carets(condition, error.span);
    anyhow!("{error}\n    {condition}\n    {place}")
}

/// The objects for which the condition is true.
fn filter(
    heap: &Heap,
    history: &[Value],
    condition: &str,
    all: &[u32],
) -> anyhow::Result<(Vec<u32>, Filtered)> {
    /// Objects that one task asks about.
    const BATCH: usize = 1024;
    let python = &*heap.python;
    let scope = ObjectScope::new(python);
    let progress = &python.process.target.files.options.progress;
    let cancel = &python.process.cancel;
    let done = AtomicU64::new(0);
    let total = Some(all.len() as u64);
    let parts: Result<Vec<(Vec<u32>, Filtered)>, Error> = all
        .par_chunks(BATCH)
        .map(|ids| {
            let mut filtered = Filtered::default();
            let mut fitting = Vec::new();
            for id in ids {
                if cancel.is_cancelled() {
                    filtered.stopped = true;
                    break;
                }
                let scope = scope.with(heap.address(*id));
                let evaluator = Evaluator::new(&python.objects, &scope, history);
                let answer = evaluator.evaluate(condition);
                match answer.and_then(|answer| evaluator.truth(&answer.value)) {
                    Ok(true) => fitting.push(*id),
                    Ok(false) => {}
                    // A name is bound for all objects or for none.
                    Err(error) if error.class == ErrorClass::NameError => return Err(error),
                    Err(error) => {
                        filtered.failed += 1;
                        filtered.unknown += u64::from(is_ours(&error));
                        let told = || format!("{error} (at {})", heap.address(*id));
                        filtered.first.get_or_insert_with(told);
                    }
                }
            }
            let asked = ids.len() as u64;
            progress.tell(&Step {
                what: "evaluating the condition",
                done: done.fetch_add(asked, Ordering::Relaxed) + asked,
                total,
                unit: Unit::Things("objects"),
            });
            Ok((fitting, filtered))
        })
        .collect();
    let parts = parts.map_err(|error| explained(condition, &error))?;
    let mut fitting = Vec::new();
    let mut filtered = Filtered {
        condition: condition.to_owned(),
        ..Filtered::default()
    };
    for (ids, part) in parts {
        fitting.extend(ids);
        filtered.failed += part.failed;
        filtered.unknown += part.unknown;
        filtered.first = filtered.first.or(part.first);
        filtered.stopped |= part.stopped;
    }
    Ok((fitting, filtered))
}

/// Whether Python itself might have had an answer.
fn is_ours(error: &Error) -> bool {
    matches!(
        error.class,
        ErrorClass::TooLarge | ErrorClass::NotRun | ErrorClass::Unreadable
    )
}
