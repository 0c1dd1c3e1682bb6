//! References in structs of C by name: fields that Python shows through code of its own (a
//! `PyGetSetDef`), which no member descriptor tells of, and fields that Python does not show, as
//! CPython's sources call them (Objects/*.c, Modules/*.c).

use crate::python::layout::{Field, Layout};

/// Where a field is.
#[derive(Clone, Copy)]
pub(super) enum Place {
    /// By the layout of the version.
    Layout(Field),
    /// So many words behind the object's header, the same in every version.
    Word(u64),
}

/// One field of a struct.
#[derive(Clone, Copy)]
pub(super) struct Named {
    pub(super) place: Place,
    pub(super) name: &'static str,
    /// Whether Python shows it as an attribute of this name.
    pub(super) shown: bool,
}

/// The fields that hold references in the struct of the type with this full name, beside what its
/// member descriptors tell.
pub(super) fn fields(layout: &Layout, full_name: &str) -> Vec<Named> {
    let f = &layout.fields;
    let known = |name: &'static str, field: Option<Field>| {
        field.map(|field| Named {
            place: Place::Layout(field),
            name,
            shown: true,
        })
    };
    let by_layout = |list: &[(&'static str, Option<Field>)]| -> Vec<Named> {
        let list = list.iter();
        list.filter_map(|(name, field)| known(name, *field))
            .collect()
    };
    match full_name {
        "function" => by_layout(&[
            ("__code__", Some(f.function.code)),
            ("__globals__", Some(f.function.globals)),
            ("__name__", Some(f.function.name)),
            ("__qualname__", f.function.qualname),
            ("__defaults__", Some(f.function.defaults)),
            ("__kwdefaults__", f.function.kwdefaults),
            ("__closure__", Some(f.function.closure)),
            ("__doc__", Some(f.function.doc)),
            ("__module__", Some(f.function.module)),
        ])
        .into_iter()
        // It follows in all that have it. Python may make something else of it when asked.
        .chain(f.function.kwdefaults.map(|_| Named {
            place: Place::Layout(Field {
                offset: f.function.module.offset.saturating_add(8),
                ..f.function.module
            }),
            name: "func_annotations",
            shown: false,
        }))
        .collect(),
        "BaseException" | "exceptions.BaseException" => by_layout(&[
            ("args", Some(f.exception.args)),
            ("__traceback__", f.exception.traceback),
            ("__context__", f.exception.context),
            ("__cause__", f.exception.cause),
        ]),
        "type" => by_layout(&[
            ("__base__", Some(f.type_object.base)),
            ("__bases__", Some(f.type_object.bases)),
            ("__mro__", Some(f.type_object.mro)),
            ("__name__", Some(f.type_object.heap_name)),
            ("__qualname__", f.type_object.heap_qualname),
        ])
        .into_iter()
        .chain([Named {
            place: Place::Layout(f.type_object.heap_slots),
            name: "ht_slots",
            shown: false,
        }])
        .collect(),
        "generator" | "coroutine" | "async_generator" => by_layout(&[
            ("__name__", f.generator.name),
            ("__qualname__", f.generator.qualname),
        ]),
        "instance" => match &f.instance {
            Some(instance) => by_layout(&[("__class__", Some(instance.class))]),
            None => Vec::new(),
        },
        _ => {
            let own = WORDS.iter().filter(|(of, ..)| *of == full_name);
            own.map(|(_, word, name, shown)| Named {
                place: Place::Word(*word),
                name,
                shown: *shown,
            })
            .collect()
        }
    }
}

/// Fields of structs that are the same in every version but for the header: type, word behind the
/// header, name, and whether Python shows it by that name.
const WORDS: &[(&str, u64, &str, bool)] = &[
    ("builtin_function_or_method", 1, "__self__", true),
    ("builtin_function_or_method", 2, "__module__", true),
    ("builtin_method", 5, "mm_class", false),
    ("callable_iterator", 0, "it_callable", false),
    ("callable_iterator", 1, "it_sentinel", false),
    ("classmethod", 0, "__func__", true),
    ("classmethod_descriptor", 0, "d_type", false),
    ("classmethod_descriptor", 1, "d_name", false),
    ("classobj", 0, "__bases__", true),
    ("classobj", 2, "__name__", true),
    ("dict_itemiterator", 0, "di_dict", false),
    ("dict_items", 0, "dv_dict", false),
    ("dict_keyiterator", 0, "di_dict", false),
    ("dict_keys", 0, "dv_dict", false),
    ("dict_valueiterator", 0, "di_dict", false),
    ("dict_values", 0, "dv_dict", false),
    ("dictproxy", 0, "dict", false),
    ("enumerate", 1, "en_sit", false),
    ("enumerate", 2, "en_result", false),
    ("filter", 0, "func", false),
    ("filter", 1, "it", false),
    ("getset_descriptor", 0, "d_type", false),
    ("getset_descriptor", 1, "d_name", false),
    ("instancemethod", 0, "__func__", true),
    ("instancemethod", 1, "__self__", true),
    ("instancemethod", 2, "im_class", true),
    ("iterator", 1, "it_seq", false),
    ("list_iterator", 1, "it_seq", false),
    ("list_reverseiterator", 1, "it_seq", false),
    ("listiterator", 1, "it_seq", false),
    ("listreverseiterator", 1, "it_seq", false),
    ("map", 0, "iters", false),
    ("map", 1, "func", false),
    ("mappingproxy", 0, "mapping", false),
    ("member_descriptor", 0, "d_type", false),
    ("member_descriptor", 1, "d_name", false),
    ("method", 0, "__func__", true),
    ("method", 1, "__self__", true),
    ("method_descriptor", 0, "d_type", false),
    ("method_descriptor", 1, "d_name", false),
    ("reversed", 1, "seq", false),
    ("set_iterator", 0, "si_set", false),
    ("staticmethod", 0, "__func__", true),
    ("traceback", 0, "tb_next", true),
    ("traceback", 1, "tb_frame", true),
    ("tuple_iterator", 1, "it_seq", false),
    ("tupleiterator", 1, "it_seq", false),
    ("weakcallableproxy", 1, "wr_callback", false),
    ("weakproxy", 1, "wr_callback", false),
    ("weakref", 1, "__callback__", true),
    ("weakref.ReferenceType", 1, "__callback__", true),
    ("wrapper_descriptor", 0, "d_type", false),
    ("wrapper_descriptor", 1, "d_name", false),
    ("zip", 1, "ittuple", false),
    ("zip", 2, "result", false),
];
