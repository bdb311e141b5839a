use std::time::Duration;

use super::*;
use crate::{
    item::{Item, ItemId},
    source::Mark,
};

fn open(folder: &Path) -> Store {
    Store::open(folder, Options { disk_free_min: 0, pages_max: None }).unwrap()
}

fn item(source: &SourceName, key: &str) -> Item {
    Item {
        id: ItemId::of(source, key),
        source: source.clone(),
        title: Some(key.to_owned()),
        link: None,
        author: None,
        published: None,
        updated: None,
        summary_html: None,
        content_html: None,
        tags: Vec::new(),
        attachments: Vec::new(),
    }
}

/// A visit, numbered, that brings items with these keys.
fn visit(source: &SourceName, number: u64, keys: &[&str]) -> Visit {
    let state = SourceState { visits: number, mark: Some(Mark::of(&number)), ..SourceState::default() };
    Visit {
        source: source.clone(),
        items: keys.iter().map(|key| item(source, key)).collect(),
        sinks: None,
        if_news: SourceState { next_why: "news".to_owned(), ..state.clone() },
        if_no_news: state,
        spill_items_max: 10,
    }
}

fn source() -> SourceName {
    "news".parse().unwrap()
}

async fn fresh(store: &Store, visit: Visit) -> Vec<String> {
    match store.commit(visit).await.unwrap() {
        Committed::Durable { fresh, .. } => fresh.into_iter().filter_map(|item| item.title).collect(),
        other => panic!("{other:?}"),
    }
}

async fn titles(store: &Store, sink: &str) -> Vec<String> {
    let (entries, _) = store.owed(sink, 100).await.unwrap();
    entries.into_iter().filter_map(|entry| entry.item.title).collect()
}

async fn with_sinks(folder: &Path, sinks: &[&str]) -> Store {
    let store = open(folder);
    store.set_sinks(sinks.iter().map(|&sink| sink.to_owned()).collect()).await.unwrap();
    store
}

#[tokio::test]
async fn an_item_comes_in_once_however_often_it_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_sinks(folder.path(), &["a"]).await;
    assert_eq!(fresh(&store, visit(&source(), 1, &["1", "2", "1"])).await, ["1", "2"]);
    assert_eq!(store.source(&source()).await.unwrap().next_why, "news");
    assert_eq!(fresh(&store, visit(&source(), 2, &["2", "1"])).await, [""; 0]);
    assert_eq!(store.source(&source()).await.unwrap().next_why, "");
    let other = "other".parse().unwrap();
    assert_eq!(fresh(&store, visit(&other, 1, &["1"])).await, ["1"]);
}

#[tokio::test]
async fn a_mark_and_its_items_outlive_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_sinks(folder.path(), &["a"]).await;
    fresh(&store, visit(&source(), 7, &["1", "2"])).await;
    store.close().await.unwrap();
    let store = open(folder.path());
    let state = store.source(&source()).await.unwrap();
    assert_eq!((state.mark.unwrap().read(), state.items_total), (Some(7), 2));
    assert_eq!(titles(&store, "a").await, ["1", "2"]);
    assert_eq!(store.sources().await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_every_sink_has_is_forgotten_and_nothing_sooner() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_sinks(folder.path(), &["a", "b"]).await;
    fresh(&store, visit(&source(), 1, &["1", "2", "3"])).await;
    store.acknowledge("a", 3, Vec::new()).await.unwrap();
    assert_eq!(store.spilled(), 3);
    store.acknowledge("b", 2, Vec::new()).await.unwrap();
    assert_eq!(store.spilled(), 1);
    assert_eq!(titles(&store, "b").await, ["3"]);
    store.acknowledge("b", 3, Vec::new()).await.unwrap();
    assert_eq!(store.spilled(), 0);
}

#[tokio::test]
async fn a_sink_is_given_only_what_is_meant_for_it_and_only_from_when_it_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_sinks(folder.path(), &["a", "b"]).await;
    let only_b = Visit { sinks: Some(vec!["b".to_owned()]), ..visit(&source(), 1, &["1"]) };
    fresh(&store, only_b).await;
    fresh(&store, visit(&source(), 2, &["2"])).await;
    assert_eq!(titles(&store, "a").await, ["2"]);
    assert_eq!(titles(&store, "b").await, ["1", "2"]);
    store.acknowledge("a", 2, Vec::new()).await.unwrap();
    assert_eq!(store.spilled(), 2, "sink b is owed both");
    store.set_sinks(vec!["a".to_owned(), "c".to_owned()]).await.unwrap();
    assert_eq!(store.spilled(), 0, "nothing waits for a sink that is gone");
    assert_eq!(titles(&store, "c").await, [""; 0]);
    assert_eq!(titles(&store, "b").await, [""; 0], "nothing is owed to a sink that is gone");
}

