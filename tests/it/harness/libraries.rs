//! The C and C++ halves of fixtures, compiled once and kept in Cargo's folder for tests.

use super::fixtures;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

/// Lays a shared library of `NAME.c` or `NAME.cc`, if the fixture has one, beside it. A root folder
/// of its own may have no C++ library, so that is linked in.
pub(super) fn add(dir: &Path, name: &str) {
    let cpp: &[&str] = &["-static-libstdc++", "-static-libgcc"];
    for (suffix, compiler, options) in [("c", "cc", &[][..]), ("cc", "c++", cpp)] {
        let source = fixtures().join(format!("{name}.{suffix}"));
        if source.exists() {
            let library = compiled(&source, compiler, options);
            fs::copy(library, dir.join(format!("{name}.so"))).expect("copy");
        }
    }
}

/// The library of a source, compiled unless that has been done before: it takes longer than most
/// fixtures do, which are started hundreds of times.
fn compiled(source: &Path, compiler: &str, options: &[&str]) -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut hasher = DefaultHasher::new();
    (source, compiler, options).hash(&mut hasher);
    fs::read(source).expect("a source").hash(&mut hasher);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures");
    let library = folder.join(format!("{:016x}.so", hasher.finish()));
    if library.exists() {
        return library;
    }
    fs::create_dir_all(&folder).expect("a folder for libraries");
    // The rename keeps other test programs from seeing half of it.
    let unfinished = library.with_extension(std::process::id().to_string());
    let status = Command::new(compiler)
        .args(["-g", "-O0", "-fPIC", "-shared", "-pthread", "-o"])
        .arg(&unfinished)
        .arg(source)
        .args(options)
        .status();
    let status = status.unwrap_or_else(|_| panic!("{compiler} is not installed"));
    assert!(
        status.success(),
        "{compiler} failed on {}",
        source.display()
    );
    fs::rename(unfinished, &library).expect("rename");
    library
}
