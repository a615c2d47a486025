//! Out of the file again: checked first, then all or nothing.

use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use storage::{Copy, Location, TableForm};

use super::file::{Frame, Reader};
use super::{
    BackupError, BackupSummary, DATABASE_ELSEWHERE, KEYS_ELSEWHERE, check_versions, is_kept, known_tables,
    migrations, with_ending, with_suffix,
};
use crate::EngineSettings;
use crate::engine::KEY_FILE;

/// Puts everything of a backup into the place that the settings name, and brings the tables up to date.
///
/// No engine may be running there. Errors: the file is damaged or foreign, or the place holds data and `is_replacing` is
/// false; then nothing was changed.
pub async fn restore(
    settings: &EngineSettings,
    path: &Path,
    is_replacing: bool,
) -> Result<BackupSummary, BackupError> {
    let mut summary = verify(settings, path)?;
    fs_err::create_dir_all(&settings.data_dir)?;
    let mut files = UnpackedFiles::default();
    let result = match settings.location() {
        Location::File(file) => into_file(settings, path, &file, is_replacing, &mut files).await,
        server @ Location::Postgres(_) => {
            into_server(settings, path, &server, is_replacing, &mut files).await
        }
    };
    if result.is_err() {
        files.forget();
    }
    summary.tables = result?;
    Ok(summary)
}

/// Reads all of it once: nothing is written before the whole file was understood.
fn verify(settings: &EngineSettings, path: &Path) -> Result<BackupSummary, BackupError> {
    let damaged = |what: &str| BackupError::Damaged(what.to_owned());
    let mut reader = Reader::open(path)?;
    let Frame::Header { program, created_us, schemas } = reader.read()? else {
        return Err(damaged("it does not begin with a header"));
    };
    check_versions(settings, schemas)?;
    let (mut tables, mut rows, mut files) = (0, 0_u64, 0_u64);
    let (mut columns, mut is_file) = (None, false);
    loop {
        match reader.read()? {
            Frame::Table { columns: of_table, .. } => {
                tables += 1;
                columns = Some(of_table.len());
            }
            Frame::Rows(batch) => {
                if !batch.iter().all(|row| Some(row.len()) == columns) {
                    return Err(damaged("a row does not have the columns of its table"));
                }
                rows += batch.len() as u64;
            }
            Frame::File { path } => {
                target(None, &path)?;
                (files, is_file) = (files + 1, true);
            }
            Frame::Bytes(_) if is_file => {}
            Frame::End { rows: stated_rows, files: stated_files } => {
                if (rows, files) != (stated_rows, stated_files) {
                    return Err(damaged("it does not hold as much as it says"));
                }
                let created_at = storage::from_micros(created_us);
                return Ok(BackupSummary { created_at, program, tables, rows, files });
            }
            Frame::Header { .. } | Frame::Bytes(_) => return Err(damaged("its parts are in a wrong order")),
        }
    }
}

/// A new file is made beside the old one and takes its place.
async fn into_file(
    settings: &EngineSettings,
    path: &Path,
    file: &Path,
    is_replacing: bool,
    files: &mut UnpackedFiles,
) -> Result<u64, BackupError> {
    if file.is_file() && !is_replacing {
        let mut there = Copy::read(&Location::File(file.to_owned())).await?;
        let tables = there.tables().await?;
        if there.has_rows(&tables).await? {
            return Err(BackupError::NotEmpty(format!("`{}`", file.display())));
        }
    }
    let beside = with_ending(file, "restoring");
    let remove = |path: &Path| {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = fs_err::remove_file(with_suffix(path, suffix));
        }
    };
    remove(&beside);
    let filled = async {
        let mut copy = Copy::write(&Location::File(beside.clone())).await?;
        let tables = fill(settings, &mut copy, path, is_replacing, files).await?;
        copy.commit().await?;
        fs_err::File::open(&beside)?.sync_all()?;
        Ok(tables)
    };
    let filled = filled.await;
    if filled.is_err() {
        remove(&beside);
        return filled;
    }
    // The journal of the old file would be taken for one of the new file.
    remove(file);
    fs_err::rename(&beside, file)?;
    files.put_in_place()?;
    fs_err::File::open(&settings.data_dir)?.sync_all()?;
    filled
}

/// One transaction drops what is there, makes the tables and fills them.
async fn into_server(
    settings: &EngineSettings,
    path: &Path,
    server: &Location,
    is_replacing: bool,
    files: &mut UnpackedFiles,
) -> Result<u64, BackupError> {
    let known = known_tables(settings).await?;
    let mut copy = Copy::write(server).await?;
    let schemas = check_versions(settings, copy.versions().await?)?;
    let mut there = copy.tables().await?;
    there.retain(|table| known.iter().any(|known| known.name == table.name));
    if !is_replacing && copy.has_rows(&there).await? {
        return Err(BackupError::NotEmpty(server.describe()));
    }
    let owners: Vec<&str> = schemas.iter().map(|(owner, _)| owner.as_str()).collect();
    copy.drop_tables(&there, &owners).await?;
    let tables = fill(settings, &mut copy, path, is_replacing, files).await?;
    copy.commit().await?;
    files.put_in_place()?;
    Ok(tables)
}

