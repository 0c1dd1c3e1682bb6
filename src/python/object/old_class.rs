//! 2.7's classes that do not descend from `object` (Objects/classobject.c): their instances are all
//! of the type `instance`, and the class is an attribute of each.

use super::Objects;
use crate::addr::Addr;

/// The most classes that an instance's class is made of.
const MOST_CLASSES: usize = 100;

/// The longest name of a class or module, in characters.
const LONGEST_NAME: u64 = 1024;

impl Objects {
    /// The full names of the class of an old-style instance and of its bases; none for what is
    /// not such an instance.
    pub fn old_classes(&self, object: Addr) -> Vec<String> {
        let classes = self.old_mro(object).into_iter();
        classes
            .filter_map(|class| Some(self.old_class(class)?.0))
            .collect()
    }

    /// Whether the class of an old-style instance, or a base of it, has an attribute.
    pub fn has_old_attribute(&self, object: Addr, name: &str) -> bool {
        self.old_mro(object).into_iter().any(|class| {
            let dict = self.memory.ptr(self.after(class, 8));
            dict.is_ok_and(|dict| matches!(self.dict_get(dict, name), Ok(Some(_))))
        })
    }

    /// The class of an old-style instance and its bases.
    fn old_mro(&self, object: Addr) -> Vec<Addr> {
        let class = || {
            let instance = self.layout.fields.instance.as_ref()?;
            let ty = self.type_of(object).ok()?;
            let is_old = !ty.is_heap() && *self.full_name(&ty) == *"instance";
            is_old.then(|| self.memory.ptr(instance.class.of(object)).ok())?
        };
        let mut classes: Vec<Addr> = class().into_iter().collect();
        let mut next = 0;
        while let Some(class) = classes.get(next).copied() {
            next += 1;
            let Some((_, bases)) = self.old_class(class) else {
                continue;
            };
            let room = MOST_CLASSES.saturating_sub(classes.len());
            let new = bases.into_iter().filter(|base| !classes.contains(base));
            let new: Vec<Addr> = new.take(room).collect();
            classes.extend(new);
        }
        classes
    }

    /// The full name and the bases of an old-style class.
    fn old_class(&self, class: Addr) -> Option<(String, Vec<Addr>)> {
        // PyClassObject: bases, dict, name
        let ty = self.type_of(class).ok()?;
        if *self.full_name(&ty) != *"classobj" {
            return None;
        }
        let word = |at| self.memory.ptr(self.after(class, at)).ok();
        let text = |at: Addr| Some(self.text(at, LONGEST_NAME).ok()?.value);
        let name = text(word(16)?)?;
        let module = text(self.dict_get(word(8)?, "__module__").ok()??)?;
        let bases = self.tuple_items(word(0)?, MOST_CLASSES).unwrap_or_default();
        Some((format!("{module}.{name}"), bases))
    }
}
