//! The settings of `set` and `show`: one table, and the values of one session. Names and wording
//! are gdb's where gdb has the same setting.

use super::names::{Found, Names};
use std::collections::BTreeMap;

/// What values a setting takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// `on` or `off`.
    Bool,
    /// A number, or `unlimited`.
    Count,
    /// A number, `unlimited`, or `auto`: as the terminal has it.
    Size,
    /// Any text, such as a folder.
    Text,
}

/// One setting.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Its name; may be of several words.
    pub name: &'static str,
    /// What it takes.
    pub kind: Kind,
    /// Its value at the start.
    pub default: &'static str,
    /// What `show` says before the value.
    pub shown: &'static str,
    /// What `help set NAME` says: a short sentence, then more.
    pub help: &'static str,
}

/// Every setting, in alphabetical order.
pub const ALL: &[Setting] = &[
    Setting {
        name: "backtrace limit",
        kind: Kind::Count,
        default: "unlimited",
        shown: "An upper bound on the number of backtrace levels is",
        help: "The most frames a backtrace shows.\nThe count given to bt or py-bt takes precedence.",
    },
    Setting {
        name: "confirm",
        kind: Kind::Bool,
        default: "off",
        shown: "Whether to confirm potentially dangerous operations is",
        help: "Whether to ask before leaving a live target.\n\
               With on, quit and detach ask when a person sits at the prompt.",
    },
    Setting {
        name: "debug-file-directory",
        kind: Kind::Text,
        default: "",
        shown: "The folders where separate debug symbols are searched for first are",
        help: "Folders with separate debug files, separated by colons.\n\
               /usr/lib/debug is always tried. Takes effect when the next target is opened.",
    },
    Setting {
        name: "height",
        kind: Kind::Size,
        default: "auto",
        shown: "Number of lines pydbg thinks are in a page is",
        help: "Lines of a page; longer answers go through the pager.\n\
               auto takes it from the terminal; 0 or unlimited never pages.",
    },
    Setting {
        name: "history save",
        kind: Kind::Bool,
        default: "on",
        shown: "Saving of the history record on exit is",
        help: "Whether the lines typed at the prompt are kept for the next session.",
    },
    Setting {
        name: "history size",
        kind: Kind::Count,
        default: "1000",
        shown: "The size of the command history is",
        help: "How many lines of history are kept.",
    },
    Setting {
        name: "listsize",
        kind: Kind::Count,
        default: "10",
        shown: "Number of source lines pydbg will list by default is",
        help: "How many source lines py-list shows.",
    },
    Setting {
        name: "pagination",
        kind: Kind::Bool,
        default: "on",
        shown: "State of pagination is",
        help: "Whether answers longer than the terminal go through the pager.\n\
               The pager is $PAGER, else \"less -RFX\". Nothing is paged with --batch or when\n\
               the output is not a terminal.",
    },
    Setting {
        name: "print attributes",
        kind: Kind::Bool,
        default: "on",
        shown: "Printing of the attributes of objects is",
        help: "Whether an object without a repr of its own is printed with its attributes.\n\
               With off it is printed as Python's own repr would: <app.Account object at 0x...>.",
    },
    Setting {
        name: "print depth",
        kind: Kind::Count,
        default: "20",
        shown: "The deepest nesting of printed values is",
        help: "How deep values within values are printed; 0 or unlimited: as deep as they go.",
    },
    Setting {
        name: "print elements",
        kind: Kind::Count,
        default: "200",
        shown: "Limit on string chars or container elements to print is",
        help: "How many items of a container and characters of a string are printed.\n\
               0 or unlimited prints them all.",
    },
    Setting {
        name: "print repr-limit",
        kind: Kind::Count,
        default: "1024",
        shown: "Limit on the length of a printed value is",
        help: "How many characters of one value are printed in lists of variables.\n\
               0 or unlimited prints them all.",
    },
    Setting {
        name: "source-root",
        kind: Kind::Text,
        default: "",
        shown: "The folder under which Python sources are looked for first is",
        help: "A folder under which the target's Python source files are looked for first.\n\
               Useful when the core comes from another machine or a container.",
    },
    Setting {
        name: "style enabled",
        kind: Kind::Bool,
        default: "on",
        shown: "CLI output styling is",
        help: "Whether pydbg colours its output.\n\
               on follows NO_COLOR, CLICOLOR_FORCE and whether the output is a terminal.",
    },
    Setting {
        name: "sysroot",
        kind: Kind::Text,
        default: "",
        shown: "The current system root is",
        help: "A folder under which the target's files are looked for first.\n\
               Takes effect when the next target is opened.",
    },
    Setting {
        name: "width",
        kind: Kind::Size,
        default: "auto",
        shown: "Number of characters pydbg thinks are in a line is",
        help: "Columns of the terminal; tables are wrapped to it.\n\
               auto takes it from the terminal; 0 or unlimited never wraps.",
    },
];

/// The names of all settings; an entry is an index into [`ALL`].
pub fn names() -> Names {
    let mut names = Names::new();
    for (entry, setting) in ALL.iter().enumerate() {
        names.add(setting.name, entry);
    }
    names
}

