//! Everything in one file, and back: all tables of either kind of database, and the files of the data folder.
//!
//! The file does not say which kind of database it came from, so a copy of a SQLite file is restored into PostgreSQL and the
//! other way round. A backup sees the tables as they are at one moment while others go on writing.

mod file;
mod restore;

use std::collections::BTreeSet;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use storage::{Copy, Location, Migrations, TableForm};

use self::file::{Cell, Frame, Writer};
use crate::EngineSettings;
use crate::engine::STORAGE_FILE;

pub use self::restore::restore;

/// Rows are written together up to so many bytes.
const BATCH_BYTES: usize = 1 << 20;
const CHUNK_BYTES: usize = 1 << 20;
/// Files of the data folder that are the tables themselves, or belong to a running process.
const LEFT_OUT: &[&str] = &[STORAGE_FILE, "engine.db-wal", "engine.db-shm", "engine.db-journal"];
/// Endings of files that are being written, or that say that somebody is there.
const PASSING: &[&str] = &["lock", "tmp", "part", "partial", "new", "restoring", "writing"];
/// How the vulnerability database and the keys are called in the file where they lie outside the data folder.
const DATABASE_ELSEWHERE: &str = "//vulnerability-database";
const KEYS_ELSEWHERE: &str = "//sealing-keys";
/// Deeper folders are not of ours.
const DEPTH_MAX: usize = 8;

/// What was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackupSummary {
    /// When the backup was begun.
    pub created_at: Timestamp,
    /// Version of the program that made it.
    pub program: String,
    /// Tables.
    pub tables: u64,
    /// Rows of all tables.
    pub rows: u64,
    /// Files of the data folder.
    pub files: u64,
}

/// Why nothing was copied.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be read or written.
    #[error("read or write a file")]
    File(#[from] io::Error),
    /// The tables cannot be read or written.
    #[error("copy the tables")]
    Tables(#[from] sqlx::Error),
    /// The database cannot be opened.
    #[error("open the database")]
    Open(#[from] storage::OpenError),
    /// The tables cannot be made.
    #[error("make the tables")]
    Migrate(#[from] storage::MigrateError),
    /// There is nothing to copy.
    #[error("there is no database `{}`: nothing was started with this data folder yet", .0.display())]
    Missing(PathBuf),
    /// There is a file of this name.
    #[error("there is a file `{}` already: give another name", .0.display())]
    Exists(PathBuf),
    /// What is no backup, or not a whole one.
    #[error("the backup cannot be used: {0}")]
    Damaged(String),
    /// Made by a program that writes another form.
    #[error(
        "the backup has a form that this program does not know: use the version of the program that made it, or a newer one"
    )]
    ForeignForm,
    /// Tables that only a newer program knows.
    #[error(
        "the tables of `{owner}` are of version {version}, this program knows them up to {known}: use a newer program"
    )]
    Newer {
        /// Whose tables.
        owner: String,
        /// Their version.
        version: i64,
        /// The newest one that is known.
        known: i64,
    },
    /// There is something already.
    #[error("{0} holds data already: restore into an empty place, or say --replace to lose what is there")]
    NotEmpty(String),
}

/// Copies everything into a new file. The engine may be running, here or elsewhere.
///
/// The file is written beside its place and moved there when it is whole.
pub async fn backup(
    settings: &EngineSettings,
    program: &str,
    path: &Path,
) -> Result<BackupSummary, BackupError> {
    if path.exists() {
        return Err(BackupError::Exists(path.to_owned()));
    }
    let location = settings.location();
    if let Location::File(file) = &location
        && !file.is_file()
    {
        return Err(BackupError::Missing(file.clone()));
    }
    let beside = with_ending(path, "writing");
    // What an earlier try left.
    let _ = fs_err::remove_file(&beside);
    let result = write(settings, program, &location, &beside).await;
    if result.is_ok() {
        fs_err::rename(&beside, path)?;
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs_err::File::open(folder)?.sync_all()?;
        }
    } else {
        let _ = fs_err::remove_file(&beside);
    }
    result
}

async fn write(
    settings: &EngineSettings,
    program: &str,
    location: &Location,
    path: &Path,
) -> Result<BackupSummary, BackupError> {
    let known = known_tables(settings).await?;
    let mut copy = Copy::read(location).await?;
    let schemas = check_versions(settings, copy.versions().await?)?;
    let mut tables = copy.tables().await?;
    // A server's database may hold tables of somebody else.
    tables.retain(|table| known.iter().any(|known| known.name == table.name));
    let created_us = storage::to_micros((settings.clock)());
    let created_at = storage::from_micros(created_us);
    let mut summary = BackupSummary {
        created_at,
        program: program.to_owned(),
        tables: tables.len() as u64,
        rows: 0,
        files: 0,
    };
    let mut writer = Writer::create(path)?;
    writer.write(&Frame::Header { program: program.to_owned(), created_us, schemas })?;
    for table in &tables {
        summary.rows += write_table(&mut copy, table, &mut writer).await?;
    }
    for (name, file) in files(settings)? {
        summary.files += u64::from(write_file(&name, &file, &mut writer)?);
    }
    writer.write(&Frame::End { rows: summary.rows, files: summary.files })?;
    writer.finish()?;
    Ok(summary)
}

