//! A file with one JSON object a line.
//!
//! Lines are on the disk before they are acknowledged. A crash between the two leaves lines that come again: whoever reads
//! the file knows them by `id`. Before each delivery the path is looked at, so that a file that was moved away or removed is
//! followed by a new one. A line of ours that a crash cut off is removed when the file is opened; the end of a file that is
//! not ours is never touched.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use futures_util::future::BoxFuture;
use serde::de::IgnoredAny;

use super::{Delivery, Failure, Target, on_disk};
use crate::{
    fields::{Fields, Wrong},
    files,
    store::Entry,
};

/// How a line of ours begins, with the digits of the id as zeros.
const BEGINNING: &[u8] = br#"{"id":"00000000000000000000000000000000","source":""#;

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
    ledger::sync_parent(path)?;
    let length = file.metadata()?.len();
    let whole = whole_lines(&mut file, length)?;
    if whole < length {
        end_last_line(&mut file, whole, path)?;
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
        _ => ledger::sync_parent(folder),
    }
}

/// Does away with a last line without an end, which begins at `begin`. One of ours was never acknowledged if it is cut off,
/// and may have been if only its end is missing, as after an editor.
fn end_last_line(file: &mut File, begin: u64, path: &Path) -> io::Result<()> {
    if !could_be_ours(&read_at(file, begin, BEGINNING.len() as u64)?) {
        let remedy =
            "its last line has no end and is not Tributary's; end it with a newline, or name another file";
        return Err(io::Error::other(remedy));
    }
    file.seek(SeekFrom::Start(begin))?;
    match serde_json::from_reader::<_, IgnoredAny>(BufReader::new(&*file)) {
        Ok(_) => file.write_all(b"\n"),
        Err(error) if error.is_io() => Err(error.into()),
        Err(_) => {
            tracing::warn!(path = %path.display(), "the end of a line that was cut off is removed");
            file.set_len(begin)
        }
    }
}

/// Whether a line of ours begins like this, as far as it goes.
fn could_be_ours(line: &[u8]) -> bool {
    line.iter().zip(BEGINNING).all(|(byte, ours)| match ours {
        b'0' => byte.is_ascii_hexdigit(),
        _ => byte == ours,
    })
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

    const ID: &str = "00112233445566778899aabbccddeeff";

    /// What is in a file after it was opened with this in it; else why it was not opened.
    fn opened(before: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/er/items.ndjson");
        drop(open(&path).unwrap());
        fs::write(&path, before).unwrap();
        let opened = open(&path).map(drop).map_err(|error| error.to_string());
        let after = fs::read_to_string(&path).unwrap();
        assert!(opened.is_ok() || after == before, "what is refused is not touched");
        opened.map(|()| after)
    }

    #[test]
    fn an_item_is_known_by_how_its_line_begins() {
        let text = format!(r#"{{"tags":[],"attachments":[],"source":"news","id":"{ID}"}}"#);
        let item: crate::item::Item = serde_json::from_str(&text).unwrap();
        assert!(could_be_ours(&serde_json::to_vec(&item).unwrap()));
    }

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
    fn a_line_of_ours_that_was_cut_off_is_removed_and_nothing_else() {
        let long = format!(r#"{{"id":"{ID}","source":"{}"#, "b".repeat(200_000));
        for cut in ["{", r#"{"id":"0a"#, &long] {
            assert_eq!(opened(cut), Ok(String::new()));
            assert_eq!(opened(&format!("a\n{cut}")), Ok("a\n".to_owned()));
        }
        for whole in ["", "a\n", "{\n"] {
            assert_eq!(opened(whole), Ok(whole.to_owned()));
        }
    }

    #[test]
    fn a_line_of_ours_that_lacks_only_its_end_is_given_one() {
        let line = format!(r#"{{"id":"{ID}","source":"news"}}"#);
        assert_eq!(opened(&format!("a\n{line}")), Ok(format!("a\n{line}\n")));
    }

    #[test]
    fn a_file_whose_last_line_is_somebody_elses_is_refused_and_stays_as_it_is() {
        let close = format!(r#"{{"id":"{ID}","title":""#);
        for foreign in ["a", "a\nb", r#"{"precious":1}"#, r#"{"id":"x"}"#, &close] {
            let why = opened(foreign).unwrap_err();
            assert!(why.contains("is not Tributary's; end it with a newline"), "{foreign}: {why}");
        }
    }
}
