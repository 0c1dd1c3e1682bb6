//! The prompt: lines from a person, with editing, history and completion; or from a pipe.

use super::complete;
use super::console::Console;
use super::history;
use super::interrupt::Mode;
use super::session::Session;
use super::status::Status;
use rustyline::completion::{Completer, Pair};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Context, Editor, Helper, Validator};
use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, BufRead};
use std::process::ExitCode;
use std::rc::Rc;

const PROMPT: &str = "(pydbg) ";

/// Reads and runs lines until `quit` or the end of the input. A person's session ends with status
/// 0, as gdb's does; a script on standard input with the worst status of its lines.
pub fn run(mut session: Session, mut console: Console) -> ExitCode {
    if !console.terminal.input {
        for line in io::stdin().lock().split(b'\n').map_while(Result::ok) {
            console.line(&mut session, &String::from_utf8_lossy(&line));
            if session.quit || console.closed {
                break;
            }
        }
        return console.status.code();
    }
    let session = Rc::new(RefCell::new(session));
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .history_ignore_space(true)
        .max_history_size(history::size(&session.borrow().settings))
        .and_then(|config| config.history_ignore_dups(true))
        .map(|config| config.build());
    let editor = config.and_then(Editor::<Prompt, FileHistory>::with_config);
    let mut editor = match editor {
        Ok(editor) => editor,
        Err(error) => {
            super::out::complain(&format!("cannot edit lines on this terminal: {error}"));
            return Status::Failed.code();
        }
    };
    editor.set_helper(Some(Prompt {
        session: session.clone(),
        hinter: HistoryHinter::new(),
        colour: console.terminal.colour,
    }));
    history::load(&mut editor);
    ask(&mut editor, &session, &mut console);
    history::save(&mut editor, &session.borrow().settings);
    Status::Whole.code()
}

/// Reads and runs lines until the session ends.
fn ask(
    editor: &mut Editor<Prompt, FileHistory>,
    session: &Rc<RefCell<Session>>,
    console: &mut Console,
) {
    let mut last = None;
    loop {
        session.borrow().interrupt.enter(Mode::Lent);
        let typed = match editor.readline(PROMPT) {
            Ok(typed) => typed,
            // The line is given up, not the session.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => "quit".to_owned(),
            Err(error) => return super::out::complain(&format!("cannot read a line: {error}")),
        };
        let mut session = session.borrow_mut();
        let line = if typed.trim().is_empty() {
            match session.again.take().or(last.clone()) {
                Some(line) => line,
                None => continue,
            }
        } else {
            // It stays in memory alone if it cannot be added.
            _ = editor.add_history_entry(typed.as_str());
            session.again = None;
            last = session.repeats(&typed).then(|| typed.clone());
            typed
        };
        console.line(&mut session, &line);
        if session.quit || console.closed {
            return;
        }
    }
}

/// What the line editor asks about a line.
#[derive(Helper, Validator)]
struct Prompt {
    session: Rc<RefCell<Session>>,
    hinter: HistoryHinter,
    colour: bool,
}

impl Completer for Prompt {
    type Candidate = Pair;

    fn complete(
        &self,
        line: &str,
        pos: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<Pair>)> {
        let found = complete::complete(&self.session.borrow(), line.get(..pos).unwrap_or(line));
        let only = found.words.len() == 1;
        let pairs = (found.words.into_iter())
            .map(|word| {
                // A space says that the word is complete; a folder goes on.
                let end = if only && !word.ends_with('/') {
                    " "
                } else {
                    ""
                };
                Pair {
                    replacement: format!("{word}{end}"),
                    display: word,
                }
            })
            .collect();
        Ok((found.start, pairs))
    }
}

impl Hinter for Prompt {
    type Hint = String;

    fn hint(&self, line: &str, pos: usize, context: &Context<'_>) -> Option<String> {
        // Without colours a hint could not be told from what was typed.
        let wanted = self.colour && !line.is_empty();
        wanted.then(|| self.hinter.hint(line, pos, context))?
    }
}

impl Highlighter for Prompt {
    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        let faint = anstyle::Style::new().dimmed();
        Cow::Owned(format!("{faint}{hint}{faint:#}"))
    }
}
