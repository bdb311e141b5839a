//! The orders in which items are received, pushed out, moved and waited for, explored by `cargo xtask loom`.

use loom::sync::{Arc, Mutex};
use loom::thread;

use super::super::Sharing;
use super::*;

type Item = std::sync::Arc<u32>;

/// A ring under the lock that the books are under, and where so many subscribers stand.
fn setup(sharing: Sharing, subscribers: usize) -> (Arc<Mutex<Ring<Item>>>, Vec<Cursor<Item>>) {
    let ring = Ring::new(sharing);
    let cursors = (0..subscribers).map(|_| ring.enter()).collect();
    (Arc::new(Mutex::new(ring)), cursors)
}

/// As a subscriber does.
fn take(ring: &Mutex<Ring<Item>>, cursor: &mut Cursor<Item>) -> Option<Taken<Item>> {
    cursor.take().or_else(|| ring.lock().unwrap().take(cursor))
}

/// Wait against the last receipt: an emitter that finds no room is called when there is some.
#[test]
fn whoever_makes_room_calls_the_emitter_that_found_none() {
    loom::model(|| {
        let (ring, cursors) = setup(Sharing::suspend(1), 2);
        assert!(ring.lock().unwrap().push(Item::new(1), 2).is_none());
        let subscribers: Vec<_> = cursors
            .into_iter()
            .map(|mut cursor| {
                let ring = Arc::clone(&ring);
                thread::spawn(move || {
                    let taken = take(&ring, &mut cursor).unwrap();
                    taken.is_awaited && !ring.lock().unwrap().is_full()
                })
            })
            .collect();
        let waits = ring.lock().unwrap().is_full();
        let calls = subscribers.into_iter().filter_map(|one| one.join().unwrap().then_some(())).count();
        assert_eq!(calls, usize::from(waits));
    });
}

/// Receipt against receipt: one gets a copy, and the last the item itself.
#[test]
fn the_last_gets_the_item_itself() {
    loom::model(|| {
        let (ring, cursors) = setup(Sharing::suspend(1), 2);
        let item = Item::new(1);
        assert!(ring.lock().unwrap().push(item.clone(), 2).is_none());
        let subscribers: Vec<_> = cursors
            .into_iter()
            .map(|mut cursor| {
                let ring = Arc::clone(&ring);
                thread::spawn(move || take(&ring, &mut cursor).unwrap().item)
            })
            .collect();
        let heard: Vec<_> = subscribers.into_iter().map(|one| one.join().unwrap()).collect();
        assert_eq!((heard.len(), Item::strong_count(&item)), (2, 3));
    });
}

/// Receipt against an emission that pushes the oldest out: each item is received or missed, and gone.
#[test]
fn what_is_pushed_out_is_received_or_missed() {
    loom::model(|| {
        let (ring, mut cursors) = setup(Sharing::drop_oldest(1), 1);
        let mut cursor = cursors.remove(0);
        let item = Item::new(1);
        assert!(ring.lock().unwrap().push(item.clone(), 1).is_none());
        let emitter = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || drop(ring.lock().unwrap().push(Item::new(2), 1)))
        };
        let mut heard: Vec<_> = take(&ring, &mut cursor).into_iter().map(|taken| *taken.item).collect();
        emitter.join().unwrap();
        heard.extend(take(&ring, &mut cursor).map(|taken| *taken.item));
        assert!(heard == [1, 2] && cursor.missed == 0 || heard == [2] && cursor.missed == 1, "{heard:?}");
        assert_eq!(Item::strong_count(&item), 1);
    });
}

/// Receipt against a move into a larger table: nothing is lost on the way.
#[test]
fn a_buffer_that_grows_loses_nothing() {
    loom::model(|| {
        let (ring, mut cursors) = setup(Sharing::suspend(2 * SLOTS_AT_FIRST), 1);
        let mut cursor = cursors.remove(0);
        for number in 0..SLOTS_AT_FIRST as u32 {
            assert!(ring.lock().unwrap().push(Item::new(number), 1).is_none());
        }
        let emitter = {
            let ring = Arc::clone(&ring);
            thread::spawn(move || drop(ring.lock().unwrap().push(Item::new(SLOTS_AT_FIRST as u32), 1)))
        };
        let mut heard: Vec<_> = (0..2).map(|_| *take(&ring, &mut cursor).unwrap().item).collect();
        emitter.join().unwrap();
        heard.extend(std::iter::from_fn(|| take(&ring, &mut cursor)).map(|taken| *taken.item));
        assert!(heard.into_iter().eq(0..=SLOTS_AT_FIRST as u32));
    });
}
