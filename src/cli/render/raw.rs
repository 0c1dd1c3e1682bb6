//! An object as the words of its C struct, named as far as the layout knows them.

use pydbg::Addr;
use pydbg::python::Python;
use serde::Serialize;

/// More words are not shown.
const MOST_WORDS: u64 = 128;

/// Types by name, with the group of the layout that describes their struct.
const GROUPS: &[(&str, &str)] = &[
    ("bytearray", "bytearray"),
    ("bytes", "bytes"),
    ("code", "code"),
    ("collections.deque", "deque"),
    ("dict", "dict"),
    ("frame", "frame_object"),
    ("function", "function"),
    ("generator", "generator"),
    ("int", "int"),
    ("list", "list"),
    ("memoryview", "memory_view"),
    ("module", "module"),
    ("range", "range"),
    ("str", "str"),
    ("tuple", "tuple"),
    ("type", "type_object"),
];

/// One word.
#[derive(Serialize)]
pub struct RawWord {
    /// Bytes from the start of the object.
    pub offset: u64,
    /// The field that begins there.
    pub field: Option<String>,
    /// The word; `None` when it cannot be read.
    pub word: Option<Addr>,
}

/// The words of the object at `address`.
pub fn words(python: &Python, address: Addr) -> anyhow::Result<Vec<RawWord>> {
    let objects = &python.objects;
    let ty = objects.type_of(address)?;
    let size = objects.size_of(address).ok().flatten();
    let size = size.unwrap_or(0).max(ty.basicsize.unsigned_abs());
    let group = objects.mro(&ty).iter().find_map(|class| {
        let name = objects.full_name(class);
        GROUPS.iter().find(|(known, _)| *known == &*name)
    });
    let mut names: Vec<(u64, String)> = Vec::new();
    python.layout.fields.each(&mut |of, name, field| {
        let wanted = of == "object" || group.is_some_and(|(_, group)| of == *group);
        let plain = name != "size" && (name != "ob_size" || ty.itemsize != 0);
        if let Some(field) = field.filter(|_| wanted && plain) {
            names.push((u64::from(field.offset), name.to_owned()));
        }
    });
    if python.layout.fields.object.ob_type.offset == 8 {
        names.push((0, "ob_refcnt".to_owned()));
    }
    let count = size.div_ceil(8).min(MOST_WORDS);
    let word = |index: u64| {
        let offset = index * 8;
        let field = names.iter().find(|(at, _)| *at == offset);
        RawWord {
            offset,
            field: field.map(|(_, name)| name.clone()),
            word: objects.memory.ptr(address.add(offset)).ok(),
        }
    };
    Ok((0..count).map(word).collect())
}
