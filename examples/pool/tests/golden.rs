//! The two golden traces: four workers on two places, in virtual time, every event and nothing else.

use std::time::Duration;

use pool::Step::{Acquired, Rejected, Released};
use pool::{Policy, Step, Story};

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Workers come at 1, 2, 3 and 4 ms, and work for 10 ms.
fn story(policy: Policy) -> Story {
    Story { workers: 4, places: 2, policy, interval: ms(1), work: ms(10) }
}

/// Plays the story, and gives its events: milliseconds, worker, step.
async fn play(story: Story) -> Result<Vec<(u128, usize, Step)>, ballet::Failure<ballet::Error>> {
    let (recorder, mut trace) = pool::trace();
    let occupancy = story.play(recorder).await?;
    assert_eq!((occupancy.in_use, occupancy.busy, occupancy.waiting), (0, 0, 0));
    Ok(trace.so_far().iter().map(|event| (event.at.as_millis(), event.worker, event.step)).collect())
}

#[ballet::test]
async fn reject() -> Result<(), ballet::Error> {
    let expected = [
        (1, 1, Acquired),
        (2, 2, Acquired),
        (3, 3, Rejected),
        (4, 4, Rejected),
        (11, 1, Released),
        (12, 2, Released),
    ];
    assert_eq!(play(story(Policy::Reject)).await?, expected);
    Ok(())
}

#[ballet::test]
async fn retry() -> Result<(), ballet::Error> {
    let expected = [
        (1, 1, Acquired),
        (2, 2, Acquired),
        (3, 3, Rejected),
        (4, 4, Rejected),
        (11, 1, Released),
        (11, 3, Acquired),
        (12, 2, Released),
        (12, 4, Acquired),
        (21, 3, Released),
        (22, 4, Released),
    ];
    assert_eq!(play(story(Policy::Retry)).await?, expected);
    Ok(())
}

#[ballet::test]
async fn a_trace_is_the_same_every_time() -> Result<(), ballet::Error> {
    let once = play(story(Policy::Retry)).await?;
    for _ in 0..20 {
        assert_eq!(play(story(Policy::Retry)).await?, once);
    }
    Ok(())
}

#[ballet::test]
async fn one_place_serves_one_after_the_other() -> Result<(), ballet::Error> {
    let events = play(Story { places: 1, ..story(Policy::Retry) }).await?;
    let served: Vec<_> = events.iter().filter(|(_, _, step)| *step != Rejected).copied().collect();
    let expected = [
        (1, 1, Acquired),
        (11, 1, Released),
        (11, 2, Acquired),
        (21, 2, Released),
        (21, 3, Acquired),
        (31, 3, Released),
        (31, 4, Acquired),
        (41, 4, Released),
    ];
    assert_eq!(served, expected);
    Ok(())
}

#[ballet::test]
async fn no_place_turns_everybody_away() -> Result<(), ballet::Error> {
    let events = play(Story { places: 0, ..story(Policy::Reject) }).await?;
    assert_eq!(events, [(1, 1, Rejected), (2, 2, Rejected), (3, 3, Rejected), (4, 4, Rejected)]);
    Ok(())
}

#[ballet::test]
async fn more_places_than_workers_turn_nobody_away() -> Result<(), ballet::Error> {
    let events = play(Story { places: usize::MAX, workers: 500, ..story(Policy::Reject) }).await?;
    assert_eq!(events.len(), 1_000);
    assert!(events.iter().all(|(_, _, step)| *step != Rejected));
    Ok(())
}
