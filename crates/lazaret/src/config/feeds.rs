//! Where vulnerability data comes from.

use std::path::PathBuf;

use advisory_feeds::fetch::FetchProxy;
use advisory_feeds::sources::{self, FeedAddresses, FeedSource};
use engine::FeedSettings;
use model::FeedKind;
use scanner::{ProxyOptions, Secret};

use super::layers::Values;

/// Stands for all known sources.
const ALL: &str = "*";

pub(super) fn settings(values: &Values, proxy: &ProxyOptions, problems: &mut Vec<String>) -> FeedSettings {
    let mut settings = FeedSettings {
        is_fetching: values.is_on("feeds.fetch"),
        sources: feed_sources(values, problems),
        ..FeedSettings::default()
    };
    if let Err(error) = sources::check(&settings.sources) {
        let error = crate::terminal::chain(&anyhow::Error::new(error));
        problems.push(format!("{}: {error}", values.place("feeds.sources")));
    }
    let fetch = &mut settings.fetch;
    fetch.limits.bytes_max = values.number("feeds.file-bytes");
    fetch.limits.attempt = values.duration("feeds.time-max");
    fetch.ca_certificates = values.words("feeds.ca-certificates").into_iter().map(PathBuf::from).collect();
    for path in &fetch.ca_certificates {
        super::server::check_file(values, "feeds.ca-certificates", Some(path.clone()), problems);
    }
    let reveal = |secret: &Option<Secret>| secret.as_ref().map(|secret| secret.reveal().to_owned());
    fetch.proxy = FetchProxy {
        http: reveal(&proxy.http),
        https: reveal(&proxy.https),
        exceptions: proxy.exceptions.clone(),
    };
    settings
}

fn feed_sources(values: &Values, problems: &mut Vec<String>) -> Vec<FeedSource> {
    let addresses =
        values.text("feeds.mirror").map_or_else(FeedAddresses::default, |base| FeedAddresses::mirror(&base));
    let mut sources = sources::well_known(&addresses);
    for (key, is_enabled) in [("feeds.disable", false), ("feeds.enable", true)] {
        for name in values.words(key) {
            let mut is_known = name == ALL;
            for source in sources.iter_mut().filter(|source| name == ALL || source.name == name) {
                source.is_enabled = is_enabled;
                is_known = true;
            }
            if !is_known {
                let known: Vec<&str> = sources.iter().map(|source| source.name.as_str()).collect();
                problems.push(format!(
                    "{}: there is no source `{name}`; known are {}",
                    values.place(key),
                    known.join(", ")
                ));
            }
        }
    }
    for text in values.words("feeds.sources") {
        match parse_source(&text) {
            Ok(source) => {
                sources.retain(|known| known.name != source.name);
                sources.push(source);
            }
            Err(problem) => problems.push(format!("{}: {problem}", values.place("feeds.sources"))),
        }
    }
    let interval = values.duration("feeds.interval");
    sources.iter_mut().for_each(|source| source.interval = interval);
    sources
}

/// `NAME=KIND=ADDRESS`.
fn parse_source(text: &str) -> Result<FeedSource, String> {
    let kinds = || FeedKind::ALL.map(FeedKind::name).join(", ");
    let mut parts = text.splitn(3, '=');
    let (Some(name), Some(kind), Some(url)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(format!("`{text}` is no source: write NAME=KIND=ADDRESS; kinds are {}", kinds()));
    };
    let kind = FeedKind::from_name(kind)
        .ok_or_else(|| format!("`{kind}` is no kind of feed; kinds are {}", kinds()))?;
    Ok(sources::single(name, kind, url))
}
