//! Damaged and hostile input: a clear line or a partial answer, never a panic, a hang, unbounded
//! memory or a raw control character, and every frame that the damage left whole. The damages are
//! those of `docs/support.md`.

mod container;
mod cpython;
mod damage;
mod files;
mod native;
mod noise;
mod notes;
mod oracle;
mod run;
mod victim;

use crate::harness::{Failures, Fixture, interpreters};
use damage::{Copy, Damage};
use run::run;
use std::path::{Path, PathBuf};
use victim::{Thread, Victim};

impl Victim {
    /// The thread with the most frames.
    fn deepest(&self) -> &Thread {
        let deepest = self.threads.iter().max_by_key(|thread| thread.frames.len());
        deepest.expect("a thread")
    }
}

/// All damages of a kernel core.
fn damages(victim: &Victim, fifo: &Path) -> Vec<Damage> {
    let mut list = container::elf_header(victim);
    list.extend(container::program_headers(victim));
    list.extend(notes::all(victim, fifo));
    list.extend(cpython::frames(victim));
    list.extend(cpython::threads(victim));
    list.extend(cpython::runtime(victim));
    list.extend(native::loader(victim));
    list.extend(native::headers(victim));
    list.extend(native::stacks(victim));
    list.extend(noise::all(victim));
    list.extend(container::cuts(victim));
    list
}

/// The commands of the second run, which may print anything but must end well.
const OTHERS: [&str; 8] = [
    "bt all",
    "signal",
    "whatis $sp",
    "whatis &_PyRuntime+64",
    "info threads",
    "info sharedlibrary",
    "py-list",
    "info layout",
];

/// Every damage on one interpreter; `turn` chooses the damages whose second run is made.
fn check(id: &str, turn: usize) {
    let Some(interpreter) = interpreters()
        .iter()
        .find(|interpreter| interpreter.id == id)
    else {
        println!("{id} is not there");
        return;
    };
    let mut fixture = Fixture::start(interpreter, "many_threads", &["6", "12"]);
    let core = fixture.kernel_core();
    let options = interpreter.sysroot().into_iter().map(str::to_owned);
    let victim = Victim::of(&core, options.collect());
    // Short, so that it fits over the names of files.
    let dir = tempfile::Builder::new()
        .prefix("f")
        .tempdir_in("/tmp")
        .expect("a folder");
    let fifo = dir.path().join("f");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("mkfifo");
    check_all(id, turn, &fixture, &victim, &damages(&victim, &fifo));
}

/// A core with all file pages, opened where the files are not: symbols and unwind tables are read
/// from the core itself, and damaged there.
#[test]
fn damaged_tables_in_memory() {
    let id = "pyenv-3.11";
    let Some(interpreter) = interpreters().iter().find(|i| i.id == id) else {
        println!("{id} is not there");
        return;
    };
    let mut fixture = Fixture::start(interpreter, "many_threads", &["3", "6"]);
    let filter = format!("/proc/{}/coredump_filter", fixture.pid());
    std::fs::write(filter, "0x7f").expect("the filter");
    let core = fixture.kernel_core();
    let nowhere = fixture.dir().join("nowhere").display().to_string();
    let victim = Victim::of(&core, vec!["--sysroot".to_owned(), nowhere]);
    check_all(id, 0, &fixture, &victim, &native::tables(&victim));
}

/// Holds pydbg against each damage; of every other one the second run is made too.
fn check_all(id: &str, turn: usize, fixture: &Fixture, victim: &Victim, list: &[Damage]) {
    let only = std::env::var("PYDBG_DAMAGE").unwrap_or_default();
    let copy = Copy::new(victim, fixture.dir().join("damaged"));
    let mut failures = Failures::default();
    let (mut kept, mut total) = (0, 0);
    for (index, damage) in list.iter().enumerate() {
        if !damage.name.contains(&only) {
            continue;
        }
        let result = copy.with(victim, damage, |path| {
            let mut args = vec!["core", path.to_str().expect("UTF-8")];
            args.extend(victim.options.iter().map(String::as_str));
            if index % 2 == turn % 2 {
                run(&args, &OTHERS)?;
            }
            args.push("--json");
            let counts = oracle::judge(victim, damage, &run(&args, &["py-bt all"])?);
            let counts = counts.inspect_err(|_| keep(victim, &format!("{id}-{index}"), path))?;
            kept += counts.kept;
            total += counts.total;
            Ok(())
        });
        failures.check(&format!("{id} {}", damage.name), result);
    }
    println!("{id}: {kept} of {total} frames kept");
    failures.finish();
}

/// Keeps a damaged core that was not read as it should be, and the whole one, in the folder that
/// PYDBG_KEEP names.
fn keep(victim: &Victim, name: &str, damaged: &Path) {
    if let Some(folder) = std::env::var_os("PYDBG_KEEP").map(PathBuf::from) {
        std::fs::copy(damaged, folder.join(format!("{name}.damaged"))).expect("kept");
        std::fs::write(folder.join(format!("{name}.whole")), &victim.core.bytes).expect("kept");
    }
}

macro_rules! damaged_cores {
    ($($name:ident $id:literal $turn:literal)*) => { $(#[test] fn $name() { check($id, $turn); })* };
}

damaged_cores! {
    damaged_cores_of_3_8 "pyenv-3.8" 0
    damaged_cores_of_3_10 "pyenv-3.10" 1
    damaged_cores_of_3_11 "pyenv-3.11" 0
    damaged_cores_of_3_13 "pyenv-3.13" 1
    damaged_cores_of_3_14 "sid-3.14" 0
}
