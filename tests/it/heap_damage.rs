//! Cores whose heaps are damaged: links of the collector, headers of pools, tables of dictionaries,
//! types. No panic, no hang, nothing invented, and what is whole is counted.

use crate::harness::corefile::CoreFile;
use crate::harness::{Failures, Fixture, Interpreter, interpreters};
use pydbg::Addr;
use pydbg::diag::Cancel;
use pydbg::heap::pieces::Pieces;
use pydbg::heap::{Census, Heap, tracked};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::synth_random::Random;
use pydbg::target::{self, Options};
use std::fs::OpenOptions;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;

/// Damages of each kind for one interpreter; times four kinds and fifteen interpreters.
const EACH: usize = 4;

/// Words that one damage overwrites.
const WORDS: usize = 8;

fn python(core: &Path, options: &Options) -> Result<Arc<Python>, String> {
    let target = target::core::open(core, options).map_err(|error| error.to_string())?;
    let python = Python::find(Arc::new(Process::new(Arc::new(target))));
    python.map(Arc::new).map_err(|error| error.to_string())
}

/// Where damage of each kind goes, as addresses of words.
fn places(python: &Python) -> Vec<(&'static str, Vec<u64>)> {
    let target = &python.process.target;
    let pieces = Pieces::new(&*target.memory, &target.mappings);
    let (mut links, mut types, mut tables) = (Vec::new(), Vec::new(), Vec::new());
    let f = &python.layout.fields;
    tracked::each(python, &pieces, &Cancel::default(), &mut |object, _| {
        links.push(object.0 - u64::from(python.layout.kinds.gc_head).max(8));
        types.push(f.object.ob_type.of(object).0);
        let ty = python.objects.type_of(object);
        if let Some(keys) = f.dict.keys.filter(|_| ty.is_ok_and(|ty| ty.is_dict())) {
            tables.push(keys.of(object).0);
        }
    });
    let pools = links.iter().map(|at| at & !0xfff).collect();
    vec![
        ("links", links),
        ("types", types),
        ("keys", tables),
        ("pools", pools),
    ]
}

fn check(interpreter: &Interpreter, failures: &mut Failures) {
    let mut fixture = Fixture::start(interpreter, "referents", &[]);
    let core = fixture.kernel_core();
    let options = interpreter.options();
    let whole = python(&core, &options).expect("Python");
    let count = Census::of(&whole).count;
    let bytes = CoreFile::read(&core);
    let file = OpenOptions::new()
        .write(true)
        .open(&core)
        .expect("the core");
    let mut random = Random::new(0x5eed_0006);
    for (kind, places) in places(&whole) {
        for turn in 0..EACH * usize::from(!places.is_empty()) {
            let at = |_| {
                let address = places[random.below(places.len())];
                bytes.place(address).map(|at| (at, random.number()))
            };
            let damage: Vec<(usize, u64)> = (0..WORDS).filter_map(at).collect();
            for (at, word) in &damage {
                file.write_all_at(&word.to_le_bytes(), *at as u64)
                    .expect("damage");
            }
            let what = format!("{} {kind} {turn}", interpreter.id);
            failures.check(&what, judge(&core, &options, count, turn == 0));
            for (at, _) in &damage {
                let old = &bytes.bytes[*at..at + 8];
                file.write_all_at(old, *at as u64).expect("mending");
            }
        }
    }
}

/// Whether most of the objects are still there, and not many more, in a count and in a graph.
fn judge(core: &Path, options: &Options, whole: u64, graph: bool) -> Result<(), String> {
    let python = python(core, options)?;
    let found = Census::of(&python).count;
    if found < whole / 2 || found > whole + whole / 50 {
        return Err(format!("{found} objects of {whole}"));
    }
    if graph {
        let heap = Heap::of(&python).map_err(|error| error.to_string())?;
        let reachable = heap.reachable().len();
        if u64::from(heap.count()) != found || reachable > found {
            return Err(format!("a graph of {} of {found}", heap.count()));
        }
        let sum = heap.retained.reachable() + heap.retained.unreachable();
        let sizes: u64 = (0..heap.count()).map(|id| heap.size(id)).sum();
        if sum != sizes {
            return Err(format!("{sum} bytes are retained of {sizes}"));
        }
        if heap.id(Addr(1)).is_some() {
            return Err("an object at 1".into());
        }
    }
    Ok(())
}

#[test]
fn damaged_heaps_are_counted_as_far_as_they_are_whole() {
    Failures::together(interpreters(), check).finish();
}
