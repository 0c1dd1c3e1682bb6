//! What there is to say when a process has too many descriptors.

use super::{Descriptors, Hold, Holder, Kind};
use crate::diag::thousands;
use serde::Serialize;

/// Fewer descriptors than this are no reason to say anything.
const MANY: usize = 100;

/// From this part of the limit on, in hundredths, it is said how near that is.
const NEAR: u64 = 80;

/// What keeps less than this part of what the limit allows does no harm, in hundredths.
const HARMLESS: u64 = 10;

/// The most kinds that are named.
const MOST_KINDS: usize = 3;

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum Verdict {
    /// Few are left.
    NearLimit {
        /// Descriptors that are open.
        open: usize,
        /// How many there may be.
        limit: u64,
        /// In words.
        text: String,
    },
    /// One object keeps most of them open.
    Held {
        /// Position of the object among the holders.
        holder: usize,
        /// Its descriptors.
        count: usize,
        /// Of so many.
        open: usize,
        /// In words.
        text: String,
    },
    /// Most of them belong to no Python object.
    Unowned {
        /// Descriptors without an owner.
        count: usize,
        /// Of so many.
        open: usize,
        /// In words.
        text: String,
    },
}

impl Verdict {
    /// In words.
    pub fn text(&self) -> &str {
        match self {
            Verdict::NearLimit { text, .. }
            | Verdict::Held { text, .. }
            | Verdict::Unowned { text, .. } => text,
        }
    }
}

/// What there is to say; nothing for a healthy process.
pub(super) fn of(found: &Descriptors) -> Vec<Verdict> {
    let open = found.all.len();
    let mut verdicts = Vec::new();
    let limit = found.limit.and_then(|limit| limit.soft);
    let reaches = |count: usize, limit: u64, part: u64| {
        (count as u64).saturating_mul(100) >= limit.saturating_mul(part)
    };
    let is_most = |count: usize| {
        count >= MANY
            && count.saturating_mul(2) >= open
            && limit.is_none_or(|limit| reaches(count, limit, HARMLESS))
    };
    if let Some(limit) = limit.filter(|limit| reaches(open, *limit, NEAR)) {
        let text = format!(
            "{} of {limit} descriptors are open: beyond these, open() fails with \"Too many open \
             files\".",
            thousands(open)
        );
        verdicts.push(Verdict::NearLimit { open, limit, text });
    }
    let holders = found.holders.iter().enumerate();
    if let Some((position, holder)) = holders.max_by_key(|(_, holder)| holder.count)
        && is_most(holder.count)
    {
        verdicts.push(Verdict::Held {
            holder: position,
            count: holder.count,
            open,
            text: held(holder, open),
        });
    }
    let unowned = found.all.iter();
    let unowned: Vec<Kind> = unowned
        .filter(|descriptor| descriptor.owners.is_empty())
        .map(|descriptor| descriptor.kind)
        .collect();
    if is_most(unowned.len()) {
        let kinds = super::holders::kinds(unowned.iter().copied());
        let text = format!(
            "{} of {} descriptors ({}) belong to no Python object that is known: C code holds them, \
             or they were opened by os.open, os.pipe or os.dup and never closed.",
            thousands(unowned.len()),
            thousands(open),
            in_words(&kinds)
        );
        verdicts.push(Verdict::Unowned {
            count: unowned.len(),
            open,
            text,
        });
    }
    verdicts
}

fn held(holder: &Holder, open: usize) -> String {
    let who = format!("{} at {}", holder.object.class, holder.object.address);
    let path = match &holder.path {
        Some(path) => path.chain.text.clone(),
        None => "no root leads to it".to_owned(),
    };
    let how = match holder.hold {
        Hold::Alone => "are kept open by",
        Hold::Among => "are reached through, but not only through,",
    };
    let exception = match &holder.exception {
        Some(thing) if thing.address == holder.object.address => String::new(),
        Some(thing) if *thing.class == *"traceback" => {
            format!(" It is alive because of a traceback, at {}.", thing.address)
        }
        Some(thing) => format!(
            " It is alive because of an exception, {} at {}, whose traceback keeps the variables of \
             its frames.",
            thing.class, thing.address
        ),
        None => String::new(),
    };
    let constants = match holder.constants {
        true => " as constants of code objects",
        false => "",
    };
    let example = holder.example.iter();
    let example = example.filter_map(|one| Some((one.fd, &one.path.as_ref()?.chain.text)));
    let example: String = example
        .map(|(fd, path)| format!(" For example fd {fd}: {path}."))
        .collect();
    format!(
        "{} of {} descriptors ({}) {how} the {who}{constants}: {path}.{exception}{example}",
        thousands(holder.count),
        thousands(open),
        in_words(&holder.kinds)
    )
}

/// `600 TCP, 300 file`.
pub(super) fn in_words(kinds: &[(Kind, usize)]) -> String {
    let named = kinds.iter().take(MOST_KINDS);
    let named = named.map(|(kind, count)| format!("{} {}", thousands(*count), kind.words()));
    let mut named: Vec<String> = named.collect();
    let rest: usize = kinds.iter().skip(MOST_KINDS).map(|(_, count)| count).sum();
    if rest > 0 {
        named.push(format!("{} other", thousands(rest)));
    }
    named.join(", ")
}
