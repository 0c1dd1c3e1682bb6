//! Exceptions under every layout: whole, in cycles, damaged and far too long.

use super::traceback::Traceback;
use super::*;
use crate::python::code::Codes;
use crate::python::layout::{Layout, StrKind};
use crate::python::world::{AT_START, World};

/// What a test builds; exceptions are of class `ValueError`.
struct Built {
    world: World,
    header: u64,
}

impl Built {
    fn new(layout: &Layout) -> Built {
        let mut world = World::new(layout);
        let ty = world.type_of("traceback", 0);
        let f = layout.fields;
        world.piece_at(f.type_object.basicsize.of(ty), 8, |piece| {
            piece.set(AT_START, 64);
        });
        Built {
            header: f.object.size.offset.into(),
            world,
        }
    }

    /// Room for a traceback entry, so that others can lead to it.
    fn room(&mut self) -> Addr {
        self.world.room(self.header + 24)
    }

    /// A traceback entry at `at`, of a frame of the function `name`.
    fn entry(&mut self, at: Addr, name: &str, (lasti, line): (u32, u32), next: Addr) {
        let f = self.world.layout.fields;
        let code = self.world.code(name, 100);
        let frame = self.world.room(f.frame.size.offset.into());
        self.world.frame(frame, Addr::NULL, code, 4, 2);
        let handle = match f.frame_object {
            None => frame,
            Some(handle) => {
                let size = u64::from(handle.own_frame.offset) + 8;
                self.world.object(("frame", 0), size, |piece| {
                    piece.set(handle.frame, frame.0);
                })
            }
        };
        self.raw_entry(at, handle, (lasti, line), next);
    }

    fn raw_entry(&mut self, at: Addr, frame: Addr, (lasti, line): (u32, u32), next: Addr) {
        let ty = self.world.type_of("traceback", 0);
        let ob_type = self.world.layout.fields.object.ob_type;
        let mut field = AT_START;
        let mut at_offset = |offset: u64| {
            field.offset = (self.header + offset) as u32;
            field
        };
        let (next_at, frame_at) = (at_offset(0), at_offset(8));
        let (lasti_at, line_at) = (at_offset(16), at_offset(20));
        self.world.piece_at(at, self.header + 24, |piece| {
            piece.set(ob_type, ty.0);
            piece.set(next_at, next.0);
            piece.set(frame_at, frame.0);
            piece.set32(lasti_at, lasti);
            piece.set32(line_at, line);
        });
    }

    /// An exception at `at` with one argument.
    fn exception(&mut self, at: Addr, text: &str, links: Links) {
        let f = self.world.layout.fields;
        let text = self.world.text(text);
        let size = u64::from(f.tuple.items.offset) + 8;
        let args = self.world.object(("tuple", flags::TUPLE), size, |piece| {
            piece.set(f.object.ob_size, 1);
            piece.set(f.tuple.items, text.0);
        });
        let ty = self.world.type_of("ValueError", flags::EXCEPTION);
        self.world
            .piece_at(at, f.exception.size.offset.into(), |piece| {
                piece.set(f.object.ob_type, ty.0);
                piece.set(f.exception.args, args.0);
                for (field, value) in [
                    (f.exception.traceback, links.traceback),
                    (f.exception.cause, links.cause),
                    (f.exception.context, links.context),
                ] {
                    if field.is_some() {
                        piece.set(field, value.0);
                    }
                }
            });
    }

    fn exception_room(&mut self) -> Addr {
        let size = self.world.layout.fields.exception.size.offset;
        self.world.room(size.into())
    }

    fn chain(&self, held: Held) -> Chain {
        let (objects, codes) = (self.world.objects(), Codes::default());
        let reader = Reader {
            objects: &objects,
            codes: &codes,
        };
        Chain::read(&reader, held)
    }

    fn traceback(&self, first: Addr) -> Traceback {
        self.chain(Held {
            class: Addr::NULL,
            value: Addr::NULL,
            traceback: first,
        })
        .all
        .remove(0)
        .traceback
    }
}

