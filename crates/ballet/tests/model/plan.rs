//! What a random tree does, as data: generated, shrunk and printed by proptest.
//!
//! A script acts only right after a sleep of its own, so one act is the cause of whatever happens at its instant.
//! That is what makes the model exact: where no two timers fire at the same millisecond, nothing is left to chance.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// A scope.
#[derive(Clone, Debug)]
pub(crate) struct Nest {
    pub(crate) id: u32,
    pub(crate) domain: Domain,
    pub(crate) limit: Limit,
    /// Whether the code around it shields it.
    pub(crate) shielded: bool,
    /// Whether the code around it fails where it does, or goes on.
    pub(crate) propagates: bool,
    pub(crate) body: Script,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Domain {
    Together,
    Isolated,
}

/// What may drop a scope half-way.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Limit {
    Unlimited,
    /// `ballet::timeout`, which waits for shields.
    Timeout(u64),
    /// Tokio's, which knows of no shield.
    Foreign(u64),
}

/// The code of a body or of a child.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) id: u32,
    pub(crate) steps: Vec<Step>,
    pub(crate) ends_after: u64,
    pub(crate) end: End,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) after: u64,
    pub(crate) act: Act,
}

#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// Sleeps in a shield.
    Shield(u64),
    /// Waits in a shield until it is asked to end, and that long after.
    Linger(u64),
    /// Spawns into the scope that the script belongs to.
    Spawn(Box<Child>),
    /// Awaits the oldest child that it kept.
    Await,
    Defer(Finalizer),
    CancelScope,
    CancelChildren,
    Open(Box<Nest>),
}

#[derive(Clone, Debug)]
pub(crate) struct Child {
    /// Whether the spawner keeps the `Deferred`.
    pub(crate) kept: bool,
    pub(crate) grace: Option<u64>,
    pub(crate) script: Script,
}

#[derive(Clone, Debug)]
pub(crate) struct Finalizer {
    pub(crate) id: u32,
    pub(crate) takes: u64,
    pub(crate) budget: u64,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Value,
    Error,
    Panic,
    Never,
}

/// So long that two timers seldom fire together.
fn duration() -> impl Strategy<Value = u64> {
    1..1_000_000u64
}

fn end() -> impl Strategy<Value = End> {
    prop_oneof![5 => Just(End::Value), 2 => Just(End::Error), 1 => Just(End::Panic), 1 => Just(End::Never)]
}

fn finalizer() -> impl Strategy<Value = Finalizer> {
    (duration(), duration(), end()).prop_map(|(takes, budget, end)| Finalizer {
        id: 0,
        takes,
        budget: budget * 3,
        end,
    })
}

fn act(depth: u32) -> BoxedStrategy<Act> {
    let leaf = prop_oneof![
        2 => duration().prop_map(Act::Shield),
        1 => duration().prop_map(Act::Linger),
        3 => Just(Act::Await),
        3 => finalizer().prop_map(Act::Defer),
        1 => Just(Act::CancelScope),
        1 => Just(Act::CancelChildren),
    ];
    if depth == 0 {
        return leaf.boxed();
    }
    prop_oneof![
        4 => leaf,
        5 => child(depth - 1).prop_map(|child| Act::Spawn(Box::new(child))),
        3 => nest(depth - 1).prop_map(|nest| Act::Open(Box::new(nest))),
    ]
    .boxed()
}

fn script(depth: u32) -> impl Strategy<Value = Script> {
    let step = (duration(), act(depth)).prop_map(|(after, act)| Step { after, act });
    (vec(step, 0..5), duration(), end()).prop_map(|(steps, ends_after, end)| Script {
        id: 0,
        steps,
        ends_after,
        end,
    })
}

fn child(depth: u32) -> impl Strategy<Value = Child> {
    (any::<bool>(), option::weighted(0.2, duration()), script(depth))
        .prop_map(|(kept, grace, script)| Child { kept, grace, script })
}

fn nest(depth: u32) -> impl Strategy<Value = Nest> {
    let domain = prop_oneof![Just(Domain::Together), Just(Domain::Isolated)];
    let limit = prop_oneof![
        4 => Just((Limit::Unlimited, false)),
        // Nothing else would end a shielded scope that does not end by itself.
        1 => (duration().prop_map(Limit::Timeout), any::<bool>()),
        1 => (duration().prop_map(Limit::Foreign), any::<bool>()),
    ];
    (domain, limit, any::<bool>(), script(depth)).prop_map(|(domain, (limit, shielded), propagates, body)| {
        Nest { id: 0, domain, limit, shielded, propagates, body }
    })
}

/// A random tree. Whatever in it never ends by itself is cut at `limit`.
pub(crate) fn tree(limit: u64) -> impl Strategy<Value = Nest> {
    nest(3).prop_map(move |nest| staged(Nest { limit: Limit::Timeout(limit), shielded: false, ..nest }))
}

/// A supervisor that awaits one child, which opens `nest`: it receives whatever comes out of it.
fn staged(nest: Nest) -> Nest {
    let script = |after: u64, acts: Vec<Act>| Script {
        id: 0,
        steps: acts.into_iter().map(|act| Step { after, act }).collect(),
        ends_after: after,
        end: End::Value,
    };
    let child = Child { kept: true, grace: None, script: script(10, vec![Act::Open(Box::new(nest))]) };
    let mut stage = Nest {
        id: 0,
        domain: Domain::Isolated,
        limit: Limit::Unlimited,
        shielded: false,
        propagates: false,
        body: script(1, vec![Act::Spawn(Box::new(child)), Act::Await]),
    };
    number_nest(&mut stage, &mut 0);
    stage
}

/// Gives each part a number of its own, by which the log speaks of it.
fn number_nest(nest: &mut Nest, last: &mut u32) {
    *last += 1;
    nest.id = *last;
    number_script(&mut nest.body, last);
}

fn number_script(script: &mut Script, last: &mut u32) {
    *last += 1;
    script.id = *last;
    for step in &mut script.steps {
        match &mut step.act {
            Act::Spawn(child) => number_script(&mut child.script, last),
            Act::Open(nest) => number_nest(nest, last),
            Act::Defer(finalizer) => {
                *last += 1;
                finalizer.id = *last;
            }
            Act::Shield(_) | Act::Linger(_) | Act::Await | Act::CancelScope | Act::CancelChildren => {}
        }
    }
}

impl Nest {
    /// The scripts and finalizers that the scope itself owns, without those of scopes inside it.
    pub(crate) fn members(&self) -> Vec<u32> {
        fn collect(script: &Script, members: &mut Vec<u32>) {
            members.push(script.id);
            for step in &script.steps {
                match &step.act {
                    Act::Spawn(child) => collect(&child.script, members),
                    Act::Defer(finalizer) => members.push(finalizer.id),
                    _ => {}
                }
            }
        }
        let mut members = Vec::new();
        collect(&self.body, &mut members);
        members
    }

    /// This scope and all inside it.
    pub(crate) fn all(&self) -> Vec<&Nest> {
        fn collect<'n>(script: &'n Script, all: &mut Vec<&'n Nest>) {
            for step in &script.steps {
                match &step.act {
                    Act::Spawn(child) => collect(&child.script, all),
                    Act::Open(nest) => all.extend(nest.all()),
                    _ => {}
                }
            }
        }
        let mut all = vec![self];
        collect(&self.body, &mut all);
        all
    }
}
