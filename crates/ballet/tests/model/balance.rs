//! What holds after a tree has run, whoever came first.

use crate::log::Event;
use crate::perform::Books;
use crate::plan::Nest;

/// All that was begun has ended, before its scope returned; each value was dropped once, each finalizer run once.
///
/// # Errors
///
/// What does not hold.
pub(crate) fn ended(tree: &Nest, books: &Books) -> Result<(), String> {
    let place = |wanted: &dyn Fn(&Event) -> bool| books.log.iter().position(|(_, event)| wanted(event));
    let gone = |id: u32| {
        place(&|event| matches!(event, Event::Left(left, _) | Event::Finalized(left, _) if *left == id))
    };
    for nest in tree.all() {
        let returned = place(&|event| matches!(event, Event::Returned(id, _) if *id == nest.id));
        for id in nest.members().into_iter().filter(|id| books.begun.contains(id)) {
            if gone(id).is_none() {
                return Err(format!("{id} of scope {} never ended", nest.id));
            }
            if returned.is_some() && gone(id) >= returned {
                return Err(format!("{id} outlived scope {}", nest.id));
            }
        }
    }
    let ends = books.log.iter().filter(|(_, event)| matches!(event, Event::Left(..) | Event::Finalized(..)));
    if ends.count() != books.begun.len() {
        return Err("something ended twice".to_owned());
    }
    if sorted(&books.values_dropped) != sorted(&books.values_made) {
        return Err("the values that were dropped are not those that were made".to_owned());
    }
    Ok(())
}

pub(crate) fn sorted<T: Ord + Clone>(items: &[T]) -> Vec<T> {
    let mut items = items.to_vec();
    items.sort();
    items
}