async fn write_table(copy: &mut Copy, table: &TableForm, writer: &mut Writer) -> Result<u64, BackupError> {
    writer.write(&Frame::Table { name: table.name.clone(), columns: table.columns.clone() })?;
    let (mut batch, mut bytes, mut count) = (Vec::new(), 0, 0_u64);
    copy.each_row::<BackupError>(table, |values| {
        let row: Vec<Cell> = values.into_iter().map(Cell::from).collect();
        bytes += row.iter().map(size).sum::<usize>();
        batch.push(row);
        count += 1;
        if bytes >= BATCH_BYTES {
            writer.write(&Frame::Rows(std::mem::take(&mut batch)))?;
            bytes = 0;
        }
        Ok(())
    })
    .await?;
    if !batch.is_empty() {
        writer.write(&Frame::Rows(batch))?;
    }
    Ok(count)
}

fn size(cell: &Cell) -> usize {
    match cell {
        Cell::Null => 1,
        Cell::Integer(_) => 8,
        Cell::Text(text) => text.len() + 8,
        Cell::Bytes(bytes) => bytes.len() + 8,
    }
}

/// `false`: the file was gone.
fn write_file(name: &str, path: &Path, writer: &mut Writer) -> Result<bool, BackupError> {
    let mut file = match fs_err::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    writer.write(&Frame::File { path: name.to_owned() })?;
    loop {
        let mut chunk = Vec::with_capacity(CHUNK_BYTES);
        if io::copy(&mut (&mut file).take(CHUNK_BYTES as u64), &mut chunk)? == 0 {
            return Ok(true);
        }
        writer.write(&Frame::Bytes(chunk))?;
    }
}

fn migrations(settings: &EngineSettings) -> Vec<Migrations> {
    let mut all = vec![storage::queue_migrations(), crate::engine::migrations()];
    all.extend((settings.other_tables)());
    all
}

/// Errors: a version is not known here.
fn check_versions(
    settings: &EngineSettings,
    versions: Vec<(String, i64)>,
) -> Result<Vec<(String, i64)>, BackupError> {
    let known = migrations(settings);
    for (owner, version) in &versions {
        let newest = known.iter().find(|migrations| migrations.owner == owner).map_or(0, Migrations::newest);
        if *version > newest {
            return Err(BackupError::Newer { owner: owner.clone(), version: *version, known: newest });
        }
    }
    Ok(versions)
}

/// The tables that this program makes, out of its migrations.
async fn known_tables(settings: &EngineSettings) -> Result<Vec<TableForm>, BackupError> {
    let path = settings.data_dir.join(format!("tables-{}.writing", uuid::Uuid::new_v4()));
    fs_err::create_dir_all(&settings.data_dir)?;
    let tables = async {
        let mut copy = Copy::write(&Location::File(path.clone())).await?;
        for migrations in migrations(settings) {
            copy.migrate(migrations, None).await?;
        }
        Ok(copy.tables().await?)
    };
    let tables = tables.await;
    let _ = fs_err::remove_file(&path);
    let _ = fs_err::remove_file(with_suffix(&path, "-journal"));
    tables
}

/// The files of the data folder, by their names in the backup.
fn files(settings: &EngineSettings) -> io::Result<Vec<(String, PathBuf)>> {
    let mut found = BTreeSet::new();
    let mut folders = vec![(settings.data_dir.clone(), String::new(), 0)];
    while let Some((folder, prefix, depth)) = folders.pop() {
        for entry in fs_err::read_dir(&folder)? {
            let entry = entry?;
            let (kind, Ok(name)) = (entry.file_type()?, entry.file_name().into_string()) else { continue };
            let path = format!("{prefix}{name}");
            if kind.is_dir() && depth < DEPTH_MAX {
                folders.push((entry.path(), format!("{path}/"), depth + 1));
            } else if kind.is_file() && is_kept(&path) {
                found.insert((path, entry.path()));
            }
        }
    }
    let elsewhere =
        [(DATABASE_ELSEWHERE, Some(&settings.database_path)), (KEYS_ELSEWHERE, settings.key_file.as_ref())];
    for (name, path) in elsewhere {
        if let Some(path) = path.filter(|path| !path.starts_with(&settings.data_dir) && path.is_file()) {
            found.insert((name.to_owned(), path.clone()));
        }
    }
    Ok(found.into_iter().collect())
}

fn is_kept(path: &str) -> bool {
    let ending = path.rsplit('.').next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    !LEFT_OUT.contains(&path) && !PASSING.contains(&ending) && !name.starts_with('.')
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    with_suffix(path, &format!(".{ending}"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
