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
    /// `<weakproxy at …; to 'A' at …>` rather than `<weakproxy at … to A at …>`.
    QuotedProxies,
    /// A subclass of `functools.partial` is written with its module.
    QualifiedPartials,
    /// `ImportError('x', name='n', path='p')`.
    ImportErrorParts,
}

impl Change {
    /// The first version that has it; measured with each interpreter of the tests.
    const fn since(self) -> (u8, u8) {
        match self {
            Change::Python3 => (3, 0),
            Change::NoCommaInExceptions => (3, 7),
            Change::CanonicalFlags => (3, 9),
            Change::SpecBeforeLoader => (3, 10),
            Change::StarredAliases => (3, 11),
            Change::NamespacePath => (3, 12),
            Change::QuotedProxies | Change::QualifiedPartials => (3, 13),
            Change::ImportErrorParts => (3, 15),
        }
    }
}

impl Objects {
    /// Whether the version of the process has the change.
    pub(super) fn has(&self, change: Change) -> bool {
        self.layout.version >= change.since()
    }
}
