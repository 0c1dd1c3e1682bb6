//! One field of a layout and where it is known from, and the machinery that makes groups of
//! fields walkable and settable by name.

use crate::addr::Addr;
use serde::Serialize;

/// Where an offset came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// `_Py_DebugOffsets` in the process.
    DebugOffsets,
    /// DWARF of the very binary.
    Dwarf,
    /// The built-in table.
    Table,
}

/// An offset in bytes within a struct, or a size in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Bytes.
    pub offset: u32,
    /// Where that is known from.
    pub source: Source,
}

impl Field {
    /// The field's address in the struct at `base`.
    pub fn of(self, base: Addr) -> Addr {
        base.add(u64::from(self.offset))
    }

    /// The offset as an index into bytes already read, or a size as a length.
    pub fn index(self) -> usize {
        self.offset as usize
    }
}

/// A field of a built-in table.
pub(super) const fn at(offset: u32) -> Field {
    Field {
        offset,
        source: Source::Table,
    }
}

/// A field of a built-in table that other versions do not have.
pub(super) const fn has(offset: u32) -> Option<Field> {
    Some(at(offset))
}

/// A field that may be missing in some versions.
pub(super) trait Slot {
    fn get(&self) -> Option<Field>;
    fn put(&mut self, field: Field);
}

impl Slot for Field {
    fn get(&self) -> Option<Field> {
        Some(*self)
    }

    fn put(&mut self, field: Field) {
        *self = field;
    }
}

impl Slot for Option<Field> {
    fn get(&self) -> Option<Field> {
        *self
    }

    fn put(&mut self, field: Field) {
        *self = Some(field);
    }
}

/// A group of fields that may be missing in some versions.
pub(super) trait Group {
    fn each(&self, visit: &mut dyn FnMut(&'static str, Option<Field>));
    fn set(&mut self, name: &str, field: Field) -> bool;
}

impl<G: Group> Group for Option<G> {
    fn each(&self, visit: &mut dyn FnMut(&'static str, Option<Field>)) {
        if let Some(group) = self {
            group.each(visit);
        }
    }

    fn set(&mut self, name: &str, field: Field) -> bool {
        self.as_mut().is_some_and(|group| group.set(name, field))
    }
}

/// Declares groups of fields that can be walked and set by name.
macro_rules! groups {
    ($($(#[$doc:meta])* $group:ident { $($(#[$field_doc:meta])* $field:ident: $kind:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct $group { $($(#[$field_doc])* pub $field: $kind,)* }

        impl Group for $group {
            fn each(&self, visit: &mut dyn FnMut(&'static str, Option<Field>)) {
                $(visit(stringify!($field), self.$field.get());)*
            }

            fn set(&mut self, name: &str, field: Field) -> bool {
                match name {
                    $(stringify!($field) => self.$field.put(field),)*
                    _ => return false,
                }
                true
            }
        }
    )*};
}

pub(super) use groups;

/// Declares the struct of all groups.
macro_rules! all_groups {
    ($($(#[$doc:meta])* $name:ident: $group:ty,)*) => {
        /// All groups of fields.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub struct Fields { $($(#[$doc])* pub $name: $group,)* }

        impl Fields {
            /// Visits every field: group, name, and the field if this version has it.
            pub fn each(
                &self,
                visit: &mut dyn FnMut(&'static str, &'static str, Option<Field>),
            ) {
                $(self.$name.each(&mut |field, value| visit(stringify!($name), field, value));)*
            }

            /// The field called `group.name`, if this version has it.
            pub fn get(&self, group: &str, name: &str) -> Option<Field> {
                let mut found = None;
                self.each(&mut |g, n, value| {
                    if (g, n) == (group, name) {
                        found = value;
                    }
                });
                found
            }

            /// Sets a field by name; `false` when there is no such field or group.
            pub fn set(&mut self, group: &str, name: &str, field: Field) -> bool {
                match group {
                    $(stringify!($name) => self.$name.set(name, field),)*
                    _ => false,
                }
            }
        }
    };
}
pub(super) use all_groups;

#[cfg(test)]
mod tests {
    use super::super::Layout;
    use super::*;

    #[test]
    fn fields_can_be_set_by_name() {
        let mut fields = Layout::tables((3, 12), false).next().unwrap().fields;
        let field = Field {
            offset: 7,
            source: Source::Dwarf,
        };
        assert!(fields.set("type_object", "flags", field));
        assert!(fields.set("thread", "frame", field));
        assert_eq!(fields.type_object.flags, field);
        assert_eq!(fields.thread.frame, Some(field));
        assert!(!fields.set("thread", "nonsense", field));
        assert!(
            !fields.set("instance", "dict", field),
            "3.12 has no such group"
        );
    }
}
