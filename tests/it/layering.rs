//! Holds the order of the layers: a file may only use layers before its own.

use crate::harness::top;
use std::fs;
use std::path::{Path, PathBuf};

/// The engine's layers, lowest first.
const LAYERS: &[&[&str]] = &[
    &[
        "addr", "bytes", "calendar", "diag", "escape", "ranges", "sum",
    ],
    &["target"],
    &["dump", "image"],
    &["dwarf"],
    &["unwind"],
    &["native"],
    &["python"],
    &["expr", "heap", "sync"],
    &["descriptors", "memory"],
    &["families"],
    &["findings", "glance", "lean", "redact"],
];

/// Every Rust file below `folder`.
pub(crate) fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files
}

fn rank(layer: &str) -> Option<usize> {
    LAYERS.iter().position(|names| names.contains(&layer))
}

/// The layer names behind `crate::` in a file.
fn uses(text: &str) -> Vec<String> {
    text.match_indices("crate::")
        .map(|(at, found)| {
            let tail = &text[at + found.len()..];
            tail.chars()
                .take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        })
        .collect()
}

#[test]
fn layers_use_only_lower_layers() {
    let src = top().join("src");
    let mut seen = 0;
    for file in rust_files(&src) {
        let relative = file.strip_prefix(&src).expect("below src");
        let first = relative
            .iter()
            .next()
            .and_then(|p| p.to_str())
            .unwrap_or_default();
        let Some(own) = rank(first.trim_end_matches(".rs")) else {
            continue;
        };
        seen += 1;
        for layer in uses(&fs::read_to_string(&file).expect("readable")) {
            if let Some(other) = rank(&layer) {
                assert!(
                    other <= own,
                    "{} uses the higher layer {layer}",
                    relative.display()
                );
            }
        }
    }
    assert!(seen > 20, "only {seen} files of layers were found");
}

#[test]
fn commands_and_terminal_keep_apart() {
    for file in rust_files(&top().join("commands")) {
        let text = fs::read_to_string(&file).expect("readable");
        let others = text.contains("crate::commands") || text.contains("super::");
        assert!(
            !others || file.ends_with("mod.rs"),
            "{} uses another command",
            file.display()
        );
    }
    for file in rust_files(&top().join("src/cli")) {
        let text = fs::read_to_string(&file).expect("readable");
        assert!(
            !text.contains("crate::commands"),
            "{} uses a command",
            file.display()
        );
    }
}

#[test]
fn one_decoder_for_each_kind_of_file() {
    for file in rust_files(&top().join("src")) {
        let text = fs::read_to_string(&file).expect("readable");
        let path = file.display().to_string();
        assert!(
            !text.contains("goblin::") || path.contains("src/target/"),
            "goblin in {path}"
        );
    }
}
