//! The state of an interpreter in words.

use pydbg::python::GilState;

/// A GIL in words.
pub fn gil(state: &GilState) -> String {
    match state {
        GilState::Held { tstate, evidence } => {
            format!("held by thread state {tstate} ({evidence})")
        }
        GilState::Free => "free".to_owned(),
        GilState::Disabled => "disabled".to_owned(),
        GilState::Unknown(why) => format!("not known: {why}"),
    }
}
