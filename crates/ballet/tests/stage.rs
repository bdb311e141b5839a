//! The stage: R20. Signals are real and go to a real process, the example `curtain`.

#![expect(clippy::unwrap_used, reason = "a test fails where the machine does not give it a process")]

use std::future::pending;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use ballet::observe::State;
use ballet::{Ending, Error, Phase, Scope, Stage};
use tokio::time::{Instant, sleep};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn stage() -> Stage {
    Stage::new().drain(seconds(20)).cancel(seconds(5)).finalize(seconds(10))
}

#[ballet::test]
async fn a_program_that_ends_by_itself_has_no_shutdown() {
    let curtain = stage().run(async |_| Ok(())).await;
    assert!(matches!(curtain.ending(), Ending::Completed));
    assert!(!curtain.was_asked() && !curtain.is_lossy());
}

#[ballet::test]
async fn what_drains_in_time_is_not_cancelled() {
    let stage = stage();
    let phases = stage.phases();
    let began = Instant::now();
    let curtain = stage
        .run(async |s: Scope| {
            s.named("http").spawn(async {
                ballet::draining().await;
                sleep(seconds(3)).await;
                Ok(())
            });
            phases.shut_down();
            Ok(())
        })
        .await;
    assert!(matches!(curtain.ending(), Ending::Completed), "{curtain}");
    assert_eq!(began.elapsed(), seconds(3));
    assert_eq!(curtain.departures()[0].state, State::Completed);
    assert_eq!(phases.current(), Phase::Ended);
}

#[ballet::test]
async fn what_does_not_drain_is_cancelled_finalized_and_lost_only_if_it_ignores_that_too() {
    for (stubborn, lossy, took) in [(false, false, 20), (true, true, 35)] {
        let stage = stage();
        let phases = stage.phases();
        let began = Instant::now();
        let curtain = stage
            .run(async |s: Scope| {
                s.named("endless").spawn(async move {
                    if stubborn {
                        ballet::shield(sleep(seconds(50))).await;
                    }
                    pending::<Result<(), Error>>().await
                });
                tokio::task::yield_now().await;
                phases.shut_down();
                Ok(())
            })
            .await;
        assert_eq!((curtain.is_lossy(), began.elapsed().as_secs()), (lossy, took), "{curtain}");
        let named = curtain.departures().iter().any(|job| job.path.ends_with("endless"));
        assert!(named, "{curtain}");
    }
}

#[ballet::test]
async fn asking_again_skips_ahead() {
    let stage = stage();
    let phases = stage.phases();
    let began = Instant::now();
    let curtain = stage
        .run(async |s: Scope| {
            s.named("endless").spawn(pending::<Result<(), Error>>());
            phases.shut_down();
            phases.reached(Phase::Draining).await;
            sleep(seconds(1)).await;
            phases.shut_down();
            pending().await
        })
        .await;
    assert!(matches!(curtain.ending(), Ending::Cancelled), "{curtain}");
    assert_eq!(began.elapsed(), seconds(1));
}

#[ballet::test]
async fn a_failure_of_the_program_is_in_the_curtain_and_so_is_a_panic() {
    let failed = stage().run(async |_| Err(Error::msg("no stage"))).await;
    assert!(failed.to_string().ends_with(": no stage\n"), "{failed}");
    let panicked = stage()
        .run(async |s: Scope| {
            s.named("clown").spawn::<(), _>(async { panic!("slipped") });
            Ok(())
        })
        .await;
    assert!(panicked.to_string().contains("slipped"), "{panicked}");
}

/// A running example, killed if the test forgets it.
struct Program(Child);

impl Program {
    fn start(arguments: &[&str]) -> (Self, BufReader<std::process::ChildStdout>) {
        let tests = std::env::current_exe().unwrap();
        let path = tests.ancestors().nth(2).unwrap().join("examples/curtain");
        assert!(path.exists(), "build it first: cargo build -p ballet --example curtain");
        let mut child = Command::new(path).args(arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        output.read_line(&mut first).unwrap();
        assert_eq!(first, "playing; press Ctrl-C\n");
        (Self(child), output)
    }

    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.0.id().to_string()]).status().unwrap();
        assert!(status.success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn sigterm_ends_a_real_process_in_phases() {
    let (mut program, mut output) = Program::start(&[]);
    program.signal("TERM");
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(program.0.wait().unwrap().code(), Some(0), "{rest}");
    let (bow, lights) = (rest.find("the last bow"), rest.find("the lights go out"));
    assert!(bow.is_some() && bow < lights, "{rest}");
    assert!(rest.contains("drain") && rest.contains("cancelled  ticker"), "{rest}");
    assert!(rest.ends_with("nothing was lost\n"), "{rest}");
}

#[test]
fn a_job_that_ignores_everything_is_named_and_the_exit_code_says_so() {
    let (mut program, mut output) = Program::start(&["--stubborn"]);
    program.signal("INT");
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert_eq!(program.0.wait().unwrap().code(), Some(3), "{rest}");
    assert!(rest.contains("ABANDONED  stubborn"), "{rest}");
}