#[derive(Clone, Copy)]
struct Links {
    traceback: Addr,
    cause: Addr,
    context: Addr,
}

const ALONE: Links = Links {
    traceback: Addr::NULL,
    cause: Addr::NULL,
    context: Addr::NULL,
};

fn functions(traceback: &Traceback) -> Vec<&str> {
    let entries = traceback.entries.iter();
    entries.map(|frame| &*frame.function).collect()
}

#[test]
fn every_layout_reads_an_exception() {
    for layout in Layout::all_tables() {
        let mut built = Built::new(layout);
        let (outer, inner) = (built.room(), built.room());
        built.entry(outer, "outer", (4, 101), inner);
        built.entry(inner, "inner", (12, 102), Addr::NULL);
        let at = built.exception_room();
        let links = Links {
            traceback: outer,
            ..ALONE
        };
        built.exception(at, "boom", links);
        let chain = built.chain(Held {
            traceback: outer,
            ..Held::value(at)
        });
        let [exception] = chain.all.as_slice() else {
            panic!("{}: {chain:?}", layout.measured);
        };
        assert_eq!(&*exception.class, "ValueError");
        assert_eq!(
            exception.message.known(),
            Some("boom"),
            "{}",
            layout.measured
        );
        assert_eq!(functions(&exception.traceback), ["outer", "inner"]);
        let line = exception.traceback.entries[1].position.line;
        assert_eq!(line, Some(102), "{}", layout.measured);
        assert_eq!(exception.traceback.problem, None);
    }
}

#[test]
fn tracebacks_in_a_circle_end() {
    for layout in Layout::all_tables() {
        let mut built = Built::new(layout);
        let (first, second) = (built.room(), built.room());
        built.entry(first, "first", (4, 101), second);
        built.entry(second, "second", (4, 101), first);
        let traceback = built.traceback(first);
        assert_eq!(functions(&traceback), ["first", "second"]);
        assert!(traceback.problem.unwrap().contains("comes back"));
    }
}

#[test]
fn damaged_entries_are_said_to_be() {
    for layout in Layout::all_tables() {
        let mut built = Built::new(layout);
        let (first, second) = (built.room(), built.room());
        let text = built.world.text("no traceback");
        built.entry(first, "first", (1 << 30, u32::MAX), second);
        built.raw_entry(second, Addr(0x10), (4, 101), text);
        let traceback = built.traceback(first);
        let problems: Vec<bool> = (traceback.entries.iter())
            .map(|frame| frame.problem.is_some())
            .collect();
        assert_eq!(problems, [true, true], "{}", layout.measured);
        assert!(traceback.problem.unwrap().contains("is no traceback"));
        assert!(built.traceback(Addr(1 << 50)).problem.is_some());
    }
}

#[test]
fn of_a_very_long_traceback_both_ends_are_read() {
    const COUNT: usize = 12_000;
    let layout = Layout::tables((3, 12), false).next().unwrap();
    let mut built = Built::new(layout);
    let last = built.room();
    built.entry(last, "last", (4, 101), Addr::NULL);
    let mut next = last;
    for _ in 1..COUNT {
        let at = built.room();
        built.raw_entry(at, Addr(0x10), (4, 101), next);
        next = at;
    }
    let traceback = built.traceback(next);
    assert_eq!(traceback.entries.len(), 10_000);
    assert_eq!(traceback.left_out, Some((5_000, 2_000)));
    assert_eq!(functions(&traceback).last(), Some(&"last"));
}

#[test]
fn chains_in_a_circle_hold_each_exception_once() {
    for layout in Layout::all_tables() {
        if layout.fields.exception.cause.is_none() {
            continue;
        }
        let mut built = Built::new(layout);
        let (first, second) = (built.exception_room(), built.exception_room());
        let links = |cause, context| Links {
            cause,
            context,
            ..ALONE
        };
        built.exception(first, "first", links(second, first));
        built.exception(second, "second", links(first, first));
        let chain = built.chain(Held::value(first));
        assert_eq!(chain.all.len(), 2, "{}", layout.measured);
        assert_eq!(
            (chain.all[0].cause, chain.all[0].context),
            (Some(1), Some(0))
        );
        assert_eq!(chain.all[1].cause, Some(0));
    }
}

