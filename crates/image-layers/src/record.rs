//! What is written down about the members of a layer when somebody asks for it: attributes, checksums, a look at each content.

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// Sees the content of every regular file of a layer while the layer streams by.
///
/// Calls come as `start`, any number of `read`, `end`, file after file in the order of the archive. Files that upper layers
/// hide are seen too: [`crate::Entry::content_id`] tells which content is left in the squashed tree.
pub trait FileObserver {
    /// A file begins, with its path in the archive.
    fn start(&mut self, path: &str, size_bytes: u64) -> FileWishes;

    /// The next bytes of the file.
    fn read(&mut self, bytes: &[u8]);

    /// The file is over; `member` is its number in the archive.
    fn end(&mut self, member: u32);
}

/// What is to be done with a file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FileWishes {
    /// Keep its body in the tree.
    pub keeps_body: bool,
    /// Compute the checksums that package databases have, besides SHA-256.
    pub has_package_checksums: bool,
}

/// Owner, permissions and checksum of an entry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits with set-user-id, set-group-id and sticky, without the type: at most `0o7777`.
    pub permissions: u32,
    /// Numeric owner.
    pub user_id: u64,
    /// Numeric group.
    pub group_id: u64,
    /// SHA-256 of the content of a regular file; `None` for everything else, and for files that are stored without their holes.
    pub sha256: Option<[u8; 32]>,
    /// SHA-1, where it was wished.
    pub sha1: Option<[u8; 20]>,
    /// MD5, where it was wished.
    pub md5: Option<[u8; 16]>,
}

/// The checksums of a content while it is read.
pub(crate) struct ContentHasher {
    sha256: Sha256,
    package: Option<(Sha1, Md5)>,
}

impl ContentHasher {
    pub(crate) fn new(wishes: FileWishes) -> Self {
        Self { sha256: Sha256::new(), package: wishes.has_package_checksums.then(Default::default) }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.sha256.update(bytes);
        if let Some((sha1, md5)) = &mut self.package {
            sha1.update(bytes);
            md5.update(bytes);
        }
    }
}

/// Which content an entry has: entries that are hard links to each other share one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentId {
    /// The layer, counted from the lowest.
    pub layer_index: u32,
    /// The number of the member in the archive of that layer.
    pub member: u32,
}

/// What every path gets that no archive lists: a folder that is only implied.
pub(crate) const IMPLIED_FOLDER: Attributes =
    Attributes { permissions: 0o755, user_id: 0, group_id: 0, sha256: None, sha1: None, md5: None };

/// No checksum was computed.
const CHECKSUM_NONE: u32 = u32::MAX;
/// An archive may state anything; a mode has these bits.
const PERMISSIONS_MASK: u32 = 0o7777;

#[derive(Debug, Clone, Copy)]
struct MemberRecord {
    user_id: u64,
    group_id: u64,
    /// Index of the SHA-256.
    checksum: u32,
    /// Index of the other checksums.
    package_checksum: u32,
    permissions: u16,
}

/// The members of one layer, by their number; a million of them take 32 MB and 68 MB for the checksums.
#[derive(Debug, Default, Clone)]
pub(crate) struct Recording {
    members: Vec<MemberRecord>,
    checksums: Vec<[u8; 32]>,
    package_checksums: Vec<([u8; 20], [u8; 16])>,
}

impl Recording {
    /// Whether nobody asked for it.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// Writes down the next member.
    pub(crate) fn push(&mut self, mode: u32, user_id: u64, group_id: u64) {
        let permissions = u16::try_from(mode & PERMISSIONS_MASK).unwrap_or_default();
        let (checksum, package_checksum) = (CHECKSUM_NONE, CHECKSUM_NONE);
        self.members.push(MemberRecord { user_id, group_id, checksum, package_checksum, permissions });
    }

    /// Gives the last member its checksums.
    pub(crate) fn set_checksums(&mut self, hasher: ContentHasher) {
        let (Some(member), Ok(index)) = (self.members.last_mut(), u32::try_from(self.checksums.len())) else {
            return;
        };
        member.checksum = index;
        self.checksums.push(hasher.sha256.finalize().into());
        if let (Some((sha1, md5)), Ok(index)) = (hasher.package, u32::try_from(self.package_checksums.len()))
        {
            member.package_checksum = index;
            self.package_checksums.push((sha1.finalize().into(), md5.finalize().into()));
        }
    }

    /// What was written down about a member; `None` when nothing was.
    pub(crate) fn get(&self, member: u32) -> Option<Attributes> {
        let record = self.members.get(member as usize)?;
        let (sha1, md5) = self.package_checksums.get(record.package_checksum as usize).copied().unzip();
        Some(Attributes {
            permissions: u32::from(record.permissions),
            user_id: record.user_id,
            group_id: record.group_id,
            sha256: self.checksums.get(record.checksum as usize).copied(),
            sha1,
            md5,
        })
    }
}
