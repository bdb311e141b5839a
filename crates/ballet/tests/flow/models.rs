//! Each operator against what an iterator or a few lines of sequential code make of the same items.
//!
//! The sources yield at random places, and `check` asks in several ways, so that each operator is interrupted and resumed
//! wherever it can be.

use std::collections::BTreeMap;

use ballet::flow::{Emitter, Group, Never};
use ballet::{FlowExt, flow};
use proptest::prelude::*;

use crate::support::{block, check, items, plan};

/// Emits even numbers twice.
async fn twice(n: u8, out: &mut Emitter<'_, u8>) {
    out.emit(n).await;
    if n.is_multiple_of(2) {
        tokio::task::yield_now().await;
        out.emit(n).await;
    }
}

async fn seven(out: &mut Emitter<'_, u8>) {
    out.emit(7).await;
}

/// Items and yields.
fn steps() -> impl Strategy<Value = Vec<Option<u8>>> {
    prop::collection::vec(prop_oneof![3 => any::<u8>().prop_map(Some), 1 => Just(None)], 0..24)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn map_filter_and_their_kin_are_those_of_iterators(steps in steps()) {
        let all = items(&steps);
        let expected: Vec<_> = all.iter().map(|n| u32::from(*n) * 3).collect();
        check(|| plan(steps.clone()).map(|n| u32::from(n) * 3), &expected);
        let expected: Vec<_> = all.iter().copied().filter(|n| n % 3 == 0).collect();
        check(|| plan(steps.clone()).filter(|n| n % 3 == 0), &expected);
        let expected: Vec<_> = all.iter().filter_map(|n| n.checked_sub(100)).collect();
        check(|| plan(steps.clone()).filter_map(|n| n.checked_sub(100)), &expected);
        check(|| plan(steps.clone()).tap(|_| ()), &all);
        let running = |sum: &mut u32, n: u8| {
            *sum += u32::from(n);
            (*sum < 1_000).then_some(*sum)
        };
        let expected: Vec<_> = all.iter().copied().scan(0, running).collect();
        check(|| plan(steps.clone()).scan(0, running), &expected);
    }

    #[test]
    fn parts_are_those_of_iterators(steps in steps(), count in 0_usize..30, limit in any::<u8>()) {
        let all = items(&steps);
        let expected: Vec<_> = all.iter().copied().take(count).collect();
        check(|| plan(steps.clone()).take(count), &expected);
        let expected: Vec<_> = all.iter().copied().skip(count).collect();
        check(|| plan(steps.clone()).drop(count), &expected);
        let expected: Vec<_> = all.iter().copied().take_while(|n| *n < limit).collect();
        check(|| plan(steps.clone()).take_while(move |n| *n < limit), &expected);
        let expected: Vec<_> = all.iter().copied().skip_while(|n| *n < limit).collect();
        check(|| plan(steps.clone()).drop_while(move |n| *n < limit), &expected);
    }

    #[test]
    fn distinct_is_dedup(steps in prop::collection::vec(prop::option::weighted(0.8, 0_u8..3), 0..24)) {
        let mut expected = items(&steps);
        expected.dedup();
        check(|| plan(steps.clone()).distinct_until_changed(), &expected);
        let mut expected = items(&steps);
        expected.dedup_by_key(|n| *n / 2);
        check(|| plan(steps.clone()).distinct_until_changed_by(|n| n / 2), &expected);
    }

    #[test]
    fn chunks_and_windows_are_those_of_slices(steps in steps(), size in 1_usize..6, step in 1_usize..8) {
        let all = items(&steps);
        let expected: Vec<_> = all.chunks(size).map(<[u8]>::to_vec).collect();
        check(|| plan(steps.clone()).chunked(size), &expected);
        let expected: Vec<_> = all.windows(size).step_by(step).map(<[u8]>::to_vec).collect();
        check(|| plan(steps.clone()).windowed(size, step), &expected);
    }

    #[test]
    fn work_that_is_awaited_keeps_the_order(steps in steps()) {
        let all = items(&steps);
        let work = async |n: u8| {
            if n.is_multiple_of(2) {
                tokio::task::yield_now().await;
            }
            u32::from(n)
        };
        let expected: Vec<_> = all.iter().copied().map(u32::from).collect();
        check(|| plan(steps.clone()).then(work), &expected);
        check(|| plan(steps.clone()).map_par(3, work), &expected);
        let expected: Vec<_> = all.iter().flat_map(|n| vec![*n; if n.is_multiple_of(2) { 2 } else { 1 }]).collect();
        check(|| plan(steps.clone()).transform(twice), &expected);
    }

    #[test]
    fn unordered_work_gives_each_result_once(steps in steps()) {
        let mut all = items(&steps);
        let mut results = block(plan(steps).map_par_unordered(4, async |n: u8| {
            for _ in 0..n % 3 {
                tokio::task::yield_now().await;
            }
            n
        }).collect::<Vec<_>>());
        all.sort_unstable();
        results.sort_unstable();
        prop_assert_eq!(results, all);
    }

    #[test]
    fn flows_of_flows(plans in prop::collection::vec(steps(), 0..5), limit in 1_usize..4) {
        let numbered: Vec<_> = plans.iter().cloned().enumerate().collect();
        let inner = |(index, steps): (usize, Vec<Option<u8>>)| plan(steps).map(move |n| (index, n));
        let expected: Vec<_> =
            numbered.iter().flat_map(|(index, steps)| items(steps).into_iter().map(|n| (*index, n))).collect();
        check(|| flow::iter(numbered.clone()).flat_map(inner), &expected);

        // Merged, the items of one flow keep their order among each other.
        let merged = block(flow::iter(numbered.clone()).flat_map_merge(limit, inner).collect::<Vec<_>>());
        let mut by_flow = merged.clone();
        by_flow.sort_by_key(|(index, _)| *index);
        prop_assert_eq!(by_flow, expected);
    }

    #[test]
    fn two_flows(left in steps(), right in steps()) {
        let (all_left, all_right) = (items(&left), items(&right));
        let expected: Vec<_> = all_left.iter().chain(&all_right).copied().collect();
        check(|| plan(left.clone()).chain(plan(right.clone())), &expected);
        let expected: Vec<_> = all_left.iter().copied().zip(all_right.iter().copied()).collect();
        check(|| plan(left.clone()).zip(plan(right.clone())), &expected);
        let mut expected = Vec::new();
        for index in 0..all_left.len().max(all_right.len()) {
            expected.extend(all_left.get(index));
            expected.extend(all_right.get(index));
        }
        check(|| plan(left.clone()).interleave(plan(right.clone())), &expected);

        let sides = (plan(left).map(|n| (0, n)), plan(right).map(|n| (1, n)));
        let mut merged = block(sides.0.merge(sides.1).collect::<Vec<_>>());
        merged.sort_by_key(|(side, _)| *side);
        let both = all_left.iter().map(|n| (0, *n)).chain(all_right.iter().map(|n| (1, *n)));
        prop_assert_eq!(merged, both.collect::<Vec<_>>());
    }

    #[test]
    fn combine_shows_the_latest_of_both(left in steps(), right in steps()) {
        let pairs = block(plan(left.clone()).combine(plan(right.clone())).collect::<Vec<_>>());
        let (all_left, all_right) = (items(&left), items(&right));
        if let (Some(last_left), Some(last_right)) = (all_left.last(), all_right.last()) {
            prop_assert_eq!(pairs.last(), Some(&(*last_left, *last_right)));
            prop_assert!(pairs.len() < all_left.len() + all_right.len());
            prop_assert!(pairs.len() >= all_left.len().max(all_right.len()).min(1));
        } else {
            prop_assert!(pairs.is_empty());
        }
    }

    #[test]
    fn groups_hold_their_items_in_order(steps in steps(), limit in 1_usize..6) {
        let groups = plan(steps.clone()).group_by(limit, |n| n % 4, |key, group: Group<u8>| {
            group.map(move |n| (key, n))
        });
        let mut by_key = BTreeMap::<u8, Vec<u8>>::new();
        for (key, n) in block(groups.collect::<Vec<_>>()) {
            by_key.entry(key).or_default().push(n);
        }
        let mut expected = BTreeMap::<u8, Vec<u8>>::new();
        for n in items(&steps) {
            expected.entry(n % 4).or_default().push(n);
        }
        prop_assert_eq!(by_key, expected);
    }

    #[test]
    fn ends_are_those_of_iterators(steps in steps(), limit in any::<u8>()) {
        let all = items(&steps);
        let make = || plan(steps.clone());
        prop_assert_eq!(block(make().first()), all.first().copied());
        prop_assert_eq!(block(make().last()), all.last().copied());
        prop_assert_eq!(block(make().count()), all.len());
        prop_assert_eq!(block(make().any(|n| n > limit)), all.iter().any(|n| *n > limit));
        prop_assert_eq!(block(make().all(|n| n > limit)), all.iter().all(|n| *n > limit));
        prop_assert_eq!(block(make().reduce(u8::max)), all.iter().copied().reduce(u8::max));
        let sum = |sum: u32, n: u8| sum * 3 + u32::from(n) % 7;
        let wrapped = |acc: u32, n: u8| sum(acc % 1_000, n);
        prop_assert_eq!(block(make().fold(0, wrapped)), all.iter().copied().fold(0, wrapped));
        let single = match &all[..] {
            [] => Err(flow::NotSingle::Empty),
            [one] => Ok(*one),
            _ => Err(flow::NotSingle::Several),
        };
        prop_assert_eq!(block(make().single()), single);
    }

    #[test]
    fn buffers_of_any_size_keep_everything_in_order(steps in steps(), places in 1_usize..9) {
        check(|| plan(steps.clone()).buffer(places), &items(&steps));
    }

    #[test]
    fn streams_there_and_back(steps in steps()) {
        check(|| flow::stream(plan(steps.clone()).into_stream()), &items(&steps));
    }
}

