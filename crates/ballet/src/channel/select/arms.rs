//! Several arms together, and what comes out when one of them was ready.

use std::pin::Pin;
use std::task::{Context as Poller, Poll, ready};

use super::arm::Arm;

/// The arms of a [`select`](super::select()): a tuple of two to four, or a `Vec` of one kind.
pub trait Arms: closed::Arms {}

impl<A: closed::Arms> Arms for A {}

pub(super) mod closed {
    use super::{Poll, Poller};

    pub trait Arms: Sized {
        /// Which one it was, what it gave, and the others.
        type Selected;

        fn count(&self) -> usize;

        fn enter(&mut self);

        /// Polls one arm. Where it is ready, takes all, of which the others have left.
        fn poll_arm(arms: &mut Option<Self>, index: usize, cx: &mut Poller<'_>) -> Poll<Self::Selected>;
    }
}

fn present<A>(arms: &mut Option<A>) -> &mut A {
    arms.as_mut().unwrap_or_else(|| panic!("this select has ended and cannot be polled again"))
}

macro_rules! one_of {
    (
        $(#[$doc:meta])*
        $name:ident of ($($arm:ident $each:ident),+) {
            $($index:literal $variant:ident: $winner:ident $output:ident of $all:tt, leaves $($loser:ident),+ as $losers:ty;)+
        }
    ) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $name<$($arm: Arm),+> {
            $(
                #[doc = concat!("The arm at ", stringify!($index), ": what it gave, and the arms that have lost.")]
                $variant($output::Output, $losers),
            )+
        }

        impl<$($arm: Arm),+> closed::Arms for ($($arm),+) {
            type Selected = $name<$($arm),+>;

            fn count(&self) -> usize {
                [$($index),+].len()
            }

            fn enter(&mut self) {
                let ($($each),+) = self;
                $($each.enter();)+
            }

            fn poll_arm(
                arms: &mut Option<Self>,
                index: usize,
                cx: &mut Poller<'_>,
            ) -> Poll<Self::Selected> {
                let ($($each),+) = present(arms);
                match index {
                    $($index => {
                        let output = ready!(Pin::new($winner).poll(cx));
                        $($loser.leave();)+
                        let Some($all) = arms.take() else { unreachable!("it was polled just now") };
                        drop($winner);
                        Poll::Ready($name::$variant(output, ($($loser),+)))
                    })+
                    _ => unreachable!("there are fewer arms"),
                }
            }
        }
    };
}

one_of! {
    /// Which of two arms was ready, what it gave, and the other one.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
    /// use ballet::channel::{self, OneOf2, select};
    ///
    /// let (tx, rx) = channel::bounded(1);
    /// let (spare_tx, spare_rx) = channel::bounded(1);
    /// tx.try_send("taken")?;
    /// match select((tx.send("to the first"), spare_tx.send("to the spare"))).await {
    ///     OneOf2::First(..) => unreachable!("it is full"),
    ///     OneOf2::Second(sent, first) => {
    ///         sent?;
    ///         drop(first); // it has sent nothing
    ///     }
    /// }
    /// assert_eq!(spare_rx.recv().await?, Some("to the spare"));
    /// assert_eq!((rx.recv().await?, rx.try_recv().is_err()), (Some("taken"), true));
    /// # Ok(()) }
    /// ```
    OneOf2 of (A a, B b) {
        0 First: a A of (a, b), leaves b as B;
        1 Second: b B of (a, b), leaves a as A;
    }
}

one_of! {
    /// Which of three arms was ready, what it gave, and the other two.
    OneOf3 of (A a, B b, C c) {
        0 First: a A of (a, b, c), leaves b, c as (B, C);
        1 Second: b B of (a, b, c), leaves a, c as (A, C);
        2 Third: c C of (a, b, c), leaves a, b as (A, B);
    }
}

one_of! {
    /// Which of four arms was ready, what it gave, and the other three.
    OneOf4 of (A a, B b, C c, D d) {
        0 First: a A of (a, b, c, d), leaves b, c, d as (B, C, D);
        1 Second: b B of (a, b, c, d), leaves a, c, d as (A, C, D);
        2 Third: c C of (a, b, c, d), leaves a, b, d as (A, B, D);
        3 Fourth: d D of (a, b, c, d), leaves a, b, c as (A, B, C);
    }
}

/// Which of many arms was ready, what it gave, and the others in their order.
///
/// # Examples
///
/// Fan-in without a job for each source:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), ballet::Error> {
/// use ballet::channel::{self, OneOfMany, select};
///
/// let (senders, receivers): (Vec<_>, Vec<_>) = (0..3).map(|_| channel::bounded(1)).unzip();
/// senders[1].send("the middle one").await?;
/// let arms = receivers.iter().map(|rx| rx.recv()).collect::<Vec<_>>();
/// let OneOfMany { index, output, losers } = select(arms).await;
/// assert_eq!((index, output?, losers.len()), (1, Some("the middle one"), 2));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct OneOfMany<A: Arm> {
    /// Where the arm stood.
    pub index: usize,
    /// What it gave.
    pub output: A::Output,
    /// The arms that have lost.
    pub losers: Vec<A>,
}

impl<A: Arm> closed::Arms for Vec<A> {
    type Selected = OneOfMany<A>;

    fn count(&self) -> usize {
        self.len()
    }

    fn enter(&mut self) {
        self.iter_mut().for_each(A::enter);
    }

    fn poll_arm(arms: &mut Option<Self>, index: usize, cx: &mut Poller<'_>) -> Poll<Self::Selected> {
        let output = ready!(Pin::new(&mut present(arms)[index]).poll(cx));
        let mut losers = arms.take().unwrap_or_default();
        losers.remove(index);
        losers.iter_mut().for_each(A::leave);
        Poll::Ready(OneOfMany { index, output, losers })
    }
}
