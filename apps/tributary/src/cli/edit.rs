//! Sources into the file, with its comments and its order as they are.
//!
//! What would come out is read as a daemon reads it, and written only if it is right. How it gets into the place of the old
//! one, `replacement` says.

mod replacement;

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use toml_edit::{ArrayOfTables, DocumentMut, Item, Table, value};
use url::Url;

use self::replacement::Replacement;
use super::{
    Add, TROUBLE,
    opml::Outline,
    say::{say, warn},
};
use crate::{
    config::{self, Config},
    kinds::{self, KINDS},
    source::SourceName,
};

/// How a new file begins.
const HEADER: &str = "# Tributary's settings. They are listed in apps/tributary/README.md, which also says which of them wait for the\n\
    # next start, and those of [web] and of each kind of source in apps/tributary/SOURCES.md.\n";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Config(#[from] config::Error),
    #[error("{} is no TOML: {message}", path.display())]
    NotToml { path: PathBuf, message: String },
    #[error("`source` in {} is no list of tables; write each as [[source]]", path.display())]
    NotTables { path: PathBuf },
    #[error("cannot write {}: {source}", path.display())]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("the file would be wrong, and is left as it is:\n{0}")]
    Unfit(config::Error),
    #[error("{url} is in the file already, as `{name}`")]
    Known { url: Url, name: SourceName },
}

pub(super) fn add(path: &Path, add: &Add) -> Result<ExitCode, super::Error> {
    let mut file = File::open(path)?;
    let name = file.add(add)?;
    let kind = file.save()?.sources[&name].kind;
    say(format_args!("added `{name}` ({kind}) to {}", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Adds what can be, and says what cannot.
pub(super) fn import(path: &Path, outlines: &[Outline]) -> Result<ExitCode, super::Error> {
    let mut file = File::open(path)?;
    let (mut added, mut known, mut refused) = (0, 0, 0);
    for outline in outlines {
        let source = outline.url.parse().map_err(|error| format!("is no address: {error}"));
        let outcome =
            source.and_then(|url| match file.add(&Add { url, kind: None, name: None, to: Vec::new() }) {
                Ok(_) => Ok(true),
                Err(Error::Known { .. }) => Ok(false),
                Err(Error::Unfit(error)) => Err(error.to_string()),
                Err(error) => Err(error.to_string()),
            });
        match outcome {
            Ok(true) => added += 1,
            Ok(false) => known += 1,
            Err(why) => {
                refused += 1;
                warn(format_args!("not added: {} ({}): {why}", outline.title, outline.url));
            }
        }
    }
    if added > 0 {
        file.save()?;
    }
    say(format_args!(
        "{added} added to {}, {known} were there already, {refused} not added",
        path.display()
    ))?;
    Ok(if refused > 0 { TROUBLE.into() } else { ExitCode::SUCCESS })
}

/// The file while it is edited, by nobody else: always one that a daemon would take.
struct File {
    path: PathBuf,
    replacement: Replacement,
    document: DocumentMut,
    config: Config,
    is_new: bool,
}

impl File {
    fn open(path: &Path) -> Result<Self, Error> {
        let unwritable = |source| Error::Unwritable { path: path.to_owned(), source };
        let replacement = Replacement::of(path).map_err(unwritable)?;
        let read = config::read_text(path);
        let is_new = matches!(&read, Err(config::Error::Unreadable { source, .. }) if source.kind() == io::ErrorKind::NotFound);
        let text = if is_new { String::new() } else { read? };
        let config = Config::parse(path, &text, KINDS)?;
        let document = text.parse().map_err(|error: toml_edit::TomlError| Error::NotToml {
            path: path.to_owned(),
            message: error.message().to_owned(),
        })?;
        Ok(Self { path: path.to_owned(), replacement, document, config, is_new })
    }

    fn add(&mut self, add: &Add) -> Result<SourceName, Error> {
        if let Some(known) = self.config.sources.values().find(|known| *known.visit.address() == add.url) {
            return Err(Error::Known { url: add.url.clone(), name: known.name.clone() });
        }
        let (kind, settings) = match add.kind {
            Some(kind) => (kind, kinds::settings_of(kind, &add.url)),
            None => kinds::for_address(&add.url),
        };
        let mut table = Table::new();
        table.insert("kind", value(kind));
        for (key, setting) in settings {
            table.insert(key, value(setting));
        }
        if let Some(name) = &add.name {
            table.insert("name", value(name.as_str()));
        }
        if !add.to.is_empty() {
            table.insert("to", value(add.to.iter().collect::<toml_edit::Array>()));
        }
        let mut document = self.document.clone();
        let tables = document.entry("source").or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
        let tables = tables.as_array_of_tables_mut();
        tables.ok_or_else(|| Error::NotTables { path: self.path.clone() })?.push(table);
        let config = Config::parse(&self.path, &document.to_string(), KINDS).map_err(Error::Unfit)?;
        let new = config.sources.keys().find(|name| !self.config.sources.contains_key(*name));
        let name = new.unwrap_or_else(|| unreachable!("one source more has one name more")).clone();
        (self.document, self.config) = (document, config);
        Ok(name)
    }

    fn save(self) -> Result<Config, Error> {
        let unwritable = |source| Error::Unwritable { path: self.path.clone(), source };
        let header = if self.is_new { HEADER } else { "" };
        self.replacement.take_over(&format!("{header}{}", self.document)).map_err(unwritable)?;
        Ok(self.config)
    }
}
