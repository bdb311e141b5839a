//! E-mail addresses, as they are written by people and as they stand on a mail.

use std::{fmt, net::Ipv6Addr, str::FromStr};

use lettre::Address;
use serde::Serialize;

/// RFC 5321's path of 256 bytes, without its angle brackets.
const ADDRESS_BYTES_MAX: usize = 254;

/// An e-mail address with a mailbox and a domain.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct EmailAddress(Address);

/// The text is no address that mail can be sent to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAddress {
    #[error("must be an e-mail address such as ada@example.org")]
    Malformed,
    #[error("must have a domain that can be written in ASCII (IDNA)")]
    Domain,
    #[error("must have at most {ADDRESS_BYTES_MAX} bytes, with its domain in ASCII")]
    Long,
}

impl EmailAddress {
    pub fn as_str(&self) -> &str {
        self.0.as_ref()
    }

    /// The address as it stands on a mail.
    ///
    /// # Errors
    ///
    /// Where its domain has no ASCII form. The API refuses such an address.
    pub fn to_wire(&self) -> Result<Address, NotAnAddress> {
        to_wire(&self.0)
    }
}

/// The address with its domain in ASCII. A local part beyond ASCII stays, and needs SMTPUTF8.
///
/// # Errors
///
/// Where the domain has no ASCII form, or one that is too long.
pub fn to_wire(address: &Address) -> Result<Address, NotAnAddress> {
    let domain = address.domain();
    let wire = match domain.is_ascii() {
        // An IPv6 address stands in brackets, but is parsed without them as well.
        true if domain.parse::<Ipv6Addr>().is_ok() => return Err(NotAnAddress::Malformed),
        true => address.clone(),
        false => {
            let domain = idna::domain_to_ascii(domain).map_err(|_| NotAnAddress::Domain)?;
            Address::new(address.user(), domain).map_err(|_| NotAnAddress::Domain)?
        }
    };
    if AsRef::<str>::as_ref(&wire).len() > ADDRESS_BYTES_MAX {
        return Err(NotAnAddress::Long);
    }
    Ok(wire)
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Reads what was stored as well: an address that an earlier version took stays readable, so whether it can be
/// written on a mail is not asked here.
impl FromStr for EmailAddress {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(NotAnAddress::Long);
        }
        text.parse().map(Self).map_err(|_| NotAnAddress::Malformed)
    }
}
