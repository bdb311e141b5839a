//! How flows fail: the error is a type beside the item's, and a flow that cannot fail says so.
//!
//! [`Never`] is the error of such a flow; every other error type is a [`Fault`]. The two are told apart by the
//! compiler, so that awaiting the one gives `T` and awaiting the other `Result<T, E>` ([`FlowError`]), and a flow that
//! cannot fail fits wherever one that fails is wanted ([`Raise`]).

use crate::job::Fault;

/// The error of a flow that cannot fail. There is no value of this type.
///
/// Awaiting such a flow gives a plain value:
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use ballet::{FlowExt, flow::{self, Never}};
///
/// fn squares() -> impl Flow<Item = u32, Error = Never> {
///     flow::iter(1..=3).map(|side| side * side)
/// }
/// assert_eq!(squares().collect::<Vec<_>>().await, [1, 4, 9]); // no `?`, no `unwrap`
/// # }
/// ```
// Not `Infallible`, and deliberately not `Debug`: it must not be a `Fault`, or the two halves of each trait below
// would overlap.
#[expect(missing_debug_implementations, reason = "a `Debug` type would be a `Fault`")]
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Never {}

/// What the error of a flow may be: [`Never`], or any [`Fault`].
///
/// Implemented for both; there is nothing to write.
pub trait FlowError: Sized {
    /// What awaiting gives: `T` where nothing can fail, and a `Result` elsewhere.
    type Output<T>;

    /// Turns a result into what awaiting gives.
    fn output<T>(result: Result<T, Self>) -> Self::Output<T>;
}

impl FlowError for Never {
    type Output<T> = T;

    fn output<T>(result: Result<T, Never>) -> T {
        let Ok(value) = result;
        value
    }
}

impl<E: Fault> FlowError for E {
    type Output<T> = Result<T, E>;

    fn output<T>(result: Result<T, E>) -> Result<T, E> {
        result
    }
}

/// What awaiting a flow with this error gives.
pub type Output<E, T> = <E as FlowError>::Output<T>;

/// An error that a flow with the error `E` may end with: `E` itself; and [`Never`], which is any error because it never
/// comes.
///
/// Implemented for both; there is nothing to write. An error of another type is turned with
/// [`map_err`](crate::FlowExt::map_err).
pub trait Raise<E: FlowError>: FlowError {
    /// Itself, as the other error.
    fn raise(self) -> E;
}

impl<E: FlowError> Raise<E> for Never {
    fn raise(self) -> E {
        match self {}
    }
}

impl<E: Fault> Raise<E> for E {
    fn raise(self) -> E {
        self
    }
}

/// The error of a flow that is made of two: where one of them cannot fail it is the other's, else both must have the same.
///
/// Implemented for every such pair; there is nothing to write. Errors of different types are first turned with
/// [`map_err`](crate::FlowExt::map_err).
pub trait Unify<E: FlowError>: FlowError {
    /// The error of both.
    type Error: FlowError;

    /// The first flow's error, as that of both.
    fn first(self) -> Self::Error;

    /// The second flow's error, as that of both.
    fn second(error: E) -> Self::Error;
}

impl Unify<Never> for Never {
    type Error = Never;

    fn first(self) -> Never {
        self
    }

    fn second(error: Never) -> Never {
        error
    }
}

impl<E: Fault> Unify<E> for Never {
    type Error = E;

    fn first(self) -> E {
        match self {}
    }

    fn second(error: E) -> E {
        error
    }
}

impl<E: Fault> Unify<Never> for E {
    type Error = E;

    fn first(self) -> E {
        self
    }

    fn second(error: Never) -> E {
        match error {}
    }
}

impl<E: Fault> Unify<E> for E {
    type Error = E;

    fn first(self) -> E {
        self
    }

    fn second(error: E) -> E {
        error
    }
}

/// The error of a flow that is made of two.
pub(super) type Both<A, B> = <A as Unify<B>>::Error;

/// What the code inside a flow returns at its end: `()` where it cannot fail, `Result<(), E>` where it can, and nothing
/// where it goes on for ever.
///
/// Implemented for all three; there is nothing to write.
pub trait Verdict {
    /// [`Never`], or the `E` of the `Result`.
    type Error: FlowError;

    /// As a result.
    ///
    /// # Errors
    ///
    /// What the code failed with.
    fn verdict(self) -> Result<(), Self::Error>;
}

impl Verdict for () {
    type Error = Never;

    fn verdict(self) -> Result<(), Never> {
        Ok(())
    }
}

/// The type of code that never returns, `!`, which stable Rust has and cannot name.
type Endless = <fn() -> ! as Returns>::Value;

/// What a function returns, as a type.
#[doc(hidden)]
pub trait Returns {
    /// The type.
    type Value;
}

impl<R> Returns for fn() -> R {
    type Value = R;
}

/// For code that ends with a `loop`.
impl Verdict for Endless {
    type Error = Never;

    fn verdict(self) -> Result<(), Never> {
        self
    }
}

impl<E: Fault> Verdict for Result<(), E> {
    type Error = E;

    fn verdict(self) -> Result<(), E> {
        self
    }
}
