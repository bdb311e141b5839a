//! The command line, as people type it.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Output, Stdio},
    time::Duration,
};

use crate::support::{
    Daemon, IN_HASTE, ON_LOOPBACK, Site, TRIBUTARY, eventually, free_address, scratch, source_of,
};

/// Runs it in a folder, where its file is `tributary.toml`.
fn tributary(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(TRIBUTARY);
    command.args(words).current_dir(folder).env_remove("TRIBUTARY_CONFIG").stdin(Stdio::null());
    command.output().expect("tributary runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_address_without_its_scheme_is_refused_with_an_example() {
    let folder = scratch();
    let add = tributary(folder.path(), &["add", "example.org/feed.xml"]);
    assert_eq!(add.status.code(), Some(2));
    assert!(err(&add).contains("such as https://example.org/feed.xml"), "{}", err(&add));
    assert!(!folder.path().join("tributary.toml").exists(), "nothing was made");
}

#[test]
fn add_makes_the_file_and_keeps_what_people_wrote_in_it() {
    let folder = scratch();
    let file = folder.path().join("tributary.toml");
    let first = tributary(folder.path(), &["add", "https://example.org/feed.xml"]);
    assert!(first.status.success(), "{}", err(&first));
    assert!(out(&first).contains("added `example.org-feed.xml` (feed)"), "{}", out(&first));
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}floor = \"1h\" # often enough\n\n# The end.\n")).unwrap();

    let second = tributary(folder.path(), &["add", "https://example.com/", "--name", "second"]);
    assert!(second.status.success(), "{}", err(&second));
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("floor = \"1h\" # often enough") && text.contains("# The end."), "{text}");
    assert!(text.contains("name = \"second\""), "{text}");

    let again = tributary(folder.path(), &["add", "https://example.com/"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(err(&again).contains("is in the file already, as `second`"), "{}", err(&again));
    let nowhere = tributary(folder.path(), &["add", "https://example.net/", "--to", "nowhere"]);
    assert!(err(&nowhere).contains("there is no sink \"nowhere\""), "{}", err(&nowhere));
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "a refusal changes nothing");

    // A kind that is named reads the address as well as one that is not.
    let tag = tributary(folder.path(), &["add", "--kind", "mastodon", "https://social.example/tags/rust"]);
    assert!(tag.status.success(), "{}", err(&tag));
    assert!(out(&tag).contains("(mastodon)"), "{}", out(&tag));
    let server = tributary(folder.path(), &["add", "--kind", "mastodon", "https://social.example"]);
    assert!(
        err(&server).contains("`source.base`: is missing") && err(&server).contains("/tags/rust"),
        "{}",
        err(&server)
    );
}

#[test]
fn lists_of_feeds_come_in_and_go_out_as_opml() {
    let folder = scratch();
    let opml = "<opml version=\"2.0\"><body><outline text=\"Folder\"><outline text=\"One\" xmlUrl=\"https://one.example/feed\"/>\
                <outline text=\"Two\" xmlUrl=\"https://two.example/?a=1&amp;b=2\"/></outline>\
                <outline text=\"Bad\" xmlUrl=\"gopher://old.example/\"/></body></opml>";
    fs::write(folder.path().join("feeds.opml"), opml).unwrap();
    let import = tributary(folder.path(), &["import", "feeds.opml"]);
    assert_eq!(import.status.code(), Some(3), "one is in trouble: {}", err(&import));
    assert!(out(&import).contains("2 added"), "{}", out(&import));
    assert!(err(&import).contains("not added: Bad"), "{}", err(&import));

    let export = tributary(folder.path(), &["export"]);
    assert!(out(&export).contains("xmlUrl=\"https://two.example/?a=1&amp;b=2\""), "{}", out(&export));
    let other = scratch();
    fs::write(other.path().join("feeds.opml"), out(&export)).unwrap();
    let back = tributary(other.path(), &["import", "feeds.opml"]);
    assert!(back.status.success() && out(&back).contains("2 added"), "{}", out(&back));
    let again = tributary(other.path(), &["import", "feeds.opml"]);
    assert!(
        out(&again).contains("0 added") && out(&again).contains("2 were there already"),
        "{}",
        out(&again)
    );

    fs::write(folder.path().join("page.html"), "<html></html>").unwrap();
    let page = tributary(folder.path(), &["import", "page.html"]);
    assert!(page.status.code() == Some(1) && err(&page).contains("is no OPML"), "{}", err(&page));
    let nothing = tributary(folder.path(), &["import", "-"]);
    assert!(err(&nothing).contains("standard input is no OPML"), "{}", err(&nothing));
}