/// Tables as they were when the backup was made, then the rows, then what has changed in the tables since.
async fn fill(
    settings: &EngineSettings,
    copy: &mut Copy,
    path: &Path,
    is_replacing: bool,
    files: &mut UnpackedFiles,
) -> Result<u64, BackupError> {
    let damaged = |what: String| BackupError::Damaged(what);
    let mut reader = Reader::open(path)?;
    let Frame::Header { schemas, .. } = reader.read()? else {
        return Err(damaged("it does not begin with a header".to_owned()));
    };
    for migrations in migrations(settings) {
        let version =
            schemas.iter().find(|(owner, _)| owner == migrations.owner).map(|(_, version)| *version);
        copy.migrate(migrations, version).await?;
    }
    let made = copy.tables().await?;
    copy.delete_rows(&made).await?;
    let mut table: Option<TableForm> = None;
    let mut tables = 0;
    loop {
        match reader.read()? {
            Frame::Table { name, columns } => {
                let form = made.iter().find(|made| made.name == name);
                let is_known =
                    form.is_some_and(|form| columns.iter().all(|column| form.columns.contains(column)));
                if !is_known {
                    return Err(damaged(format!("its table `{name}` is not one of this program")));
                }
                table = Some(TableForm { name, columns });
                tables += 1;
            }
            Frame::Rows(rows) => {
                let table = table.as_ref().ok_or_else(|| damaged("rows come before a table".to_owned()))?;
                let rows = rows.into_iter().map(|row| row.into_iter().map(Option::from).collect()).collect();
                copy.insert(table, rows).await?;
            }
            Frame::File { path } => {
                files.begin(target(Some(settings), &path)?, is_replacing)?;
            }
            Frame::Bytes(bytes) => files.write(&bytes)?,
            Frame::Header { .. } => return Err(damaged("it has two headers".to_owned())),
            Frame::End { .. } => break,
        }
    }
    files.end()?;
    copy.continue_ids(&made).await?;
    for migrations in migrations(settings) {
        copy.migrate(migrations, None).await?;
    }
    Ok(tables)
}

/// Where a file of the backup belongs; without settings only its name is checked.
///
/// Errors: its name leads out of the data folder, or is one that no backup has.
fn target(settings: Option<&EngineSettings>, name: &str) -> Result<PathBuf, BackupError> {
    let in_data_dir =
        |name: &str| settings.map_or_else(PathBuf::new, |settings| settings.data_dir.join(name));
    match name {
        DATABASE_ELSEWHERE => {
            return Ok(settings.map_or_else(PathBuf::new, |settings| settings.database_path.clone()));
        }
        KEYS_ELSEWHERE => {
            let chosen = settings.and_then(|settings| settings.key_file.clone());
            return Ok(chosen.unwrap_or_else(|| in_data_dir(KEY_FILE)));
        }
        _ => {}
    }
    let is_inside = Path::new(name).components().all(|component| matches!(component, Component::Normal(_)));
    if name.is_empty() || !is_inside || !is_kept(name) {
        return Err(BackupError::Damaged(format!("it holds a file `{name}`, which no backup has")));
    }
    // Keys belong where this place looks for them.
    match settings.and_then(|settings| settings.key_file.clone()) {
        Some(chosen) if name == KEY_FILE => Ok(chosen),
        _ => Ok(in_data_dir(name)),
    }
}

/// Files that lie beside their places until everything else is done.
#[derive(Default)]
struct UnpackedFiles {
    places: Vec<PathBuf>,
    open: Option<fs_err::File>,
}

impl UnpackedFiles {
    fn begin(&mut self, place: PathBuf, is_replacing: bool) -> Result<(), BackupError> {
        self.end()?;
        if place.exists() && !is_replacing {
            return Err(BackupError::NotEmpty(format!("`{}`", place.display())));
        }
        if let Some(folder) = place.parent() {
            fs_err::create_dir_all(folder)?;
        }
        let beside = with_ending(&place, "restoring");
        // Some are keys: nobody else may read them while they lie here.
        let mut options = fs_err::OpenOptions::new();
        std::os::unix::fs::OpenOptionsExt::mode(options.options_mut(), 0o600);
        self.open = Some(options.write(true).create(true).truncate(true).open(beside)?);
        self.places.push(place);
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), BackupError> {
        match &mut self.open {
            Some(file) => Ok(file.write_all(bytes)?),
            None => Err(BackupError::Damaged("bytes come before a file".to_owned())),
        }
    }

    fn end(&mut self) -> Result<(), BackupError> {
        if let Some(file) = self.open.take() {
            file.sync_all()?;
        }
        Ok(())
    }

    fn put_in_place(&mut self) -> Result<(), BackupError> {
        for place in self.places.drain(..) {
            fs_err::rename(with_ending(&place, "restoring"), &place)?;
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.open = None;
        for place in self.places.drain(..) {
            let _ = fs_err::remove_file(with_ending(&place, "restoring"));
        }
    }
}
