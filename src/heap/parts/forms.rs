//! Which types have parts, by the type in C whose struct their instances begin with.

use super::plain::{self, Word};
use crate::python::layout::{DictKind, StrKind};
use crate::python::object::{Objects, TypeInfo};
use std::sync::Arc;

/// How the parts of instances of a type are found.
#[derive(Clone, Copy, Debug)]
pub(in crate::heap) enum Form {
    /// There are none.
    None,
    List,
    Dict,
    /// 2.7's dictionaries, whose small tables lie in the struct, of so many bytes.
    OpenDict {
        basic: u64,
    },
    /// A small table lies in the struct, of so many bytes.
    Set {
        basic: u64,
    },
    Str,
    /// 2.7's `unicode`.
    OldStr,
    Ordered,
    Deque,
    Type,
    Code,
    ByteArray {
        /// The data is a `bytes` object (3.15+), which this pointer behind the header leads to.
        holder: Option<u64>,
    },
    Array,
    BytesIo,
    NumpyArray,
    /// Small data lies in the struct, of so many bytes.
    CData {
        basic: u64,
    },
    Decimal,
    /// Pointers in the struct.
    Plain(&'static [Word]),
}

impl Objects {
    /// How the parts of instances of `ty` are found.
    pub(in crate::heap) fn form(&self, ty: &Arc<TypeInfo>) -> Form {
        let classes = self.mro(ty);
        let found = classes.iter().find_map(|class| {
            // A class in Python may have any name.
            let named = !class.is_heap() || self.is_in_c(class);
            named.then(|| self.own_form(class)).flatten()
        });
        found.unwrap_or(Form::None)
    }

    /// Whether a class was made by C code: those of Python code that are no more than their base
    /// still have slots or a dictionary, or are subclasses of one that has.
    fn is_in_c(&self, class: &Arc<TypeInfo>) -> bool {
        self.own_attribute(class, "__dict__").is_none()
            && self.own_attribute(class, "__slots__").is_none()
    }

    fn own_form(&self, class: &Arc<TypeInfo>) -> Option<Form> {
        let basic = class.basicsize.unsigned_abs();
        let form = match &*self.full_name(class) {
            "list" => Form::List,
            "dict" | "frozendict" => match self.layout.kinds.dict {
                DictKind::Open => Form::OpenDict { basic },
                _ => Form::Dict,
            },
            "set" | "frozenset" => Form::Set { basic },
            "str" if self.layout.fields.str.state.is_some() => Form::Str,
            "unicode" if self.layout.kinds.str == StrKind::Pointer => Form::OldStr,
            "collections.OrderedDict" => Form::Ordered,
            "collections.deque" => Form::Deque,
            "type" => Form::Type,
            "code" => Form::Code,
            "bytearray" => Form::ByteArray {
                holder: self.bytearray_holder(basic),
            },
            "array.array" => Form::Array,
            "_io.BytesIO" => Form::BytesIo,
            "numpy.ndarray" => Form::NumpyArray,
            "_ctypes._CData" => Form::CData { basic },
            "decimal.Decimal" => Form::Decimal,
            name => return plain::words(name, basic, &self.layout).map(Form::Plain),
        };
        Some(form)
    }

    /// Where behind the header a `bytearray` refers to the object that has the data: behind
    /// `ob_start` and `ob_exports`, if there is room for that.
    fn bytearray_holder(&self, basic: u64) -> Option<u64> {
        const BEHIND_START: u64 = 16;
        let start = u64::from(self.layout.fields.bytearray.start.offset);
        let header = u64::from(self.layout.fields.object.size.offset);
        let holder = start + BEHIND_START;
        (basic > holder).then(|| holder - header)
    }
}
