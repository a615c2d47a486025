//! Sealing: what must be read again but not by everybody who has the database, such as passwords for registries.
//!
//! The keys are in a file of their own. Every sealed value names the key it was sealed with, so a new key can be put in front
//! while old values are still read; and it is bound to its place (table and row), so it cannot be moved to another one.

use fs_err::os::unix::fs::OpenOptionsExt as _;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::{digest, hkdf, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::HEXLOWER;

const KEY_BYTES: usize = 32;
const KEY_ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 12;
/// First byte of what is sealed: the form of the rest.
const FORM: u8 = 1;
const HEAD_BYTES: usize = 1 + KEY_ID_BYTES + NONCE_BYTES;
const FILE_BYTES_MAX: u64 = 64 * 1024;
const FILE_HEAD: &str = "# Keys of Lazaret: whoever has this file and the database reads the passwords in it.\n\
    # The first key seals, all of them open. Keep a copy: without it the passwords are lost.\n";

/// Seals and opens values with the keys of a file.
pub struct Sealer {
    path: PathBuf,
    keys: RwLock<Vec<Key>>,
}

#[derive(Clone)]
struct Key {
    id: [u8; KEY_ID_BYTES],
    bytes: [u8; KEY_BYTES],
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The file cannot be read or made.
    #[error("{action} the key file `{}`", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("line {line} of the key file `{}` is no key: restore the file from a copy", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Counted from 1; 0 is the file as a whole.
        line: usize,
    },
    /// The system gives no random bytes.
    #[error("make a key")]
    Random,
}

/// Why a value was not opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnsealError {
    /// The value was sealed with a key that the file does not have.
    #[error("key `{id}` is not in the key file `{}`: restore the file, or set the value again", path.display())]
    UnknownKey {
        /// The key's name.
        id: String,
        /// The file.
        path: PathBuf,
    },
    /// The value was changed, or belongs to another row.
    #[error("the sealed value is damaged or belongs elsewhere: set it again")]
    Damaged,
}

impl Sealer {
    /// Reads the key file; makes it, with one new key, if there is none. Processes that start together end up with one file.
    pub fn open_or_create(path: &Path) -> Result<Self, KeyFileError> {
        if !path.try_exists().map_err(io("look for", path))? {
            create(path, &[Key::new()?])?;
        }
        Ok(Self { path: path.to_owned(), keys: RwLock::new(read(path)?) })
    }

    /// Puts a new key in front of the file. Running processes go on sealing with the key they know; what this one seals they
    /// open, because an unknown key makes them read the file again.
    pub fn rotate(path: &Path) -> Result<(), KeyFileError> {
        let mut keys = read(path)?;
        keys.insert(0, Key::new()?);
        replace(path, &keys)
    }

    /// The names of the keys in a file, the one that seals first.
    pub fn key_names(path: &Path) -> Result<Vec<String>, KeyFileError> {
        Ok(read(path)?.iter().map(|key| HEXLOWER.encode(&key.id)).collect())
    }

    /// Leaves only the key that seals in the file. What the others sealed cannot be opened again: see [`Self::count_by_key`].
    pub fn forget_old(path: &Path) -> Result<(), KeyFileError> {
        let keys = read(path)?;
        replace(path, keys.get(..1).unwrap_or_default())
    }

