//! Time: it stands still beside real IO and blocking calls, and goes by hand.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ballet::testing::{Events, IO_QUIET, advance_by, real, test_flow, wait_idle};
use ballet::{Cancel, Error, Scope, flow};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{assert_says, failure_of};

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);

/// The case in its clauses: strictly before; not while something can run; not beside IO and blocking calls; a standstill
/// fails; and what a flow did and nobody took fails.
#[test]
fn c64_time_goes_when_nothing_can_run_and_no_further_than_it_is_told() {
    ballet::testing::run("before", strictly_before());
    ballet::testing::run("runnable", not_while_a_task_can_run());
    ballet::testing::run("external", not_beside_io_and_blocking_calls());
    assert_says(
        &failure_of(|| ballet::testing::run("blocked", std::future::pending::<()>())),
        &["cannot go on"],
    );
    let untaken = || {
        let events = test_flow(flow::iter([1]), async |_: Events<_>| {});
        ballet::testing::run("events", events);
    };
    assert_says(&failure_of(untaken), &["not taken"]);
}

/// Of tasks that sleep until just before, at, and just after the end, the first has run. (Kotlin's
/// `AdvanceTimeByDoesNotRunCurrent`.)
async fn strictly_before() {
    let ran = Arc::new(Mutex::new(Vec::new()));
    ballet::scope(async |s: Scope| {
        for after in [3, 5, 4, 6] {
            let ran = Arc::clone(&ran);
            s.spawn(async move {
                sleep(after * MS).await;
                ran.lock().unwrap().push(after);
                Ok(())
            });
        }
        let before = Instant::now();
        advance_by(5 * MS).await;
        assert_eq!(before.elapsed(), 5 * MS);
        assert_eq!(*ran.lock().unwrap(), [3, 4]);
        wait_idle().await;
        assert_eq!(before.elapsed(), 5 * MS);
        assert_eq!(*ran.lock().unwrap(), [3, 4, 5]);
        Ok(())
    })
    .await
    .unwrap();
}

async fn not_while_a_task_can_run() {
    let before = Instant::now();
    ballet::scope(async |s: Scope| {
        s.spawn(async {
            for _ in 0..10_000 {
                ballet::yield_now().await;
            }
            Ok(())
        });
        s.spawn(async {
            for _ in 0..1_000 {
                tokio::task::yield_now().await;
            }
            Ok(())
        });
        wait_idle().await;
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(before.elapsed(), Duration::ZERO);
}

async fn not_beside_io_and_blocking_calls() {
    let before = Instant::now();
    let echoed = timeout(MS, echo_from_a_thread(20 * MS)).await;
    assert_eq!(echoed.expect("time went on").unwrap(), *b"hello");
    let computed = ballet::scope(async |s: Scope| {
        let slow = s.blocking(|_: &Cancel| {
            std::thread::park_timeout(60 * MS);
            Ok(7)
        });
        Ok(timeout(MS, slow).await.expect("time went on"))
    });
    assert_eq!(computed.await.unwrap(), 7);
    assert_eq!(before.elapsed(), Duration::ZERO);
}

/// Sends a word to a server that is no part of this runtime, and that takes its time.
async fn echo_from_a_thread(takes: Duration) -> Result<[u8; 5], Error> {
    let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = server.local_addr()?;
    std::thread::spawn(move || -> std::io::Result<()> {
        let (mut peer, _) = server.accept()?;
        let mut word = [0; 5];
        peer.read_exact(&mut word)?;
        std::thread::park_timeout(takes);
        peer.write_all(&word)
    });
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(b"hello").await?;
    let mut word = [0; 5];
    stream.read_exact(&mut word).await?;
    Ok(word)
}

#[ballet::test]
async fn two_hundred_echoes_inside_the_runtime_take_no_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    ballet::scope(async |s: Scope| {
        s.named("echo").spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let (mut from, mut to) = stream.split();
            tokio::io::copy(&mut from, &mut to).await?;
            Ok(())
        });
        let before = Instant::now();
        let mut stream = TcpStream::connect(address).await?;
        for n in 0..200_u32 {
            stream.write_all(&n.to_be_bytes()).await?;
            let answer = timeout(MS, stream.read_u32()).await;
            assert_eq!(answer.expect("time went on")?, n);
        }
        assert_eq!(before.elapsed(), Duration::ZERO);
        Ok(())
    })
    .await
    .unwrap();
}

