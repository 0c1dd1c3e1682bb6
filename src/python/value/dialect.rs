//! What `repr` writes otherwise since some version of CPython, where the objects themselves do
//! not tell. (Whether a type has a `repr` of its own at all, its `tp_repr` does tell.)

use crate::python::object::Objects;

/// A change of what is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// `<class 'int'>` rather than `<type 'int'>`; methods know no class; modules are described
    /// by importlib.
    Python3,
    /// `ValueError('x')` rather than `ValueError('x',)`.
    NoCommaInExceptions,
    /// The parts of a composite flag are its canonical members, then single bits without a name.
    CanonicalFlags,
    /// A module's `__spec__` goes before its loader's `module_repr()`.
    SpecBeforeLoader,
    /// An alias may be starred.
    StarredAliases,
    /// A namespace module is written with its path.
    NamespacePath,
    /// A weak reference tells the `__name__` of its target only where the class defines it.
    NamesOfClassesOnly,
    /// `<weakproxy at …; to 'app.A' at …>` rather than `<weakproxy at … to A at …>`, and with the
    /// module for references too.
    QuotedProxies,
    /// A subclass of `functools.partial` is written with its module.
    QualifiedPartials,
    /// `<slot wrapper '__repr__'>`, without `of 'object' objects`.
    DescriptorsOfAll,
    /// `ImportError('x', name='n', path='p')`.
    ImportErrorParts,
}

impl Change {
    /// The first release that has it; measured with each interpreter of the tests.
    const fn since(self) -> (u8, u8, u8) {
        match self {
            Change::Python3 => (3, 0, 0),
            Change::NoCommaInExceptions => (3, 7, 0),
            Change::CanonicalFlags => (3, 9, 0),
            Change::SpecBeforeLoader => (3, 10, 0),
            Change::StarredAliases => (3, 11, 0),
            // Not in 3.11.2, in 3.11.7; the fix is from between 3.11.3 and 3.11.4.
            Change::NamesOfClassesOnly => (3, 11, 4),
            Change::NamespacePath => (3, 12, 0),
            Change::QuotedProxies | Change::QualifiedPartials => (3, 13, 0),
            Change::DescriptorsOfAll | Change::ImportErrorParts => (3, 15, 0),
        }
    }
}

impl Objects {
    /// Whether the release that runs in the process has the change.
    pub(super) fn has(&self, change: Change) -> bool {
        self.is_since(change.since())
    }
}