#[test]
fn a_very_long_chain_is_cut() {
    let layout = Layout::tables((3, 12), false).next().unwrap();
    let mut built = Built::new(layout);
    let mut context = Addr::NULL;
    for _ in 0..1_500 {
        let at = built.exception_room();
        built.exception(at, "again", Links { context, ..ALONE });
        context = at;
    }
    let chain = built.chain(Held::value(context));
    assert_eq!(chain.all.len(), 1_000);
    assert!(chain.cut);
}

#[test]
fn what_is_no_exception_is_said_to_be_none() {
    for layout in Layout::all_tables() {
        let mut built = Built::new(layout);
        let text = built.world.text("no exception");
        for held in [
            Held::value(text),
            Held::value(Addr(1 << 40)),
            Held {
                class: text,
                ..Held::value(Addr::NULL)
            },
        ] {
            let chain = built.chain(held);
            assert!(chain.all[0].problem.is_some(), "{}", layout.measured);
        }
    }
}

#[test]
fn threads_keep_what_they_raise_and_handle() {
    for layout in Layout::all_tables() {
        let mut built = Built::new(layout);
        let (raised, handled) = (built.exception_room(), built.exception_room());
        built.exception(raised, "raised", ALONE);
        built.exception(handled, "handled", ALONE);
        let f = layout.fields;
        let class = built.world.type_of("ValueError", flags::EXCEPTION);
        let item = f.exc_item.map(|item| {
            let size = u64::from(item.previous.offset) + 8;
            let at = built.world.room(size);
            // The item leads to itself.
            built.world.piece_at(at, size, |piece| {
                piece.set(item.exc_value, handled.0);
                piece.set(item.previous, at.0);
            });
            at
        });
        let tstate = built.world.piece(f.thread.size.offset.into(), |piece| {
            let current = f.thread.current_exception.or(f.thread.raised_value);
            piece.set(current, raised.0);
            match (f.thread.exc_info, item) {
                (Some(info), Some(item)) => piece.set(info, item.0),
                _ => {
                    piece.set(f.thread.handled_type, class.0);
                    piece.set(f.thread.handled_value, handled.0);
                }
            }
        });
        let (objects, codes) = (built.world.objects(), Codes::default());
        let reader = Reader {
            objects: &objects,
            codes: &codes,
        };
        let found = states::read(&reader, tstate, &[]);
        let message = |chain: &Chain| chain.all[0].message.clone();
        let known = |text: &str| Message::Known(text.into());
        assert_eq!(found.raised.as_ref().map(message), Some(known("raised")));
        let messages: Vec<Message> = found.handled.iter().map(message).collect();
        assert_eq!(messages, [known("handled")], "{}", layout.measured);
        assert_eq!(
            found.problem.is_some(),
            item.is_some(),
            "{}",
            layout.measured
        );
        let flying = states::in_flight(&reader, tstate);
        assert_eq!(flying, Some((raised, true)));
    }
}

#[test]
fn an_exception_that_is_not_made_yet_has_class_and_arguments() {
    for layout in Layout::all_tables() {
        let f = &layout.fields.thread;
        if f.raised_type.is_none() || layout.kinds.str == StrKind::Pointer {
            continue;
        }
        let mut built = Built::new(layout);
        let class = built.world.type_of("ValueError", flags::EXCEPTION);
        let ty = built.world.type_of("type", flags::TYPE);
        let ob_type = layout.fields.object.ob_type;
        built.world.piece_at(ob_type.of(class), 8, |piece| {
            piece.set(AT_START, ty.0);
        });
        let text = built.world.text("not made");
        let chain = built.chain(Held {
            class,
            value: text,
            traceback: Addr::NULL,
        });
        let exception = &chain.all[0];
        assert_eq!(&*exception.class, "ValueError", "{}", layout.measured);
        assert_eq!(exception.message.known(), Some("not made"));
        assert_eq!((exception.address, exception.args.len()), (Addr::NULL, 1));
    }
}
