//! Which rule tells the size of which type's objects: by the type in C whose `__sizeof__` it is.

use super::super::{Objects, TypeInfo};
use super::numpy;
use std::sync::Arc;

/// What computes the size of an object.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Rule {
    /// `object.__sizeof__`: the struct, and the items behind it.
    Plain,
    /// Code in Python, or of a type that is not known.
    Unknown,
    /// 2.7's `str`.
    ByteString,
    /// 2.7's `unicode`.
    Unicode,
    Str,
    Int {
        /// How many digits count at least: 0 has none.
        least: u64,
    },
    Decimal,
    List,
    Set,
    Deque,
    ByteArray,
    Array,
    SimpleQueue,
    Dict,
    OrderedDict,
    /// What ctypes keeps of a class, up to 3.12 in its dictionary.
    CTypesDict,
    /// A class of ctypes (3.13+).
    CType,
    Type,
    Code,
    Frame,
    Generator,
    BytesIo,
    Buffered,
    Struct,
    Pickler,
    Unpickler,
    Element,
    Product,
    Combinations,
    Permutations,
    SyntaxTree,
    NumpyArray,
    /// A number of numpy, of so many bytes.
    NumpyNumber(u64),
    /// Text or a record of numpy, which has its size in `ob_size`.
    NumpyFlexible,
}

/// The first release that counts the digit of 0.
const ZERO_HAS_A_DIGIT: (u8, u8, u8) = (3, 11, 2);

/// The types in C with a `__sizeof__` of their own, by their full names, sorted. Some static types
/// do not tell their module.
const RULES: &[(&str, Rule)] = &[
    ("StgDict", Rule::CTypesDict),
    ("Struct", Rule::Struct),
    ("_ctypes.CType_Type", Rule::CType),
    ("_io.BufferedRandom", Rule::Buffered),
    ("_io.BufferedReader", Rule::Buffered),
    ("_io.BufferedWriter", Rule::Buffered),
    ("_io.BytesIO", Rule::BytesIo),
    ("_pickle.Pickler", Rule::Pickler),
    ("_pickle.Unpickler", Rule::Unpickler),
    ("_queue.SimpleQueue", Rule::SimpleQueue),
    ("_struct.Struct", Rule::Struct),
    ("array.array", Rule::Array),
    ("async_generator", Rule::Generator),
    ("bytearray", Rule::ByteArray),
    ("code", Rule::Code),
    ("collections.OrderedDict", Rule::OrderedDict),
    ("collections.deque", Rule::Deque),
    ("coroutine", Rule::Generator),
    ("decimal.Decimal", Rule::Decimal),
    ("dict", Rule::Dict),
    ("frame", Rule::Frame),
    ("frozendict", Rule::Dict),
    ("frozenset", Rule::Set),
    ("generator", Rule::Generator),
    ("int", Rule::Int { least: 0 }),
    ("itertools.combinations", Rule::Combinations),
    (
        "itertools.combinations_with_replacement",
        Rule::Combinations,
    ),
    ("itertools.permutations", Rule::Permutations),
    ("itertools.product", Rule::Product),
    ("list", Rule::List),
    ("long", Rule::Int { least: 0 }),
    ("numpy.generic", Rule::NumpyFlexible),
    ("numpy.ndarray", Rule::NumpyArray),
    ("object", Rule::Plain),
    ("parser.st", Rule::SyntaxTree),
    ("set", Rule::Set),
    ("str", Rule::Str),
    ("type", Rule::Type),
    ("unicode", Rule::Unicode),
    ("xml.etree.ElementTree.Element", Rule::Element),
];

impl Objects {
    /// What tells the size of instances of `ty`, and the class that says so.
    pub(super) fn size_rule(&self, ty: &Arc<TypeInfo>) -> (Rule, Arc<TypeInfo>) {
        let Some((method, _)) = self.class_attribute(ty, "__sizeof__") else {
            // 2.7's classes and instances of the old kind.
            return (Rule::Plain, Arc::clone(ty));
        };
        let unknown = (Rule::Unknown, Arc::clone(ty));
        let is_in_c = |ty: Arc<TypeInfo>| *self.full_name(&ty) == *"method_descriptor";
        if !self.type_of(method).is_ok_and(is_in_c) {
            return unknown;
        }
        // Whatever class has it in its namespace, the descriptor tells whose it is.
        let owner = self.layout.fields.descriptor.owner.of(method);
        let owner = self.memory.ptr(owner).and_then(|owner| self.as_type(owner));
        let Ok(owner) = owner else {
            return unknown;
        };
        let name = self.full_name(&owner);
        let known = RULES.binary_search_by(|(known, _)| (*known).cmp(&name));
        let rule = known.ok().and_then(|index| RULES.get(index));
        let rule = rule.map_or(Rule::Unknown, |(_, rule)| *rule);
        match rule {
            // 2.7's `str` is what later versions call `bytes`.
            Rule::Str if self.layout.fields.str.state.is_none() => (Rule::ByteString, owner),
            Rule::Int { .. } => {
                let least = self.is_since(ZERO_HAS_A_DIGIT).into();
                (Rule::Int { least }, owner)
            }
            Rule::NumpyFlexible => (self.numpy_rule(ty), owner),
            _ => (rule, owner),
        }
    }

    /// The rule for scalars of numpy, by the first class that tells their size.
    fn numpy_rule(&self, ty: &Arc<TypeInfo>) -> Rule {
        for class in self.mro(ty).iter() {
            let name = self.full_name(class);
            match name.strip_prefix("numpy.") {
                Some("flexible") => return Rule::NumpyFlexible,
                Some(name) => {
                    if let Some(bytes) = numpy::bytes_of(name) {
                        return Rule::NumpyNumber(bytes);
                    }
                }
                None => {}
            }
        }
        Rule::Unknown
    }
}

#[cfg(test)]
mod tests {
    use super::RULES;

    #[test]
    fn each_type_has_one_rule() {
        assert!(RULES.is_sorted_by(|one, next| one.0 < next.0));
    }
}
