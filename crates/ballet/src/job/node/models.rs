//! The orders in which a family changes, explored by `cargo xtask loom`.

use std::mem::ManuallyDrop;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context as Poller, Poll, Wake, Waker};

use loom::thread;

use super::{Birth, NodeRef, Role, Watched};
use crate::context::Path;
use crate::dispatch::guest::{self, Ref};
use crate::job::{Origin, Reason, cell};
use crate::observe::State;
use crate::sync::Ordering;

fn watched(role: Role, birth: Option<&NodeRef>) -> Ref<Watched> {
    let birth = birth.map(|birth| ManuallyDrop::new(birth.clone()));
    let (is_inline, place) = (role == Role::Scope, Location::caller());
    let birth = Birth { role, birth, is_borrowed: false, is_inline, inherits_values: false, place };
    cell::passive(birth, None)
}

fn node(role: Role, birth: Option<&NodeRef>) -> NodeRef {
    watched(role, birth).upcast()
}

/// A scope below a root of its own, for one execution of a model.
fn scope(root: &NodeRef) -> NodeRef {
    let scope = node(Role::Scope, Some(root));
    scope.enter_inline();
    scope
}

/// A job that is born in `scope`, and keeps it by its record once it is taken in. Every model holds its scopes longer.
fn job(scope: &NodeRef) -> NodeRef {
    // SAFETY: The models drop their jobs before their scopes.
    let birth = Some(unsafe { guest::borrow(scope.as_ptr()) });
    let (role, place) = (Role::Job, Location::caller());
    let birth = Birth { role, birth, is_borrowed: true, is_inline: false, inherits_values: true, place };
    cell::passive(birth, None).upcast()
}

/// A scope, and another thread on which its only child ends.
fn scope_whose_child_leaves(root: &NodeRef) -> (NodeRef, thread::JoinHandle<()>) {
    let scope = scope(root);
    let child = job(&scope);
    assert!(scope.admit(&child));
    (scope, thread::spawn(move || child.end(State::Completed)))
}

/// Another thread that spawns `child`; it gives whether the scope took it.
fn spawning(scope: &NodeRef, child: &NodeRef) -> thread::JoinHandle<bool> {
    let (scope, child) = (scope.clone(), child.clone());
    thread::spawn(move || scope.admit(&child))
}

fn reason() -> Reason {
    Reason::Requested(Origin::new(Path::default(), Location::caller()))
}

/// Whether a task was woken.
struct Woken(AtomicBool);

