//! Tests of the configuration as a whole: layers, problems, printed files, documentation.

use std::collections::BTreeSet;
use std::path::Path;

use super::layers::{Inputs, Values};
use super::print;
use super::server::{ServerConfig, Surroundings};
use super::setting::Kind;
use super::table::SETTINGS;
use super::*;

fn inputs(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Inputs {
    Inputs {
        file: Some(("lazaret.toml".to_owned(), file.to_owned())),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        flags: flags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), format!("--set {key}"), (*value).to_owned()))
            .collect(),
    }
}

fn load(inputs: &Inputs) -> anyhow::Result<ServerConfig> {
    let surroundings = Surroundings { data_dir: Some("/home/a/data".into()), ..Surroundings::default() };
    ServerConfig::new(Values::collect(inputs), surroundings)
}

#[test]
fn a_text_has_a_largest_size_even_where_none_is_stated() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("text");
    for (length, is_good) in [(9, true), (10, true), (11, false)] {
        std::fs::write(&path, "x".repeat(length)).unwrap();
        assert_eq!(load_text(&path, 10).is_ok(), is_good, "{length}");
    }
    assert!(load_text(Path::new("/dev/zero"), 10).is_err());
    std::fs::write(&path, b"\xff").unwrap();
    assert!(load_text(&path, 10).is_err());
}

#[test]
fn defaults_stay_on_this_machine_and_are_the_engines_own() {
    let config = load(&Inputs::default()).unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:9090");
    assert_eq!(config.engine_listen.to_string(), "127.0.0.1:8228");
    assert!(config.tls.is_none());
    let own = engine::EngineSettings::new("/home/a/data".into(), "/home/a/data/vulnerability.db".into(), now);
    assert_eq!(config.engine.data_dir, own.data_dir);
    assert_eq!(config.engine.database_path, own.database_path);
    assert_eq!(config.engine.workers, own.workers);
    assert_eq!(config.engine.lease, own.lease);
    assert_eq!(config.engine.intervals, own.intervals);
    assert_eq!(config.engine.events_kept, own.events_kept);
    assert_eq!(config.engine.storage, own.storage);
    assert_eq!(config.engine.host_id, own.host_id);
    assert_eq!(config.engine.contents, own.contents);
    assert_eq!(config.engine.webhooks, own.webhooks);
    assert_eq!(config.engine.key_file, own.key_file);
    assert_eq!(config.engine.are_tokens_given, own.are_tokens_given);
    assert_eq!(config.engine.base_url, "http://127.0.0.1:8228");
    assert_eq!(config.engine.scan.time_max, own.scan.time_max);
    assert_eq!(config.engine.scan.limits, own.scan.limits);
}

#[test]
fn a_flag_wins_over_a_variable_and_that_over_the_file() {
    let file = "[listeners]\ncontrol-plane = '127.0.0.1:1'\nengine = '127.0.0.1:11'\n\
                [analysis]\nworkers = 3\nlease = '2m'\n[registries]\ninsecure = ['b:1']\n";
    let environment = [("LAZARET_LISTEN", "127.0.0.1:2"), ("LAZARET_ANALYSIS_LEASE", "3m")];
    let flags = [("listeners.control-plane", "127.0.0.1:3"), ("registries.insecure", "A:1,c")];
    let config = load(&inputs(file, &environment, &flags)).unwrap();
    assert_eq!((config.listen.port(), config.engine_listen.port()), (3, 11));
    assert_eq!((config.engine.workers, config.engine.lease.as_secs()), (3, 180));
    let expected = BTreeSet::from(["a:1".to_owned(), "c".to_owned()]);
    assert_eq!(config.engine.scan.registry.insecure_registries, expected);
    let values = Values::collect(&inputs(file, &environment, &flags));
    let shown = print::effective(&values);
    for line in [
        "control-plane = \"127.0.0.1:3\"  # from --set listeners.control-plane",
        "engine = \"127.0.0.1:11\"  # from lazaret.toml:3",
        "lease = \"3m\"  # from LAZARET_ANALYSIS_LEASE",
        "time-max = \"30m\"  # default",
    ] {
        assert!(shown.contains(line), "`{line}` is missing in:\n{shown}");
    }
}

