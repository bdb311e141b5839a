//! From the text to the configuration, fault by fault.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use toml::de::DeTable;
use url::Url;

use super::{
    CEILING, Config, DATA, DEFAULT_SINK, DISK_FREE_MIB_MIN, DRAIN, Error, FLOOR, Fixed, INTERVALS, LISTEN,
    MIB, Pace, SPILL_ITEMS_MAX, SinkSettings, SourceSettings, VISITS_MAX,
};
use crate::{
    digest::digest,
    fields::{Fields, Wrong, line_of},
    sinks::{self, Target},
    source::{Kind, SourceName},
    web,
};

const MINUTES: Duration = Duration::from_secs(60);
/// Of the digest in a name that would be too long, or empty.
const NAME_DIGEST_CHARS: usize = 8;

pub(super) fn config(path: &Path, text: &str, kinds: &[&'static dyn Kind]) -> Result<Config, Error> {
    let not_toml = |error: toml::de::Error| Error::NotToml {
        path: path.to_owned(),
        line: line_of(text, error.span().map_or(0, |span| span.start)),
        message: error.message().to_owned(),
    };
    let file = DeTable::parse(text).map_err(not_toml)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut reader = Reader { kinds, folder, wrongs: Vec::new() };
    let config = reader.read(&Fields::new(text, "", &file));
    match (config, reader.wrongs) {
        (Some(config), wrongs) if wrongs.is_empty() => Ok(config),
        (_, mut wrongs) => {
            wrongs.sort_by_key(|wrong| wrong.line);
            Err(Error::Wrong { path: path.to_owned(), wrongs })
        }
    }
}

struct Reader<'a> {
    kinds: &'a [&'static dyn Kind],
    folder: &'a Path,
    wrongs: Vec<Wrong>,
}

impl Reader<'_> {
    /// Keeps a fault and goes on, so that one run names all.
    fn heed<T>(&mut self, read: Result<T, Wrong>) -> Option<T> {
        read.map_err(|wrong| self.wrongs.push(wrong)).ok()
    }

    fn read(&mut self, file: &Fields<'_>) -> Option<Config> {
        let fixed = self.fixed(file);
        let web = self.heed(web_policy(file));
        let pace = self.heed(default_pace(file));
        let spill_items_max = self.heed(spill(file));
        let sinks = self.sinks(file, fixed.as_ref());
        let sources = self.sources(file, pace.unwrap_or(DEFAULT_PACE));
        self.heed(file.finish());
        Some(Config { fixed: fixed?, web: web?, spill_items_max: spill_items_max?, sources, sinks })
    }

    fn fixed(&mut self, file: &Fields<'_>) -> Option<Fixed> {
        let data = self.heed(file.text("data"));
        let listen = self.heed(listen(file));
        let drain = self.heed(file.duration("drain", Duration::ZERO, 10 * MINUTES));
        let visits_max = self.heed(file.integer("visits_max", 1, 4_096));
        let disk_free_mib_min = self.heed(file.integer("disk_free_mib_min", 0, 1_048_576));
        Some(Fixed {
            data: self.folder.join(data?.unwrap_or(DATA)),
            listen: listen?,
            drain: drain?.unwrap_or(DRAIN),
            visits_max: usize::try_from(visits_max?.unwrap_or(VISITS_MAX)).unwrap_or(usize::MAX),
            disk_free_min: disk_free_mib_min?.unwrap_or(DISK_FREE_MIB_MIN) * MIB,
        })
    }

    fn sinks(&mut self, file: &Fields<'_>, fixed: Option<&Fixed>) -> BTreeMap<String, Arc<SinkSettings>> {
        let mut sinks = BTreeMap::<String, Arc<SinkSettings>>::new();
        for fields in self.tables(file, "sink") {
            let Some(settings) = self.heed(sink(&fields, self.folder)) else { continue };
            if sinks.contains_key(&settings.name) {
                self.wrongs
                    .push(fields.wrong("name", format!("`{}` is taken; choose another", settings.name)));
            }
            if let Some(other) = sinks.values().find(|other| write_one_file(other, &settings)) {
                let message =
                    format!("`{}` writes to that file; name another, or keep one of the two", other.name);
                self.wrongs.push(fields.wrong("path", message));
            }
            sinks.insert(settings.name.clone(), Arc::new(settings));
        }
        if let Some(fixed) = fixed.filter(|_| sinks.is_empty()) {
            let settings = SinkSettings {
                name: DEFAULT_SINK.to_owned(),
                kind: sinks::NDJSON,
                target: Target::Ndjson { path: fixed.data.join("items.ndjson") },
                fingerprint: String::new(),
            };
            sinks.insert(settings.name.clone(), Arc::new(settings));
        }
        sinks
    }

    fn sources(&mut self, file: &Fields<'_>, pace: Pace) -> BTreeMap<SourceName, Arc<SourceSettings>> {
        let sinks = names_of_sinks(file);
        let mut sources = BTreeMap::new();
        for fields in self.tables(file, "source") {
            let Some(settings) = self.source(&fields, pace, sinks.as_ref()) else { continue };
            if sources.contains_key(&settings.name) {
                let message =
                    format!("there is another source `{}`; give one of them another name", settings.name);
                self.wrongs.push(fields.wrong("name", message));
            }
            sources.insert(settings.name.clone(), Arc::new(settings));
        }
        sources
    }

    /// A kind that finds a fault asks for nothing behind it, so what is not known is told only where it finds none.
    fn source(
        &mut self,
        fields: &Fields<'_>,
        default: Pace,
        sinks: Option<&BTreeSet<&str>>,
    ) -> Option<SourceSettings> {
        let kind = self.heed(kind(fields, self.kinds));
        let name = self.heed(source_name(fields));
        let pace = self.heed(pace(fields, default));
        let to = self.heed(sinks_of(fields, sinks));
        let kind = kind?;
        let visit = self.heed(kind.read(fields))?;
        self.heed(fields.finish())?;
        let (pace, to) = (pace?, to?);
        let name = name?.unwrap_or_else(|| name_of(visit.address()));
        let fingerprint = digest(&format!("{pace:?} {to:?} {}", fields.plain()));
        Some(SourceSettings { name, kind: kind.name(), pace, to, visit, fingerprint })
    }

    /// The tables `[[name]]`.
    fn tables<'t>(&mut self, file: &Fields<'t>, name: &'static str) -> Vec<Fields<'t>> {
        let tables = file.tables(name);
        self.heed(tables).unwrap_or_default()
    }
}

