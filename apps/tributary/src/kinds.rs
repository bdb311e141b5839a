//! The sources there are. A new one is a file here and a line in `kinds!`.
//!
//! Begin with `mastodon`, which is short and whole. What a kind may decide and what not stands at
//! [`Kind`]; how its entries become items stands in `draft`.

mod api;
mod draft;
mod pruned;

use url::Url;

use crate::source::Kind;

/// Declares each kind's module and lists its [`Kind`], in the order in which `tributary add --help` shows them.
macro_rules! kinds {
    ($($module:ident::$kind:ident,)+) => {
        $(pub mod $module;)+

        /// Every kind.
        pub const KINDS: &[&dyn Kind] = &[$(&$module::$kind),+];
    };
}

kinds! {
    feed::Feed,
    reddit::Reddit,
    mastodon::Mastodon,
    x::X,
}

/// The kind of this name.
pub fn named(name: &str) -> Option<&'static dyn Kind> {
    KINDS.iter().copied().find(|kind| kind.name() == name)
}

/// The kind that reads what stands at an address, and the settings with which it does.
pub fn for_address(address: &Url) -> (&'static str, Vec<(&'static str, String)>) {
    let claimed = KINDS.iter().find_map(|kind| Some((kind.name(), kind.settings_for(address)?)));
    claimed.unwrap_or_else(|| (feed::Feed.name(), settings_of(feed::Feed.name(), address)))
}

/// The settings with which the kind of this name reads what stands at an address: its own where it can tell, else the address.
pub fn settings_of(kind: &str, address: &Url) -> Vec<(&'static str, String)> {
    let own = named(kind).and_then(|kind| kind.settings_for(address));
    own.unwrap_or_else(|| vec![("url", address.to_string())])
}