impl Woken {
    fn watch() -> (Arc<Self>, Waker) {
        let woken = Arc::new(Self(AtomicBool::new(false)));
        (Arc::clone(&woken), Waker::from(woken))
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// The end of a shield in another task against asking: the node is cut, and not left asleep.
#[test]
fn a_node_whose_shield_ends_elsewhere_is_woken_to_be_cut() {
    loom::model(|| {
        let root = node(Role::Root, None);
        let scope = watched(Role::Scope, Some(&root));
        scope.node().enter_inline();
        scope.node().shield();
        let (asker, shielded) = (scope.node().clone(), scope.node().clone());
        let asker = thread::spawn(move || asker.ask(&reason()));
        let shielded = thread::spawn(move || shielded.unshield());
        // As the task of a scope does, which looks when whoever asks has woken it.
        let (woken, waker) = Woken::watch();
        asker.join().unwrap();
        scope.watcher.register(&waker);
        let is_cut = scope.node().is_to_be_cut();
        shielded.join().unwrap();
        assert!(is_cut || woken.0.load(Ordering::Acquire), "it is asked, unshielded and asleep");
        scope.node().end(State::Cancelled);
    });
}

/// Close against spawn: a child that is taken in is asked to end with the rest, or it is refused.
#[test]
fn a_child_is_refused_or_asked_when_its_scope_is_cancelled() {
    loom::model(|| {
        let root = node(Role::Root, None);
        let scope = scope(&root);
        let child = job(&scope);
        let spawner = spawning(&scope, &child);
        scope.ask(&reason());
        scope.ask_children(&reason());
        let is_in = spawner.join().unwrap();
        assert_eq!(is_in, child.asked().is_some());
        if is_in {
            child.end(State::Cancelled);
        }
        scope.end(State::Cancelled);
    });
}

/// Close against spawn: a scope that closes because it is childless takes no child afterwards.
#[test]
fn a_scope_does_not_close_over_a_child() {
    loom::model(|| {
        let root = node(Role::Root, None);
        let scope = scope(&root);
        let child = job(&scope);
        let spawner = spawning(&scope, &child);
        let closed = scope.close_if_childless().is_closed;
        let is_in = spawner.join().unwrap();
        assert_ne!(closed, is_in);
        if is_in {
            child.end(State::Completed);
        }
        scope.end(State::Completed);
    });
}

/// Join against completion: the task of a scope that waits for its last child is woken, or sees that it has left.
#[test]
fn the_last_child_to_leave_wakes_its_scope() {
    loom::model(|| {
        let root = node(Role::Root, None);
        let (scope, leaver) = scope_whose_child_leaves(&root);
        let (woken, waker) = Woken::watch();
        // SAFETY: `node` makes watched nodes.
        let watched = unsafe { scope.downcast_ref::<Watched>() };
        watched.watcher.register(Poller::from_waker(&waker).waker());
        let ready = scope.poll_childless();
        leaver.join().unwrap();
        assert!(ready == Poll::Ready(()) || woken.0.load(Ordering::Acquire));
        assert!(scope.poll_childless().is_ready());
        scope.end(State::Completed);
    });
}

/// As above, for code that no task of the scope's runs: it is told, or sees that the last child has left.
#[test]
fn the_last_child_to_leave_is_told_to_whoever_else_waits() {
    loom::model(|| {
        let root = node(Role::Root, None);
        let (scope, leaver) = scope_whose_child_leaves(&root);
        let (woken, waker) = Woken::watch();
        let mut waiting = pin!(scope.wait_childless());
        let ready = waiting.as_mut().poll(&mut Poller::from_waker(&waker));
        leaver.join().unwrap();
        assert!(ready == Poll::Ready(()) || woken.0.load(Ordering::Acquire));
        scope.end(State::Completed);
    });
}

/// Records against completion: of two jobs that end at the same time each strikes its record out once, whether it is the
/// last to leave or not, and whether somebody has a handle on it or not.
#[test]
fn every_job_strikes_its_record_out_once() {
    loom::model(|| {
        let root = node(Role::Root, None);
        let scope = scope(&root);
        let (one, other) = (job(&scope), job(&scope));
        assert!(scope.admit(&one));
        assert!(scope.admit(&other));
        let handle = one.clone();
        let leaver = thread::spawn(move || one.end(State::Completed));
        other.end(State::Completed);
        drop((other, handle));
        leaver.join().unwrap();
        let family = scope.household().family.lock();
        assert!(
            family.records == 0 && family.kept.is_none(),
            "the scope is kept for {} jobs",
            family.records
        );
        drop(family);
        scope.end(State::Completed);
    });
}

/// The last record is given up with the reference that it stands for, also where an adopted scope stays behind.
#[test]
fn a_scope_is_not_kept_by_the_record_of_a_job_that_has_gone() {
    loom::model(|| {
        let root = node(Role::Root, None);
        let scope = scope(&root);
        let inner = node(Role::Scope, Some(&scope));
        inner.enter_inline();
        inner.adopt();
        let child = job(&scope);
        assert!(scope.admit(&child));
        assert!(child.end_unknown());
        drop(child);
        let family = scope.household().family.lock();
        assert!(family.records == 0 && family.kept.is_none(), "the scope keeps itself");
        drop(family);
        inner.end(State::Completed);
        scope.end(State::Completed);
    });
}

/// Ending unknown against being found: no reference of whoever finds the job in its family is lost, and it has ended
/// and left afterwards.
#[test]
fn a_job_that_is_found_while_it_ends_is_kept_for_its_finder() {
    loom::model(|| {
        let root = node(Role::Root, None);
        let scope = scope(&root);
        let child = job(&scope);
        assert!(scope.admit(&child));
        let finder = {
            let scope = scope.clone();
            thread::spawn(move || scope.children())
        };
        if !child.end_unknown() {
            child.end(State::Completed);
        }
        let found = finder.join().unwrap();
        assert_eq!(found.is_empty(), child.header.is_alone());
        drop(found);
        assert!(child.header.is_alone() && child.header.has_ended());
        assert!(scope.is_childless());
        scope.end(State::Completed);
    });
}

/// Adoption against completion: a child of a scope that is given up leaves whichever family it stands in.
#[test]
fn a_child_that_ends_while_it_is_handed_on_is_left_in_no_family() {
    loom::model(|| {
        let root = node(Role::Root, None);
        let scope = scope(&root);
        let child = job(&scope);
        assert!(scope.admit(&child));
        let leaver = thread::spawn(move || child.end(State::Completed));
        scope.end(State::Cancelled);
        leaver.join().unwrap();
        assert!(root.is_childless());
    });
}

/// Adoption against completion, of a scope whose owner ends at the same time.
#[test]
fn a_scope_that_is_adopted_while_its_owner_ends_is_waited_for_above() {
    loom::model(|| {
        let root = node(Role::Root, None);
        let outer = scope(&root);
        let inner = node(Role::Scope, Some(&outer));
        inner.enter_inline();
        let adopter = {
            let inner = inner.clone();
            thread::spawn(move || inner.adopt())
        };
        outer.end(State::Completed);
        adopter.join().unwrap();
        assert!(!root.is_childless(), "nobody waits for the adopted scope");
        inner.end(State::Cancelled);
        assert!(root.is_childless());
    });
}
