//! `lazaret db …`.

mod import;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use advisory_feeds::FeedLimits;
use anyhow::{Context as _, bail};
use model::{Advisory, SeverityRating};
use report_formats::printable;
use serde_json::json;
use vulnerability_db::{Database, DatabaseImage, DatabaseSource, DatabaseStatus};

use crate::arguments::{DbCommand, FeedArgument, OutputFormat};
use crate::config;
use crate::exit::Exit;
use crate::terminal;

const DIAGNOSTICS_SHOWN_MAX: usize = 5;

/// Runs a `db` command.
pub(super) fn run(command: DbCommand) -> anyhow::Result<Exit> {
    match command {
        DbCommand::Build { feeds, output } => build(&feeds, &output),
        DbCommand::Import { file, feeds, db, data_dir, force } => {
            let path = match (db, data_dir) {
                (Some(path), _) => path,
                (None, Some(folder)) => folder.join(config::DATABASE_FILE),
                (None, None) => config::database_default()?,
            };
            import::run(file.as_deref(), &feeds, &path, force)
        }
        DbCommand::Status { db, output } => status(db, output),
        DbCommand::Search { term, ecosystem, db, output } => search(&term, ecosystem, db, output),
    }
}

fn build(feeds: &[FeedArgument], output: &Path) -> anyhow::Result<Exit> {
    let image = build_image(feeds)?;
    terminal::error_line(&format!("writing `{}`", output.display()));
    vulnerability_db::write(&image, output)?;
    let database = Database::open(output).context("the database that was just written cannot be read")?;
    terminal::print(&status_table(&database.status()))?;
    Ok(Exit::Clean)
}

fn build_image(feeds: &[FeedArgument]) -> anyhow::Result<DatabaseImage> {
    let now = config::now();
    let mut sources = Vec::with_capacity(feeds.len());
    for FeedArgument { kind, path } in feeds {
        terminal::error_line(&format!("reading {} `{}`", kind.name(), path.display()));
        let feed = advisory_feeds::read_feed(*kind, path, &FeedLimits::default())?;
        for diagnostic in feed.diagnostics.iter().take(DIAGNOSTICS_SHOWN_MAX) {
            terminal::error_line(&format!("warning: {}: {}", diagnostic.subject, diagnostic.message));
        }
        if let Some(more) = feed.diagnostics.len().checked_sub(DIAGNOSTICS_SHOWN_MAX).filter(|more| *more > 0)
        {
            terminal::error_line(&format!("warning: {more} more records of this feed could not be read"));
        }
        if feed.advisories.is_empty() {
            bail!("`{}` holds no {} record at all", path.display(), kind.name());
        }
        sources.push(DatabaseSource {
            kind: *kind,
            name: path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            advisories: feed.advisories,
            diagnostics_count: feed.diagnostics.len(),
            synced_at: now,
        });
    }
    terminal::error_line("building the database");
    Ok(vulnerability_db::build(sources, now)?)
}

/// Opens the named database, or the one in the data folder.
pub(super) fn open(db: Option<&Path>) -> anyhow::Result<Database> {
    match db {
        Some(path) => Ok(Database::open(path)?),
        None => Ok(Database::open(&config::database_default()?)?),
    }
}

fn status(db: Option<PathBuf>, output: OutputFormat) -> anyhow::Result<Exit> {
    let database = open(db.as_deref())?;
    let status = database.status();
    terminal::print(&match output {
        OutputFormat::Table => terminal::shown(&status_table(&status)),
        OutputFormat::Json => to_text(&status_json(&status)),
    })?;
    Ok(Exit::Clean)
}

fn status_table(status: &DatabaseStatus) -> String {
    let mut text = format!(
        "revision   {}\nbuilt      {:.0}\nform       {}\nsize       {} bytes\n\nfeeds\n",
        status.identity.revision, status.identity.built_at, status.format_version, status.file_size_bytes
    );
    let mut line = |line: String| writeln!(text, "  {line}").expect("writing to a String cannot fail");
    for source in &status.sources {
        let unread = match source.diagnostics {
            0 => String::new(),
            count => format!(", {count} not readable"),
        };
        line(format!(
            "{:<16}{:<28}{:>9} records{unread}, {:.0}",
            source.kind.name(),
            source.name,
            source.records,
            source.synced_at
        ));
    }
    text.push_str("\ncovers\n");
    for group in &status.ecosystems {
        writeln!(
            text,
            "  {:<28}{:>9} records, {:.0}",
            group.ecosystem.to_string(),
            group.records,
            group.synced_at
        )
        .expect("writing to a String cannot fail");
    }
    text
}