const DEFAULT_PACE: Pace = Pace { floor: FLOOR, ceiling: CEILING };

fn listen(file: &Fields<'_>) -> Result<SocketAddr, Wrong> {
    let listen: SocketAddr = match file.text("listen")? {
        None => LISTEN,
        Some(text) => text.parse().map_err(|_| {
            file.wrong("listen", "expected an address with a port, such as \"127.0.0.1:8440\"")
        })?,
    };
    if !listen.ip().is_loopback() {
        let message = "the status page has no lock: listen on 127.0.0.1 or [::1], and put a proxy that asks who \
                       comes in front of it";
        return Err(file.wrong("listen", message));
    }
    Ok(listen)
}

fn web_policy(file: &Fields<'_>) -> Result<web::Settings, Wrong> {
    let Some(fields) = file.table("web")? else { return Ok(web::Settings::default()) };
    let policy = web::Settings::read(&fields)?;
    fields.finish()?;
    Ok(policy)
}

fn default_pace(file: &Fields<'_>) -> Result<Pace, Wrong> {
    let Some(fields) = file.table("schedule")? else { return Ok(DEFAULT_PACE) };
    let pace = pace(&fields, DEFAULT_PACE)?;
    fields.finish()?;
    Ok(pace)
}

/// One that names only the floor means the ceiling to be no lower, and the other way round.
fn pace(fields: &Fields<'_>, default: Pace) -> Result<Pace, Wrong> {
    // Both are asked for, so that neither is unknown where the other is wrong.
    let bound = |key| fields.duration(key, INTERVALS.0, INTERVALS.1);
    let (floor, ceiling) = (bound("floor"), bound("ceiling"));
    let (floor, ceiling) = (floor?, ceiling?);
    if let (Some(floor), Some(ceiling)) = (floor, ceiling)
        && floor > ceiling
    {
        return Err(fields.wrong("ceiling", "is below the floor; a source is visited at least this often"));
    }
    Ok(Pace {
        floor: floor.unwrap_or(ceiling.map_or(default.floor, |ceiling| default.floor.min(ceiling))),
        ceiling: ceiling.unwrap_or(floor.map_or(default.ceiling, |floor| default.ceiling.max(floor))),
    })
}

fn spill(file: &Fields<'_>) -> Result<u64, Wrong> {
    let Some(fields) = file.table("spill")? else { return Ok(SPILL_ITEMS_MAX) };
    let items_max = fields.integer("items_max", 1, 100_000_000)?.unwrap_or(SPILL_ITEMS_MAX);
    fields.finish()?;
    Ok(items_max)
}