#[tokio::test]
async fn what_a_sink_was_owed_when_it_went_is_owed_to_it_when_it_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_sinks(folder.path(), &["a", "b"]).await;
    let sinks = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    let only_a = Visit { sinks: Some(sinks(&["a"])), ..visit(&source(), 1, &["1"]) };
    fresh(&store, only_a).await;
    fresh(&store, visit(&source(), 2, &["2", "3", "4"])).await;
    store.acknowledge("a", 4, Vec::new()).await.unwrap();
    store.acknowledge("b", 2, Vec::new()).await.unwrap();
    let moved = store.set_sinks(sinks(&["a"])).await.unwrap();
    assert_eq!(moved, Moved { aside: vec![("b".to_owned(), 2)], back: Vec::new() });
    assert_eq!(store.spilled(), 0, "the outbox is free for others");

    fresh(&store, visit(&source(), 3, &["5"])).await;
    let moved = store.set_sinks(sinks(&["a", "b"])).await.unwrap();
    assert_eq!(moved, Moved { aside: Vec::new(), back: vec![("b".to_owned(), 2)] });
    fresh(&store, visit(&source(), 4, &["6"])).await;
    assert_eq!(titles(&store, "b").await, ["3", "4", "6"], "in order");
    assert_eq!(titles(&store, "a").await, ["5", "6"], "which have nothing of it");
    assert_eq!(store.set_sinks(sinks(&["a", "b"])).await.unwrap(), Moved::default());
}

#[tokio::test]
async fn only_the_ids_beyond_the_limit_are_forgotten() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_sinks(folder.path(), &["a"]).await;
    let brings = async |number: u64, range: std::ops::Range<u32>| {
        let keys: Vec<String> = range.map(|key| key.to_string()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        fresh(&store, Visit { spill_items_max: 100_000, ..visit(&source(), number, &keys) }).await.len()
    };
    assert_eq!(brings(1, 0..6_000).await, 6_000);
    assert_eq!(brings(2, 6_000..12_000).await, 6_000);
    assert_eq!(brings(3, 12_000..12_001).await, 1);
    assert_eq!(brings(4, 0..6_000).await, 2_000, "10,000 of 12,000 are remembered");
}

#[tokio::test]
async fn a_full_outbox_takes_no_visit_and_an_empty_one_takes_any() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_sinks(folder.path(), &["a"]).await;
    let many: Vec<String> = (0..12).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(fresh(&store, visit(&source(), 1, &many)).await.len(), 12);
    let refused = store.commit(visit(&source(), 2, &["x"])).await.unwrap();
    assert_eq!(refused, Committed::Full { items: 12 });
    assert_eq!(store.source(&source()).await.unwrap().visits, 1, "the visit never was");
    assert_eq!(fresh(&store, visit(&source(), 2, &["3"])).await, [""; 0], "nothing new needs no room");
    store.acknowledge("a", 12, Vec::new()).await.unwrap();
    assert_eq!(fresh(&store, visit(&source(), 3, &["x"])).await, ["x"]);
}

#[tokio::test]
async fn what_a_sink_refuses_is_kept_aside_and_holds_up_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = with_sinks(folder.path(), &["a"]).await;
    fresh(&store, visit(&source(), 1, &["1", "2"])).await;
    let (entries, up_to) = store.owed("a", 1).await.unwrap();
    let refusal = Refusal { entry: entries[0].clone(), why: "no".to_owned() };
    store.acknowledge("a", up_to, vec![refusal]).await.unwrap();
    assert_eq!(titles(&store, "a").await, ["2"]);
    assert_eq!(store.sinks().await.unwrap(), [SinkRow { name: "a".to_owned(), behind: 1, refused: 1 }]);
}

#[tokio::test]
async fn disk_full_during_spill_changes_nothing_and_goes_on_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { disk_free_min: 0, pages_max: Some(40) };
    let store = Store::open(folder.path(), options).unwrap();
    store.set_sinks(vec!["a".to_owned()]).await.unwrap();
    let big = |number: u64| {
        let mut visit = Visit { spill_items_max: 1_000, ..visit(&source(), number, &[&number.to_string()]) };
        visit.items[0].content_html = Some("x".repeat(20_000));
        visit
    };
    let mut taken = 0;
    let full = loop {
        match store.commit(big(taken + 1)).await {
            Ok(_) => taken += 1,
            Err(error) => break error,
        }
        assert!(taken < 100, "the disk never fills");
    };
    assert!(matches!(full, Error::DiskFull), "{full:?}");
    assert_eq!(store.source(&source()).await.unwrap().visits, taken);
    assert_eq!(store.spilled(), taken);
    store.acknowledge("a", taken, Vec::new()).await.unwrap();
    assert_eq!(fresh(&store, big(taken + 1)).await.len(), 1);
}

#[test]
fn other_settings_begin_anew_and_the_same_do_not() {
    let state = SourceState { interval: Some(Duration::from_secs(5)), ..SourceState::default() };
    let kept: SourceState = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
    assert_eq!(kept, state);
    let of_an_older_version: SourceState = serde_json::from_str("{\"visits\": 3, \"gone\": 1}").unwrap();
    assert_eq!(of_an_older_version.visits, 3);
}
