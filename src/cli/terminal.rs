//! What the terminal is like: colours, columns, lines. The conventions are those of
//! no-color.org and bixense.com/clicolors.

use super::settings::Settings;
use std::io::IsTerminal;

/// What the output goes to.
#[derive(Clone, Copy, Debug)]
pub struct Terminal {
    /// Standard output is a terminal.
    pub output: bool,
    /// Standard input is a terminal.
    pub input: bool,
    /// Colours are wanted on standard output.
    pub colour: bool,
    /// Colours are wanted everywhere, also in pipes.
    pub colour_forced: bool,
}

impl Terminal {
    /// Looks at the environment and at the standard streams.
    pub fn detect() -> Terminal {
        let variable = |name: &str| std::env::var(name).ok();
        let output = std::io::stdout().is_terminal();
        Terminal {
            output,
            input: std::io::stdin().is_terminal(),
            colour: wants_colour(output, variable),
            colour_forced: wants_colour(false, variable),
        }
    }

    /// The columns to wrap tables to; 0 for no limit.
    pub fn width(&self, settings: &Settings) -> usize {
        match settings.get("width") {
            "auto" => (self.columns_variable())
                .or(self.size().map(|(columns, _)| columns))
                .unwrap_or(0),
            _ => settings.get_count("width").unwrap_or(0),
        }
    }

    /// The lines of a page; `None` for no limit.
    pub fn height(&self, settings: &Settings) -> Option<usize> {
        match settings.get("height") {
            "auto" => self.size().map(|(_, rows)| rows),
            _ => settings.get_count("height"),
        }
    }

    /// Columns and rows of the terminal that the output goes to.
    fn size(&self) -> Option<(usize, usize)> {
        if !self.output {
            return None;
        }
        let (columns, rows) = terminal_size::terminal_size_of(std::io::stdout())?;
        Some((usize::from(columns.0), usize::from(rows.0)))
    }

    fn columns_variable(&self) -> Option<usize> {
        std::env::var("COLUMNS").ok()?.parse().ok()
    }
}

/// Whether output should have colours: `NO_COLOR` forbids them, `CLICOLOR_FORCE` demands them,
/// else a terminal that is not dumb gets them unless `CLICOLOR=0`.
fn wants_colour(tty: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    if variable("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return false;
    }
    if variable("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0") {
        return true;
    }
    tty && variable("CLICOLOR").is_none_or(|value| value != "0")
        && variable("TERM").is_none_or(|value| value != "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_conventions() {
        let with = |tty: bool, set: &[(&str, &str)]| {
            wants_colour(tty, |name| {
                let found = set.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(with(true, &[]));
        assert!(!with(false, &[]));
        assert!(!with(true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]));
        assert!(with(true, &[("NO_COLOR", "")]));
        assert!(with(false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!with(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!with(true, &[("TERM", "dumb")]));
        assert!(!with(true, &[("CLICOLOR", "0")]));
    }

    #[test]
    fn settings_override_the_terminal() {
        let terminal = Terminal {
            output: false,
            input: false,
            colour: false,
            colour_forced: false,
        };
        let mut settings = Settings::default();
        assert_eq!(settings.set("width", "120"), Ok(()));
        assert_eq!(terminal.width(&settings), 120);
        assert_eq!(settings.set("width", "unlimited"), Ok(()));
        assert_eq!(terminal.width(&settings), 0);
        assert_eq!(terminal.height(&settings), None);
        assert_eq!(settings.set("height", "24"), Ok(()));
        assert_eq!(terminal.height(&settings), Some(24));
    }
}
