use futures_util::future::BoxFuture;
use url::Url;

use super::*;
use crate::{
    fields::Fields,
    source::{Errand, Trouble, Visited},
};

#[derive(Debug)]
struct Plain;

#[derive(Debug)]
struct Nothing(Url);

impl Kind for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn about(&self) -> &'static str {
        "for tests"
    }

    fn read(&self, fields: &Fields<'_>) -> Result<Box<dyn Visit>, Wrong> {
        Ok(Box::new(Nothing(fields.url("url")?)))
    }
}

impl Visit for Nothing {
    fn address(&self) -> &Url {
        &self.0
    }

    fn visit<'a>(&'a self, _: &'a Errand<'a>) -> BoxFuture<'a, Result<Visited, Trouble>> {
        unreachable!("never visited")
    }
}

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("t.toml"), text, &[&Plain]).map_err(|error| error.to_string())
}

const ONE: &str = "[[source]]\nkind = \"plain\"\nurl = \"https://www.example.org/a/Feed.xml?x=1\"\n";

#[test]
fn an_empty_file_is_a_configuration_with_a_sink() {
    let config = parse("").unwrap();
    assert!(config.sources.is_empty() && config.fixed.listen.ip().is_loopback());
    assert!(config.sinks.contains_key(DEFAULT_SINK));
}

#[test]
fn a_source_is_named_after_its_address() {
    let config = parse(ONE).unwrap();
    assert_eq!(config.sources.keys().next().unwrap().as_str(), "example.org-a-feed.xml-x-1");
    let long = Url::parse(&format!("https://example.org/{}", "a".repeat(200))).unwrap();
    assert_eq!(read::name_of(&long).as_str().len(), SourceName::CHARS_MAX);
    let without_letters = Url::parse("http://[::]/").unwrap();
    assert_eq!(read::name_of(&without_letters).as_str().len(), 8);
}

#[test]
fn every_fault_is_named_with_its_line() {
    let text = "listen = \"0.0.0.0:1\"\nlisten2 = 1\n[schedule]\nfloor = \"2h\"\nceiling = \"1h\"\n[[sink]]\nname = \"a\"\nkind = \"paper\"\n\
                [[source]]\nkind = \"plain\"\n[[source]]\nkind = \"gopher\"\n";
    let error = parse(text).unwrap_err();
    let lines: Vec<&str> = error.lines().collect();
    for (line, expected) in lines.iter().zip([
        "t.toml: line 1: `listen`: the status page has no lock",
        "t.toml: line 2: `listen2`: is not known here",
        "t.toml: line 5: `schedule.ceiling`: is below the floor",
        "t.toml: line 8: `sink.kind`: \"paper\" is no kind of sink; there are: ",
        "t.toml: line 9: `source.url`: is missing",
        "t.toml: line 12: `source.kind`: \"gopher\" is no kind of source; there are: plain",
    ]) {
        assert!(line.starts_with(expected), "{line}\nexpected {expected}");
    }
    assert_eq!(lines.len(), 6, "{error}");
}

#[test]
fn a_fault_hides_no_other_and_makes_none() {
    let faults = |text: &str, expected: &[&str]| {
        let error = parse(text).unwrap_err();
        let lines: Vec<&str> = error.lines().map(|line| line.split_once(": `").unwrap().1).collect();
        let told: Vec<&str> = lines.iter().map(|line| line.split_once('`').unwrap().0).collect();
        assert_eq!(told, expected, "{error}");
    };
    faults("listen = \"x\"\ndata = \"d\"\ndrain = \"5s\"\n", &["listen"]);
    faults(
        "listen = \"x\"\ndrain = \"soon\"\nvisits_max = 0\nunknown = 1\n",
        &["listen", "drain", "visits_max", "unknown"],
    );
    faults(
        &format!(
            "{ONE}name = \"Not A Name\"\nfloor = \"soon\"\nceiling = \"1d\"\nto = [\"nowhere\"]\nunknown = 1\n"
        ),
        &["source.name", "source.floor", "source.to", "source.unknown"],
    );
    // A sink with a fault is one that there is, and so is the one that there is without any.
    faults(&format!("[[sink]]\nname = \"a\"\nkind = \"paper\"\n{ONE}to = [\"a\"]\n"), &["sink.kind"]);
    faults(&format!("listen = \"x\"\n{ONE}to = [\"items\"]\n"), &["listen"]);
    // Where the names of the sinks cannot be read, nobody is blamed for naming one.
    faults(&format!("sink = 3\n{ONE}to = [\"a\"]\n"), &["sink"]);
    faults(
        &format!("[[sink]]\nname = 3\nkind = \"ndjson\"\npath = \"x\"\n{ONE}to = [\"a\"]\n"),
        &["sink.name"],
    );
}

#[test]
fn two_sources_of_one_name_are_refused() {
    assert!(parse(&format!("{ONE}{ONE}")).unwrap_err().contains("there is another source"));
}

#[test]
fn two_sinks_of_one_file_are_refused() {
    let sink = |name: &str, path: &str| {
        format!("[[sink]]\nname = \"{name}\"\nkind = \"ndjson\"\npath = \"{path}\"\n")
    };
    let error = parse(&format!("{}{}", sink("a", "items.ndjson"), sink("b", "./items.ndjson"))).unwrap_err();
    assert_eq!(
        error,
        "t.toml: line 8: `sink.path`: `a` writes to that file; name another, or keep one of the two"
    );
    assert!(parse(&format!("{}{}", sink("a", "a.ndjson"), sink("b", "b.ndjson"))).is_ok());
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_str().unwrap();
    fs::create_dir(folder.path().join("real")).unwrap();
    std::os::unix::fs::symlink("real", folder.path().join("link")).unwrap();
    for other in ["link/x", "real/../real/x", "link/../real/x"] {
        let (one, other) = (sink("a", &format!("{here}/real/x")), sink("b", &format!("{here}/{other}")));
        assert!(parse(&format!("{one}{other}")).unwrap_err().contains("`a` writes to that file"), "{other}");
    }
}

#[test]
fn items_go_only_to_sinks_that_there_are() {
    let error = parse(&format!("{ONE}to = [\"nowhere\"]\n")).unwrap_err();
    assert!(error.contains("line 4: `source.to`: there is no sink \"nowhere\"; there are: items"), "{error}");
}

#[test]
fn a_fingerprint_changes_with_what_the_source_is_made_from_and_with_nothing_else() {
    let fingerprint = |text: &str| parse(text).unwrap().sources.values().next().unwrap().fingerprint.clone();
    let plain = fingerprint(ONE);
    assert_eq!(plain.len(), 64, "it is stored, and there may be secrets in the settings");
    assert_eq!(plain, fingerprint(&format!("drain = \"1s\"\n# a comment\n{ONE}")));
    assert_ne!(plain, fingerprint(&format!("[schedule]\nfloor = \"1h\"\n{ONE}")));
    assert_ne!(plain, fingerprint(&format!("{ONE}floor = \"1h\"\n")));
}

#[test]
fn what_is_no_toml_is_refused_with_its_line() {
    let error = parse("\ntoken = \"secret\" x\n").unwrap_err();
    assert!(error.starts_with("t.toml: line 2: ") && !error.contains("secret"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}