fn status_json(status: &DatabaseStatus) -> serde_json::Value {
    json!({
        "schema_version": "1",
        "revision": status.identity.revision,
        "built_at": status.identity.built_at.to_string(),
        "format_version": status.format_version,
        "file_size_bytes": status.file_size_bytes,
        "sources": status.sources.iter().map(|source| json!({
            "kind": source.kind.name(),
            "name": source.name,
            "records": source.records,
            "withdrawn": source.withdrawn,
            "diagnostics": source.diagnostics,
            "synced_at": source.synced_at.to_string(),
        })).collect::<Vec<_>>(),
        "ecosystems": status.ecosystems.iter().map(|group| json!({
            "ecosystem": group.ecosystem.to_string(),
            "records": group.records,
            "withdrawn": group.withdrawn,
            "synced_at": group.synced_at.to_string(),
        })).collect::<Vec<_>>(),
    })
}

fn search(
    term: &str,
    ecosystem: Option<model::Ecosystem>,
    db: Option<PathBuf>,
    output: OutputFormat,
) -> anyhow::Result<Exit> {
    let database = open(db.as_deref())?;
    let advisories = match &ecosystem {
        Some(ecosystem) => {
            if !database.has_ecosystem(ecosystem) {
                bail!(
                    "the database knows nothing about {ecosystem}; `lazaret db status` lists what it covers"
                );
            }
            database.find_package(ecosystem, term)?.into_iter().map(Advisory::from).collect()
        }
        None => database.find_advisory(term)?,
    };
    terminal::print(&match output {
        OutputFormat::Table if advisories.is_empty() => {
            let hint = match ecosystem {
                Some(_) => "",
                None => "; a package is searched with --ecosystem, as `--ecosystem debian:12 openssl`",
            };
            terminal::shown(&format!("nothing about `{term}`{hint}\n"))
        }
        OutputFormat::Table => terminal::shown(&advisories.iter().map(advisory_text).collect::<String>()),
        OutputFormat::Json => to_text(&json!({
            "schema_version": "1",
            "records": advisories.iter().map(advisory_json).collect::<Vec<_>>(),
        })),
    })?;
    Ok(Exit::Clean)
}

fn advisory_text(advisory: &Advisory) -> String {
    let mut text = advisory.id.clone();
    if !advisory.aliases.is_empty() {
        text.push_str(&format!(" ({})", advisory.aliases.join(", ")));
    }
    if advisory.is_withdrawn {
        text.push_str(" WITHDRAWN");
    }
    text.push_str(&format!(", from {}\n", advisory.feed.name()));
    if let Some(summary) = &advisory.summary {
        text.push_str(&format!("  {}\n", printable(summary)));
    }
    text.extend(advisory.severities.iter().map(rating_text));
    for affected in &advisory.affected {
        let ranges = affected
            .intervals
            .iter()
            .map(ToString::to_string)
            .chain(affected.versions.iter().map(|version| format!("= {version}")))
            .collect::<Vec<_>>();
        text.push_str(&format!(
            "  {} {} in {}: {}\n",
            state_name(affected.state),
            affected.package,
            affected.ecosystem,
            if ranges.is_empty() { "no range".to_owned() } else { ranges.join(" or ") },
        ));
        text.extend(affected.severities.iter().map(rating_text));
    }
    text
}

fn rating_text(rating: &SeverityRating) -> String {
    let vector = rating.vector.as_ref().map(|vector| format!(" {vector}")).unwrap_or_default();
    format!("  {} by {}{vector}\n", rating.severity, rating.source)
}

fn advisory_json(advisory: &Advisory) -> serde_json::Value {
    json!({
        "id": advisory.id,
        "aliases": advisory.aliases,
        "feed": advisory.feed.name(),
        "is_withdrawn": advisory.is_withdrawn,
        "summary": advisory.summary,
        "url": advisory.url,
        "severities": advisory.severities.iter().map(rating_json).collect::<Vec<_>>(),
        "affected": advisory.affected.iter().map(|affected| json!({
            "ecosystem": affected.ecosystem.to_string(),
            "package": affected.package,
            "state": state_name(affected.state),
            "ranges": affected.intervals.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "versions": affected.versions,
            "severities": affected.severities.iter().map(rating_json).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}

fn rating_json(rating: &SeverityRating) -> serde_json::Value {
    json!({
        "source": rating.source,
        "severity": rating.severity.name(),
        "vector": rating.vector,
        "score": rating.score,
    })
}

fn state_name(state: model::AffectedState) -> &'static str {
    match state {
        model::AffectedState::Affected => "affected",
        model::AffectedState::WillNotFix => "will-not-fix",
        model::AffectedState::NotAffected => "not-affected",
        model::AffectedState::Undetermined => "undetermined",
    }
}

fn to_text(value: &serde_json::Value) -> String {
    format!("{value:#}\n")
}
