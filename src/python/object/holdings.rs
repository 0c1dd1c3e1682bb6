//! How types written in C keep their references. The structs of most are nothing but references
//! and numbers, so each word of theirs that is an object is one; the others are listed.

/// How instances of a type keep references.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Holding {
    /// They have none.
    Nothing,
    /// They have some, but do not tell the collector.
    Silent,
    /// In these words behind the header, of which each is a reference or NULL.
    Words(&'static [u8]),
    /// In any words of the struct, and of the items behind it.
    Struct,
    /// In any words of the struct but for these behind the header.
    But(&'static [u8]),
    /// In the items behind the struct only.
    Behind,
    /// As a list or tuple.
    Items,
    /// As a dictionary.
    Dict,
    /// As a dictionary, and in the word behind it.
    DefaultDict,
    /// As a dictionary that always tells its keys.
    Ordered,
    /// As a set.
    Set,
    /// As a deque.
    Deque,
    /// As a `SimpleQueue`.
    SimpleQueue,
    /// As the function that `functools.lru_cache` makes.
    Cache,
    /// As a generator, coroutine or asynchronous generator, with its frame.
    Generator,
    /// As a frame object.
    Frame,
    /// As the items that iterators of `itertools.tee` share.
    Tee,
    /// As a `threading.local`.
    Local,
    /// As a scanner of JSON while it is static (up to 3.8).
    Scanner,
    /// As a type parameter, which begins with its name.
    Named,
    /// As a writer of pickles.
    Pickler,
    /// As a reader of pickles.
    Unpickler,
    /// As a capsule.
    Capsule,
    /// As a connection to a database.
    Connection,
    /// As a parser of XML.
    Parser,
    /// As an element of a document.
    Element,
    /// As an iterator over elements of a document.
    Elements,
    /// As a module.
    Module,
    /// As a class.
    Type,
}

/// Types by their full names, sorted.
const LISTED: &[(&str, Holding)] = &[
    ("ContextVar", Holding::Words(&[0, 1])),
    ("NoneType", Holding::Nothing),
    ("NotImplementedType", Holding::Nothing),
    ("PyCapsule", Holding::Capsule),
    ("StgDict", Holding::Dict),
    ("Token.MISSING", Holding::Nothing),
    ("_collections._deque_iterator", Holding::But(&[0])),
    ("_collections._deque_reverse_iterator", Holding::But(&[0])),
    ("_contextvars.ContextVar", Holding::Words(&[0, 1])),
    ("_csv.reader", Holding::Words(&[0, 1, 2])),
    ("_csv.writer", Holding::But(&[2])),
    ("_ctypes.Array", Holding::Words(&[2, 6])),
    ("_ctypes.CArgObject", Holding::But(&[1, 5, 7])),
    ("_ctypes.CField", Holding::Words(&[3])),
    ("_ctypes.CFuncPtr", Holding::But(&[0, 8, 9])),
    ("_ctypes.PyCFuncPtr", Holding::But(&[0, 8, 9])),
    ("_ctypes.Structure", Holding::Words(&[2, 6])),
    ("_ctypes.Union", Holding::Words(&[2, 6])),
    ("_ctypes._Pointer", Holding::Words(&[2, 6])),
    ("_ctypes._SimpleCData", Holding::Words(&[2, 6])),
    ("_elementtree._element_iterator", Holding::Elements),
    ("_io.StringIO", Holding::But(&[0, 18])),
    ("_io.TextIOWrapper", Holding::But(&[22])),
    ("_pickle.Pickler", Holding::Pickler),
    ("_pickle.Unpickler", Holding::Unpickler),
    ("_queue.SimpleQueue", Holding::SimpleQueue),
    ("_random.Random", Holding::Nothing),
    ("_sha.sha", Holding::Nothing),
    ("_socket.socket", Holding::But(&[4])),
    ("_sre.SRE_Scanner", Holding::Words(&[0])),
    ("_thread.RLock", Holding::Nothing),
    ("_thread._local", Holding::Local),
    ("_thread.lock", Holding::Nothing),
    ("array.array", Holding::Nothing),
    ("async_generator", Holding::Generator),
    ("basestring", Holding::Nothing),
    ("bool", Holding::Nothing),
    ("bytearray", Holding::Nothing),
    ("bytes", Holding::Nothing),
    ("cell", Holding::Words(&[0])),
    ("classmethod", Holding::Words(&[0])),
    ("classmethod_descriptor", Holding::Words(&[0])),
    ("code", Holding::Words(&[1])),
    ("collections.OrderedDict", Holding::Ordered),
    ("collections._deque_iterator", Holding::But(&[0])),
    ("collections._deque_reverse_iterator", Holding::But(&[0])),
    ("collections.defaultdict", Holding::DefaultDict),
    ("collections.deque", Holding::Deque),
    ("complex", Holding::Nothing),
    ("coroutine", Holding::Generator),
    ("ctypes.CField", Holding::Words(&[3])),
    ("decimal.Context", Holding::But(&[10])),
    ("decimal.Decimal", Holding::Nothing),
    ("decimal.SignalDict", Holding::Nothing),
    ("decimal.SignalDictMixin", Holding::Nothing),
    ("dict", Holding::Dict),
    ("dict_items", Holding::Words(&[0])),
    ("dict_keys", Holding::Words(&[0])),
    ("dict_values", Holding::Words(&[0])),
    ("dictproxy", Holding::Words(&[0])),
    ("ellipsis", Holding::Nothing),
    ("enumerate", Holding::Words(&[1, 2, 3])),
    ("float", Holding::Nothing),
    ("frame", Holding::Frame),
    ("frozendict", Holding::Dict),
    ("frozenset", Holding::Set),
    ("functools._lru_cache_wrapper", Holding::Cache),
    ("functools._lru_list_elem", Holding::Words(&[3, 4])),
    ("functools.partial", Holding::Words(&[0, 1, 2])),
    ("generator", Holding::Generator),
    ("getset_descriptor", Holding::Words(&[0])),
    ("hamt_bitmap_node", Holding::Behind),
    ("hamt_collision_node", Holding::Behind),
    ("instancemethod", Holding::Words(&[0, 1, 2])),
    ("int", Holding::Nothing),
    ("items", Holding::Words(&[0])),
    ("itertools._tee", Holding::Words(&[0])),
    ("itertools._tee_dataobject", Holding::Tee),
    ("itertools.accumulate", Holding::But(&[4])),
    ("itertools.combinations", Holding::But(&[1])),
    (
        "itertools.combinations_with_replacement",
        Holding::But(&[1]),
    ),
    ("itertools.groupby", Holding::Words(&[0, 1, 2, 3, 4])),
    ("itertools.permutations", Holding::But(&[1, 2])),
    ("itertools.product", Holding::But(&[1])),
    ("itertools.tee", Holding::Words(&[0])),
    ("itertools.tee_dataobject", Holding::Tee),
    ("keys", Holding::Words(&[0])),
    ("list", Holding::Items),
    ("long", Holding::Nothing),
    ("managedbuffer", Holding::Words(&[3])),
    ("mappingproxy", Holding::Words(&[0])),
    ("member_descriptor", Holding::Words(&[0])),
    ("memoryview", Holding::But(&[5, 6])),
    ("method", Holding::Words(&[0, 1])),
    ("method-wrapper", Holding::Words(&[0, 1])),
    ("method_descriptor", Holding::Words(&[0])),
    ("module", Holding::Module),
    ("object", Holding::Nothing),
    ("odict_items", Holding::Words(&[0])),
    ("odict_keys", Holding::Words(&[0])),
    ("odict_values", Holding::Words(&[0])),
    ("pyexpat.xmlparser", Holding::Parser),
    ("re.Match", Holding::Words(&[1, 2, 3])),
    ("set", Holding::Set),
    ("slice", Holding::Words(&[0, 1, 2])),
    ("socket.socket", Holding::But(&[4])),
    ("sqlite3.Connection", Holding::Connection),
    ("staticmethod", Holding::Words(&[0])),
    ("str", Holding::Nothing),
    ("super", Holding::Words(&[0, 1, 2])),
    ("thread._local", Holding::Local),
    ("thread.lock", Holding::Nothing),
    ("tuple", Holding::Items),
    ("type", Holding::Type),
    ("typing.ParamSpec", Holding::Named),
    ("typing.TypeAliasType", Holding::Named),
    ("typing.TypeVar", Holding::Named),
    ("typing.TypeVarTuple", Holding::Named),
    ("unicode", Holding::Nothing),
    ("values", Holding::Words(&[0])),
    ("weakcallableproxy", Holding::Words(&[1])),
    ("weakproxy", Holding::Words(&[1])),
    ("weakref", Holding::Words(&[1])),
    ("weakref.CallableProxyType", Holding::Words(&[1])),
    ("weakref.ProxyType", Holding::Words(&[1])),
    ("weakref.ReferenceType", Holding::Words(&[1])),
    ("wrapper_descriptor", Holding::Words(&[0])),
    ("xml.etree.ElementTree.Element", Holding::Element),
    ("xml.etree.ElementTree.XMLParser", Holding::But(&[13, 14])),
    ("zlib.Compress", Holding::Silent),
    ("zlib.Decompress", Holding::Silent),
];

/// Types that do otherwise while they are static, sorted.
const STATIC: &[(&str, Holding)] = &[
    ("_io.BufferedRWPair", Holding::Silent),
    ("_io.BytesIO", Holding::Silent),
    ("_io.StringIO", Holding::Silent),
    ("_json.Scanner", Holding::Scanner),
    ("operator.methodcaller", Holding::But(&[0])),
];

/// Types whose instances do not tell their class.
pub(super) const CLASSLESS: &[&str] = &["typing.ParamSpecArgs", "typing.ParamSpecKwargs"];

/// What is known of a type in C.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Knowledge {
    /// Where all its references are.
    All,
    /// It is CPython's own, so it tells the collector of references if it has that flag; some are where
    /// they are not found.
    Some,
    /// Nothing.
    None,
}

