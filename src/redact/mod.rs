//! Takes the data out of a core that is being written: the contents of strings, their copies, what
//! was given back to allocators, arguments and environment. What is program text stays, so that
//! tracebacks read as before (see `names.rs`), and so do lengths, hashes, numbers and the shape of
//! everything. Of what C code of extensions keeps in memory of its own only text is found (see `sweep.rs`).

mod blanks;
mod bounds;
mod environment;
mod memory;
mod names;
mod spared;
mod stacks;
mod streams;
mod sweep;
mod texts;
mod unowned;

use crate::diag::Notes;
use crate::dump::Blanked;
use crate::heap::Heap;
use crate::heap::pieces::Pieces;
use crate::target::Options;
use bounds::Bounds;
use environment::Environment;
use memory::Memory;
use stacks::Stacks;
use std::fs::File;
use texts::Texts;
use unowned::Unowned;

/// What may remain of a process's data when all went well, in one line.
pub const REMAINS: &str = "names in the program, numbers, data of C extensions that is no text of 16 bytes \
                           or more, general registers, mapped files, names of open files";

/// Blanks the data in a core file, which is whole and open for reading and writing. An error says why
/// that cannot be done; then nothing was changed, or the file cannot be written.
pub fn redact(file: &File, options: &Options) -> Result<Blanked, String> {
    let why = |error: &dyn std::fmt::Display| format!("the core cannot be redacted: {error}");
    let heap = Heap::of_core(file, options).map_err(|error| why(&error))?;
    let process = &heap.python.process;
    let target = &process.target;
    let pieces = Pieces::new(&*target.memory, &target.mappings);
    let environment = Environment::of(process);
    let memory = Memory::of(&heap, &pieces);
    let kept = names::kept(&heap);
    let mut wanted = texts::of_objects(&heap, &pieces, &kept);
    wanted.extend(environment.wanted());
    wanted.extend(streams::wanted(process));
    let bounds = Bounds::new(wanted);
    let texts = Texts::new(&heap, &pieces);
    let in_c = spared::names_in_c(&heap);
    let mut ranges = spared::ranges(&heap, &texts, &kept, &in_c);
    ranges.extend(environment.path());
    let unowned = Unowned::new(&heap, &texts, &pieces, &environment, in_c, &kept);
    let swept = memory.sweep(&bounds, &unowned);
    let stacks = Stacks::of(process);
    let mut runs = swept.runs;
    let mut sums = bounds.cut(|wanted| memory.loose(wanted), &mut runs);
    sums.strings.merge(swept.strings);
    sums.texts.merge(swept.texts);
    runs.extend(stacks.runs);
    // What is blanked anyway is not counted again.
    ranges.extend(runs.iter().map(|run| run.start..run.end));
    let loose = sweep::sweep(process, &pieces, ranges);
    runs.extend(loose.runs);
    if process.cancel.is_cancelled() {
        return Err(why(&"interrupted"));
    }
    blanks::write(file, target.dumped(), runs).map_err(|error| why(&error))?;
    let notes = Notes::default();
    say(&notes, &memory, sums.left, stacks.unknown);
    Ok(Blanked {
        strings: sums.strings,
        buffers: sums.buffers,
        texts: sums.texts,
        loose: loose.sum,
        free: swept.free,
        stacks: stacks.sum,
        left: sums.left,
        notes: notes.all(),
    })
}

/// Says what was left as it is beside what always is.
fn say(notes: &Notes, memory: &Memory<'_, '_>, left: u64, stacks: usize) {
    for problem in memory.problems() {
        notes.partial(format!("not all may be blanked: {problem}"));
    }
    if left > 0 {
        notes.partial(format!(
            "{left} strings and buffers were left as they are, because nothing tells where they end"
        ));
    }
    if stacks > 0 {
        notes.partial(format!(
            "what finished calls left on the stacks of {stacks} threads stays, because nothing tells \
             where these stacks begin"
        ));
    }
}
