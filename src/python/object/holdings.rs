//! How types written in C keep their references. The structs of most are nothing but references
//! and numbers, so each word of theirs that is an object is one; the others are listed.

/// How instances of a type keep references.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holding {
    /// They have none.
    Nothing,
    /// In these words behind the header, of which each is a reference or NULL.
    Words(&'static [u8]),
    /// In any words of the struct, and of the items behind it.
    Struct,
    /// As a list or tuple.
    Items,
    /// As a dictionary.
    Dict,
    /// As a set.
    Set,
    /// As a deque.
    Deque,
    /// As a `SimpleQueue`.
    SimpleQueue,
    /// As a generator, coroutine or asynchronous generator, with its frame.
    Generator,
    /// As a frame object.
    Frame,
    /// As a class.
    Type,
}

/// Types by their full names, sorted. What a weak reference refers to, its first word, it does not
/// hold.
const LISTED: &[(&str, Holding)] = &[
    ("NoneType", Holding::Nothing),
    ("NotImplementedType", Holding::Nothing),
    ("PyCapsule", Holding::Nothing),
    ("Token.MISSING", Holding::Nothing),
    ("_queue.SimpleQueue", Holding::SimpleQueue),
    ("_random.Random", Holding::Nothing),
    ("_thread.RLock", Holding::Nothing),
    ("_thread.lock", Holding::Nothing),
    ("async_generator", Holding::Generator),
    ("basestring", Holding::Nothing),
    ("bool", Holding::Nothing),
    ("bytearray", Holding::Nothing),
    ("bytes", Holding::Nothing),
    ("cell", Holding::Words(&[0])),
    ("classmethod", Holding::Words(&[0])),
    ("code", Holding::Nothing),
    ("collections.OrderedDict", Holding::Dict),
    ("collections.defaultdict", Holding::Dict),
    ("collections.deque", Holding::Deque),
    ("complex", Holding::Nothing),
    ("coroutine", Holding::Generator),
    ("dict", Holding::Dict),
    ("dict_items", Holding::Words(&[0])),
    ("dict_keys", Holding::Words(&[0])),
    ("dict_values", Holding::Words(&[0])),
    ("dictproxy", Holding::Words(&[0])),
    ("ellipsis", Holding::Nothing),
    ("float", Holding::Nothing),
    ("frame", Holding::Frame),
    ("frozendict", Holding::Dict),
    ("frozenset", Holding::Set),
    ("generator", Holding::Generator),
    ("instancemethod", Holding::Words(&[0, 1, 2])),
    ("int", Holding::Nothing),
    ("list", Holding::Items),
    ("long", Holding::Nothing),
    ("mappingproxy", Holding::Words(&[0])),
    ("method", Holding::Words(&[0, 1])),
    ("module", Holding::Words(&[0])),
    ("object", Holding::Nothing),
    ("odict_items", Holding::Words(&[0])),
    ("odict_keys", Holding::Words(&[0])),
    ("odict_values", Holding::Words(&[0])),
    ("property", Holding::Words(&[0, 1, 2, 3])),
    ("set", Holding::Set),
    ("slice", Holding::Words(&[0, 1, 2])),
    ("staticmethod", Holding::Words(&[0])),
    ("str", Holding::Nothing),
    ("super", Holding::Words(&[0, 1, 2])),
    ("thread.lock", Holding::Nothing),
    ("tuple", Holding::Items),
    ("type", Holding::Type),
    ("unicode", Holding::Nothing),
    ("weakproxy", Holding::Words(&[1])),
    ("weakcallableproxy", Holding::Words(&[1])),
    ("weakref", Holding::Words(&[1])),
    ("weakref.ReferenceType", Holding::Words(&[1])),
];

/// Modules of CPython's own in C whose types keep their references in their structs; sorted. Those
/// that keep some in memory of their own are not here (`_elementtree`, `_pickle`, `_tkinter`,
/// `pyexpat`, `sqlite3`).
const MODULES: &[&str] = &[
    "_abc",
    "_ast",
    "_asyncio",
    "_blake2",
    "_bz2",
    "_codecs",
    "_collections",
    "_contextvars",
    "_csv",
    "_ctypes",
    "_datetime",
    "_functools",
    "_hashlib",
    "_hmac",
    "_imp",
    "_io",
    "_json",
    "_locale",
    "_lzma",
    "_md5",
    "_multiprocessing",
    "_opcode",
    "_operator",
    "_queue",
    "_random",
    "_sha1",
    "_sha2",
    "_sha256",
    "_sha3",
    "_sha512",
    "_socket",
    "_sre",
    "_ssl",
    "_string",
    "_struct",
    "_symtable",
    "_thread",
    "_typing",
    "_uuid",
    "_warnings",
    "_weakref",
    "_zoneinfo",
    "array",
    "ast",
    "asyncio",
    "builtins",
    "bz2",
    "cStringIO",
    "collections",
    "contextvars",
    "datetime",
    "decimal",
    "errno",
    "exceptions",
    "fcntl",
    "functools",
    "grp",
    "hashlib",
    "imp",
    "io",
    "itertools",
    "mmap",
    "operator",
    "os",
    "posix",
    "pwd",
    "re",
    "resource",
    "select",
    "signal",
    "socket",
    "ssl",
    "string",
    "symtable",
    "sys",
    "termios",
    "thread",
    "time",
    "types",
    "typing",
    "unicodedata",
    "weakref",
    "zlib",
    "zoneinfo",
];

/// How instances of a type in C keep their references, and whether these are all. Of a type that is
/// not known, those in its struct are.
pub(super) fn of(name: &str, is_heap: bool) -> (Holding, bool) {
    if let Some((_, holding)) = LISTED.iter().find(|(listed, _)| *listed == name) {
        return (*holding, true);
    }
    let known = match name.rsplit_once('.') {
        Some((module, _)) => MODULES.binary_search(&module).is_ok(),
        None => !is_heap,
    };
    (Holding::Struct, known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_can_be_searched() {
        assert!(MODULES.is_sorted());
    }

    #[test]
    fn types_of_others_may_hide_references() {
        assert_eq!(of("cell", false), (Holding::Words(&[0]), true));
        assert_eq!(of("itertools.chain", false), (Holding::Struct, true));
        assert_eq!(of("numpy.ndarray", false), (Holding::Struct, false));
        assert_eq!(of("_queue.SimpleQueue", true).0, Holding::SimpleQueue);
        assert_eq!(of("Thing", true), (Holding::Struct, false));
    }
}
