//! The search for objects from variables onwards, level by level, so that the first path that leads
//! to an object is a shortest one.

use super::LONGEST;
use crate::addr::Addr;
use crate::python::object::flags;
use crate::python::value::Limits;
use crate::sync::View;
use rustc_hash::{FxHashMap, FxHashSet};
use std::sync::Arc;

/// The most objects that are looked at.
const MOST_NODES: usize = 500_000;

/// The most parts of a name behind the variable.
const LONGEST_PATH: usize = 3;

/// One object on the way.
struct Node {
    value: Addr,
    part: Part,
}

/// How one comes to an object.
#[derive(Clone, Copy)]
enum Part {
    /// From the variable with this position in [`Search::variables`].
    Variable(usize),
    /// From the node with this position, by an attribute's name.
    Attribute(usize, Addr),
    /// By a key of a dict.
    Key(usize, Addr),
    /// By an index.
    Item(usize, usize),
}

/// A variable: where it is, and its name, which is text for frames and an object for modules.
enum Variable {
    Module(Arc<str>, Addr),
    Frame(Arc<str>, Arc<str>),
}

/// A search for some objects.
pub(super) struct Search<'a, 'p> {
    view: &'a View<'p>,
    wanted: FxHashSet<Addr>,
    variables: Vec<Variable>,
    nodes: Vec<Node>,
    /// Where the level that is searched begins.
    level: usize,
    seen: FxHashSet<Addr>,
    /// The names that were found.
    pub(super) found: FxHashMap<Addr, String>,
}

impl<'a, 'p> Search<'a, 'p> {
    pub(super) fn new(view: &'a View<'p>, wanted: impl Iterator<Item = Addr>) -> Search<'a, 'p> {
        Search {
            view,
            wanted: wanted.collect(),
            variables: Vec::new(),
            nodes: Vec::new(),
            level: 0,
            seen: FxHashSet::default(),
            found: FxHashMap::default(),
        }
    }

    /// Searches from the variables of modules, those of the program itself first, and last from
    /// those of frames; what the module `threading` knows of all threads comes behind all that, as
    /// it says less.
    pub(super) fn run(&mut self) {
        let mut modules = self.view.python.modules();
        modules.sort_by_key(|(name, _)| &**name != "__main__");
        let is_last = |(name, _): &(Arc<str>, Addr)| &**name == "threading";
        let (last, first): (Vec<_>, Vec<_>) = modules.into_iter().partition(is_last);
        self.modules(first);
        self.frames();
        self.modules(last);
    }

    fn modules(&mut self, modules: Vec<(Arc<str>, Addr)>) {
        if self.is_over() {
            return;
        }
        for (module, namespace) in modules {
            let items = self.view.python.objects.dict_items(namespace);
            for (name, value) in items.unwrap_or_default() {
                self.variables
                    .push(Variable::Module(Arc::clone(&module), name));
                self.visit(value, Part::Variable(self.variables.len() - 1));
            }
        }
        self.onwards();
    }

    fn frames(&mut self) {
        for (_, state) in &self.view.states {
            if self.is_over() {
                return;
            }
            for frame in &self.view.python.stack(state).frames {
                for variable in self.view.python.variables(frame).all {
                    let Some(value) = variable.value else {
                        continue;
                    };
                    let function = Arc::clone(&frame.function);
                    self.variables
                        .push(Variable::Frame(function, variable.name));
                    self.visit(value, Part::Variable(self.variables.len() - 1));
                }
            }
        }
        self.onwards();
    }

    fn is_over(&self) -> bool {
        self.wanted.is_empty()
            || self.nodes.len() >= MOST_NODES
            || self.view.process.cancel.is_cancelled()
    }

    /// Looks at an object that `part` leads to.
    fn visit(&mut self, value: Addr, part: Part) {
        if self.wanted.remove(&value) {
            let name = self.name(part, "");
            self.found.insert(value, name);
        }
        if self.nodes.len() < MOST_NODES && self.seen.insert(value) {
            self.nodes.push(Node { value, part });
        }
    }

    /// Searches on from what was visited last, level by level.
    fn onwards(&mut self) {
        for _ in 0..LONGEST_PATH {
            let level = self.level..self.nodes.len();
            self.level = level.end;
            for at in level {
                if self.is_over() {
                    return;
                }
                self.expand(at);
            }
        }
        self.level = self.nodes.len();
    }

    /// Visits what belongs to an object: attributes, and what a container has in it.
    fn expand(&mut self, at: usize) {
        let objects = &self.view.python.objects;
        let Some(value) = self.nodes.get(at).map(|node| node.value) else {
            return;
        };
        let Ok(ty) = objects.type_of(value) else {
            return;
        };
        if ty.is_dict() {
            for (key, value) in objects.dict_items(value).unwrap_or_default() {
                self.visit(value, Part::Key(at, key));
            }
        } else if ty.is(flags::TYPE) {
            self.expand_class(at, value);
        } else if let Ok(items) = objects.items(value, MOST_NODES) {
            for (index, value) in items.into_iter().enumerate() {
                self.visit(value, Part::Item(at, index));
            }
        }
        // An instance of a class that a program made.
        if ty.is_heap() || ty.name.as_deref() == Some("instance") {
            let attributes = self.view.python.objects.instance_attributes(value);
            for (name, value) in attributes.unwrap_or_default() {
                self.visit(value, Part::Attribute(at, name));
            }
        }
    }

    /// Visits the attributes of a class that a program made.
    fn expand_class(&mut self, at: usize, class: Addr) {
        let objects = &self.view.python.objects;
        let class = objects.as_type(class).ok().filter(|class| class.is_heap());
        let Some(dict) = class.and_then(|class| objects.type_dict(&class)) else {
            return;
        };
        for (name, value) in objects.dict_items(dict).unwrap_or_default() {
            self.visit(value, Part::Attribute(at, name));
        }
    }

    /// The name of what `part` leads to, with `tail` behind it.
    fn name(&self, part: Part, tail: &str) -> String {
        let (parent, own) = match part {
            Part::Attribute(parent, name) => (parent, format!(".{}", self.text(name))),
            Part::Key(parent, key) => (parent, format!("[{}]", self.key(key))),
            Part::Item(parent, index) => (parent, format!("[{index}]")),
            Part::Variable(at) => {
                return match self.variables.get(at) {
                    Some(Variable::Module(module, name)) if &**module == "__main__" => {
                        format!("{}{tail}", self.text(*name))
                    }
                    Some(Variable::Module(module, name)) => {
                        format!("{module}.{}{tail}", self.text(*name))
                    }
                    Some(Variable::Frame(function, name)) => {
                        format!("{name}{tail} in {function}()")
                    }
                    None => tail.to_owned(),
                };
            }
        };
        match self.nodes.get(parent) {
            Some(node) => self.name(node.part, &(own + tail)),
            None => own + tail,
        }
    }

    fn text(&self, name: Addr) -> String {
        let text = self.view.python.objects.text(name, LONGEST);
        text.map_or_else(|_| "?".to_owned(), |text| text.value)
    }

    /// A key as it is written in Python, where it is short.
    fn key(&self, key: Addr) -> String {
        const LIMITS: Limits = Limits {
            elements: 5,
            depth: 1,
            total: 60,
            attributes: false,
        };
        self.view.python.objects.show(key, LIMITS).text
    }
}