/// Modules of CPython's own in C whose types keep some references in memory of their own.
const HIDING: &[&str] = &[
    "_elementtree",
    "_pickle",
    "_tkinter",
    "cElementTree",
    "cPickle",
    "pyexpat",
    "sqlite3",
    "xml.etree.ElementTree",
];

/// Modules of CPython's own in C whose types keep their references in their structs; sorted. Those
/// that keep some in memory of their own are not here.
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

/// How instances of a type in C keep their references, and how much of that is known. Of a type that
/// is not known, those in its struct are.
pub(super) fn of(name: &str, is_heap: bool) -> (Holding, Knowledge) {
    let listed = |list: &[(&str, Holding)]| {
        let at = list
            .binary_search_by_key(&name, |(listed, _)| listed)
            .ok()?;
        list.get(at).map(|(_, holding)| *holding)
    };
    let special = if is_heap { None } else { listed(STATIC) };
    let special = special.or_else(|| listed(LISTED));
    let module = name.rsplit_once('.').map(|(module, _)| module);
    let is_known = match module {
        Some(module) => MODULES.binary_search(&module).is_ok(),
        None => !is_heap,
    };
    let knowledge = match special {
        // What these have beside is told of nowhere else.
        Some(Holding::But(_) | Holding::Pickler | Holding::Unpickler | Holding::Connection)
        | None
            if module.is_some_and(|module| HIDING.contains(&module)) =>
        {
            Knowledge::Some
        }
        None if !is_known => Knowledge::None,
        _ => Knowledge::All,
    };
    (special.unwrap_or(Holding::Struct), knowledge)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_can_be_searched() {
        assert!(MODULES.is_sorted());
        assert!(LISTED.is_sorted_by_key(|(name, _)| name));
        assert!(STATIC.is_sorted_by_key(|(name, _)| name));
    }

    #[test]
    fn types_of_others_may_hide_references() {
        assert_eq!(of("cell", false), (Holding::Words(&[0]), Knowledge::All));
        assert_eq!(
            of("itertools.chain", false),
            (Holding::Struct, Knowledge::All)
        );
        assert_eq!(
            of("numpy.ndarray", false),
            (Holding::Struct, Knowledge::None)
        );
        assert_eq!(of("_queue.SimpleQueue", true).0, Holding::SimpleQueue);
        assert_eq!(of("Thing", true), (Holding::Struct, Knowledge::None));
    }
}
