//! Components that drain in their turn, readiness, what systemd is told, and the timeline for machines.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails where the machine does not give it a socket or a process"
)]

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::observe::State;
use ballet::testing::assert_shutdown_within;
use ballet::{Ending, Error, Phase, Ready, Scope, Stage, SupervisorScope, component, draining};
use tokio::time::{Instant, sleep};

const fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

type Words = Arc<Mutex<Vec<(u64, String)>>>;

/// Notes what was said, and how many seconds of virtual time after the beginning.
#[derive(Clone)]
struct Prompter(Instant, Words);

impl Prompter {
    fn new() -> Self {
        Self(Instant::now(), Words::default())
    }

    fn say(&self, word: impl Into<String>) {
        self.1.lock().unwrap().push((self.0.elapsed().as_secs(), word.into()));
    }

    fn said(&self) -> Vec<(u64, String)> {
        self.1.lock().unwrap().clone()
    }
}

/// Drains for `takes` after its cue, and says both.
async fn part(name: &'static str, takes: u64, prompter: Prompter) -> Result<(), Error> {
    draining().await;
    prompter.say(format!("{name} drains"));
    sleep(seconds(takes)).await;
    prompter.say(format!("{name} is gone"));
    Ok(())
}

fn said(words: &[(u64, &str)]) -> Vec<(u64, String)> {
    words.iter().map(|(at, word)| (*at, (*word).to_owned())).collect()
}

#[ballet::test]
async fn components_drain_last_first_and_others_at_once() {
    let prompter = Prompter::new();
    let heard = prompter.clone();
    let app = async move |s: Scope| {
        s.named("store").spawn(component(seconds(9), part("store", 1, prompter.clone())));
        s.named("workers").spawn(component(seconds(9), part("workers", 2, prompter.clone())));
        s.named("http").spawn(component(seconds(9), part("http", 3, prompter.clone())));
        s.named("ticker").spawn(part("ticker", 0, prompter));
        Ok(())
    };
    let curtain = assert_shutdown_within(seconds(6), Stage::new(), app).await;
    assert_eq!(curtain.took(), seconds(6));
    let mut heard = heard.said();
    heard[..2].sort();
    assert!(heard[..3].contains(&(0, "ticker is gone".to_owned())), "{heard:?}");
    heard.retain(|(_, word)| !word.starts_with("ticker"));
    let expected = [
        (0, "http drains"),
        (3, "http is gone"),
        (3, "workers drains"),
        (5, "workers is gone"),
        (5, "store drains"),
        (6, "store is gone"),
    ];
    assert_eq!(heard, said(&expected));
}

#[ballet::test]
async fn the_children_of_a_component_hear_its_cue_and_not_the_stages() {
    let prompter = Prompter::new();
    let heard = prompter.clone();
    let app = async move |s: Scope| {
        let store = {
            let prompter = prompter.clone();
            async move {
                ballet::supervisor_scope(async |s: SupervisorScope| {
                    s.named("writer").spawn(part("writer", 1, prompter));
                    Ok(())
                })
                .await?;
                Ok(())
            }
        };
        s.named("store").spawn(component(seconds(9), store));
        s.named("http").spawn(component(seconds(9), part("http", 3, prompter)));
        Ok(())
    };
    drop(assert_shutdown_within(seconds(4), Stage::new(), app).await);
    let expected = [(0, "http drains"), (3, "http is gone"), (3, "writer drains"), (4, "writer is gone")];
    assert_eq!(heard.said(), said(&expected));
}

#[ballet::test]
async fn a_component_is_gone_when_its_future_is_whoever_keeps_its_scope() {
    let prompter = Prompter::new();
    let heard = prompter.clone();
    let kept = Arc::new(Mutex::new(None));
    let app = async move |s: Scope| {
        s.named("store").spawn(component(seconds(9), part("store", 1, prompter.clone())));
        let connections = {
            let kept = Arc::clone(&kept);
            async move {
                ballet::supervisor_scope(async |s: SupervisorScope| {
                    s.named("connection").spawn(part("connection", 2, prompter));
                    *kept.lock().unwrap() = Some(s);
                    Ok(())
                })
                .await?;
                Ok(())
            }
        };
        s.named("connections").spawn(component(seconds(9), connections));
        Ok(())
    };
    drop(assert_shutdown_within(seconds(3), Stage::new(), app).await);
    let expected =
        [(0, "connection drains"), (2, "connection is gone"), (2, "store drains"), (3, "store is gone")];
    assert_eq!(heard.said(), said(&expected));
}

