//! The schemes and the one place that chooses between them.

use std::cmp::Ordering;

use crate::{ParseVersionError, VERSION_BYTES_MAX, apk, dpkg};

/// The rules by which versions of one package manager are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionScheme {
    /// Debian, Ubuntu and their relatives.
    Dpkg,
    /// Alpine, Wolfi and their relatives.
    Apk,
}

impl VersionScheme {
    /// All schemes.
    pub const ALL: [Self; 2] = [Self::Dpkg, Self::Apk];

    /// Lower case, as on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dpkg => "dpkg",
            Self::Apk => "apk",
        }
    }

    /// The scheme of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name)
    }

    /// The scheme of an ecosystem's packages, by the `family` of `model::Ecosystem`.
    ///
    /// `None` means that packages of this ecosystem cannot be matched yet; callers must show that.
    pub fn for_ecosystem(family: &str) -> Option<Self> {
        match family {
            "debian" | "ubuntu" => Some(Self::Dpkg),
            "alpine" | "wolfi" | "chainguard" | "minimos" => Some(Self::Apk),
            _ => None,
        }
    }

    /// Checks that the version follows the grammar of the scheme.
    pub fn check(self, version: &str) -> Result<(), ParseVersionError> {
        check_text(version)?;
        match self {
            Self::Dpkg => dpkg::Version::parse(version).map(|_| ()),
            Self::Apk if apk::is_well_formed(version) => Ok(()),
            Self::Apk => {
                Err(ParseVersionError::Malformed { version: version.to_owned(), scheme: self.name() })
            }
        }
    }

    /// Orders two versions as the package manager does.
    ///
    /// apk also orders text outside of its grammar; this function does the same, so that it can be compared with
    /// tables of known answers. Use [`Self::compare_strictly`] where an answer must be trustworthy.
    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, ParseVersionError> {
        check_text(a)?;
        check_text(b)?;
        match self {
            Self::Dpkg => Ok(dpkg::Version::parse(a)?.compare(&dpkg::Version::parse(b)?)),
            Self::Apk => Ok(apk::compare(a, b)),
        }
    }

    /// Orders two versions, or says that only text outside of the grammar tells them apart.
    ///
    /// `1.2z?` is certainly below `1.3`, whatever `?` means; but `latest` is neither below nor above it.
    pub fn compare_strictly(self, a: &str, b: &str) -> Result<Ordering, ParseVersionError> {
        match self {
            Self::Dpkg => self.compare(a, b),
            Self::Apk => {
                check_text(a)?;
                check_text(b)?;
                apk::compare_strictly(a, b).ok_or_else(|| self.undecidable(a, b))
            }
        }
    }

    fn undecidable(self, a: &str, b: &str) -> ParseVersionError {
        ParseVersionError::Undecidable { a: a.to_owned(), b: b.to_owned(), scheme: self.name() }
    }
}

/// What holds for versions of any scheme; everything behind this may rely on short, visible ASCII.
fn check_text(version: &str) -> Result<(), ParseVersionError> {
    if version.is_empty() {
        return Err(ParseVersionError::Empty);
    }
    if version.len() > VERSION_BYTES_MAX {
        return Err(ParseVersionError::TooLong { bytes: version.len(), bytes_max: VERSION_BYTES_MAX });
    }
    match version.chars().find(|character| !character.is_ascii_graphic()) {
        Some(character) => Err(ParseVersionError::BadCharacter { version: version.to_owned(), character }),
        None => Ok(()),
    }
}