#[test]
fn registries_are_at_public_addresses_unless_somebody_says_so() {
    use scanner::AddressRule::{PrivateNetworks, PrivateToo, PublicOnly};
    for (mode, is_webhook, expected) in [
        ("", false, (PublicOnly, PrivateNetworks)),
        ("", true, (PrivateToo, PrivateToo)),
        ("auto", true, (PrivateToo, PrivateToo)),
        ("configured", true, (PublicOnly, PrivateNetworks)),
        ("named", false, (PublicOnly, PublicOnly)),
        ("all", false, (PrivateToo, PrivateToo)),
    ] {
        let flags = [
            ("registries.private-addresses", mode),
            ("registries.insecure", "127.0.0.1:5000"),
            ("registries.private-hosts", "*.corp,10.0.0.0/8"),
        ];
        let surroundings =
            Surroundings { data_dir: Some("/a".into()), is_webhook, ..Surroundings::default() };
        let config = ServerConfig::new(Values::collect(&inputs("", &[], &flags)), surroundings).unwrap();
        let addresses = config.engine.scan.registry.addresses;
        assert_eq!((addresses.any, addresses.with_login), expected, "{mode} {is_webhook}");
        assert_eq!(addresses.named.networks().len(), 1);
        for (url, is_named) in
            [("http://127.0.0.1:5000/", true), ("http://127.0.0.1/", false), ("https://a.corp:1/", true)]
        {
            assert_eq!(addresses.named.contains(&url.parse().unwrap()), is_named, "{url}");
        }
    }
    let refused = load(&inputs("", &[], &[("registries.private-hosts", "https://a.corp")])).unwrap_err();
    assert!(refused.to_string().contains("is no host[:port], no *.domain and no network"), "{refused}");
    // Somebody at his own terminal asks whom he likes.
    let options = ImageConfig::default().registry_options();
    assert_eq!(options.addresses.any, scanner::AddressRule::Everything);
}

#[test]
fn an_address_that_others_reach_needs_a_certificate_or_consent() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pem");
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    let open = ("listeners.control-plane", "0.0.0.0:9090");
    let refused = load(&inputs("", &[], &[open])).unwrap_err().to_string();
    assert!(refused.contains("--tls-certificate") && refused.contains("--allow-plain-http"), "{refused}");
    assert!(load(&inputs("", &[], &[open, ("listeners.allow-plain-http", "true")])).is_ok());
    let secured = [open, ("listeners.tls-certificate", file), ("listeners.tls-key", file)];
    assert!(load(&inputs("", &[], &secured)).is_ok());
}