#[ballet::test]
async fn asking_twice_at_once_skips_the_drain() {
    let stage = Stage::new();
    let phases = stage.phases();
    let began = Instant::now();
    let curtain = stage
        .run(async |s: Scope| {
            s.named("endless").spawn(pending::<Result<(), Error>>());
            phases.shut_down();
            phases.shut_down();
            Ok(())
        })
        .await;
    assert!(!curtain.is_lossy(), "{curtain}");
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[ballet::test]
async fn a_failure_is_told_though_a_job_does_not_end_in_time() {
    let stage = Stage::new();
    let curtain = stage
        .run(async |s: Scope| {
            s.named("stubborn").spawn(ballet::shield(async {
                sleep(seconds(50)).await;
                Ok(())
            }));
            s.named("writer").spawn::<(), _>(async { Err(Error::msg("the disk is full")) });
            Ok(())
        })
        .await;
    assert!(curtain.is_lossy(), "{curtain}");
    assert!(
        curtain.failure().is_some_and(|failure| failure.to_string().contains("the disk is full")),
        "{curtain}"
    );
    assert!(curtain.to_string().contains("ABANDONED  a_failure_is_told"), "{curtain}");
}

#[ballet::test]
async fn a_component_that_is_late_is_cancelled_and_the_next_waits_until_it_is_gone() {
    let prompter = Prompter::new();
    let heard = prompter.clone();
    let app = async move |s: Scope| {
        s.named("store").spawn(component(seconds(9), part("store", 0, prompter)));
        let stubborn = async { ballet::shield(sleep(seconds(5))).await };
        s.named("http").spawn(component(seconds(2), async {
            stubborn.await;
            pending::<Result<(), Error>>().await
        }));
        Ok(())
    };
    let curtain = assert_shutdown_within(seconds(5), Stage::new(), app).await;
    assert_eq!(heard.said(), said(&[(5, "store drains"), (5, "store is gone")]));
    let http = curtain.departures().iter().find(|job| job.path.ends_with("/http")).unwrap();
    assert_eq!(http.state, State::Cancelled);
}

#[ballet::test]
async fn the_stages_budget_bounds_all_turns_together() {
    let app = async |s: Scope| {
        for name in ["one", "two", "three"] {
            s.named(name).spawn(component(seconds(60), pending::<Result<(), Error>>()));
        }
        Ok(())
    };
    let curtain = assert_shutdown_within(seconds(20), Stage::new().drain(seconds(20)), app).await;
    assert!(curtain.departures().iter().all(|job| job.state == State::Cancelled), "{curtain}");
}

#[ballet::test]
async fn one_that_ends_by_itself_gives_the_cue_and_one_that_comes_late_has_it_at_once() {
    let prompter = Prompter::new();
    let heard = prompter.clone();
    let app = async move |s: Scope| {
        s.named("first").spawn(component(seconds(9), part("first", 0, prompter.clone())));
        s.named("brief").spawn(component(seconds(9), async { Ok(()) }));
        let again = s.clone();
        s.named("opener").spawn(async move {
            draining().await;
            again.named("late").spawn(component(seconds(9), part("late", 2, prompter)));
            Ok(())
        });
        Ok(())
    };
    drop(assert_shutdown_within(seconds(2), Stage::new(), app).await);
    // The first one had its cue already, or waits for the one that came late: who of them wakes first is open.
    let late: Vec<_> = heard.said().into_iter().filter(|(_, word)| word.starts_with("late")).collect();
    assert_eq!(late, said(&[(0, "late drains"), (2, "late is gone")]));
}

#[ballet::test]
async fn a_component_uses_up_the_budget_of_its_task_and_is_cancelled_all_the_same() {
    let app = async |s: Scope| {
        s.named("busy").spawn(component(seconds(1), async {
            loop {
                tokio::task::consume_budget().await;
                sleep(Duration::from_millis(1)).await;
            }
        })) as ballet::Deferred<()>;
        Ok(())
    };
    drop(assert_shutdown_within(seconds(1), Stage::new(), app).await);
}

#[ballet::test]
async fn outside_every_stage_a_component_is_its_future() -> Result<(), Error> {
    let sum =
        ballet::scope(async |s: Scope| Ok(s.spawn(component(seconds(1), async { Ok(1 + 1) })).await)).await?;
    assert_eq!(sum, 2);
    Ok(())
}

#[ballet::test]
async fn a_stage_is_ready_when_its_body_has_started_every_part() {
    let stage = Stage::new();
    let phases = stage.phases();
    let asked = stage.phases();
    assert_eq!(phases.current(), Phase::Starting);
    let program = stage.run(async |s: Scope| {
        let slow = async |ready: Ready| {
            sleep(seconds(3)).await;
            ready.announce(());
            draining().await;
            Ok(())
        };
        s.named("store").start(slow).await?;
        Ok(())
    });
    let began = Instant::now();
    let visitor = async {
        sleep(seconds(2)).await;
        assert!(!asked.is_ready(), "the store is not ready");
        asked.reached(Phase::Running).await;
        assert_eq!(began.elapsed(), seconds(3));
        assert!(asked.is_ready());
        asked.shut_down();
    };
    let (curtain, ()) = tokio::join!(program, visitor);
    assert!(matches!(curtain.ending(), Ending::Completed), "{curtain}");
    assert!(!phases.is_ready());
}

#[ballet::test]
async fn a_body_that_goes_on_says_itself_that_it_is_ready() {
    let stage = Stage::new();
    let phases = stage.phases();
    let curtain = stage
        .run(async |_| {
            phases.open();
            assert!(phases.is_ready());
            phases.shut_down();
            draining().await;
            phases.open();
            assert_eq!(phases.current(), Phase::Draining);
            Ok(())
        })
        .await;
    assert!(!curtain.is_lossy());
}

#[ballet::test]
async fn the_timeline_for_machines_says_what_the_one_for_people_says() {
    let app = async |s: Scope| {
        s.named("http").spawn(async {
            draining().await;
            sleep(seconds(3)).await;
            Ok(())
        });
        Ok(())
    };
    let curtain = assert_shutdown_within(seconds(3), Stage::new(), app).await;
    let json = serde_json::to_value(&curtain).unwrap();
    let http = &curtain.departures()[0];
    let expected = serde_json::json!({
        "ending": "completed",
        "failure": null,
        "asked": true,
        "lossy": false,
        "exit_code": 0,
        "took_us": 3_000_000,
        "phases": [{ "phase": "drain", "took_us": 3_000_000 }],
        "departures": [{ "path": http.path, "place": http.place, "state": "completed", "after_us": 3_000_000 }],
        "finalizers_dropped": 0,
    });
    assert_eq!(json, expected);
}

#[ballet::test]
async fn a_shutdown_that_takes_too_long_fails_its_assertion() {
    let app = async |s: Scope| {
        s.named("slow").spawn(async {
            draining().await;
            sleep(seconds(3)).await;
            Ok(())
        });
        Ok(())
    };
    let watch = AssertUnwindSafe(assert_shutdown_within(seconds(2), Stage::new(), app));
    let failed = futures_util::FutureExt::catch_unwind(watch).await.unwrap_err();
    let message = failed.downcast_ref::<String>().unwrap();
    assert!(message.starts_with("the shutdown was to take 2s at most"), "{message}");
    assert!(message.contains("slow"), "{message}");
}

#[cfg(target_os = "linux")]
#[test]
fn systemd_is_told_of_a_real_process() {
    use std::os::unix::net::UnixDatagram;
    use std::process::{Command, Stdio};

    let folder = std::env::temp_dir().join(format!("ballet-notify-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(seconds(30))).unwrap();
    let hear = || {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).unwrap();
        String::from_utf8(buffer[..length].to_vec()).unwrap()
    };

    let tests = std::env::current_exe().unwrap();
    let curtain = tests.ancestors().nth(2).unwrap().join("examples/curtain");
    let mut program = Command::new(curtain)
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "200000")
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    assert_eq!(hear(), "READY=1\n");
    assert_eq!(hear(), "WATCHDOG=1\n");
    let id = program.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &id]).status().unwrap().success());
    let mut word = hear();
    while word == "WATCHDOG=1\n" {
        word = hear();
    }
    assert_eq!(word, "STOPPING=1\nEXTEND_TIMEOUT_USEC=2500000\n");
    assert_eq!(program.wait().unwrap().code(), Some(0));
    std::fs::remove_dir_all(&folder).unwrap();
}

