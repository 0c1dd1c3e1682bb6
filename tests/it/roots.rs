//! What keeps objects alive, against a fixture in which each is kept alive by one reference.

use crate::harness::list;
use crate::harness::{Failures, Fixture, interpreters};
use pydbg::Addr;
use pydbg::heap::roots::{Known, Root, RootView, Roots};
use pydbg::native::Process;
use pydbg::python::Python;
use pydbg::target::{self, Options, Target};
use serde_json::Value;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// `Py_TPFLAGS_HAVE_GC`.
const HAVE_GC: u64 = 1 << 14;

fn id(told: &Value) -> Addr {
    Addr(told["id"].as_u64().unwrap_or(0))
}

/// Whether a root leads to the object in that many steps.
fn leads_to(python: &Python, root: Addr, object: Addr, steps: u64) -> bool {
    let mut seen = BTreeSet::from([root]);
    let mut last = vec![root];
    for _ in 0..steps {
        let mut next = Vec::new();
        for addr in last {
            let _ = python.objects.referents(addr, &mut |referent| {
                if seen.insert(referent) {
                    next.push(referent);
                }
                ControlFlow::Continue(())
            });
        }
        last = next;
    }
    seen.contains(&object)
}

/// One object: the root that the fixture tells of is there, and no other of which pydbg is certain.
fn compare(python: &Python, roots: &Roots, told: &Value) -> Result<(), String> {
    let text = |key: &str| told[key].as_str().unwrap_or_default();
    let (name, object) = (text("name"), id(told));
    let steps = told["steps"].as_u64().unwrap_or(0);
    let views = |root: &&Root| roots.view(python, root).kind == text("kind");
    let of_kind: Vec<&Root> = roots.all.iter().filter(views).collect();
    let fits = |root: &&&Root| {
        let direct = steps > 0 || root.object == object;
        direct && roots.words(python, root).contains(text("words"))
    };
    let found: Vec<&&Root> = of_kind.iter().filter(fits).collect();
    let leading = found
        .iter()
        .find(|root| leads_to(python, root.object, object, steps));
    let shown = |root: &Root| roots.view(python, root).words;
    let Some(root) = leading else {
        let others = roots.all.iter().filter(|root| root.object == object);
        let others: Vec<String> = others.map(shown).collect();
        let found: Vec<String> = found.iter().map(|root| shown(root)).collect();
        return Err(format!(
            "{name}: {object} has no root {} but {others:?}; its words have {found:?}",
            text("kind")
        ));
    };
    let view: RootView = roots.view(python, root);
    let begins = |wanted: &str| {
        view.expression
            .as_deref()
            .is_some_and(|e| e.starts_with(wanted))
    };
    if let Some(wanted) = told["expression"].as_str()
        && !begins(wanted)
    {
        return Err(format!("{name}: {:?} is no {wanted}", view.expression));
    }
    let shared = ["module", "sys.modules", "static type", "context"].contains(&name);
    let others = roots.all.iter().filter(|root| root.object == object);
    let other = others
        .map(|root| roots.view(python, root))
        .find(|other| other.certain && other.kind != view.kind);
    match other.filter(|_| !shared) {
        Some(other) => Err(format!("{name}: it is held by {} too", other.words)),
        None => Ok(()),
    }
}

/// Everything that is certain and that the collector could know is known to it.
fn are_objects(python: &Python, roots: &Roots, told: &Value) -> Result<(), String> {
    let told: BTreeSet<u64> = list(told).iter().filter_map(Value::as_u64).collect();
    let unknown: Vec<String> = roots
        .all
        .iter()
        .filter(|root| root.certain && !told.contains(&root.object.0))
        .filter(|root| {
            let ty = python.objects.type_of(root.object);
            let ty = ty.expect("a type");
            let name = python.objects.full_name(&ty);
            // Frames and small dictionaries are tracked when they have lived for a while, static
            // types and the list of audit hooks never.
            let never = ["frame", "dict"].contains(&&*name)
                || roots.words(python, root).contains("`audit_hooks`");
            let is_static = || {
                python
                    .objects
                    .as_type(root.object)
                    .is_ok_and(|ty| !ty.is_heap())
            };
            ty.flags & HAVE_GC != 0 && !never && !is_static()
        })
        .map(|root| {
            let ty = python.objects.type_of(root.object).unwrap();
            let name = python.objects.full_name(&ty);
            format!("{} ({name})", roots.words(python, root))
        })
        .collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(format!(
            "{} roots are unknown to the collector: {unknown:?}",
            unknown.len()
        )),
    }
}

fn check(target: Target, truth: &Value, tracked: &Value, what: &str, failures: &mut Failures) {
    let python = Python::find(Arc::new(Process::new(Arc::new(target)))).expect("Python");
    let mut roots = Roots::precise(&python);
    failures.check(what, are_objects(&python, &roots, tracked));
    let ids: BTreeSet<Addr> = list(truth).iter().map(id).collect();
    let known = Known {
        low: ids.first().copied().unwrap_or_default(),
        high: ids.last().copied().unwrap_or_default(),
        is_object: &|addr| ids.contains(&addr),
    };
    roots.add_conservative(&python, &known);
    for told in list(truth) {
        failures.check(what, compare(&python, &roots, told));
    }
}

#[test]
fn every_object_has_the_root_that_keeps_it_alive() {
    let failures = Failures::together(interpreters(), |interpreter, failures| {
        let mut fixture = Fixture::start(interpreter, "roots", &[]);
        let truth = fixture.truth.probes["roots"].clone();
        let tracked = fixture.truth.probes["tracked"].clone();
        let id = &interpreter.id;
        let options = Options::default();
        let live = target::live::attach(fixture.pid(), &options).expect("attach");
        check(live, &truth, &tracked, &format!("{id} live"), failures);
        let core = target::core::open(&fixture.kernel_core(), &interpreter.options());
        let core = core.expect("a core");
        check(core, &truth, &tracked, &format!("{id} kernel"), failures);
    });
    failures.finish();
}