    /// How many values are sealed with which key, by the key's name.
    pub fn count_by_key<'a>(sealed: impl Iterator<Item = &'a [u8]>) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for value in sealed {
            *counts
                .entry(value.get(1..=KEY_ID_BYTES).map(|id| HEXLOWER.encode(id)).unwrap_or_default())
                .or_default() += 1;
        }
        counts
    }

    /// Whether others than the owner may read the key file.
    pub fn is_readable_by_others(&self) -> bool {
        use std::os::unix::fs::PermissionsExt as _;
        fs_err::metadata(&self.path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }

    /// Seals a value for one row of one table.
    pub fn seal(&self, table: &str, row: &str, value: &[u8]) -> Result<Vec<u8>, KeyFileError> {
        let key =
            self.current().ok_or_else(|| KeyFileError::Malformed { path: self.path.clone(), line: 0 })?;
        let mut nonce = [0; NONCE_BYTES];
        rand::fill(&mut nonce).map_err(|_| KeyFileError::Random)?;
        let mut sealed = Vec::with_capacity(HEAD_BYTES + value.len() + 16);
        sealed.push(FORM);
        sealed.extend_from_slice(&key.id);
        sealed.extend_from_slice(&nonce);
        let mut body = value.to_vec();
        key.cipher()
            .and_then(|cipher| {
                let nonce = Nonce::assume_unique_for_key(nonce);
                cipher.seal_in_place_append_tag(nonce, Aad::from(place(table, row, &key.id)), &mut body).ok()
            })
            .ok_or(KeyFileError::Random)?;
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what was sealed for this row of this table.
    pub fn open(&self, table: &str, row: &str, sealed: &[u8]) -> Result<Vec<u8>, UnsealError> {
        let (head, body) = sealed.split_at_checked(HEAD_BYTES).ok_or(UnsealError::Damaged)?;
        if head[0] != FORM {
            return Err(UnsealError::Damaged);
        }
        let id: [u8; KEY_ID_BYTES] = head[1..=KEY_ID_BYTES].try_into().map_err(|_| UnsealError::Damaged)?;
        let nonce: [u8; NONCE_BYTES] =
            head[1 + KEY_ID_BYTES..].try_into().map_err(|_| UnsealError::Damaged)?;
        let key = self
            .find(id)
            .ok_or_else(|| UnsealError::UnknownKey { id: HEXLOWER.encode(&id), path: self.path.clone() })?;
        let mut body = body.to_vec();
        let cipher = key.cipher().ok_or(UnsealError::Damaged)?;
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = cipher
            .open_in_place(nonce, Aad::from(place(table, row, &id)), &mut body)
            .map_err(|_| UnsealError::Damaged)?;
        Ok(opened.to_vec())
    }

    /// Whether a value was sealed with the key that seals now; another one is sealed again when its row is written.
    pub fn is_current(&self, sealed: &[u8]) -> bool {
        self.current().is_some_and(|key| sealed.get(1..=KEY_ID_BYTES) == Some(&key.id[..]))
    }

    /// Keys for another purpose, newest first, each the same in every process that has the file.
    pub fn derive(&self, purpose: &str) -> Vec<[u8; KEY_BYTES]> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().filter_map(|key| key.derive(purpose)).collect()
    }

    fn current(&self) -> Option<Key> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).first().cloned()
    }

    fn find(&self, id: [u8; KEY_ID_BYTES]) -> Option<Key> {
        let known = |keys: &[Key]| keys.iter().find(|key| key.id == id).cloned();
        if let Some(key) = known(&self.keys.read().unwrap_or_else(PoisonError::into_inner)) {
            return Some(key);
        }
        // Another process may have put a new key in front.
        let keys = read(&self.path).ok()?;
        let found = known(&keys);
        if found.is_some() {
            *self.keys.write().unwrap_or_else(PoisonError::into_inner) = keys;
        }
        found
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Sealer").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Key {
    fn new() -> Result<Self, KeyFileError> {
        let mut bytes = [0; KEY_BYTES];
        rand::fill(&mut bytes).map_err(|_| KeyFileError::Random)?;
        Ok(Self::from_bytes(bytes))
    }

    /// A key is named by its digest, so a damaged one is noticed.
    fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(b"lazaret key id\0");
        context.update(&bytes);
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&context.finish().as_ref()[..KEY_ID_BYTES]);
        Self { id, bytes }
    }

    fn cipher(&self) -> Option<LessSafeKey> {
        UnboundKey::new(&AES_256_GCM_SIV, &self.bytes).ok().map(LessSafeKey::new)
    }

    fn derive(&self, purpose: &str) -> Option<[u8; KEY_BYTES]> {
        let mut derived = [0; KEY_BYTES];
        let extracted = hkdf::Salt::new(hkdf::HKDF_SHA256, b"lazaret").extract(&self.bytes);
        extracted.expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256).ok()?.fill(&mut derived).ok()?;
        Some(derived)
    }

    fn line(&self) -> String {
        format!("{} {}\n", HEXLOWER.encode(&self.id), STANDARD.encode(self.bytes))
    }

    fn parse(line: &str) -> Option<Self> {
        let (id, bytes) = line.trim().split_once(' ')?;
        let key = Self::from_bytes(STANDARD.decode(bytes.trim()).ok()?.try_into().ok()?);
        (HEXLOWER.encode(&key.id) == id).then_some(key)
    }
}

/// What a sealed value is bound to. Every part is preceded by its length, so no two places look the same.
fn place(table: &str, row: &str, key_id: &[u8]) -> Vec<u8> {
    let mut place = Vec::new();
    for part in [table.as_bytes(), row.as_bytes(), key_id] {
        place.extend_from_slice(&part.len().to_le_bytes());
        place.extend_from_slice(part);
    }
    place
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> KeyFileError {
    let path = path.to_owned();
    move |source| KeyFileError::Io { action, path, source }
}

fn read(path: &Path) -> Result<Vec<Key>, KeyFileError> {
    let malformed = |line| KeyFileError::Malformed { path: path.to_owned(), line };
    if fs_err::metadata(path).map_err(io("read", path))?.len() > FILE_BYTES_MAX {
        return Err(malformed(0));
    }
    let text = fs_err::read_to_string(path).map_err(io("read", path))?;
    let lines = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let keys: Vec<Key> = lines
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(number, line)| Key::parse(line).ok_or_else(|| malformed(number)))
        .collect::<Result<_, _>>()?;
    if keys.is_empty() { Err(malformed(0)) } else { Ok(keys) }
}

