//! SHA-256 in hexadecimal digits: a name for what is too long, or too secret, to be kept.

use sha2::{Digest, Sha256};

pub(crate) fn digest(text: &str) -> String {
    let hex =
        |byte: u8| [byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).unwrap_or_default());
    Sha256::digest(text).into_iter().flat_map(hex).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_one_that_everybody_computes() {
        assert_eq!(digest(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    }
}
