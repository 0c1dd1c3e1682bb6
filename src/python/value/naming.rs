//! Names inside of what is written: `%s` of a string object, `tp_name`, `__name__`, `__qualname__`
//! of classes, functions and anything that has such an attribute.

use super::writer::Writer;
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, flags, malformed};
use crate::target::Fault;
use std::sync::Arc;

/// The longest name that is written whole, in characters.
const LONGEST: u64 = 16 << 10;

impl Writer<'_> {
    /// Writes a string object as `str` does, without quotes.
    pub(super) fn plain(&mut self, text: Addr) -> Result<(), Fault> {
        let text = self.objects.text(text, LONGEST)?;
        self.push(&text.value);
        if text.left_out > 0 {
            self.left_out(&format!("{} more characters", text.left_out));
        }
        Ok(())
    }

    /// Writes `__qualname__` of an object, else its `__name__`, else `?`.
    pub(super) fn name_of(&mut self, object: Addr) -> Result<(), Fault> {
        match self.objects.qualname_of(object)? {
            Some(name) => self.push(&name),
            None => self.push("?"),
        }
        Ok(())
    }
}

impl Objects {
    /// A whole string object as text, unless it is absurdly long.
    pub(super) fn name_text(&self, text: Addr) -> Result<String, Fault> {
        match self.text(text, LONGEST)? {
            whole if whole.left_out == 0 => Ok(whole.value),
            _ => Err(malformed(text)),
        }
    }

    /// `type.__name__`.
    pub(super) fn short_name(&self, ty: &TypeInfo) -> String {
        let heap_name = self.layout.fields.type_object.heap_name.of(ty.addr);
        let heap_name = || self.name_text(self.memory.ptr(heap_name).ok()?).ok();
        let name = ty.is_heap().then(heap_name).flatten();
        name.unwrap_or_else(|| last_part(&self.c_name(ty)).to_owned())
    }

    /// `type.__qualname__`.
    pub(super) fn type_qualname(&self, ty: &TypeInfo) -> String {
        let field = self.layout.fields.type_object.heap_qualname;
        let field = field.filter(|_| ty.is_heap());
        let name = field.and_then(|field| {
            let text = self.memory.ptr(field.of(ty.addr)).ok()?;
            self.name_text(text).ok()
        });
        name.unwrap_or_else(|| self.short_name(ty))
    }

    /// `__qualname__` of a class, function or builtin, or what an instance has by that name;
    /// else the same of `__name__`.
    fn qualname_of(&self, object: Addr) -> Result<Option<String>, Fault> {
        let ty = self.type_of(object)?;
        if ty.is(flags::TYPE) {
            return Ok(Some(self.type_qualname(&*self.type_at(object)?)));
        }
        let f = &self.layout.fields.function;
        match &*self.full_name(&ty) {
            "function" => {
                let name = self.memory.ptr(f.qualname.unwrap_or(f.name).of(object))?;
                return self.name_text(name).map(Some);
            }
            "builtin_function_or_method" | "builtin_method" => {
                let name = match f.qualname {
                    Some(_) => self.builtin_qualname(object)?,
                    None => super::function::builtin_name(self, object)?,
                };
                return Ok(Some(name));
            }
            // A method has the names of what it binds.
            "method" | "instancemethod" => {
                let function = self.memory.ptr(self.after(object, 0))?;
                let ty = self.type_of(function)?;
                return match self.full_name(&ty).starts_with("method") {
                    true => Ok(None),
                    false => self.qualname_of(function),
                };
            }
            _ => {}
        }
        for name in ["__qualname__", "__name__"] {
            if let Some(found) = self.getattr(object, name)?
                && let Ok(text) = self.name_text(found.value)
            {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// `__qualname__` of a builtin: with the class, if it is bound to one or to an instance.
    fn builtin_qualname(&self, builtin: Addr) -> Result<String, Fault> {
        let name = super::function::builtin_name(self, builtin)?;
        let bound = self.memory.ptr(self.after(builtin, 8))?;
        if bound.is_null() {
            return Ok(name);
        }
        let ty: Arc<TypeInfo> = self.type_of(bound)?;
        Ok(match &*self.full_name(&ty) {
            "module" => name,
            _ if ty.is(flags::TYPE) => {
                format!("{}.{name}", self.type_qualname(&*self.type_at(bound)?))
            }
            _ => format!("{}.{name}", self.type_qualname(&ty)),
        })
    }
}

/// What follows the last dot.
pub(super) fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}
