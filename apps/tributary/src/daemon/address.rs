//! Where a running daemon listens: a line beside its data. What the file of settings says may be another address since, or
//! port 0. It is removed at the stop; one that a crash left behind leads to nobody, and the next start writes it anew.

use std::{fs, io, net::SocketAddr, path::Path};

const FILE: &str = "address";

pub(super) fn write(data: &Path, address: SocketAddr) -> io::Result<()> {
    fs::write(data.join(FILE), format!("{address}\n"))
}

/// None where no daemon has written it.
pub(super) fn read(data: &Path) -> Option<SocketAddr> {
    fs::read_to_string(data.join(FILE)).ok()?.trim().parse().ok()
}

pub(super) fn remove(data: &Path) {
    // Somebody may have removed it already.
    let _ = fs::remove_file(data.join(FILE));
}
