//! Real cores, packed by the programs that people pack them with, give the stacks of the truth.

use crate::harness::{Failures, Fixture, Pydbg, interpreters};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// How cores get packed: the name of the file, and the command.
const WAYS: &[(&str, &str)] = &[
    ("core.zst", "zstd -q -o core.zst core"),
    ("long.zst", "zstd -q -19 --long=27 -T2 -o long.zst core"),
    ("pipe.zst", "cat core | zstd -q -c > pipe.zst"),
    ("core.lz4", "lz4 -q core core.lz4"),
    ("linked.lz4", "lz4 -q -9 -BD -B4 core linked.lz4"),
    ("core.gz", "gzip -c core > core.gz"),
    ("core.xz", "xz -1 -c core > core.xz"),
    (
        "blocks.xz",
        "xz -1 -T2 --block-size=1MiB -C sha256 -c core > blocks.xz",
    ),
    // Packed in pieces, as a copy over a poor line is.
    (
        "pieces.gz",
        "head -c 1000000 core | gzip -c > pieces.gz; tail -c +1000001 core | gzip -c >> pieces.gz",
    ),
    ("a core", "zstd -q -c core > 'a core'"),
];

fn run(folder: &Path, script: &str) {
    let status = Command::new("sh")
        .args(["-ec", script])
        .current_dir(folder)
        .stdin(Stdio::null())
        .status()
        .expect("sh");
    assert!(
        status.success(),
        "{script:?} failed: apt-get install zstd lz4 gzip xz-utils"
    );
}

fn stacks(core: &Path) -> Result<Value, String> {
    Pydbg::core(core, &[], "py-bt all")
}

/// A limit on the size of files is told, instead of pydbg ending by SIGXFSZ.
fn limited(core: &Path) -> Result<(), String> {
    let output = Command::new("sh")
        .args([
            "-c",
            "ulimit -f 1000; exec \"$@\"",
            "sh",
            env!("CARGO_BIN_EXE_pydbg"),
        ])
        .arg(core)
        .args(["--batch", "-nx"])
        .stdin(Stdio::null())
        .output()
        .expect("sh");
    let told = String::from_utf8_lossy(&output.stderr);
    match output.status.code() == Some(4) && told.contains("that `ulimit -f` allows") {
        true => Ok(()),
        false => Err(format!("{:?}: {told}", output.status)),
    }
}

fn core_of(fixture: &mut Fixture) -> PathBuf {
    let core = fixture.kernel_core();
    let path = fixture.dir().join("core");
    if core != path {
        std::fs::rename(core, &path).expect("rename");
    }
    path
}

#[test]
fn packed_cores_give_the_stacks_of_the_truth() {
    let interpreter = interpreters()
        .iter()
        .find(|i| !i.is_chroot() && !i.has("nogil") && (3, 8) <= i.version && i.version < (3, 14))
        .expect("an interpreter of the machine itself");
    let mut fixture = Fixture::start(interpreter, "threads", &[]);
    let core = core_of(&mut fixture);
    let mut failures = Failures::default();
    let plain = stacks(&core).expect("the core itself");
    for (name, command) in WAYS {
        run(fixture.dir(), command);
        let packed = fixture.dir().join(name);
        let result = stacks(&packed).and_then(|answer| {
            fixture.truth.compare(&answer["data"])?;
            let notes = answer["notes"].to_string();
            match notes.contains("unpacked ") {
                true => Ok(()),
                false => Err(format!("nothing is said of unpacking: {notes}")),
            }
        });
        failures.check(name, result);
        std::fs::remove_file(packed).expect("remove");
    }
    run(fixture.dir(), "zstd -q core");
    failures.check("ulimit -f", limited(&fixture.dir().join("core.zst")));
    failures.finish();
    assert!(plain["data"]["threads"].is_array());
}
