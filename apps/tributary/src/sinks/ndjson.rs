//! A file with one JSON object a line.
//!
//! Lines are on the disk before they are acknowledged. A crash between the two leaves lines that come again: whoever reads
//! the file knows them by `id`. Before each delivery the path is looked at, so that a file that was moved away or removed is
//! followed by a new one. A line that a crash cut off is removed when the file is opened.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use futures_util::future::BoxFuture;

use super::{Delivery, Failure, Target, on_disk};
use crate::{
    fields::{Fields, Wrong},
    files,
    store::Entry,
};

/// The end of the file is searched backwards in pieces of this size.
const PIECE: u64 = 64 * 1024;

pub(super) fn read(fields: &Fields<'_>, folder: &Path) -> Result<Target, Wrong> {
    let path = fields
        .text("path")?
        .ok_or_else(|| fields.missing("path", "name the file, such as \"items.ndjson\""))?;
    Ok(Target::Ndjson { path: folder.join(path) })
}

pub(super) struct Outlet {
    path: PathBuf,
    /// Away while it is written to. What a failure left of a line is removed at the next opening.
    file: Option<File>,
}

impl Outlet {
    pub(super) async fn open(path: &Path) -> Result<Self, Failure> {
        let opened = path.to_owned();
        let file = on_disk(path, move || open(&opened)).await?;
        Ok(Self { path: path.to_owned(), file: Some(file) })
    }
}

impl super::Outlet for Outlet {
    fn deliver<'a>(&'a mut self, entries: &'a [Entry]) -> BoxFuture<'a, Delivery> {
        Box::pin(async {
            let Some(mut file) = self.file.take() else {
                return Delivery::none(Failure::new("the file is not open"));
            };
            let lines = match lines(entries) {
                Ok(lines) => lines,
                Err(error) => return Delivery::none(Failure::new(error.to_string())),
            };
            let path = self.path.clone();
            let written = on_disk(&self.path, move || {
                if !files::leads_to(&path, &file)? {
                    file = open(&path)?;
                }
                append(&mut file, &lines)?;
                Ok(file)
            });
            match written.await {
                Ok(file) => {
                    self.file = Some(file);
                    Delivery::all(entries)
                }
                Err(failure) => Delivery::none(failure),
            }
        })
    }
}

fn lines(entries: &[Entry]) -> serde_json::Result<Vec<u8>> {
    let mut lines = Vec::new();
    for entry in entries {
        serde_json::to_writer(&mut lines, &entry.item)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn append(file: &mut File, lines: &[u8]) -> io::Result<()> {
    file.write_all(lines)?;
    file.sync_data()?;
    if file.metadata()?.nlink() == 0 {
        return Err(io::Error::other("it was removed while it was written to"));
    }
    Ok(())
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
    files::sync_name(path)?;
    let length = file.metadata()?.len();
    let whole = whole_lines(&mut file, length)?;
    if whole < length {
        tracing::warn!(path = %path.display(), bytes = length - whole, "the end of a line that was cut off is removed");
        file.set_len(whole)?;
    }
    Ok(file)
}

/// Makes what is missing of it, each name durable.
fn make_folder(folder: &Path) -> io::Result<()> {
    // A path that is only a name stands in the folder that is there.
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent)?;
    }
    match fs::create_dir(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => files::sync_name(folder),
    }
}

/// Where the last whole line ends.
fn whole_lines(file: &mut File, length: u64) -> io::Result<u64> {
    let mut end = length;
    while end > 0 {
        let begin = end.saturating_sub(PIECE);
        let piece = read_at(file, begin, end - begin)?;
        if let Some(at) = piece.iter().rposition(|byte| *byte == b'\n') {
            return Ok(begin + u64::try_from(at).unwrap_or(u64::MAX) + 1);
        }
        end = begin;
    }
    Ok(0)
}

/// So many bytes from there on; fewer where the file ends.
fn read_at(file: &mut File, begin: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(begin))?;
    file.take(count).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_went_with_their_file_are_not_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("items.ndjson");
        let mut file = open(&path).unwrap();
        append(&mut file, b"a\n").unwrap();
        fs::remove_file(&path).unwrap();
        assert!(append(&mut file, b"b\n").unwrap_err().to_string().contains("it was removed"));
    }

    #[test]
    fn a_line_that_was_cut_off_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/items.ndjson");
        drop(open(&path).unwrap());
        for (before, after) in [("", ""), ("a\n", "a\n"), ("a\nb", "a\n"), ("a", "")] {
            fs::write(&path, before).unwrap();
            drop(open(&path).unwrap());
            assert_eq!(fs::read_to_string(&path).unwrap(), after);
        }
        let long = format!("a\n{}", "b".repeat(200_000));
        fs::write(&path, long).unwrap();
        drop(open(&path).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "a\n");
    }
}
