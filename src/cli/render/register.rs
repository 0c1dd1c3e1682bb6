//! The registers of a frame by gdb's names.

use pydbg::target::Registers;
use pydbg::target::registers::NAMES;

/// The value of a register by name, `None` when there is none of that name; the names of gdb
/// (`pc`, `sp`, `fp`) are the CPU's own.
pub fn value(registers: &Registers, name: &str) -> Option<Option<u64>> {
    let name = match name {
        "pc" => "rip",
        "sp" => "rsp",
        "fp" => "rbp",
        other => other,
    };
    match name {
        "eflags" => Some(registers.flags),
        "fs_base" => Some(registers.thread_pointer),
        "orig_rax" => Some(registers.syscall.map(|value| value as u64)),
        name => {
            let index = NAMES.iter().position(|known| *known == name)?;
            registers.general.get(index).copied()
        }
    }
}

/// The flags that are set, as gdb shows them: `[ PF ZF IF ]`.
pub fn flags(value: u64) -> String {
    const NAMES: [(u32, &str); 9] = [
        (0, "CF"),
        (2, "PF"),
        (4, "AF"),
        (6, "ZF"),
        (7, "SF"),
        (8, "TF"),
        (9, "IF"),
        (10, "DF"),
        (11, "OF"),
    ];
    let set: Vec<&str> = NAMES
        .iter()
        .filter(|(bit, _)| value >> bit & 1 == 1)
        .map(|(_, name)| *name)
        .collect();
    match set.is_empty() {
        true => "[ ]".to_owned(),
        false => format!("[ {} ]", set.join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_have_gdbs_names() {
        let mut registers = Registers::default();
        registers.general[16] = Some(7);
        assert_eq!(value(&registers, "pc"), Some(Some(7)));
        assert_eq!(value(&registers, "rsp"), Some(None));
        assert_eq!(value(&registers, "xyz"), None);
    }

    #[test]
    fn flags_are_named() {
        assert_eq!(flags(0x246), "[ PF ZF IF ]");
        assert_eq!(flags(0), "[ ]");
    }
}
