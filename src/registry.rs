//! What every command of the registry must keep to.

use crate::cli::{Session, help, line};
use crate::commands::ALL;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

#[test]
fn commands_are_sorted_and_each_name_is_given_once() {
    assert!(ALL.windows(2).all(|pair| pair[0].name < pair[1].name));
    let mut names = BTreeSet::new();
    for command in ALL {
        for name in command.aliases.iter().chain([&command.name]) {
            assert!(names.insert(*name), "{name} is given twice");
            let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ' ');
            assert!(name.chars().all(valid), "{name}");
            assert_eq!(name.split(' ').collect::<Vec<_>>().join(" "), *name);
        }
    }
}

#[test]
fn every_file_is_registered() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("commands");
    let registry = fs::read_to_string(folder.join("mod.rs")).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let used = format!("Command::of::<{stem}::");
        assert!(
            stem == "mod" || registry.contains(&used),
            "{stem}.rs is not registered"
        );
    }
}

#[test]
fn every_command_explains_itself() {
    for command in ALL {
        (command.clap)().debug_assert();
        let name = command.name;
        let summary = command.summary();
        assert!(
            !summary.is_empty() && summary.len() <= 80,
            "{name}: {summary}"
        );
        assert!(
            !summary.ends_with('.') && !summary.contains('\n'),
            "{name}: {summary}"
        );
        let help = help::long_help(command);
        let (_, examples) = help.split_once("\nExamples:\n").unwrap_or_else(|| {
            panic!("{name} has no section of examples, or no verbatim_doc_comment")
        });
        assert!(
            examples.lines().all(|line| line.starts_with("    ")),
            "{name}: examples are indented by four spaces, and come last"
        );
        let definition = (command.clap)();
        for argument in definition.get_arguments() {
            assert!(
                argument.get_help().is_some(),
                "{name} {}",
                argument.get_id()
            );
        }
    }
}

#[test]
fn examples_are_commands_of_their_own_kind() {
    let session = Session::new(ALL);
    for command in ALL {
        let help = help::long_help(command);
        let examples = help
            .split_once("\nExamples:\n")
            .map_or("", |(_, lines)| lines);
        for line in examples.lines() {
            let example = line.trim().split("    ").next().unwrap_or("").trim();
            let text = line::split_pipe(example).0;
            assert!(
                text.starts_with('!') || session.parse(text).is_ok(),
                "{}: {example} is no command",
                command.name
            );
        }
    }
}
