//! Memory of a library that serves malloc in place of glibc: whose blocks are in use is not known.

use super::{Facts, Finding, Kind};
use crate::memory::What;

pub(super) fn find(facts: &Facts<'_>) -> Option<Finding> {
    let server = facts.memory.other_malloc.as_ref()?;
    let bytes = facts.large(facts.resident(&[What::OtherMalloc]))?;
    Some(Finding {
        kind: Kind::OtherMalloc,
        bytes,
        words: format!(
            "memory of {}: up to {} are its own, in use by C code or free, which is not told apart",
            server.library.name(),
            facts.amount(bytes)
        ),
        evidence: vec![
            format!("malloc is served by {}", server.path),
            "what other code mapped for itself looks the same and is counted with it; blocks of Python \
             objects are not"
                .into(),
        ],
        next: vec!["memory --mappings".into()],
    })
}
