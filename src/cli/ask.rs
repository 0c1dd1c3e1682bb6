//! Questions to the person at the prompt. A batch is never asked.

use super::Session;
use super::inferior::Inferior;
use pydbg::target::live::LiveHold;
use std::io::{self, BufRead, Write};

/// Whether the target may be left: asks if it is stopped and `set confirm on` wants that.
pub fn may_leave(session: &Session) -> bool {
    let is_held = |inferior: &&Inferior| {
        let target = inferior.process.as_ref().map(|process| &process.target);
        target.is_some_and(|target| target.live().is_some_and(LiveHold::is_stopped))
    };
    let live = session.inferiors().iter().any(is_held);
    let wanted = live && session.interactive && session.settings.get_bool("confirm");
    !wanted || confirmed("The process that is stopped will run on. Leave it?").unwrap_or(true)
}

/// Asks until the answer is one. The end of the input is a yes, as it is for gdb.
fn confirmed(question: &str) -> io::Result<bool> {
    let mut answer = String::new();
    loop {
        print_now(&format!("{question} (y or n) "))?;
        answer.clear();
        let end = io::stdin().lock().read_line(&mut answer)? == 0;
        match answer.trim() {
            _ if end => return Ok(true),
            "y" | "Y" | "yes" => return Ok(true),
            "n" | "N" | "no" => return Ok(false),
            _ => print_now("Please answer y or n.\n")?,
        }
    }
}

fn print_now(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
