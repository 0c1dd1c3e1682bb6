//! Modules: `_module_repr` of Lib/importlib/_bootstrap.py, which is Python code but the same in
//! every process; in 2.7 `module_repr` of Objects/moduleobject.c.

use super::Decoders;
use super::dialect::Change;
use super::writer::Writer;
use crate::addr::Addr;
use crate::python::object::{Objects, TypeInfo, flags};
use crate::target::Fault;
use std::sync::Arc;

/// The types written here.
pub(super) const DECODERS: Decoders = &[("module", module)];

/// `<module 'os' from '/usr/lib/python3.11/os.py'>`.
fn module(w: &mut Writer<'_>, addr: Addr, _ty: &Arc<TypeInfo>) -> Result<(), Fault> {
    let objects = w.objects;
    let namespace = objects.layout.fields.module.dict.of(addr);
    let namespace = objects.memory.ptr(namespace)?;
    let get = |name: &str| match namespace.is_null() {
        true => Ok(None),
        false => objects.dict_get(namespace, name),
    };
    if !objects.has(Change::Python3) {
        return old_module(w, get("__name__")?, get("__file__")?);
    }
    let loader = some(objects, get("__loader__")?);
    let spec = some(objects, get("__spec__")?);
    let by_loader = loader.and_then(|loader| by_loader(objects, loader));
    let name = get("__name__")?;
    match (spec, by_loader) {
        (None, Some(kind)) => told(w, name, kind),
        (Some(_), Some(kind)) if !objects.has(Change::SpecBeforeLoader) => told(w, name, kind),
        (Some(spec), _) => from_spec(w, spec)?,
        (None, None) => match (get("__file__")?, loader) {
            (Some(file), _) => from_file(w, name, file),
            (None, None) => {
                begin(w, name);
                w.push(">");
            }
            (None, Some(loader)) => from_loader(w, name, loader),
        },
    }
    Ok(())
}

/// What is there and not `None`.
fn some(objects: &Objects, value: Option<Addr>) -> Option<Addr> {
    let is_none = |value: Addr| {
        let ty = objects.type_of(value);
        ty.is_ok_and(|ty| *objects.full_name(&ty) == *"NoneType")
    };
    value.filter(|value| !is_none(*value))
}

/// What the `module_repr()` of importlib's own loaders says, up to 3.11.
fn by_loader(objects: &Objects, loader: Addr) -> Option<&'static str> {
    let ty = objects.type_of(loader).ok()?;
    let class = match ty.is(flags::TYPE) {
        true => objects.type_at(loader).ok()?,
        false => ty,
    };
    let kind = match &*objects.full_name(&class) {
        "_frozen_importlib.BuiltinImporter" => "built-in",
        "_frozen_importlib.FrozenImporter" => "frozen",
        "_frozen_importlib_external._NamespaceLoader"
        | "_frozen_importlib_external.NamespaceLoader" => "namespace",
        _ => return None,
    };
    objects.own_attribute(&class, "module_repr").map(|_| kind)
}

fn begin(w: &mut Writer<'_>, name: Option<Addr>) {
    w.push("<module ");
    match name {
        Some(name) => w.object(name),
        None => w.push("'?'"),
    }
}

fn told(w: &mut Writer<'_>, name: Option<Addr>, kind: &str) {
    begin(w, name);
    w.push(&format!(" ({kind})>"));
}

fn from_file(w: &mut Writer<'_>, name: Option<Addr>, file: Addr) {
    begin(w, name);
    w.push(" from ");
    w.object(file);
    w.push(">");
}

fn from_loader(w: &mut Writer<'_>, name: Option<Addr>, loader: Addr) {
    begin(w, name);
    w.push(" (");
    w.object(loader);
    w.push(")>");
}

/// `_module_repr_from_spec`.
fn from_spec(w: &mut Writer<'_>, spec: Addr) -> Result<(), Fault> {
    let objects = w.objects;
    let get = |name: &str| Ok(some(objects, objects.attribute(spec, name)?));
    let (name, origin, loader) = (get("name")?, get("origin")?, get("loader")?);
    let Some(origin) = origin else {
        let Some(loader) = loader else {
            begin(w, name);
            w.push(">");
            return Ok(());
        };
        let ty = objects.type_of(loader)?;
        let namespace = objects.is_a(&ty, "_frozen_importlib_external.NamespaceLoader");
        if !namespace || !objects.has(Change::NamespacePath) {
            from_loader(w, name, loader);
            return Ok(());
        }
        begin(w, name);
        w.push(" (namespace) from ");
        // list(loader._path), where `_path` is a `_NamespacePath` around a list
        let path = objects.attribute(loader, "_path")?;
        let list = path.and_then(|path| objects.attribute(path, "_path").ok()?);
        match list.or(path) {
            Some(list) => w.object(list),
            None => w.push("[]"),
        }
        w.push(">");
        return Ok(());
    };
    // The property `has_location` returns this.
    let has_location = objects.attribute(spec, "_set_fileattr")?;
    if has_location.is_some_and(|value| objects.int(value).is_ok_and(|value| value != 0)) {
        from_file(w, name, origin);
    } else {
        begin(w, name);
        w.push(" (");
        w.plain(origin)?;
        w.push(")>");
    }
    Ok(())
}

/// 2.7: `<module 'os' from '/usr/lib/python2.7/os.pyc'>`, `<module 'sys' (built-in)>`.
fn old_module(w: &mut Writer<'_>, name: Option<Addr>, file: Option<Addr>) -> Result<(), Fault> {
    w.push("<module '");
    match name {
        Some(name) => w.plain(name)?,
        None => w.push("?"),
    }
    match some(w.objects, file) {
        Some(file) => {
            w.push("' from '");
            w.plain(file)?;
            w.push("'>");
        }
        None => w.push("' (built-in)>"),
    }
    Ok(())
}
