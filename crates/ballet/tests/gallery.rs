//! The gallery: programs that the types refuse, each with a twin of the same name that compiles and runs.
//!
//! What the compiler says stands beside each wrong program, in the words of rustc 1.95. `TRYBUILD=overwrite` renews it;
//! read the difference before you commit it, because a wrong program must fail for the reason in its first line.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The twins, as modules of this program, so that they are linked once and not each.
#[path = "gallery/right"]
mod right {
    pub(crate) mod cancellation_is_no_error;
    pub(crate) mod child_is_never_spawned;
    pub(crate) mod child_is_not_send;
    pub(crate) mod child_of_a_scope_gives_no_result;
    pub(crate) mod child_of_a_supervisor_gives_a_result;
    pub(crate) mod deferred_is_awaited_twice;
    pub(crate) mod emitter_in_another_task;
    pub(crate) mod emitters_swapped;
    pub(crate) mod finalizer_borrows;
    pub(crate) mod local_child_borrows_from_the_body;
    pub(crate) mod local_scope_escapes;
    pub(crate) mod parallel_child_borrows;
    pub(crate) mod program_is_generic;
    pub(crate) mod report_is_not_looked_at;
    pub(crate) mod scope_of_the_other_domain;
}

type Twin = (&'static str, fn() -> Result<(), ballet::Error>);

const TWINS: [Twin; 15] = [
    ("cancellation_is_no_error", right::cancellation_is_no_error::main),
    ("child_is_never_spawned", right::child_is_never_spawned::main),
    ("child_is_not_send", right::child_is_not_send::main),
    ("child_of_a_scope_gives_no_result", right::child_of_a_scope_gives_no_result::main),
    ("child_of_a_supervisor_gives_a_result", right::child_of_a_supervisor_gives_a_result::main),
    ("deferred_is_awaited_twice", right::deferred_is_awaited_twice::main),
    ("emitter_in_another_task", right::emitter_in_another_task::main),
    ("emitters_swapped", right::emitters_swapped::main),
    ("finalizer_borrows", right::finalizer_borrows::main),
    ("local_child_borrows_from_the_body", right::local_child_borrows_from_the_body::main),
    ("local_scope_escapes", right::local_scope_escapes::main),
    ("parallel_child_borrows", right::parallel_child_borrows::main),
    ("program_is_generic", right::program_is_generic::main),
    ("report_is_not_looked_at", right::report_is_not_looked_at::main),
    ("scope_of_the_other_domain", right::scope_of_the_other_domain::main),
];

#[test]
fn wrong_programs_are_refused() {
    trybuild::TestCases::new().compile_fail("tests/gallery/wrong/*.rs");
}

#[test]
fn their_twins_run() {
    for (name, main) in TWINS {
        assert!(main().is_ok(), "{name}");
    }
}

#[test]
fn every_wrong_program_has_its_twin() {
    let wrong = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gallery/wrong");
    let files = fs::read_dir(wrong).unwrap().map(|file| file.unwrap().path());
    let wrong: BTreeSet<_> = files.filter(|file| file.extension().is_some_and(|end| end == "rs")).collect();
    let names: BTreeSet<_> = wrong.iter().filter_map(|file| file.file_stem()?.to_str()).collect();
    assert_eq!(names, TWINS.iter().map(|(name, _)| *name).collect());
}
