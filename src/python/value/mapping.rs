//! `dict` and its views, `OrderedDict`, `defaultdict`, `Counter`, `ChainMap`, `mappingproxy`, `frozendict`.

use super::Decoders;

/// The types written here.
pub(super) const DECODERS: Decoders = &[];
