//! How the versions of CPython print exceptions: the rules of Lib/traceback.py from 2.7 to 3.15, as
//! data.

use pydbg::python::Version;

/// How a version prints exceptions.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Dialect {
    /// How classes are named.
    pub names: Names,
    /// Whether the repetitions of a line are counted.
    pub fold: bool,
    /// In which order chained exceptions are visited.
    pub order: Order,
    /// Whether notes and exception groups are known.
    pub groups: bool,
    /// What is printed of a `SyntaxError`.
    pub syntax: Syntax,
}

/// How classes are named.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Names {
    /// The bare name.
    Bare,
    /// With the module, unless that is `__main__` or `builtins`.
    Qualified,
}

/// In which order chained exceptions are visited; each is printed once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Order {
    /// Not at all.
    Unchained,
    /// The cause with all that it leads to, then the context.
    Deep,
    /// First the cause and, only where it will be printed, the context; then what they lead to.
    Wide,
}

/// What is printed of a `SyntaxError`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Syntax {
    /// The attributes as given at creation.
    Args,
    /// The place and one caret.
    Caret,
    /// The same, without the place where the line is not known.
    OptionalPlace,
    /// The same, with a caret that counts from the first character of the line.
    StrippedCaret,
    /// A range of carets.
    Range,
    /// A range that ends with the line where it goes on below.
    RangeInLine,
    /// The same, in columns of the terminal.
    RangeInColumns,
}

/// The dialects from each version on.
const DIALECTS: &[((u8, u8), Dialect)] = &[
    (
        (0, 0),
        Dialect {
            names: Names::Bare,
            fold: false,
            order: Order::Unchained,
            groups: false,
            syntax: Syntax::Args,
        },
    ),
    ((3, 0), THREE),
    (
        (3, 8),
        Dialect {
            syntax: Syntax::OptionalPlace,
            ..THREE
        },
    ),
    (
        (3, 9),
        Dialect {
            syntax: Syntax::StrippedCaret,
            ..THREE
        },
    ),
    (
        (3, 10),
        Dialect {
            groups: false,
            ..GROUPS
        },
    ),
    ((3, 11), GROUPS),
    (
        (3, 13),
        Dialect {
            syntax: Syntax::RangeInLine,
            ..GROUPS
        },
    ),
    (
        (3, 15),
        Dialect {
            syntax: Syntax::RangeInColumns,
            ..GROUPS
        },
    ),
];

const THREE: Dialect = Dialect {
    names: Names::Qualified,
    fold: true,
    order: Order::Deep,
    groups: false,
    syntax: Syntax::Caret,
};

const GROUPS: Dialect = Dialect {
    order: Order::Wide,
    groups: true,
    syntax: Syntax::Range,
    ..THREE
};

impl Dialect {
    /// The dialect of a version.
    pub fn of(version: &Version) -> Dialect {
        let (_, first) = DIALECTS[0];
        DIALECTS
            .iter()
            .rev()
            .find(|(from, _)| *from <= (version.major, version.minor))
            .map_or(first, |(_, dialect)| *dialect)
    }

    /// A class as tracebacks name it.
    pub fn name(self, full: &str) -> &str {
        match self.names {
            Names::Bare => full.rsplit('.').next().unwrap_or(full),
            Names::Qualified => full.strip_prefix("__main__.").unwrap_or(full),
        }
    }
}
