//! A sink that panics is one that is down: nothing is lost by it, and no other waits for it.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use ballet::SupervisorScope;

use super::*;
use crate::{
    clock::Clock,
    item::ItemId,
    source::SourceName,
    store::{Committed, Options, SourceState, Store, Visit},
};

/// Panics when it is opened, then with half of a delivery made, and is sound from then on.
#[derive(Debug)]
pub struct Unsound {
    path: PathBuf,
    opened: AtomicU32,
}

impl Unsound {
    pub(super) async fn open(&self) -> Result<Box<dyn Outlet>, Failure> {
        let before = self.opened.fetch_add(1, Ordering::Relaxed);
        assert!(before > 0, "a sink that cannot be opened");
        let file = ndjson::Outlet::open(&self.path).await?;
        Ok(Box::new(Half { file, is_sound: before > 1 }))
    }
}

struct Half {
    file: ndjson::Outlet,
    is_sound: bool,
}

impl Outlet for Half {
    fn deliver<'a>(&'a mut self, entries: &'a [Entry]) -> BoxFuture<'a, Delivery> {
        Box::pin(async move {
            if self.is_sound {
                return self.file.deliver(entries).await;
            }
            self.file.deliver(&entries[..entries.len() / 2]).await;
            panic!("an item that the sink cannot write")
        })
    }
}

fn settings(name: &str, target: Target) -> (String, Arc<SinkSettings>) {
    let settings = SinkSettings { name: name.to_owned(), kind: NDJSON, target, fingerprint: String::new() };
    (name.to_owned(), Arc::new(settings))
}

fn visit(number: u64, keys: &[&str]) -> Visit {
    let source: SourceName = "news".parse().unwrap();
    let item = |key: &&str| Item {
        id: ItemId::of(&source, key),
        source: source.clone(),
        title: Some((*key).to_owned()),
        link: None,
        author: None,
        published: None,
        updated: None,
        summary_html: None,
        content_html: None,
        tags: Vec::new(),
        attachments: Vec::new(),
    };
    let state = SourceState { visits: number, ..SourceState::default() };
    Visit {
        items: keys.iter().map(item).collect(),
        source: source.clone(),
        sinks: None,
        if_news: state.clone(),
        if_no_news: state,
        spill_items_max: 100,
    }
}

fn titles(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let title = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["title"].to_string();
    text.lines().map(title).map(|title| title.trim_matches('"').to_owned()).collect()
}

// In real time, since the store commits on a thread of its own, of which a clock that jumps knows nothing.
#[tokio::test]
async fn a_sink_that_panics_is_started_again_and_loses_nothing_and_no_other_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (sound, unsound) = (folder.path().join("sound"), folder.path().join("unsound"));
    let mut config = Config::parse(&folder.path().join("tributary.toml"), "", &[]).unwrap();
    let broken = Target::Unsound(Unsound { path: unsound.clone(), opened: AtomicU32::new(0) });
    config.sinks = BTreeMap::from([
        settings("sound", Target::Ndjson { path: sound.clone() }),
        settings("unsound", broken),
    ]);
    let store = Store::open(folder.path(), Options { disk_free_min: 0, pages_max: None }).unwrap();
    store.set_sinks(config.sinks.keys().cloned().collect()).await.unwrap();
    let shared = Arc::new(Shared::new(store.clone(), Clock::system(), &config));
    let (sinks, config) = (Arc::new(Sinks::new(shared)), Arc::new(config));

    ballet::supervisor_scope(async |scope: SupervisorScope| {
        let running = Arc::clone(&sinks);
        let job = scope.spawn(async move { running.run(config).await });
        assert!(matches!(store.commit(visit(1, &["1", "2", "3", "4"])).await?, Committed::Durable { .. }));
        store.watch_spilled().wait_for(|waiting| *waiting == 0).await?;
        assert_eq!(titles(&sound), ["1", "2", "3", "4"]);
        // What it had before it panicked comes again, in order: at least once.
        assert_eq!(titles(&unsound), ["1", "2", "1", "2", "3", "4"]);
        let statuses = sinks.statuses().await?;
        let of = |name: &str| statuses.iter().find(|status| status.name == name).unwrap();
        assert_eq!((of("sound").failures, of("unsound").failures), (0, 2));
        job.job().cancel();
        Ok(())
    })
    .await
    .unwrap();
    store.close().await.unwrap();
}
