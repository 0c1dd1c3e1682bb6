//! gdb's way of writing options, `-ex CMD`, in clap's way, `--ex=CMD`. Joining an option with its
//! value keeps values that begin with a dash whole.

use std::ffi::{OsStr, OsString};

/// Long options that gdb writes with one dash and that take a value: gdb's name, ours.
const WITH_VALUE: &[(&str, &str)] = &[
    ("ex", "ex"),
    ("eval-command", "ex"),
    ("x", "command"),
    ("command", "command"),
    ("p", "pid"),
    ("pid", "pid"),
    ("c", "core"),
    ("core", "core"),
    ("e", "exe"),
    ("exe", "exe"),
    ("exec", "exe"),
    ("sysroot", "sysroot"),
    ("debug-dir", "debug-dir"),
];

/// Those that take none.
const FLAGS: &[(&str, &str)] = &[
    ("batch", "batch"),
    ("q", "quiet"),
    ("quiet", "quiet"),
    ("silent", "quiet"),
    ("n", "nx"),
    ("nx", "nx"),
    ("json", "json"),
    ("no-stop", "no-stop"),
    ("tree", "tree"),
    ("version", "version"),
    ("v", "version"),
];

/// `argv` (with the program's name first) with every option as `--name` or `--name=value`.
pub fn normalize(argv: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut argv = argv.into_iter();
    let mut out: Vec<OsString> = argv.next().into_iter().collect();
    while let Some(word) = argv.next() {
        if word == "--" {
            out.push(word);
            out.extend(argv);
            break;
        }
        let Some(option) = word.to_str().and_then(|text| text.strip_prefix('-')) else {
            out.push(word);
            continue;
        };
        let option = option.strip_prefix('-').unwrap_or(option);
        if matches!(option, "help" | "h") {
            // clap's short form: one line for each option.
            out.push("-h".into());
            continue;
        }
        if let Some(name) = ours(FLAGS, option) {
            out.push(format!("--{name}").into());
            continue;
        }
        match option.split_once('=') {
            Some((name, value)) => match ours(WITH_VALUE, name) {
                Some(name) => out.push(joined(name, OsStr::new(value))),
                None => out.push(word),
            },
            None => match (ours(WITH_VALUE, option), option.strip_prefix('p')) {
                (Some(name), _) => match argv.next() {
                    Some(value) => out.push(joined(name, &value)),
                    // clap says what is missing.
                    None => out.push(format!("--{name}").into()),
                },
                (None, Some(pid)) if pid.parse::<u32>().is_ok() => {
                    out.push(joined("pid", OsStr::new(pid)));
                }
                (None, _) => out.push(word),
            },
        }
    }
    out
}

fn ours(table: &[(&str, &'static str)], name: &str) -> Option<&'static str> {
    let entry = table.iter().find(|(theirs, _)| *theirs == name)?;
    Some(entry.1)
}

fn joined(name: &str, value: &OsStr) -> OsString {
    let mut word = OsString::from(format!("--{name}="));
    word.push(value);
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normalized(words: &[&str]) -> Vec<String> {
        let argv = std::iter::once("pydbg").chain(words.iter().copied());
        normalize(argv.map(OsString::from))
            .into_iter()
            .skip(1)
            .map(|word| word.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn gdbs_options_become_claps() {
        assert_eq!(
            normalized(&["-q", "-batch", "-ex", "bt -5", "-nx", "core.1"]),
            ["--quiet", "--batch", "--ex=bt -5", "--nx", "core.1"]
        );
        assert_eq!(normalized(&["-ex", "-nx"]), ["--ex=-nx"]);
        assert_eq!(normalized(&["--ex=bt"]), ["--ex=bt"]);
        assert_eq!(
            normalized(&["-ex=bt", "-x", "f"]),
            ["--ex=bt", "--command=f"]
        );
        assert_eq!(normalized(&["-p", "12"]), ["--pid=12"]);
        assert_eq!(normalized(&["-p12"]), ["--pid=12"]);
        assert_eq!(normalized(&["--", "-ex", "bt"]), ["--", "-ex", "bt"]);
        assert_eq!(normalized(&["-ex"]), ["--ex"]);
        assert_eq!(normalized(&["--nosuch", "-z"]), ["--nosuch", "-z"]);
    }
}
