//! Types by their names, as a person writes them, and their instances.

use super::Heap;
use crate::addr::Addr;
use crate::python::object::flags;
use rayon::prelude::*;
use rustc_hash::FxHashSet;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Types that a name stands for: full names, each with the addresses of the types of that name.
pub type Named = BTreeMap<Arc<str>, Vec<Addr>>;

/// What a name stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TypeMatch {
    /// These types: all of one name, or all that fit a pattern.
    Found(Named),
    /// The last part of several names.
    Ambiguous(Vec<Arc<str>>),
    /// No type; the names of all there are.
    Unknown(Vec<Arc<str>>),
}

impl Heap {
    /// All types of the process: those that have instances, and classes without any.
    pub fn types(&self) -> Named {
        let objects = &self.python.objects;
        let is_class = |id: &u32| {
            let kind = self.kind(*id);
            kind.is_some_and(|kind| kind.keeping.ty.is(flags::TYPE))
        };
        let all = (0..self.count()).into_par_iter().filter(is_class);
        let classes: Vec<Addr> = all.map(|id| self.address(id)).collect();
        let kinds = self.kinds().iter().map(|kind| kind.keeping.ty.addr);
        let all: FxHashSet<Addr> = classes.into_iter().chain(kinds).collect();
        let mut named = Named::new();
        for addr in all {
            if let Ok(ty) = objects.type_at(addr) {
                let same = named.entry(objects.full_name(&ty)).or_default();
                same.push(addr);
            }
        }
        named.values_mut().for_each(|same| same.sort_unstable());
        named
    }

    /// The types that a text stands for: a full name (`app.Account`), the last part of just one name
    /// (`Account`), or a pattern in which `*` stands for anything.
    pub fn types_named(&self, text: &str) -> TypeMatch {
        choose(self.types(), text)
    }

    /// Adds all subclasses of these types.
    pub fn add_subclasses(&self, named: &mut Named) {
        let objects = &self.python.objects;
        let wanted: FxHashSet<Addr> = named.values().flatten().copied().collect();
        for (name, addrs) in self.types() {
            for addr in addrs.into_iter().filter(|addr| !wanted.contains(addr)) {
                let Ok(ty) = objects.type_at(addr) else {
                    continue;
                };
                let mro = objects.mro(&ty);
                if mro.iter().any(|class| wanted.contains(&class.addr)) {
                    named.entry(Arc::clone(&name)).or_default().push(addr);
                }
            }
        }
    }

    /// The instances of these types, without those of subclasses; by id.
    pub fn instances(&self, named: &Named) -> Vec<u32> {
        let wanted: FxHashSet<Addr> = named.values().flatten().copied().collect();
        let kinds = self.kinds().iter();
        let wanted: Vec<bool> = kinds
            .map(|kind| wanted.contains(&kind.keeping.ty.addr))
            .collect();
        let is_one = |id: &u32| {
            let kind = self.kind_number(*id) as usize;
            wanted.get(kind).copied().unwrap_or(false)
        };
        (0..self.count()).into_par_iter().filter(is_one).collect()
    }
}

/// Those of all types that a text stands for.
fn choose(all: Named, text: &str) -> TypeMatch {
    let only = |fits: &dyn Fn(&str) -> bool| -> Named {
        let fitting = all.iter().filter(|(name, _)| fits(name));
        fitting
            .map(|(name, addrs)| (Arc::clone(name), addrs.clone()))
            .collect()
    };
    let last = |name: &str, part: &str| {
        let before = name.strip_suffix(part);
        before.is_some_and(|before| before.ends_with('.'))
    };
    let found = match text.contains('*') {
        true => only(&|name| fits(text, name)),
        false => only(&|name| name == text),
    };
    if !found.is_empty() {
        return TypeMatch::Found(found);
    }
    let found = only(&|name| last(name, text));
    match found.len() {
        1 => TypeMatch::Found(found),
        0 => TypeMatch::Unknown(all.into_keys().collect()),
        _ => TypeMatch::Ambiguous(found.into_keys().collect()),
    }
}

/// Whether a name fits a pattern, in which `*` stands for any characters.
fn fits(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = name.strip_prefix(parts.next().unwrap_or("")) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = rest.get(at + part.len()..).unwrap_or(""),
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(found: TypeMatch) -> Vec<String> {
        match found {
            TypeMatch::Found(named) => named.keys().map(|name| name.to_string()).collect(),
            TypeMatch::Ambiguous(names) => vec![format!("ambiguous: {}", names.join(" "))],
            TypeMatch::Unknown(names) => vec![format!("unknown of {}", names.len())],
        }
    }

    #[test]
    fn types_are_found_by_name_last_part_and_pattern() {
        let all = [
            "dict",
            "app.Account",
            "app.Outer.Inner",
            "lib.Account",
            "app.dict",
        ];
        let all: Named = all.iter().map(|name| ((*name).into(), vec![])).collect();
        let found = |text: &str| names(choose(all.clone(), text));
        assert_eq!(found("dict"), ["dict"]);
        assert_eq!(found("app.Account"), ["app.Account"]);
        assert_eq!(found("Inner"), ["app.Outer.Inner"]);
        assert_eq!(found("Outer.Inner"), ["app.Outer.Inner"]);
        assert_eq!(found("Account"), ["ambiguous: app.Account lib.Account"]);
        assert_eq!(found("app.A*"), ["app.Account"]);
        assert_eq!(found("*.Account"), ["app.Account", "lib.Account"]);
        assert_eq!(found("count"), ["unknown of 5"]);
        assert_eq!(found("*x"), ["unknown of 5"]);
    }

    #[test]
    fn patterns() {
        assert!(fits("*", ""));
        assert!(fits("a*b*c", "aXbYc"));
        assert!(fits("a*a", "aa"));
        assert!(!fits("a*a", "a"));
        assert!(fits("**", "x"));
        assert!(!fits("a*b", "ab c"));
    }
}
