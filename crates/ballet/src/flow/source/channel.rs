//! Flows of what comes from elsewhere: channels, other tasks, callbacks.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, Location, resume_unwind};
use std::pin::{Pin, pin};

use futures_util::FutureExt;
use futures_util::future::maybe_done;

use crate::channel::{self, Cause, Receiver, Sender};
use crate::flow::describe;
use crate::flow::emitter::Emitter;
use crate::flow::generator::Generator;
use crate::job::{Failure, Fault};
use crate::scope::{Held, Scope};

/// A flow of what is received from a channel. It ends when the channel is closed and drained.
///
/// Clones of the flow, as of the receiver, share the channel: each item goes to one of them.
///
/// # Errors
///
/// The flow fails with the [`Cause`] with which the channel was closed, if it was.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{FlowExt, channel, flow};
///
/// let (tx, rx) = channel::bounded(4);
/// for number in 1..=3 {
///     tx.send(number).await?;
/// }
/// drop(tx);
/// assert_eq!(flow::channel(rx).collect::<Vec<_>>().await?, [1, 2, 3]);
/// # Ok(()) }
/// ```
pub fn channel<T>(
    receiver: Receiver<T>,
) -> Generator<Receiver<T>, T, impl Future<Output = Result<(), Cause>>> {
    Generator::new(
        receiver,
        |receiver, slot| async move { forward(&receiver, &mut Emitter::new(&slot)).await },
    )
}

/// Emits what is received, until the channel is closed and drained.
async fn forward<T>(receiver: &Receiver<T>, out: &mut Emitter<'_, T>) -> Result<(), Cause> {
    while let Some(item) = receiver.recv().await? {
        out.emit(item).await;
    }
    Ok(())
}

/// A flow that several tasks emit into. Its code is given a [`Scope`] to spawn them in, and a [`Sender`] that they may
/// clone; it runs in a child of its own, in parallel with the collector.
///
/// Up to `places` items wait for the collector; with 0, each is handed over when it is wanted. The flow ends when the
/// code and all its children have ended and what was sent by then has been taken. A collector that has had enough ends them.
///
/// # Errors
///
/// The [`Failure`] of the scope, after what was sent before it.
///
/// # Cost
///
/// A scope, a channel and a child when it begins, and the channel's lock for each item. For code that emits by itself,
/// [`flow`](fn@crate::flow) costs a tenth.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{FlowExt, Scope, channel::Sender, flow};
///
/// let mirrors = flow::channel_flow(8, async |s: Scope, tx: Sender<&'static str>| {
///     for mirror in ["Lima", "Oslo"] {
///         let tx = tx.clone();
///         s.spawn(async move {
///             tokio::task::yield_now().await; // ask it …
///             Ok(tx.send(mirror).await?)
///         });
///     }
///     Ok(())
/// });
/// let mut answers: Vec<_> = mirrors.collect().await?;
/// answers.sort();
/// assert_eq!(answers, ["Lima", "Oslo"]);
/// # Ok(()) }
/// ```
#[track_caller]
pub fn channel_flow<T, E, B, F>(
    places: usize,
    code: B,
) -> Generator<ChannelCode<B>, T, impl Future<Output = Result<(), Failure<E>>>>
where
    B: FnOnce(Scope<E>, Sender<T>) -> F,
    F: Future<Output = Result<(), E>> + Send + 'static,
    T: Send + 'static,
    E: Fault,
{
    let code = ChannelCode { code, places, place: Location::caller() };
    Generator::new(code, |ChannelCode { code, places, place }: ChannelCode<B>, slot| async move {
        let held = poll_fn(|cx| std::task::Poll::Ready(Held::open(place, cx))).await;
        let (sender, receiver) = channel::bounded(places);
        held.named("channel_flow").spawn(code(held.handle(), sender));
        // Who has a sender elsewhere does not keep the flow from ending.
        let ended = AssertUnwindSafe(held.ended()).catch_unwind().inspect(|_| _ = receiver.close());
        let (mut ended, mut out) = (pin!(maybe_done(ended)), Emitter::new(&slot));
        // A cause is for those who read the channel itself; the failure of the scope says more.
        let mut count = 0_u32;
        while let Ok(Some(item)) =
            receive_beside(&receiver, ended.as_mut(), count.is_multiple_of(LOOK_EVERY)).await
        {
            out.emit(item).await;
            count = count.wrapping_add(1);
        }
        ended.as_mut().await;
        match ended.take_output() {
            Some(Ok(verdict)) => verdict,
            Some(Err(panic)) => resume_unwind(panic),
            None => unreachable!("it is done, and nobody else has taken its output"),
        }
    })
}

/// So many items are received without a look at what goes on beside: it costs more than they do.
const LOOK_EVERY: u32 = 32;

/// Receives; and polls what goes on beside while nothing comes, and first of all where that is asked for.
fn receive_beside<T>(
    receiver: &Receiver<T>,
    mut beside: Pin<&mut impl Future<Output = ()>>,
    looks_first: bool,
) -> impl Future<Output = Result<Option<T>, Cause>> {
    let mut receiving = receiver.recv();
    let mut is_over = false;
    poll_fn(move |cx| {
        is_over |= looks_first && beside.as_mut().poll(cx).is_ready();
        loop {
            let received = receiving.poll_unpin(cx);
            if received.is_ready() || is_over || beside.as_mut().poll(cx).is_pending() {
                return received;
            }
            // It has closed the channel.
            is_over = true;
        }
    })
}

/// The code of a [`channel_flow`].
#[derive(Clone)]
pub struct ChannelCode<B> {
    code: B,
    places: usize,
    place: &'static Location<'static>,
}

describe!(ChannelCode<B>);

/// A flow of what a callback is called with: of a driver, a watcher, a library that knows no `async`.
///
/// When the flow begins, `register` is given a [`Sender`] and registers a callback that uses it, from any thread. What it
/// returns is kept until the flow ends or is dropped, and dropped first: a guard that takes the callback away.
///
/// Up to `places` items wait for the collector. The callback must not wait: it uses [`try_send`](Sender::try_send), which
/// says when there is no place. It ends the flow with [`close`](Sender::close).
///
/// # Errors
///
/// The flow fails with the [`Cause`] given to [`close_with`](Sender::close_with).
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::{FlowExt, flow};
///
/// let lines = flow::callback(16, |tx| {
///     // A library that calls back from a thread of its own.
///     std::thread::spawn(move || {
///         for line in ["first", "second"] {
///             tx.try_send(line).expect("there are 16 places");
///         }
///         tx.close();
///     })
/// });
/// assert_eq!(lines.collect::<Vec<_>>().await?, ["first", "second"]);
/// # Ok(()) }
/// ```
pub fn callback<T, G, R>(
    places: usize,
    register: R,
) -> Generator<(usize, R), T, impl Future<Output = Result<(), Cause>>>
where
    R: FnOnce(Sender<T>) -> G,
{
    Generator::new((places, register), |(places, register): (usize, R), slot| async move {
        let (sender, receiver) = channel::bounded(places);
        // Declared after the receiver, so dropped before it: no callback finds the channel gone.
        let _registered = register(sender);
        forward(&receiver, &mut Emitter::new(&slot)).await
    })
}