/// Writes a whole file that only the owner may read, beside its place.
fn write_beside(path: &Path, keys: &[Key]) -> Result<PathBuf, KeyFileError> {
    let mut random = [0; 8];
    rand::fill(&mut random).map_err(|_| KeyFileError::Random)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", HEXLOWER.encode(&random)));
    let written = fs_err::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).and_then(
        |mut file| {
            file.write_all(FILE_HEAD.as_bytes())?;
            keys.iter().try_for_each(|key| file.write_all(key.line().as_bytes()))?;
            file.sync_all()
        },
    );
    match written {
        Ok(()) => Ok(beside),
        Err(source) => {
            let _ = fs_err::remove_file(&beside);
            Err(io("write", path)(source))
        }
    }
}

/// The file appears whole or not at all; one that another process has made meanwhile stays.
fn create(path: &Path, keys: &[Key]) -> Result<(), KeyFileError> {
    let beside = write_beside(path, keys)?;
    let linked = fs_err::hard_link(&beside, path);
    let _ = fs_err::remove_file(&beside);
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(io("write", path)(error)),
        _ => sync_folder(path),
    }
}

fn replace(path: &Path, keys: &[Key]) -> Result<(), KeyFileError> {
    let beside = write_beside(path, keys)?;
    fs_err::rename(&beside, path).map_err(io("write", path))?;
    sync_folder(path)
}

fn sync_folder(path: &Path) -> Result<(), KeyFileError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs_err::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_opens_in_its_own_place_only() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let sealer = Sealer::open_or_create(&path).unwrap();
        assert!(!sealer.is_readable_by_others());
        let sealed = sealer.seal("registries", "a|b", b"hunter2").unwrap();
        assert!(!sealed.windows(7).any(|window| window == b"hunter2"));
        assert_ne!(
            sealed,
            sealer.seal("registries", "a|b", b"hunter2").unwrap(),
            "equal values look different"
        );
        // Another process with the same file.
        let other = Sealer::open_or_create(&path).unwrap();
        assert_eq!(other.open("registries", "a|b", &sealed).unwrap(), b"hunter2");
        for (table, row) in [("registries", "a"), ("registrie", "sa|b"), ("other", "a|b")] {
            assert_eq!(other.open(table, row, &sealed), Err(UnsealError::Damaged), "{table} {row}");
        }
        for position in [0, 9, 12, sealed.len() - 1] {
            let mut damaged = sealed.clone();
            damaged[position] ^= 1;
            assert_eq!(other.open("registries", "a|b", &damaged), Err(UnsealError::Damaged), "{position}");
        }
        assert_eq!(other.open("registries", "a|b", &sealed[..10]), Err(UnsealError::Damaged));
        assert_eq!(other.derive("tokens"), sealer.derive("tokens"));
        assert_ne!(other.derive("tokens"), sealer.derive("others"));
        assert!(!format!("{sealer:?}").contains(&STANDARD.encode(sealer.current().unwrap().bytes)));
    }

    #[test]
    fn a_new_key_seals_and_the_old_one_still_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let before = Sealer::open_or_create(&path).unwrap();
        let old = before.seal("t", "r", b"old").unwrap();
        Sealer::rotate(&path).unwrap();
        let after = Sealer::open_or_create(&path).unwrap();
        let new = after.seal("t", "r", b"new").unwrap();
        assert_eq!(after.open("t", "r", &old).unwrap(), b"old");
        assert!(!after.is_current(&old) && after.is_current(&new));
        assert_eq!(
            before.open("t", "r", &new).unwrap(),
            b"new",
            "an unknown key makes it read the file again"
        );
        let names = Sealer::key_names(&path).unwrap();
        let counts = Sealer::count_by_key([&old[..], &new, &old].into_iter());
        assert_eq!(names.iter().map(|name| counts[name]).collect::<Vec<_>>(), [1, 2]);
        Sealer::forget_old(&path).unwrap();
        assert_eq!(Sealer::key_names(&path).unwrap(), names[..1]);
        let kept = Sealer::open_or_create(&path).unwrap();
        assert_eq!(kept.open("t", "r", &new).unwrap(), b"new");
        assert!(matches!(kept.open("t", "r", &old), Err(UnsealError::UnknownKey { .. })));
        // A file that was lost is made again, with another key, and says which one is missing.
        fs_err::remove_file(&path).unwrap();
        let lost = Sealer::open_or_create(&path).unwrap();
        assert!(matches!(lost.open("t", "r", &old), Err(UnsealError::UnknownKey { .. })));
    }

    #[test]
    fn a_damaged_file_is_refused_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        Sealer::open_or_create(&path).unwrap();
        let good = fs_err::read_to_string(&path).unwrap();
        for bad in
            ["", "# nothing\n", "0000000000000000 AAAA\n", &good.replacen("= ", "", 1).replace('A', "B")]
        {
            if bad == good {
                continue;
            }
            fs_err::write(&path, bad).unwrap();
            assert!(Sealer::open_or_create(&path).is_err(), "{bad}");
            assert_eq!(fs_err::read_to_string(&path).unwrap(), bad);
        }
    }
}