/// The settings whose names begin with the words `group`; all for an empty one.
pub fn below(group: &str) -> Vec<&'static Setting> {
    let group: Vec<&str> = group.split_whitespace().collect();
    ALL.iter()
        .filter(|setting| {
            let words: Vec<&str> = setting.name.split_whitespace().collect();
            words.starts_with(&group)
        })
        .collect()
}

/// The words that may follow `before` behind `set` or `show`: of names, or (`with_values`) of
/// values.
pub fn complete(before: &str, word: &str, with_values: bool) -> Vec<String> {
    let names = names();
    let words: Vec<&str> = match names.find(before) {
        Ok(Found::Group(group)) => names.words_after(&group, word),
        Ok(Found::Entry { entry, .. }) if with_values => match ALL.get(entry).map(|s| s.kind) {
            Some(Kind::Bool) => vec!["on", "off"],
            Some(Kind::Count) => vec!["unlimited"],
            Some(Kind::Size) => vec!["auto", "unlimited"],
            Some(Kind::Text) => return super::complete::files(word),
            None => Vec::new(),
        },
        Ok(Found::Entry { .. }) | Err(_) => Vec::new(),
    };
    words.into_iter().map(str::to_owned).collect()
}

/// The setting called exactly `name`.
pub fn find(name: &str) -> Option<&'static Setting> {
    ALL.iter().find(|setting| setting.name == name)
}

impl Setting {
    /// What `show NAME` says.
    pub fn sentence(&self, value: &str) -> String {
        match self.kind {
            Kind::Text => format!("{} \"{value}\".", self.shown),
            Kind::Bool | Kind::Count | Kind::Size => format!("{} {value}.", self.shown),
        }
    }

    /// `value` as it is kept, or gdb's words for what is wrong with it.
    fn check(&self, value: &str) -> Result<String, String> {
        match self.kind {
            Kind::Text => Ok(value.to_owned()),
            Kind::Bool => match value {
                "on" | "1" | "yes" | "enable" | "" => Ok("on".into()),
                "off" | "0" | "no" | "disable" => Ok("off".into()),
                _ => Err("\"on\" or \"off\" expected.".into()),
            },
            Kind::Size if value == "auto" => Ok("auto".into()),
            Kind::Count | Kind::Size => match value.parse::<usize>() {
                Ok(0) => Ok("unlimited".into()),
                Ok(count) => Ok(count.to_string()),
                Err(_) if !value.is_empty() && "unlimited".starts_with(value) => {
                    Ok("unlimited".into())
                }
                Err(_) if value.is_empty() => {
                    Err("Argument required (integer to set it to, or \"unlimited\").".into())
                }
                Err(_) => Err(format!("\"{value}\" is not a number or \"unlimited\".")),
            },
        }
    }
}

/// The values of one session: those that differ from the defaults.
#[derive(Clone, Default, Debug)]
pub struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    /// The value as text; empty for a name that is not in the table.
    pub fn get(&self, name: &str) -> &str {
        match self.0.get(name) {
            Some(value) => value,
            None => find(name).map_or("", |setting| setting.default),
        }
    }

    /// Whether a setting of kind [`Kind::Bool`] is on.
    pub fn get_bool(&self, name: &str) -> bool {
        self.get(name) == "on"
    }

    /// The number of a setting; `None` when it is unlimited or automatic.
    pub fn get_count(&self, name: &str) -> Option<usize> {
        self.get(name).parse().ok()
    }

    /// A setting that holds text, unless it is empty.
    pub fn get_text(&self, name: &str) -> Option<&str> {
        Some(self.get(name)).filter(|value| !value.is_empty())
    }

    /// Sets the setting called exactly `name`; the error says what it takes.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), String> {
        let setting = find(name).ok_or_else(|| format!("there is no setting \"{name}\""))?;
        self.0.insert(setting.name, setting.check(value.trim())?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_is_sorted_and_its_defaults_are_valid() {
        assert!(ALL.windows(2).all(|pair| pair[0].name < pair[1].name));
        for setting in ALL {
            let kept = setting.check(setting.default);
            assert_eq!(kept.as_deref(), Ok(setting.default), "{}", setting.name);
            let sentence = setting.help.lines().next().unwrap_or_default();
            assert!(
                sentence.len() <= 80 && sentence.ends_with('.'),
                "{}",
                setting.name
            );
        }
    }

    #[test]
    fn values_are_checked_and_read_back() {
        let mut settings = Settings::default();
        assert!(settings.get_bool("pagination"));
        assert_eq!(settings.set("pagination", "no"), Ok(()));
        assert!(!settings.get_bool("pagination"));
        assert_eq!(
            settings.set("pagination", "maybe"),
            Err("\"on\" or \"off\" expected.".to_owned())
        );
        assert_eq!(settings.set("width", "0"), Ok(()));
        assert_eq!(settings.get("width"), "unlimited");
        assert_eq!(settings.get_count("width"), None);
        assert_eq!(settings.set("width", "80"), Ok(()));
        assert_eq!(settings.get_count("width"), Some(80));
        assert!(settings.set("width", "x").is_err());
        assert!(settings.set("nosuch", "x").is_err());
        assert_eq!(settings.get_text("sysroot"), None);
    }
}
