//! The program: it teaches, it tells the story, and it says no to nonsense.

use std::io;
use std::process::{Command, Output};

fn pool(arguments: &[&str]) -> io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_pool")).args(arguments).output()
}

#[test]
fn help_teaches_with_examples() -> io::Result<()> {
    let output = pool(&["--help"])?;
    let text = String::from_utf8_lossy(&output.stdout);
    for word in ["turned away at once", "reject", "retry", "--places", "Examples:", "pool retry --places 1"] {
        assert!(text.contains(word), "{word} is missing in {text}");
    }
    assert!(output.status.success());
    Ok(())
}

#[test]
fn it_tells_both_stories() -> io::Result<()> {
    let output = pool(&["--work", "40", "--interval", "5"])?;
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    assert!(text.starts_with("reject (workers: 4, places: 2)\n"), "{text}");
    assert!(text.contains("worker 3 is turned away: the pool is full"), "{text}");
    assert!(text.contains("2 granted, 2 rejected, 0 still in use\n\nretry (workers: 4"), "{text}");
    assert!(text.trim_end().ends_with("4 granted, 2 rejected, 0 still in use"), "{text}");
    Ok(())
}

#[test]
fn nonsense_is_refused_with_a_hint() -> io::Result<()> {
    let output = pool(&["--workers", "many"])?;
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--help"));
    Ok(())
}
