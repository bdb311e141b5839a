//! The page in headless Chromium. What is clicked and expected is in `page/page.test.mjs`.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::support::{API_KEY, Server, scratch};

#[tokio::test]
async fn the_page_shows_what_happens_while_it_happens() {
    let directory = scratch();
    let server = Server::with_outbox(directory.path()).await;
    let tests = tests();
    assert!(
        tests.join("node_modules/playwright-core").exists(),
        "playwright-core is missing; run `cargo xtask setup`"
    );

    let output = Command::new("node")
        .args(["--test", "page.test.mjs"])
        .current_dir(tests)
        .env("HERALD_URL", server.url(""))
        .env("HERALD_KEY", API_KEY)
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("node does not start ({error}); run `cargo xtask setup`"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
}

fn tests() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/page")
}
