//! Attributes of instances whose type has a managed dictionary (3.11+), as
//! `python::object::attributes` finds them.

use super::{Broken, Follow, Tracer, Visit, own};
use crate::addr::Addr;
use crate::python::layout::{Attributes, ValuesKind};
use crate::python::object::Keeping;

impl Tracer<'_, '_> {
    /// The dictionary of an instance, or its values.
    pub(super) fn managed(
        &self,
        addr: Addr,
        keeping: &Keeping,
        found: &mut impl Visit,
    ) -> Result<(), Broken> {
        let values = match self.layout().kinds.attributes {
            Attributes::DictOffset => return Ok(()),
            Attributes::TwoWords => {
                let dict = self.word(addr.sub(24))?;
                let values = self.word(addr.sub(32))?;
                if dict != 0 || values == 0 {
                    own(dict, found);
                    return Ok(());
                }
                Addr(values)
            }
            Attributes::TaggedWord => match self.word(addr.sub(24))? {
                word if word & 1 == 1 => Addr(word).add(1),
                dict => {
                    own(dict, found);
                    return Ok(());
                }
            },
            Attributes::Inline => match self.inline(addr, keeping, 24, found)? {
                Some(values) => values,
                None => return Ok(()),
            },
            Attributes::InlineFreeThreaded => match self.inline(addr, keeping, 8, found)? {
                Some(values) => values,
                None => return Ok(()),
            },
        };
        let keys = self.layout().fields.type_object.cached_keys.ok_or(Broken)?;
        let keys = Addr(self.word(keys.of(keeping.ty.addr))?);
        self.bare_values(self.entries(keys)?, values, found)
    }

    /// The values behind an object, unless it has a dictionary, which is told.
    fn inline(
        &self,
        addr: Addr,
        keeping: &Keeping,
        before: u64,
        found: &mut impl Visit,
    ) -> Result<Option<Addr>, Broken> {
        const VALID: u64 = 3;
        let kinds = &self.layout().kinds;
        let values = match kinds.values == ValuesKind::Headed && keeping.ty.has_inline_values() {
            true => {
                let values = addr.add(keeping.ty.basicsize as u64);
                let valid = self.pieces.u8(values.add(VALID)).ok_or(Broken)?;
                Some(values).filter(|_| valid == 1)
            }
            false => None,
        };
        let dict = self.word(addr.sub(before))?;
        let are_first = self.follow == Follow::Told && kinds.told.values_first;
        if dict == 0 || are_first && values.is_some() {
            return Ok(values);
        }
        own(dict, found);
        Ok(None)
    }
}