fn sink(fields: &Fields<'_>, folder: &Path) -> Result<SinkSettings, Wrong> {
    let name = fields
        .text("name")?
        .ok_or_else(|| fields.missing("name", "give the sink a name, such as \"archive\""))?;
    if name.parse::<SourceName>().is_err() {
        return Err(fields.wrong("name", "expected 1 to 64 of a–z, 0–9, `-`, `_`, `.`"));
    }
    let kind = fields.text("kind")?.unwrap_or_default();
    let Some(kind) = sinks::KINDS.into_iter().find(|known| known.name == kind) else {
        let known: Vec<_> = sinks::KINDS.iter().map(|kind| kind.name).collect();
        return Err(
            fields.wrong("kind", format!("\"{kind}\" is no kind of sink; there are: {}", known.join(", ")))
        );
    };
    let target = (kind.read)(fields, folder)?;
    fields.finish()?;
    Ok(SinkSettings { name: name.to_owned(), kind: kind.name, target, fingerprint: digest(&fields.plain()) })
}

/// Whether two sinks would write their lines into each other's.
fn write_one_file(one: &SinkSettings, other: &SinkSettings) -> bool {
    let file = |sink: &SinkSettings| sink.target.own_file().map(led_to);
    file(one).is_some_and(|path| file(other) == Some(path))
}

/// Where a path leads through links and `..`, as far as there is something yet.
fn led_to(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let in_its_folder = || Some(path.parent()?.canonicalize().ok()?.join(path.file_name()?));
    path.canonicalize().ok().or_else(in_its_folder).unwrap_or(path)
}

fn list(kinds: &[&'static dyn Kind]) -> String {
    kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ")
}

fn kind(fields: &Fields<'_>, kinds: &[&'static dyn Kind]) -> Result<&'static dyn Kind, Wrong> {
    let name = fields
        .text("kind")?
        .ok_or_else(|| fields.missing("kind", &format!("write one of: {}", list(kinds))))?;
    let kind = kinds.iter().find(|known| known.name() == name).copied();
    kind.ok_or_else(|| {
        fields.wrong("kind", format!("\"{name}\" is no kind of source; there are: {}", list(kinds)))
    })
}

fn source_name(fields: &Fields<'_>) -> Result<Option<SourceName>, Wrong> {
    let Some(name) = fields.text("name")? else { return Ok(None) };
    name.parse().map(Some).map_err(|error| fields.wrong("name", format!("\"{name}\": {error}")))
}

/// What the file calls its sinks, those with a fault of their own too. None where one cannot be told: the fault is there, and
/// not with those who name it.
fn names_of_sinks<'a>(file: &Fields<'a>) -> Option<BTreeSet<&'a str>> {
    let sinks = file.tables("sink").ok()?;
    if sinks.is_empty() {
        return Some(BTreeSet::from([DEFAULT_SINK]));
    }
    sinks.iter().map(|sink| sink.text("name").ok().flatten()).collect()
}

fn sinks_of(fields: &Fields<'_>, sinks: Option<&BTreeSet<&str>>) -> Result<Option<Vec<String>>, Wrong> {
    let names = fields.texts("to")?;
    if let Some(sinks) = sinks
        && let Some(unknown) = names.iter().find(|name| !sinks.contains(**name))
    {
        let known: Vec<_> = sinks.iter().copied().collect();
        return Err(
            fields.wrong("to", format!("there is no sink \"{unknown}\"; there are: {}", known.join(", ")))
        );
    }
    Ok((!names.is_empty()).then(|| names.into_iter().map(str::to_owned).collect()))
}

/// A name made from an address: the same for the same address, and short enough to be read.
pub(crate) fn name_of(address: &Url) -> SourceName {
    let host = address.host_str().unwrap_or_default().trim_start_matches("www.");
    let rest =
        format!("{}{}", address.path(), address.query().map(|query| format!("-{query}")).unwrap_or_default());
    let mut name = String::new();
    for letter in format!("{host}{rest}").to_lowercase().chars() {
        let letter = if SourceName::takes(letter) { letter } else { '-' };
        if !(letter == '-' && name.ends_with('-')) {
            name.push(letter);
        }
    }
    let mut name = name.trim_matches('-').to_owned();
    if name.is_empty() {
        // Such as that of http://[::]/.
        name = digest(address.as_str())[..NAME_DIGEST_CHARS].to_owned();
    } else if name.len() > SourceName::CHARS_MAX {
        name.truncate(SourceName::CHARS_MAX - NAME_DIGEST_CHARS - 1);
        name = format!("{name}-{}", &digest(address.as_str())[..NAME_DIGEST_CHARS]);
    }
    // What is left is of the allowed letters, and not too many.
    name.parse().unwrap_or_else(|_| unreachable!("{name:?} was made to be a name"))
}