#[ballet::test]
async fn timers_still_fire_in_a_test_that_listens_and_hears_nothing() {
    let _listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let before = Instant::now();
    for _ in 0..3 {
        sleep(3600 * S).await;
    }
    assert_eq!(before.elapsed(), 3 * 3600 * S);
}

#[ballet::test]
async fn a_peer_that_takes_longer_than_the_quiet_is_awaited_in_real_time() {
    let before = Instant::now();
    let slow = echo_from_a_thread(4 * IO_QUIET);
    assert_eq!(timeout(MS, real(slow)).await.expect("time went on").unwrap(), *b"hello");
    assert_eq!(before.elapsed(), Duration::ZERO);
}

#[ballet::test]
async fn time_goes_by_hand_through_every_timer_on_the_way() {
    let ticks = Arc::new(AtomicU32::new(0));
    ballet::scope(async |s: Scope| {
        let counted = Arc::clone(&ticks);
        s.spawn::<(), _>(async move {
            loop {
                sleep(S).await;
                counted.fetch_add(1, Ordering::SeqCst);
            }
        });
        for minute in 1..=3 {
            advance_by(60 * S).await;
            assert_eq!(ticks.load(Ordering::SeqCst), minute * 60 - 1);
            wait_idle().await;
            assert_eq!(ticks.load(Ordering::SeqCst), minute * 60);
        }
        s.cancel_children();
        Ok(())
    })
    .await
    .unwrap();
}

#[ballet::test]
async fn no_time_at_all_runs_nothing_that_was_not_due() {
    ballet::scope(async |s: Scope| {
        let sleeper = s.spawn(async {
            sleep(MS).await;
            Ok(())
        });
        advance_by(Duration::ZERO).await;
        advance_by(Duration::from_micros(300)).await;
        assert!(!sleeper.job().state().is_ended());
        wait_idle().await;
        assert!(sleeper.job().state().is_ended(), "timers are rounded up to the millisecond, and so is this");
        Ok(())
    })
    .await
    .unwrap();
}

#[test]
fn outside_of_a_test_there_is_no_time_to_steer() {
    let said = failure_of(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(wait_idle());
    });
    assert_says(&said, &["#[ballet::test]"]);
}

/// Hears sixty bytes from a peer in real time. Gives the longest pause that the peer made, and how much time went by here.
async fn hear_sixty_bytes() -> Result<(Duration, Duration), Error> {
    let server = std::net::TcpListener::bind("127.0.0.1:0")?;
    let address = server.local_addr()?;
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let (mut before, mut longest) = (std::time::Instant::now(), Duration::ZERO);
        for _ in 0..60 {
            #[expect(clippy::disallowed_methods, reason = "a peer in real time")]
            std::thread::sleep(IO_QUIET / 10);
            stream.write_all(&[1]).unwrap();
            longest = longest.max(before.elapsed());
            before = std::time::Instant::now();
        }
        longest
    });
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await?;
    let heard = timeout(3_600 * S, stream.read_exact(&mut [0; 60])).await;
    let passed = began.elapsed();
    let longest = peer.join().unwrap();
    // Where the timeout came first, time has gone, as `passed` says.
    drop(heard);
    Ok((longest, passed))
}

#[ballet::test]
async fn time_stands_still_as_long_as_bytes_come() -> Result<(), Error> {
    for _attempt in 0..50 {
        let (longest, passed) = hear_sixty_bytes().await?;
        // On a busy machine the peer may pause for so long that time goes, as it should.
        if longest < IO_QUIET / 2 {
            assert!(passed < 60 * S, "{passed:?} while the peer never paused longer than {longest:?}");
            return Ok(());
        }
    }
    panic!("the peer never had the time to send as often as it should");
}
