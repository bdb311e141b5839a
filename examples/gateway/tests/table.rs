//! Every subset of the parts in every state: 7³ pages, each without and with a good page before it; and every choice
//! of needs, for the states that are decided at once.

use std::time::Duration;

use ballet::Scope;
use gateway::demo::Mode;

use crate::oracle::Question;
use crate::support::{NEEDS, Plan, Result, Stand, with_stand};

const STATES: [&str; 7] = ["ok", "slow", "5xx", "hang", "garbage", "huge", "panic"];
/// Long enough for a page of healthy parts on a busy machine, short enough for a thousand pages that wait for it.
const DEADLINE_MS: u64 = 1_000;
/// How much later than its deadline a page may be on a busy machine.
const SLACK: Duration = Duration::from_secs(2);
/// The state of one question must not show in the next, so nothing opens and nothing runs out.
const SETTINGS: &str = "max_age_seconds = 60
    breaker = { failures = 1000000 }
    retry = { burst = 1000000, backoff_ms = 5 }";

/// All ways to choose one of `choices` for each of the three parts.
fn triples(choices: &[&'static str]) -> Vec<[&'static str; 3]> {
    let each = |first| {
        choices.iter().flat_map(move |second| choices.iter().map(move |third| [first, *second, *third]))
    };
    choices.iter().flat_map(|first| each(*first)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_state_of_every_part_gives_the_page_that_the_description_says() -> Result {
    let cases = triples(&STATES);
    assert_eq!(cases.len(), 343);
    // Side by side, because most of the time each of them only waits for its deadline.
    ballet::scope(async |scope: Scope| {
        for (number, states) in cases.chunks(7).map(<[_]>::to_vec).enumerate() {
            scope.spawn(async move { ask_all(&format!("states-{number}"), NEEDS, &states).await });
        }
        Ok(())
    })
    .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_choice_of_needs_is_kept() -> Result {
    let states = triples(&["ok", "garbage"]);
    let all_needs = triples(&NEEDS);
    assert_eq!(states.len() * all_needs.len(), 216);
    for (number, needs) in all_needs.into_iter().enumerate() {
        ask_all(&format!("needs-{number}"), needs, &states).await?;
    }
    Ok(())
}

async fn ask_all(name: &str, needs: [&'static str; 3], states: &[[&'static str; 3]]) -> Result {
    let plan = Plan {
        needs,
        ..Plan::new(name).deadline_ms(DEADLINE_MS).settings(SETTINGS).of_parts("bytes_max = 70000")
    };
    with_stand(plan, async |stand| {
        for (number, states) in states.iter().enumerate() {
            ask(stand, &format!("cold-{number}"), Question { needs, states: *states, is_warm: false })
                .await?;
            stand.set_modes([Mode::Ok; 3]);
            let warm = format!("warm-{number}");
            assert_eq!(stand.page(&warm).await?.header("x-gateway-completed"), "true");
            ask(stand, &warm, Question { needs, states: *states, is_warm: true }).await?;
        }
        Ok(())
    })
    .await
}

async fn ask(stand: &Stand, id: &str, question: Question) -> Result {
    stand.set_modes(
        question.states.map(|word| word.parse().unwrap_or_else(|_| panic!("no mode is called {word}"))),
    );
    let before = stand.asked();
    let answer = stand.page(id).await?;
    assert_eq!(stand.fetches(), Vec::<String>::new(), "live after the answer to {question:?}");
    assert!(answer.took < Duration::from_millis(DEADLINE_MS) + SLACK, "{:?} for {question:?}", answer.took);
    let after = stand.asked();
    question.judge(&answer, [0, 1, 2].map(|index: usize| after[index] - before[index]));
    stand.wait_idle().await;
    Ok(())
}
