//! The rules of the house that a machine can hold.

use crate::harness::top;
use crate::layering::rust_files;
use std::fs;

#[test]
fn files_are_small_and_say_what_they_know() {
    let mut wrong = Vec::new();
    for folder in ["src", "commands", "tests", "benches"] {
        let folder = top().join(folder);
        for file in if folder.is_dir() {
            rust_files(&folder)
        } else {
            Vec::new()
        } {
            let text = fs::read_to_string(&file).expect("readable");
            let lines = text.lines().count();
            if lines > 600 {
                wrong.push(format!("{}: {lines} lines, over 600", file.display()));
            }
            if !text.starts_with("//!") {
                wrong.push(format!("{}: no //! at the top", file.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn unsafe_code_says_why_it_is_sound() {
    for file in rust_files(&top().join("src")) {
        let text = fs::read_to_string(&file).expect("readable");
        let path = file.display().to_string();
        let blocks = text.matches("unsafe {").count() + text.matches("unsafe impl").count();
        assert!(
            text.matches("// SAFETY:").count() >= blocks,
            "{path}: unsafe without SAFETY"
        );
        let allowed = path.contains("src/target/") || path.contains("src/image/");
        assert!(
            blocks == 0 || allowed,
            "{path}: unsafe outside target/ and image/"
        );
    }
}

#[test]
fn the_engine_never_prints_or_exits() {
    for file in rust_files(&top().join("src")) {
        let path = file.display().to_string();
        if path.contains("src/cli") || path.ends_with("main.rs") {
            continue;
        }
        let text = fs::read_to_string(&file).expect("readable");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for word in ["println!(", "eprintln!(", "process::exit", "env::var"] {
            assert!(
                !code.contains(word) || path.contains("tests.rs"),
                "{path}: {word}"
            );
        }
    }
}
