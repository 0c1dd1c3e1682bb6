//! `a.b` without running anything: what lies in the instance and in its class (`tp_getattro`), and
//! those attributes of builtin types that C code computes from a field.

use super::error::{Class, Error};
use super::eval::Evaluator;
use super::suggest::did_you_mean;
use super::value::Value;
use crate::addr::Addr;
use crate::python::object::{TypeInfo, flags};
use std::sync::Arc;

/// The longest name of an attribute, in characters.
const LONGEST_NAME: u64 = 1000;

/// The longest name of a C function, in bytes.
const MOST_CHARS: usize = 1000;

/// Types of a C member (Include/structmember.h), with their sizes.
mod member {
    pub(super) const SHORT: u32 = 0;
    pub(super) const INT: u32 = 1;
    pub(super) const LONG: u32 = 2;
    pub(super) const FLOAT: u32 = 3;
    pub(super) const DOUBLE: u32 = 4;
    pub(super) const STRING: u32 = 5;
    pub(super) const OBJECT: u32 = 6;
    pub(super) const CHAR: u32 = 7;
    pub(super) const BYTE: u32 = 8;
    pub(super) const UBYTE: u32 = 9;
    pub(super) const USHORT: u32 = 10;
    pub(super) const UINT: u32 = 11;
    pub(super) const ULONG: u32 = 12;
    pub(super) const STRING_INPLACE: u32 = 13;
    pub(super) const BOOL: u32 = 14;
    pub(super) const OBJECT_EX: u32 = 16;
    pub(super) const LONGLONG: u32 = 17;
    pub(super) const ULONGLONG: u32 = 18;
    pub(super) const PYSSIZET: u32 = 19;
    pub(super) const NONE: u32 = 20;
}

