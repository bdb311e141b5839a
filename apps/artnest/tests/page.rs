//! The page: its pure modules in Node, and rooms in headless Chromium against the real server. What is drawn and
//! expected stands in `page/*.test.mjs`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

#[test]
fn the_pages_modules_do_what_they_say() {
    let unit = tests().join("unit");
    let files = std::fs::read_dir(unit).expect("the unit tests").map(|entry| entry.expect("an entry").path());
    node(files.filter(|path| path.extension().is_some_and(|extension| extension == "mjs")));
}

#[test]
fn people_draw_together() {
    in_the_browser("room");
}

#[test]
fn people_see_talk_and_may_what_their_role_says() {
    in_the_browser("people");
}

#[test]
fn no_break_of_the_line_loses_or_doubles_a_stroke() {
    in_the_browser("line");
}

#[test]
fn fingers_pens_keys_and_small_screens_work() {
    in_the_browser("hands");
}

#[test]
fn pictures_show_what_the_page_shows() {
    in_the_browser("pictures");
}

#[test]
fn rooms_are_made_found_and_shared() {
    in_the_browser("gallery");
}

#[test]
fn an_operator_sees_and_changes_rooms() {
    in_the_browser("admin");
}

fn in_the_browser(name: &str) {
    let packages = Path::new(env!("CARGO_MANIFEST_DIR")).join("node_modules/playwright-core");
    assert!(packages.exists(), "playwright-core is missing; run `cargo xtask setup`");
    node([tests().join(format!("{name}.test.mjs"))]);
}

/// Runs test files with Node's own runner.
fn node(files: impl IntoIterator<Item = PathBuf>) {
    let output = Command::new("node")
        .arg("--test")
        .args(files)
        .current_dir(tests())
        .env("ARTNEST_BIN", env!("CARGO_BIN_EXE_artnest"))
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("node does not start ({error}); run `cargo xtask setup`"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page")
}
