//! Long chains inside spawned children: that they compile is the point, because their futures must be `Send`.

use ballet::flow::{Emitter, Group};
use ballet::{Error, FlowExt, Scope, flow};

use crate::support::MS;

async fn rest() {
    tokio::task::yield_now().await;
}

async fn fetch(id: u32) -> Result<String, Error> {
    rest().await;
    if id == 13 { Err(Error::msg("no such page")) } else { Ok(format!("page {id}")) }
}

#[ballet::test]
async fn every_operator_in_one_chain() -> Result<(), Error> {
    let count = ballet::scope(async |s: Scope| {
        let child = s.spawn(async {
            let numbers = flow::iter(0..200_u32)
                .map(|n| n + 1)
                .filter(|n| n % 2 == 0)
                .filter_map(|n| n.checked_sub(1))
                .tap(|n| assert!(n % 2 == 1))
                .then(async |n| {
                    rest().await;
                    n
                })
                .transform(async |n, out: &mut Emitter<'_, u32>| out.emit(n).await)
                .scan(0, |sum, n| {
                    *sum += n;
                    Some(*sum)
                })
                .distinct_until_changed()
                .distinct_until_changed_by(|n| *n)
                .take(90)
                .drop(2)
                .take_while(|n| *n < 1_000_000)
                .drop_while(|n| *n < 3)
                .flat_map(|n| flow::iter([n, n]))
                .flat_map_merge(4, |n| flow::iter([n]))
                .merge(flow::iter([1]))
                .interleave(flow::iter([2]))
                .race(flow::tick(1_000 * MS).map(|_| 3))
                .chain(flow::iter([4]))
                .chunked(4)
                .flat_map(flow::iter)
                .windowed(2, 2)
                .map(|pair| pair[0])
                .grouped_within(8, MS)
                .flat_map(flow::iter)
                .group_by(8, |n| n % 3, |key, group: Group<u32>| group.map(move |n| n + key))
                .buffer(16)
                .conflate()
                .map_par(4, fetch)
                .map_par_unordered(4, async |page| page)
                .or_fail()
                .catch(async |_, out: &mut Emitter<'_, String>| out.emit("instead".to_owned()).await)
                .timeout::<Error>(1_000 * MS)
                .retry(2)
                .retry_when(async |error, _| Err(error))
                .map_err(|error| Error::msg(error.to_string()))
                .on_start(async |out: &mut Emitter<'_, String>| out.emit("first".to_owned()).await)
                .on_empty(async |_: &mut Emitter<'_, String>| ())
                .on_completion(|_: flow::Completion<'_, Error>| ())
                .zip(flow::iter(0..))
                .map(|(page, _)| page);
            numbers.count().await
        });
        Ok(child.await)
    });
    assert!(count.await? >= 1);
    Ok(())
}

#[ballet::test]
async fn items_that_borrow() -> Result<(), Error> {
    let words = ballet::scope(async |s: Scope| {
        let child = s.spawn(async {
            let words = flow::iter(["to", "be", "or", "not"])
                .filter(|word| word.len() == 2)
                .then(async |word| {
                    rest().await;
                    word
                })
                .map(|word: &str| word)
                .flat_map(|word| flow::iter([word, word]))
                .zip(flow::iter(["a", "b", "c", "d", "e", "f"]))
                .map(|(word, _)| word)
                .map_par(2, async |word| {
                    rest().await;
                    word
                })
                .chunked(2)
                .flat_map(flow::iter)
                .take(5);
            Ok(words.collect::<Vec<&str>>().await)
        });
        Ok(child.await)
    });
    assert_eq!(words.await?, ["to", "to", "be", "be", "or"]);
    Ok(())
}

#[ballet::test]
async fn code_that_emits_and_captures() -> Result<(), Error> {
    let names = std::sync::Arc::new(vec![String::from("Anna"), String::from("Otto")]);
    let greeted = ballet::scope(async move |s: Scope| {
        let child = s.spawn(async move {
            let greeting = String::from("hello");
            let greeted = flow(async |out| {
                for name in names.iter() {
                    rest().await;
                    out.emit(format!("{greeting} {name}")).await;
                }
                fetch(1).await?;
                Ok::<_, Error>(())
            });
            let mut count = 0;
            let mut greeted = std::pin::pin!(greeted.filter(|line| !line.is_empty()));
            while let Some(_line) = greeted.next().await? {
                rest().await;
                count += 1;
            }
            Ok(count)
        });
        Ok(child.await)
    });
    assert_eq!(greeted.await?, 2);
    Ok(())
}

/// Code that emits what borrows is written in a function of its own, and boxed: spawned where it is written, rustc (1.95)
/// finds its type "not general enough".
fn colours() -> flow::BoxFlow<'static, &'static str> {
    flow(async |out| {
        for colour in ["red", "green"] {
            out.emit(colour).await;
        }
    })
    .boxed()
}

#[ballet::test]
async fn code_that_emits_what_borrows_is_boxed() -> Result<(), Error> {
    let found = ballet::scope(async |s: Scope| {
        let child =
            s.spawn(async { Ok(colours().filter(|colour| colour.len() > 3).collect::<Vec<_>>().await) });
        Ok(child.await)
    });
    assert_eq!(found.await?, ["green"]);
    Ok(())
}