impl Evaluator<'_> {
    /// `value.name`.
    pub(crate) fn attribute(&self, value: &Value, name: &str) -> Result<Value, Error> {
        self.step(1)?;
        if name == "__class__" {
            return self.type_of_value(value);
        }
        if let Some(part) = self.number_part(value, name)? {
            return Ok(part);
        }
        let Some(addr) = value.address() else {
            return self.literal_attribute(value, name);
        };
        let objects = self.objects;
        let ty = objects.type_of(addr)?;
        if ty.is(flags::TYPE) {
            let class = objects.as_type(addr)?;
            return self.type_attribute(&class, &ty, name);
        }
        if name == "__dict__"
            && let Some(dict) = self.namespace_of(addr)?
        {
            return Ok(dict);
        }
        let class = objects.class_attribute(&ty, name);
        if let Some((descriptor, _)) = &class {
            match self.descriptor(*descriptor)? {
                Descriptor::Member => return self.member(addr, *descriptor, name),
                Descriptor::Property => {
                    let item = self.tuple_field(value, *descriptor)?;
                    return Ok(item.unwrap_or(Value::Object(*descriptor)));
                }
                Descriptor::Getset => {
                    if let Some(value) = self.computed(addr, &ty, name)? {
                        return Ok(value);
                    }
                    return Err(self.not_run(addr, name));
                }
                Descriptor::None => {}
            }
        }
        if let Some(found) = objects.attribute(addr, name)? {
            return Ok(Value::Object(found));
        }
        if let Some((found, _)) = class {
            if let Some(item) = self.tuple_field(value, found)? {
                return Ok(item);
            }
            let value = found;
            return self.unwrapped(value);
        }
        if let Some(value) = self.computed(addr, &ty, name)? {
            return Ok(value);
        }
        let is_method = matches!(ty.name.as_deref(), Some("method" | "instancemethod"));
        if is_method {
            let function = objects.memory.ptr(objects.after(addr, 0))?;
            let is_function = objects.type_of(function)?.may_be("function");
            if is_function {
                return self.attribute(&Value::Object(function), name);
            }
        }
        self.refuse_methods(value, &["__getattr__", "__getattribute__"])?;
        Err(self.no_attribute(value, name))
    }

    /// What to know about a value that an attribute gave: a property is shown, not run.
    pub(crate) fn property_note(&self, value: &Value, name: &str) -> Option<String> {
        let kind = self.descriptor(value.address()?).ok()?;
        let run = matches!(kind, Descriptor::Property);
        run.then(|| format!("{name} is a property: its code is not run"))
    }

    /// The `__dict__` of an instance or module.
    pub(crate) fn namespace_of(&self, addr: Addr) -> Result<Option<Value>, Error> {
        if let Some(dict) = self.objects.dict_of(addr)? {
            return Ok(Some(Value::Object(dict)));
        }
        let ty = self.objects.type_of(addr)?;
        let items = self.objects.namespace(addr)?;
        let has_dict = !items.is_empty() || ty.is(flags::MANAGED_DICT) && ty.is_heap() && !self.two;
        let pair = |(key, value)| (Value::Object(key), Value::Object(value));
        Ok(has_dict.then(|| Value::Dict(items.into_iter().map(pair).collect())))
    }

    /// `real`, `imag`, `numerator`, `denominator` of numbers.
    fn number_part(&self, value: &Value, name: &str) -> Result<Option<Value>, Error> {
        if !matches!(name, "real" | "imag" | "numerator" | "denominator") {
            return Ok(None);
        }
        self.refuse_methods(value, &[name])?;
        let loaded = self.load(value)?;
        if let Some(int) = loaded.as_int() {
            let part = match name {
                "imag" => num_bigint::BigInt::ZERO,
                "denominator" => num_bigint::BigInt::from(1),
                _ => int,
            };
            let long = matches!(loaded, Value::Int { long: true, .. });
            return Ok(Some(Value::Int { value: part, long }));
        }
        Ok(match (&loaded, name) {
            (Value::Float(value) | Value::Complex(value, _), "real") => Some(Value::Float(*value)),
            (Value::Complex(_, value), "imag") => Some(Value::Float(*value)),
            (Value::Float(_), "imag") => Some(Value::Float(0.0)),
            _ => None,
        })
    }

    /// An attribute of a value that was computed: what its type has.
    fn literal_attribute(&self, value: &Value, name: &str) -> Result<Value, Error> {
        let class = self.type_of_value(value)?;
        if let Some(addr) = class.address() {
            let class = self.objects.as_type(addr)?;
            if let Some((value, _)) = self.objects.class_attribute(&class, name) {
                return self.unwrapped(value);
            }
        }
        Err(self.no_attribute(value, name))
    }

    fn type_attribute(
        &self,
        class: &Arc<TypeInfo>,
        metaclass: &Arc<TypeInfo>,
        name: &str,
    ) -> Result<Value, Error> {
        let objects = self.objects;
        let f = &objects.layout.fields.type_object;
        let full = objects.full_name(class);
        let (module, _) = full.rsplit_once('.').unwrap_or(("", &full));
        let builtins = if self.two { "__builtin__" } else { "builtins" };
        let pointer =
            |field: crate::python::layout::Field| objects.memory.ptr(field.of(class.addr));
        match name {
            "__name__" => {
                let known = class.is_heap().then(|| pointer(f.heap_name)).transpose()?;
                return Ok(match known {
                    Some(name) => Value::Object(name),
                    None => self.native_text(full.rsplit('.').next().unwrap_or(&full)),
                });
            }
            "__qualname__" => {
                if let Some(field) = f.heap_qualname {
                    return Ok(match class.is_heap() {
                        true => Value::Object(pointer(field)?),
                        false => self.native_text(full.rsplit('.').next().unwrap_or(&full)),
                    });
                }
            }
            "__module__" if !class.is_heap() => {
                let module = if module.is_empty() { builtins } else { module };
                return Ok(self.native_text(module));
            }
            "__mro__" => return Ok(Value::Object(pointer(f.mro)?)),
            "__bases__" => return Ok(Value::Object(pointer(f.bases)?)),
            "__base__" => {
                let base = pointer(f.base)?;
                return Ok(match base.is_null() {
                    true => Value::None,
                    false => Value::Object(base),
                });
            }
            "__dict__" => {
                let dict = objects.type_dict(class).ok_or_else(|| {
                    Error::new(
                        Class::Unreadable,
                        format!("the namespace of {full} is not known"),
                    )
                })?;
                return Ok(Value::Object(dict));
            }
            "__flags__" => return Ok(Value::int(class.flags)),
            "__basicsize__" => return Ok(Value::int(class.basicsize)),
            "__itemsize__" => return Ok(Value::int(class.itemsize)),
            _ => {}
        }
        let own = objects.class_attribute(class, name);
        let meta = objects.class_attribute(metaclass, name);
        match (own, meta) {
            (Some((value, _)), _) => match self.descriptor(value)? {
                Descriptor::None => self.unwrapped(value),
                _ => Ok(Value::Object(value)),
            },
            (None, Some((value, _))) => match self.descriptor(value)? {
                Descriptor::Member => self.member(class.addr, value, name),
                Descriptor::Getset => Err(self.not_run(class.addr, name)),
                _ => self.unwrapped(value),
            },
            (None, None) => {
                self.refuse_methods(&Value::Object(class.addr), &["__getattr__"])?;
                Err(self.no_attribute(&Value::Object(class.addr), name))
            }
        }
    }

    /// What a class attribute gives without a call: a static method is the function in it.
    fn unwrapped(&self, value: Addr) -> Result<Value, Error> {
        let ty = self.objects.type_of(value)?;
        match ty.name.as_deref() {
            Some("staticmethod") if !ty.is_heap() => {
                let function = self.objects.after(value, 0);
                Ok(Value::Object(self.objects.memory.ptr(function)?))
            }
            _ => Ok(Value::Object(value)),
        }
    }

    /// The item that a named tuple's field stands for: `_tuplegetter` holds its index (3.8+);
    /// before, the field is a property whose function is an `itemgetter`.
    fn tuple_field(&self, tuple: &Value, descriptor: Addr) -> Result<Option<Value>, Error> {
        let objects = self.objects;
        let ty = objects.type_of(descriptor)?;
        let name = objects.full_name(&ty);
        let word = |at: Addr, offset| objects.memory.u64(objects.after(at, offset));
        let index = match &*name {
            "collections._tuplegetter" | "_collections._tuplegetter" => {
                Value::int(word(descriptor, 0)?)
            }
            "property" => {
                let getter = Addr(word(descriptor, 0)?);
                let is_getter = !getter.is_null()
                    && *objects.full_name(&*objects.type_of(getter)?) == *"operator.itemgetter";
                if !is_getter || word(getter, 0)? != 1 {
                    return Ok(None);
                }
                Value::Object(Addr(word(getter, 8)?))
            }
            _ => return Ok(None),
        };
        let index = super::subscript::Index::One(index);
        self.subscript(tuple, &index).map(Some)
    }

    /// What kind of descriptor an object is.
    fn descriptor(&self, addr: Addr) -> Result<Descriptor, Error> {
        let ty = self.objects.type_of(addr)?;
        if self.objects.is_a(&ty, "property") {
            return Ok(Descriptor::Property);
        }
        Ok(match ty.name.as_deref() {
            Some("member_descriptor") if !ty.is_heap() => Descriptor::Member,
            Some("getset_descriptor") if !ty.is_heap() => Descriptor::Getset,
            _ => Descriptor::None,
        })
    }

    /// The value of a C member of `object` (Python/structmember.c `PyMember_GetOne`).
    fn member(&self, object: Addr, descriptor: Addr, name: &str) -> Result<Value, Error> {
        const LARGEST: u64 = 1 << 20;
        const RELATIVE: u32 = 8;
        const LONGEST_STRING: usize = 64 << 10;
        let objects = self.objects;
        let memory = &objects.memory;
        let definition = memory.ptr(objects.layout.fields.descriptor.member.of(descriptor))?;
        let kind = memory.u32(definition.add(8))?;
        let offset = memory.u64(definition.add(16))?;
        let relative = memory.u32(definition.add(24))? & RELATIVE != 0;
        if offset >= LARGEST || relative {
            return Err(self.not_run(object, name));
        }
        let at = object.add(offset);
        let text = |at: Addr| -> Result<Value, Error> {
            let bytes = memory.cstr(at, LONGEST_STRING)?;
            Ok(self.native_text(&String::from_utf8_lossy(&bytes)))
        };
        Ok(match kind {
            member::SHORT => Value::int(memory.u16(at)? as i16),
            member::INT => Value::int(memory.u32(at)? as i32),
            member::LONG | member::LONGLONG | member::PYSSIZET => Value::int(memory.i64(at)?),
            member::FLOAT => Value::Float(f32::from_bits(memory.u32(at)?).into()),
            member::DOUBLE => Value::Float(f64::from_bits(memory.u64(at)?)),
            member::STRING => match memory.ptr(at)? {
                Addr(0) => Value::None,
                pointer => text(pointer)?,
            },
            member::STRING_INPLACE => text(at)?,
            member::OBJECT | member::OBJECT_EX => match memory.ptr(at)? {
                Addr(0) if kind == member::OBJECT => Value::None,
                Addr(0) => return Err(self.no_attribute(&Value::Object(object), name)),
                pointer => Value::Object(pointer),
            },
            member::CHAR => self.native_text(&char::from(memory.u8(at)?).to_string()),
            member::BYTE => Value::int(memory.u8(at)? as i8),
            member::UBYTE => Value::int(memory.u8(at)?),
            member::USHORT => Value::int(memory.u16(at)?),
            member::UINT => Value::int(memory.u32(at)?),
            member::ULONG | member::ULONGLONG => Value::int(memory.u64(at)?),
            member::BOOL => Value::Bool(memory.u8(at)? != 0),
            member::NONE => Value::None,
            _ => return Err(self.not_run(object, name)),
        })
    }

    /// Attributes that C code makes of a field of the object.
    fn computed(&self, addr: Addr, ty: &Arc<TypeInfo>, name: &str) -> Result<Option<Value>, Error> {
        let objects = self.objects;
        let f = &objects.layout.fields;
        let own = |offset| Some(objects.after(addr, offset));
        if (ty.name.as_deref(), name) == (Some("builtin_function_or_method"), "__name__") {
            // PyMethodDef { const char *ml_name; … }
            let definition = objects.memory.ptr(objects.after(addr, 0))?;
            let text = objects
                .memory
                .cstr(objects.memory.ptr(definition)?, MOST_CHARS)?;
            return Ok(Some(self.native_text(&String::from_utf8_lossy(&text))));
        }
        let place = match (ty.name.as_deref().unwrap_or(""), name) {
            ("function", "__name__" | "func_name") => Some(f.function.name.of(addr)),
            ("function", "__qualname__") => f.function.qualname.map(|field| field.of(addr)),
            ("function", "__code__" | "func_code") => Some(f.function.code.of(addr)),
            ("function", "__defaults__" | "func_defaults") => Some(f.function.defaults.of(addr)),
            ("function", "__kwdefaults__") => f.function.kwdefaults.map(|field| field.of(addr)),
            ("function", "__globals__" | "func_globals") => Some(f.function.globals.of(addr)),
            ("function", "__closure__" | "func_closure") => Some(f.function.closure.of(addr)),
            ("function", "__module__") => Some(f.function.module.of(addr)),
            ("function", "__doc__" | "func_doc") => Some(f.function.doc.of(addr)),
            ("method" | "instancemethod", "__func__" | "im_func") => own(0),
            ("method" | "instancemethod", "__self__" | "im_self") => own(8),
            ("builtin_function_or_method", "__self__") => own(8),
            ("cell", "cell_contents") => own(0),
            ("generator", "__name__") => f.generator.name.map(|field| field.of(addr)),
            ("generator", "__qualname__") => f.generator.qualname.map(|field| field.of(addr)),
            ("coroutine", "__name__") => f.generator.name.map(|field| field.of(addr)),
            ("coroutine", "__qualname__") => f.generator.qualname.map(|field| field.of(addr)),
            ("collections.deque", "maxlen") => {
                let maxlen = objects.memory.i64(f.deque.maxlen.of(addr))?;
                return Ok(Some(match maxlen {
                    0.. => Value::int(maxlen),
                    _ => Value::None,
                }));
            }
            _ if ty.is(flags::EXCEPTION) => match name {
                "args" => Some(f.exception.args.of(addr)),
                "__traceback__" => f.exception.traceback.map(|field| field.of(addr)),
                "__context__" => f.exception.context.map(|field| field.of(addr)),
                "__cause__" => f.exception.cause.map(|field| field.of(addr)),
                _ => None,
            },
            _ => None,
        };
        let Some(place) = place else { return Ok(None) };
        Ok(Some(match objects.memory.ptr(place)? {
            Addr(0) => Value::None,
            pointer => Value::Object(pointer),
        }))
    }

    /// Text as the type `str` of the target's Python.
    pub(crate) fn native_text(&self, text: &str) -> Value {
        match self.two {
            true => Value::Bytes(text.as_bytes().to_vec()),
            false => Value::text(text),
        }
    }

    fn not_run(&self, addr: Addr, name: &str) -> Error {
        let what = self.type_name(&Value::Object(addr));
        let message = format!("'{name}' of a '{what}' is made by code of the target");
        Error::new(Class::NotRun, message)
    }

    fn no_attribute(&self, value: &Value, name: &str) -> Error {
        let message = self.no_attribute_message(value, name);
        let names = self.attribute_names(value).unwrap_or_default();
        Error::new(Class::AttributeError, message).hint(did_you_mean(name, names))
    }

    fn no_attribute_message(&self, value: &Value, name: &str) -> String {
        let plain = || {
            let what = self.type_name(value);
            format!("'{what}' object has no attribute '{name}'")
        };
        let Some(addr) = value.address() else {
            return plain();
        };
        let objects = self.objects;
        let Ok(ty) = objects.type_of(addr) else {
            return plain();
        };
        if let Some(instance) = &objects.layout.fields.instance
            && ty.name.as_deref() == Some("instance")
            && let Ok(class) = objects.memory.ptr(instance.class.of(addr))
            && let Ok(class) = objects.memory.ptr(objects.after(class, 16))
            && let Ok(class) = objects.text(class, LONGEST_NAME)
        {
            return format!("{} instance has no attribute '{name}'", class.value);
        }
        if ty.is(flags::TYPE)
            && let Ok(class) = objects.as_type(addr)
        {
            let class = class.name.clone().unwrap_or_default();
            return format!("type object '{class}' has no attribute '{name}'");
        }
        let module = (!self.two && ty.name.as_deref() == Some("module")).then(|| {
            let namespace = objects
                .memory
                .ptr(objects.layout.fields.module.dict.of(addr));
            let own = objects.dict_get(namespace.ok()?, "__name__").ok()??;
            objects.text(own, LONGEST_NAME).ok()
        });
        match module.flatten() {
            Some(module) => format!("module '{}' has no attribute '{name}'", module.value),
            None => plain(),
        }
    }

    /// The names that `dir` lists, sorted.
    pub(crate) fn attribute_names(&self, value: &Value) -> Result<Vec<String>, Error> {
        const MOST_NAMES: usize = 100_000;
        let objects = self.objects;
        let class = self.type_of_value(value)?;
        let mut dicts = Vec::new();
        let mut names: Vec<String> = Vec::new();
        let mut classes = None;
        if let Some(addr) = value.address() {
            let ty = objects.type_of(addr)?;
            if ty.is(flags::TYPE) {
                classes = Some(objects.as_type(addr)?);
            } else {
                let text = |(key, _): &(Addr, Addr)| objects.text(*key, LONGEST_NAME).ok();
                let items = objects.namespace(addr)?;
                names.extend(items.iter().filter_map(text).map(|text| text.value));
                let is_module = ty.name.as_deref() == Some("module");
                classes = (!is_module).then_some(ty);
            }
        } else if let Some(addr) = class.address() {
            classes = Some(objects.as_type(addr)?);
        }
        if let Some(class) = &classes {
            let mro = objects.mro(class);
            dicts.extend(mro.iter().filter_map(|class| objects.type_dict(class)));
        }
        for dict in dicts {
            for (key, _) in objects.dict_items(dict)? {
                self.step(1)?;
                if let Ok(text) = objects.text(key, LONGEST_NAME)
                    && names.len() < MOST_NAMES
                {
                    names.push(text.value);
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// `type(value)`.
    pub(crate) fn type_of_value(&self, value: &Value) -> Result<Value, Error> {
        if let Some(addr) = value.address() {
            let instance = &self.objects.layout.fields.instance;
            let ty = self.objects.type_of(addr)?;
            return Ok(match instance {
                Some(instance) if ty.name.as_deref() == Some("instance") => {
                    Value::Object(self.objects.memory.ptr(instance.class.of(addr))?)
                }
                _ => Value::Object(ty.addr),
            });
        }
        let name = value.builtin_type(self.two);
        // `None` itself is among the builtins; its type is not.
        let found = match value {
            Value::None => {
                let none = self.scope.builtin("None").and_then(|none| none.address());
                none.and_then(|none| self.objects.type_of(none).ok())
                    .map(|ty| Value::Object(ty.addr))
            }
            _ => self.scope.builtin(name),
        };
        found.ok_or_else(|| {
            let message = format!("the type {name} is not among the builtins of the target");
            Error::new(Class::NotRun, message)
        })
    }
}

/// Kinds of descriptors that decide what an attribute is.
enum Descriptor {
    /// A member of a C struct, or a slot.
    Member,
    /// C functions.
    Getset,
    /// A `property`.
    Property,
    /// None of these.
    None,
}