#[test]
fn on_empty_speaks_only_for_nothing() {
    check(|| plan(vec![None, None]).on_empty(seven), &[7]);
    check(|| plan(vec![None, Some(1)]).on_empty(seven), &[1]);
    check(|| plan(vec![Some(1), None]).on_start(seven), &[7, 1]);
}

#[test]
fn a_flow_of_borrowed_items_is_collected_in_place() {
    let words = [String::from("to"), String::from("be")];
    let mut lengths = 0;
    let shouted = flow::iter(&words).map(String::as_str).tap(|word| lengths += word.len());
    let shouted: Vec<_> = block(shouted.then(async |word| word.to_uppercase()).collect());
    assert_eq!((shouted, lengths), (vec!["TO".to_owned(), "BE".to_owned()], 4));
}

#[test]
fn a_clone_of_a_flow_runs_anew() {
    let numbers = flow(async |out| {
        for n in 0..3 {
            out.emit(n).await;
        }
    });
    let squares = numbers.map(|n| n * n).buffer(2);
    assert_eq!(block(squares.clone().collect::<Vec<_>>()), [0, 1, 4]);
    assert_eq!(block(squares.collect::<Vec<_>>()), [0, 1, 4]);
}

#[test]
fn branches_of_one_type() {
    let numbers = |backwards| -> flow::BoxFlow<'static, u32, Never> {
        if backwards { flow::iter((0..3).rev()).boxed() } else { flow::iter(0..3).boxed() }
    };
    assert_eq!(block(numbers(true).chain(numbers(false)).collect::<Vec<_>>()), [2, 1, 0, 0, 1, 2]);
}