#[test]
fn check_visits_each_source_once_and_says_what_it_found() {
    let (folder, site) = (scratch(), Site::bad());
    let source = |name: &str, path: &str| {
        format!("[[source]]\nname = \"{name}\"\nkind = \"feed\"\nurl = \"{}\"\n", site.url(path))
    };
    let file = folder.path().join("tributary.toml");
    fs::write(&file, format!("{ON_LOOPBACK}{}{}", source("good", "/sound"), source("gone", "/410"))).unwrap();
    let check = tributary(folder.path(), &["check"]);
    assert_eq!(check.status.code(), Some(3), "{}", err(&check));
    let text = out(&check);
    assert!(text.contains("2 sources, 1 sink\n") && text.contains("good  3 items, newest"), "{text}");
    assert!(text.contains("gone  gone: ") && text.contains("410"), "{text}");
    assert!(!folder.path().join("tributary-data").exists(), "nothing is kept");

    let one = tributary(folder.path(), &["check", "good"]);
    assert!(one.status.success(), "{}", err(&one));
    assert_eq!(tributary(folder.path(), &["check", "nobody"]).status.code(), Some(1));
    let offline = tributary(folder.path(), &["check", "--offline"]);
    assert!(offline.status.success(), "{}", err(&offline));

    fs::write(&file, "[[source]]\nkind = \"feed\"\n").unwrap();
    let wrong = tributary(folder.path(), &["check"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(err(&wrong).contains("tributary.toml: line 1: `source.url`: is missing"), "{}", err(&wrong));
}

#[test]
fn a_file_in_place_of_the_data_is_refused_with_a_remedy_that_there_is() {
    let folder = scratch();
    fs::write(folder.path().join("tributary.toml"), "data = \"tributary.toml\"\nlisten = \"127.0.0.1:0\"\n")
        .unwrap();
    let run = tributary(folder.path(), &["run"]);
    assert_eq!(run.status.code(), Some(1));
    let remedy = "is not a directory; choose another for `data` in the file";
    assert!(err(&run).contains(remedy) && !err(&run).contains("--data"), "{}", err(&run));
}

#[test]
fn add_writes_to_what_a_link_leads_to_and_keeps_who_may_read_it() {
    let folder = scratch();
    let (real, link) = (folder.path().join("real.toml"), folder.path().join("tributary.toml"));
    symlink("real.toml", &link).unwrap();
    for url in ["https://example.org/feed.xml", "https://example.com/feed.xml"] {
        let add = tributary(folder.path(), &["add", url]);
        assert!(add.status.success(), "{}", err(&add));
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "it stays a link");
        assert!(fs::read_to_string(&real).unwrap().contains(url));
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    }
    let add = tributary(folder.path(), &["add", "https://example.net/feed.xml"]);
    assert!(add.status.success(), "{}", err(&add));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left beside it");
}

#[test]
fn concurrent_what_many_add_at_once_is_all_there() {
    let folder = scratch();
    let url = |number: u32| format!("https://example.org/{number}");
    let adds: Vec<_> = (0..20)
        .map(|number| {
            let mut command = Command::new(TRIBUTARY);
            command.args(["add", &url(number)]).current_dir(folder.path()).env_remove("TRIBUTARY_CONFIG");
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    for add in adds {
        let add = add.wait_with_output().unwrap();
        assert!(add.status.success() && out(&add).contains("added"), "{}", err(&add));
    }
    let list = out(&tributary(folder.path(), &["list"]));
    for number in 0..20 {
        assert!(list.lines().any(|line| line.ends_with(&url(number))), "{number} is not in\n{list}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn what_cannot_be_told_is_an_error_and_who_hangs_up_has_read_enough() {
    let folder = scratch();
    fs::write(
        folder.path().join("tributary.toml"),
        "[[source]]\nkind = \"feed\"\nurl = \"https://one.example/\"\n",
    )
    .unwrap();
    let told = |words: &[&str], out: Stdio| {
        let mut command = Command::new(TRIBUTARY);
        command.args(words).current_dir(folder.path()).env_remove("TRIBUTARY_CONFIG");
        let child = command.stdin(Stdio::null()).stdout(out).stderr(Stdio::piped()).spawn().unwrap();
        child.wait_with_output().unwrap()
    };
    for words in [&["list"][..], &["export"], &["check", "--offline"], &["add", "https://two.example/"]] {
        let full = told(words, fs::File::create("/dev/full").unwrap().into());
        assert_eq!(full.status.code(), Some(1), "{words:?}: {}", err(&full));
        assert!(err(&full).contains("cannot be written: No space left"), "{words:?}: {}", err(&full));
    }
    for words in [&["list"][..], &["export"], &["check", "--offline"], &["add", "https://three.example/"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let closed = told(words, writer.into());
        assert!(closed.status.success(), "{words:?}: {}", err(&closed));
        assert!(!err(&closed).contains("pipe"), "{words:?}: {}", err(&closed));
    }
    let text = fs::read_to_string(folder.path().join("tributary.toml")).unwrap();
    assert!(text.contains("two.example") && text.contains("three.example"), "{text}");
}

#[test]
fn trouble_is_in_the_exit_code_though_nobody_reads_of_it() {
    let folder = scratch();
    let source = "[[source]]\nkind = \"feed\"\nurl = \"http://127.0.0.1:9/feed\"\n";
    fs::write(folder.path().join("tributary.toml"), source).unwrap();
    fs::write(folder.path().join("feeds.opml"), "<opml><body><outline xmlUrl=\"nowhere\"/></body></opml>")
        .unwrap();
    for words in [&["check"][..], &["import", "feeds.opml"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = Command::new(TRIBUTARY);
        command.args(words).current_dir(folder.path()).env_remove("TRIBUTARY_CONFIG").stdout(writer);
        let closed = command.stdin(Stdio::null()).output().unwrap();
        assert_eq!(closed.status.code(), Some(3), "{words:?}: {}", err(&closed));
    }
}

#[test]
fn help_teaches_and_a_missing_file_says_how_to_begin() {
    let folder = scratch();
    let help = out(&tributary(folder.path(), &["--help"]));
    for word in ["run", "add", "list", "check", "import", "export", "tributary add https://"] {
        assert!(help.contains(word), "{help}");
    }
    let missing = tributary(folder.path(), &["list"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(err(&missing).contains("begin one with `tributary add"), "{}", err(&missing));
    assert_eq!(tributary(folder.path(), &["fly"]).status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn list_asks_the_daemon_and_a_source_that_is_added_is_taken_up() {
    let (folder, site) = (scratch(), Site::bad());
    let daemon = Daemon::start(folder.path(), &format!("{IN_HASTE}{ON_LOOPBACK}")).await;
    let url = site.url("/sound").to_string();
    let add = tributary(folder.path(), &["add", &url, "--name", "news"]);
    assert!(add.status.success(), "{}", err(&add));
    eventually("it is visited", Duration::from_secs(20), async || {
        (source_of(&daemon.status().await, "news")["items"] == 3).then_some(())
    })
    .await;
    let list = tributary(folder.path(), &["list"]);
    assert!(out(&list).contains("news") && out(&list).contains("3 items  waiting until"), "{}", out(&list));
    // A second daemon on the same data is refused, and says who has it.
    let second = tributary(folder.path(), &["run"]);
    assert_eq!(second.status.code(), Some(1), "{}", err(&second));
    assert!(err(&second).contains("in use by another tributary"), "{}", err(&second));
    assert!(
        err(&second).contains("`data` in the file") && !err(&second).contains("--data"),
        "{}",
        err(&second)
    );

    // Another `listen` takes effect at the next start, and until then the daemon is found where it is.
    let text = fs::read_to_string(daemon.path()).unwrap();
    let (_, rest) = text.split_once('\n').expect("the line of `listen` is the first");
    fs::write(daemon.path(), format!("listen = \"{}\"\n{rest}", free_address())).unwrap();
    let list = tributary(folder.path(), &["list"]);
    assert!(out(&list).contains("3 items"), "{}{}", out(&list), err(&list));

    daemon.signal("TERM");
    assert!(daemon.end().await.success());
    assert!(!folder.path().join("tributary-data/address").exists(), "nobody listens there");
    let list = tributary(folder.path(), &["list"]);
    assert!(err(&list).contains("no daemon answers") && out(&list).contains(&url), "{}", err(&list));
    let json = tributary(folder.path(), &["list", "--json"]);
    assert_eq!((json.status.code(), out(&json).as_str()), (Some(1), ""), "a script is told so");
    assert!(err(&json).contains("`tributary run` starts one"), "{}", err(&json));
    let lines =
        fs::read_to_string(folder.path().join("tributary-data/items.ndjson")).expect("the default sink");
    assert_eq!(lines.lines().count(), 3);
}
