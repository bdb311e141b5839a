//! The error type of scopes whose code does not name one of its own.

use std::error::Error as StdError;
use std::fmt;

/// Any error, boxed: the default error type of [`Scope`](crate::Scope).
///
/// Every `std::error::Error` converts into it with `?`. Its alternate `Display` (`{:#}`) and its `Debug` print the
/// whole chain of causes. Code that matches on failures should use an error type of its own instead, as in
/// `Scope<MyError>`.
///
/// # Examples
///
/// ```
/// fn port(text: &str) -> Result<u16, ballet::Error> {
///     if text.is_empty() {
///         return Err(ballet::Error::msg("the port is empty"));
///     }
///     Ok(text.parse()?)
/// }
///
/// assert_eq!(port("").unwrap_err().to_string(), "the port is empty");
/// assert!(port("http").unwrap_err().is::<std::num::ParseIntError>());
/// ```
pub struct Error(Box<dyn StdError + Send + Sync>);

impl Error {
    /// An error that is only a message.
    pub fn msg(message: impl Into<String>) -> Self {
        Self(message.into().into())
    }

    /// Whether the boxed error is an `E`.
    #[must_use]
    pub fn is<E: StdError + 'static>(&self) -> bool {
        self.0.is::<E>()
    }

    /// The boxed error, if it is an `E`.
    #[must_use]
    pub fn downcast_ref<E: StdError + 'static>(&self) -> Option<&E> {
        self.0.downcast_ref()
    }

    /// The boxed error by value, if it is an `E`.
    ///
    /// # Errors
    ///
    /// Gives itself back unchanged if it is not.
    pub fn downcast<E: StdError + 'static>(self) -> Result<E, Self> {
        self.0.downcast().map(|error| *error).map_err(Self)
    }
}

impl<E: StdError + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl AsRef<dyn StdError + Send + Sync> for Error {
    fn as_ref(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        if f.alternate() {
            for cause in std::iter::successors(self.0.source(), |&error| error.source()) {
                write!(f, ": {cause}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#}")
    }
}