/// Runs itself as a process of its own, whose stage has that drain.
#[cfg(target_os = "linux")]
#[test]
fn systemd_is_told_of_budgets_that_are_long() {
    use std::os::unix::net::UnixDatagram;
    use std::process::{Command, Stdio};

    if let Ok(drain) = std::env::var("BALLET_TEST_DRAIN_SECONDS") {
        return shut_down_at_once(seconds(drain.parse().unwrap()));
    }
    let folder = std::env::temp_dir().join(format!("ballet-notify-long-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("socket");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(seconds(30))).unwrap();
    for (drain, told) in [(7_200, 7_216_000_000), (u64::MAX, u64::MAX - 1)] {
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "systemd_is_told_of_budgets_that_are_long"])
            .env("NOTIFY_SOCKET", &path)
            .env("BALLET_TEST_DRAIN_SECONDS", drain.to_string())
            .stdout(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        let mut buffer = [0; 512];
        let mut hear = || {
            let length = socket.recv(&mut buffer).unwrap();
            String::from_utf8(buffer[..length].to_vec()).unwrap()
        };
        assert_eq!(hear(), "READY=1\n");
        assert_eq!(hear(), format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={told}\n"));
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[cfg(target_os = "linux")]
fn shut_down_at_once(drain: Duration) {
    let stage = Stage::new().drain(drain);
    let phases = stage.phases();
    let curtain = stage.block_on(async |s: Scope| {
        s.spawn(async move {
            phases.reached(Phase::Running).await;
            phases.shut_down();
            draining().await;
            Ok(())
        });
        Ok(())
    });
    assert!(!curtain.unwrap().is_lossy());
}

#[ballet::test]
async fn the_timeline_says_at_once_where_there_is_nothing_to_measure() {
    let app = async |s: Scope| {
        s.named("calm").spawn(async {
            draining().await;
            Ok(())
        });
        s.named("http").spawn(async {
            draining().await;
            sleep(seconds(3)).await;
            Ok(())
        });
        Ok(())
    };
    let told = assert_shutdown_within(seconds(3), Stage::new(), app).await.to_string();
    let row = |name: &str| told.lines().find(|line| line.contains(&format!("/{name} ("))).unwrap();
    assert!(row("calm").starts_with("    at once  completed  "), "{told}");
    assert!(row("http").starts_with("       3.0s  completed  "), "{told}");
}

#[ballet::test]
async fn budgets_may_be_as_long_as_a_duration_can_be() {
    let stage = Stage::new().drain(Duration::MAX).cancel(Duration::MAX).finalize(Duration::MAX);
    let phases = stage.phases();
    let curtain = stage.run(async |s: Scope| {
        s.spawn(async {
            draining().await;
            Ok(())
        });
        phases.shut_down();
        Ok(())
    });
    assert!(matches!(curtain.await.ending(), Ending::Completed));
}

#[test]
fn a_stage_that_panics_before_its_program_begins_leaves_its_place() {
    // Without a driver of signals, Tokio panics where they are to be heard.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let program = ballet::scope(async |_: Scope| {
        let _ = Stage::new().run(async |_: Scope| Ok(())).await;
        Ok(())
    });
    assert!(catch_unwind(AssertUnwindSafe(|| runtime.block_on(program))).is_err());
}

/// Drains when its stage does, and at once.
async fn drains_at_once() -> Result<(), Error> {
    draining().await;
    Ok(())
}

#[test]
fn requests_in_foreign_tasks_have_the_time_of_the_drain() {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let answer = runtime.block_on(async {
        let stage = Stage::new().drain(seconds(20));
        let phases = stage.phases();
        let run = stage.run(async move |s: Scope| {
            s.spawn(drains_at_once());
            Ok(())
        });
        // As a server of another library does it: each connection has a task, each request a scope.
        #[expect(clippy::disallowed_methods, reason = "it stands for the task of a library")]
        let request = tokio::spawn(ballet::scope(async |s: Scope| {
            let work = s.spawn(async {
                sleep(seconds(3)).await;
                Ok(7)
            });
            Ok(work.await)
        }));
        let ask = async {
            sleep(seconds(1)).await;
            phases.shut_down();
        };
        let (curtain, ()) = tokio::join!(run, ask);
        let drained = curtain.phases().first().map(|(phase, took)| (*phase, took.as_secs()));
        assert_eq!(drained, Some((Phase::Draining, 2)), "{curtain}");
        request.await.unwrap().unwrap()
    });
    assert_eq!(answer, 7);
}

#[ballet::test]
async fn a_stage_in_a_scope_ends_what_is_its_own_and_no_more() -> Result<(), Error> {
    let slept = ballet::scope(async |s: Scope| {
        let bystander = s.spawn(async {
            sleep(seconds(100)).await;
            Ok("slept")
        });
        let part = s.spawn(async {
            let stage = Stage::new();
            let phases = stage.phases();
            let run = stage.run(async |s: Scope| {
                s.spawn(drains_at_once());
                phases.shut_down();
                Ok(())
            });
            Ok(run.await.departures().len())
        });
        assert_eq!(part.await, 1);
        Ok(bystander.await)
    });
    assert_eq!(slept.await?, "slept");
    Ok(())
}

#[ballet::test]
async fn a_stage_that_is_dropped_has_ended() {
    let stage = Stage::new();
    let phases = stage.phases();
    let run = stage.run(async |s: Scope| {
        s.spawn(pending::<Result<(), _>>());
        Ok(())
    });
    assert!(tokio::time::timeout(seconds(1), run).await.is_err());
    assert!(!phases.is_ready());
    phases.reached(Phase::Ended).await;
    let never_began = Stage::new();
    let phases = never_began.phases();
    drop(never_began.run(async |_: Scope| Ok(())));
    phases.reached(Phase::Ended).await;
}