#[test]
fn all_problems_are_told_at_once_each_with_its_place() {
    let file = "[listener]\nengine = 'x'\n[listeners]\nengine = 'x'\nmetrix = 1\ndata-dir = '/x'\n\
                [analysis]\nworkers = 65\n[nothing-like-it]\n";
    let environment = [("LAZARET_ANALYSIS_LEASE", "soon"), ("LAZARET_ADMIN_PASSWORD", "12345")];
    let flags = [("listeners.tls-key", "/dev/null/k"), ("analysis.worker", "1"), ("logging.filter", "a=b=c")];
    let text = load(&inputs(file, &environment, &flags)).unwrap_err().to_string();
    for part in [
        "lazaret.toml:1: there is no section `listener`; did you mean `listeners`?",
        "lazaret.toml:4: listeners.engine: `x` is not an address as 127.0.0.1:9090",
        "lazaret.toml:6: there is no setting `listeners.data-dir`; did you mean `data.folder`?",
        "lazaret.toml:8: analysis.workers: `65` is not a whole number between 0 and 64",
        "lazaret.toml:9: there is no section `nothing-like-it`; `lazaret config print` shows all",
        "LAZARET_ANALYSIS_LEASE: `soon` is not a time",
        "LAZARET_ADMIN_PASSWORD has fewer than 6 characters",
        "--set analysis.worker: there is no setting `analysis.worker`; did you mean `analysis.workers`?",
        "--set listeners.tls-key needs --tls-certificate",
        "--set logging.filter: `a=b=c` is no filter",
    ] {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
}

#[test]
fn only_a_shared_database_can_leave_all_work_to_others() {
    let none = [("analysis.workers", "0")];
    let text = load(&inputs("", &[], &none)).unwrap_err().to_string();
    assert!(text.contains("--set analysis.workers is 0") && text.contains("storage.url"), "{text}");
    let file = "[storage]\nurl = 'postgres://a:hunter2@h/d'";
    let config = load(&inputs(file, &[], &none)).unwrap();
    assert_eq!(config.storage_text(), "PostgreSQL `postgres://h/d`");
    assert!(!format!("{config:?}").contains("hunter2"));
    let text = load(&inputs("[storage]\nurl = 'mysql://a:hunter2@h/d'", &[], &[])).unwrap_err().to_string();
    assert!(text.contains("lazaret.toml:2: storage.url") && !text.contains("hunter2"), "{text}");
}

#[test]
fn a_key_without_its_section_leads_to_the_setting() {
    for (file, meant) in [
        ("data-dir = '/x'", "data.folder"),
        ("engine-listen = '127.0.0.1:1'", "listeners.engine"),
        ("workers = 1", "analysis.workers"),
        ("[data]\nadmin_password = 'x'", "data.admin-password"),
    ] {
        let text = load(&inputs(file, &[], &[])).unwrap_err().to_string();
        assert!(text.contains(&format!("did you mean `{meant}`?")), "{file}: {text}");
    }
}

#[test]
fn what_is_no_toml_is_told_with_its_line() {
    let text = load(&inputs("[data]\nfolder = \n", &[], &[])).unwrap_err().to_string();
    assert!(text.starts_with("lazaret.toml:2: "), "{text}");
}

#[test]
fn a_secret_comes_from_a_file_and_is_never_shown() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("password");
    std::fs::write(&path, "hunter2-hunter2\n").unwrap();
    let path = path.to_str().unwrap();
    let file = format!("[data]\nadmin-password-file = '{path}'");
    for inputs in [
        inputs(&file, &[], &[]),
        inputs("", &[("LAZARET_ADMIN_PASSWORD_FILE", path)], &[]),
        inputs("[data]\nadmin-password = 'another'", &[("LAZARET_ADMIN_PASSWORD_FILE", path)], &[]),
        inputs("", &[], &[("data.admin-password-file", path)]),
    ] {
        let config = load(&inputs).unwrap();
        assert_eq!(config.engine.admin_password.as_deref(), Some("hunter2-hunter2"));
        let shown = format!("{}{config:?}", print::effective(&Values::collect(&inputs)));
        assert!(!shown.contains("hunter2") && shown.contains("hidden"), "{shown}");
    }
    let twice = format!("{file}\nadmin-password = 'hunter2'");
    let text = load(&inputs(&twice, &[], &[])).unwrap_err().to_string();
    assert!(text.contains("`data.admin-password` and `data.admin-password-file`"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
    let missing = load(&inputs("[data]\nadmin-password-file = '/dev/null/x'", &[], &[])).unwrap_err();
    assert!(missing.to_string().contains("lazaret.toml:2"), "{missing}");
    let not_secret = load(&inputs("[data]\nfolder-file = '/x'", &[], &[])).unwrap_err();
    assert!(not_secret.to_string().contains("no setting `data.folder-file`"), "{not_secret}");
}

#[test]
fn a_variable_that_sets_nothing_is_told_unless_a_cluster_made_it() {
    let environment = [
        ("LAZARET_WORKER", "1"),
        ("LAZARET_SERVICE_HOST", "10.0.0.1"),
        ("LAZARET_PORT_443_TCP", "tcp://10.0.0.1:443"),
        ("LAZARET_KUBECONFIG", "x"),
    ];
    let config = load(&inputs("", &environment, &[])).unwrap();
    assert_eq!(
        config.warnings,
        ["the variable `LAZARET_WORKER` sets nothing; did you mean `LAZARET_WORKERS`?"]
    );
}

#[test]
fn webhooks_and_patterns_are_checked() {
    let file = "[webhooks]\ngeneral-url = 'https://u:hunter2@h/<userId>'\ntag-update-url = 'http://t'\n\
                tag-update-user = 'a'\ntag-update-password = 'hunter2'\ntag-update-verify = 'false'\n\
                event-levels = ['error']\n[analysis]\ncontent-patterns = ['KEY=a=b']\n";
    let config = load(&inputs(file, &[], &[])).unwrap();
    let targets = &config.engine.webhooks.targets;
    assert_eq!(targets.len(), 2);
    let tag = &targets[&engine::WebhookTarget::Kind(engine::NotificationKind::TagUpdate)];
    assert_eq!((tag.login.as_ref().unwrap().0.as_str(), tag.is_verified), ("a", Some(false)));
    assert_eq!(config.engine.contents.as_ref().unwrap().content_patterns[0].pattern, "a=b");
    let shown = format!("{config:?}{}", print::effective(&Values::collect(&inputs(file, &[], &[]))));
    assert!(!shown.contains("hunter2"), "{shown}");
    let file = "[webhooks]\ngeneral-url = 'ftp://h'\nevent-log-user = 'a'\nevent-levels = ['loud']\n\
                [analysis]\nsecret-patterns = ['no-name', 'KEY=(']\n";
    let text = load(&inputs(file, &[], &[])).unwrap_err().to_string();
    for part in [
        "lazaret.toml:2: webhooks.general-url: an address begins with http",
        "lazaret.toml:3: webhooks.event-log-user needs `webhooks.event-log-password`",
        "lazaret.toml:4: webhooks.event-levels: `loud` is no level",
        "lazaret.toml:6: analysis.secret-patterns: `no-name` is not NAME=EXPRESSION",
        "not a valid regular expression",
    ] {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
}

#[test]
fn sources_of_vulnerability_data_are_checked() {
    let file = "[feeds]\ninterval = '2h'\nmirror = 'file:///srv/feeds'\ndisable = ['*']\nenable = ['osv-npm']\n\
                sources = ['own=osv=https://u:hunter2@h/own.json.gz', 'debian-tracker=debian-tracker=http://h/t']\n";
    let config = load(&inputs(file, &[], &[])).unwrap();
    let feeds = &config.engine.feeds;
    assert!(feeds.is_fetching);
    let used: Vec<(&str, &str)> = feeds
        .sources
        .iter()
        .filter(|source| source.is_enabled)
        .map(|source| (source.name.as_str(), source.files[0].url.as_str()))
        .collect();
    let expected = [
        ("osv-npm", "file:///srv/feeds/osv/npm/all.zip"),
        ("own", "https://u:hunter2@h/own.json.gz"),
        ("debian-tracker", "http://h/t"),
    ];
    assert_eq!(used, expected);
    assert!(feeds.sources.iter().all(|source| source.interval.as_secs() == 7200));
    let mirror = inputs("[feeds]\nmirror = 'https://u:hunter2@mirror.example:8443/feeds'", &[], &[]);
    let shown = print::effective(&Values::collect(&mirror));
    assert!(shown.contains("https://***@mirror.example:8443/feeds") && !shown.contains("hunter2"), "{shown}");
    let file = "[feeds]\nmirror = 'ftp://h'\nenable = ['nosuch']\nsources = ['a', 'b=c=d']\n";
    let text = load(&inputs(file, &[], &[])).unwrap_err().to_string();
    for part in [
        "begins with none of `https://`, `http://`, `file:///`",
        "lazaret.toml:3: feeds.enable: there is no source `nosuch`",
        "lazaret.toml:4: feeds.sources: `a` is no source: write NAME=KIND=ADDRESS",
        "`c` is no kind of feed",
    ] {
        assert!(text.contains(part), "`{part}` is missing in:\n{text}");
    }
}

/// Reads the engine's source, so that a setting that an engine has and no file can set is found.
#[test]
fn every_setting_of_an_engine_can_be_set() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let settings = load_text(&folder.join("../engine/src/settings.rs"), 1 << 20).unwrap();
    let ours = load_text(&folder.join("src/config/server.rs"), 1 << 20).unwrap();
    for name in ["EngineSettings", "Intervals"] {
        let (_, rest) = settings.split_once(&format!("pub struct {name} {{")).unwrap();
        let (fields, _) = rest.split_once("\n}").unwrap();
        let fields: Vec<&str> =
            fields.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split(':').next()).collect();
        assert!(fields.len() > 5, "{fields:?}");
        for field in fields {
            // The program's own: its clock, its counters, its other tables, and what `new` is given.
            let is_own = ["clock", "metrics", "other_tables", "data_dir", "database_path"].contains(&field);
            let is_set = ours.contains(&format!("settings.{field}"))
                || ours.contains(&format!("        {field}: values"));
            assert!(is_own || is_set, "nothing sets `{name}::{field}`: add it to the table and to server.rs");
        }
    }
}

#[test]
fn the_printed_file_is_read_back_as_the_defaults() {
    let printed = print::default_file();
    let defaults = Values::collect(&Inputs::default());
    // As printed, and with every default taken out of its comment.
    let uncommented: String = printed
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.starts_with(' ') => format!("{setting}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    for text in [&printed, &uncommented] {
        let values = Values::collect(&inputs(text, &[], &[]));
        assert!(values.problems.is_empty(), "{:?}", values.problems);
        for setting in SETTINGS.iter() {
            let value = |values: &Values| {
                values.find(setting.key).map(|(value, _)| value.to_text()).unwrap_or_default()
            };
            assert_eq!(value(&values), value(&defaults), "{}", setting.key);
        }
    }
    for setting in SETTINGS.iter() {
        assert!(uncommented.contains(&format!("\n{} = ", setting.name())), "{}", setting.key);
    }
}

#[test]
fn the_documentation_has_every_setting() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md");
    let page = load_text(&path, 1 << 20).unwrap();
    let (_, rest) = page.split_once("<!-- settings -->\n\n").unwrap();
    let (shown, _) = rest.split_once("<!-- end of settings -->").unwrap();
    let expected = print::documentation();
    let expected = expected.trim_end();
    assert!(
        shown.trim_end() == expected,
        "put this between the marks of docs/configuration.md:\n\n{expected}"
    );
}

#[test]
fn kinds_with_several_parts_are_said_in_the_file() {
    let printed = print::default_file();
    for setting in SETTINGS.iter() {
        if let Kind::OneOf(words) = setting.kind {
            assert!(printed.contains(&words.join(", ")), "{}", setting.key);
        }
    }
}
