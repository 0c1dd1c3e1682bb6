//! Ways of reference as a person reads them.

use super::Via;
use crate::escape::escape;

impl Via {
    /// The way in a few words, safe to print: `attribute lock`, `[3]`, `value of 'key'`.
    pub fn words(&self) -> String {
        match self {
            Via::Class => "its class".to_owned(),
            Via::Dict => "__dict__".to_owned(),
            Via::Namespace => "its namespace".to_owned(),
            Via::Attribute { name } => format!("attribute {}", escape(name)),
            Via::Slot { name } => format!("slot {}", escape(name)),
            Via::Member { name, .. } => escape(name).into_owned(),
            Via::Key { repr, .. } => format!("value of {}", escape(repr)),
            Via::IsKey => "is a key".to_owned(),
            Via::Index { index } => format!("[{index}]"),
            Via::Closure { index, name } => format!("[{index}] (variable {})", escape(name)),
            Via::Default { index, name } => {
                format!("[{index}] (default of parameter {})", escape(name))
            }
            Via::Element => "element".to_owned(),
            Via::CellContents => "content of the cell".to_owned(),
            Via::Weak { .. } => "weak reference".to_owned(),
            Via::Local { name, .. } => format!("local {}", escape(name)),
            Via::Stack { index } => format!("evaluation stack [{index}]"),
            Via::Frame { name } => escape(name).into_owned(),
            Via::Field {
                offset,
                of,
                name: None,
                ..
            } => format!("C field {offset:+} of {}", escape(of)),
            Via::Field {
                of,
                name: Some(name),
                ..
            } => format!("C field {} of {}", escape(name), escape(of)),
            Via::Apart => "memory of its own".to_owned(),
            Via::Unknown => "somewhere".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heap::label::Provenance;

    #[test]
    fn strings_of_the_target_are_escaped() {
        let name = "a\x1b[31m".to_owned();
        let via = Via::Attribute { name: name.clone() };
        assert_eq!(via.words(), "attribute a\\x1b[31m");
        let via = Via::Field {
            offset: 24,
            of: "m.T".to_owned(),
            name: None,
            provenance: Provenance::Word,
        };
        assert_eq!(via.words(), "C field +24 of m.T");
        let via = Via::Default { index: 1, name };
        assert_eq!(via.words(), "[1] (default of parameter a\\x1b[31m)");
    }
}
