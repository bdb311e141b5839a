//! Where a running daemon listens: a line beside its data. What the file of settings says may be another address since, or
//! port 0. It is removed at the stop; one that a crash left behind leads to nobody, and the next start writes it anew.

use std::{fs, net::SocketAddr, path::Path};

const FILE: &str = "address";

/// Without it, others look where the file of settings says, which is nearly always there; so a full disk is no reason not to
/// start.
pub(super) fn write(data: &Path, address: SocketAddr) {
    let path = data.join(FILE);
    if let Err(error) = fs::write(&path, format!("{address}\n")) {
        let path = path.display();
        tracing::warn!(%path, %error, "where the daemon listens cannot be written; `list` goes by the file of settings");
    }
}

/// None where no daemon has written it.
pub(super) fn read(data: &Path) -> Option<SocketAddr> {
    fs::read_to_string(data.join(FILE)).ok()?.trim().parse().ok()
}

pub(super) fn remove(data: &Path) {
    // Somebody may have removed it already.
    let _ = fs::remove_file(data.join(FILE));
}
