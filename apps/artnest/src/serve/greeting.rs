//! What the terminal shows when the server is up: where it is, and what to do first.

use std::net::SocketAddr;

use crate::config::{Config, Creation};

pub(super) fn text(config: &Config, address: SocketAddr, admin: SocketAddr) -> String {
    let url = config.base(address);
    let create = match config.creation {
        Creation::Anyone => "open the gallery and make a room",
        Creation::Key(_) => "whoever has ARTNEST_CREATE_KEY makes rooms in the gallery",
        Creation::Nobody => "make rooms with `artnest rooms create NAME`",
    };
    format!(
        "Artnest {}\n\n  gallery  {url}/\n  admin    http://{admin}/\n  data     {}\n\n  Next: {create}. Ctrl-C stops.\n\n",
        env!("CARGO_PKG_VERSION"),
        config.data.display(),
    )
}
