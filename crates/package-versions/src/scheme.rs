//! The schemes and the one place that chooses between them.

use std::cmp::Ordering;

use model::PackageKind;

use crate::{
    ParseVersionError, VERSION_BYTES_MAX, apk, bitnami, composer, conda, cran, dart_pub, dpkg, fuzzy, gem,
    go, hackage, hex, julia, jvm, kb, maven, npm, nuget, opam, pacman, pep440, portage, rpm, semver, swift,
};

/// The rules by which versions of one package manager are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum VersionScheme {
    /// Debian, Ubuntu and their relatives.
    Dpkg,
    /// Alpine, Wolfi and their relatives.
    Apk,
    /// Red Hat, SUSE and their relatives.
    Rpm,
    /// Arch Linux.
    Pacman,
    /// Gentoo.
    Portage,
    /// Semantic versions, without the habits of a package manager; crates of Rust.
    Semver,
    /// JavaScript.
    Npm,
    /// Python.
    Pep440,
    /// Ruby.
    Gem,
    /// Java.
    Maven,
    /// Go and its modules.
    Go,
    /// .NET.
    Nuget,
    /// PHP.
    Composer,
    /// Dart.
    Pub,
    /// R.
    Cran,
    /// Haskell.
    Hackage,
    /// Erlang and Elixir.
    Hex,
    /// Julia.
    Julia,
    /// Swift.
    Swift,
    /// OCaml.
    Opam,
    /// conda, of any language.
    Conda,
    /// Installations of Java.
    Jvm,
    /// Components of Bitnami's images.
    Bitnami,
    /// Updates of Windows: equal or not.
    Kb,
    /// Software that no package manager brought.
    Fuzzy,
}

/// What a scheme is made of.
struct Rules {
    name: &'static str,
    is_well_formed: fn(&str) -> bool,
    /// `None`: not ordered.
    compare: fn(&str, &str) -> Option<Ordering>,
}

macro_rules! rules {
    ($module:ident as $name:literal) => {
        &Rules { name: $name, is_well_formed: $module::is_well_formed, compare: $module::compare }
    };
}

impl VersionScheme {
    /// All schemes.
    pub const ALL: [Self; 25] = [
        Self::Dpkg,
        Self::Apk,
        Self::Rpm,
        Self::Pacman,
        Self::Portage,
        Self::Semver,
        Self::Npm,
        Self::Pep440,
        Self::Gem,
        Self::Maven,
        Self::Go,
        Self::Nuget,
        Self::Composer,
        Self::Pub,
        Self::Cran,
        Self::Hackage,
        Self::Hex,
        Self::Julia,
        Self::Swift,
        Self::Opam,
        Self::Conda,
        Self::Jvm,
        Self::Bitnami,
        Self::Kb,
        Self::Fuzzy,
    ];

    fn rules(self) -> &'static Rules {
        match self {
            Self::Dpkg => rules!(dpkg as "dpkg"),
            Self::Apk => rules!(apk as "apk"),
            Self::Rpm => rules!(rpm as "rpm"),
            Self::Pacman => rules!(pacman as "pacman"),
            Self::Portage => rules!(portage as "portage"),
            Self::Semver => rules!(semver as "semver"),
            Self::Npm => rules!(npm as "npm"),
            Self::Pep440 => rules!(pep440 as "pep440"),
            Self::Gem => rules!(gem as "gem"),
            Self::Maven => rules!(maven as "maven"),
            Self::Go => rules!(go as "go"),
            Self::Nuget => rules!(nuget as "nuget"),
            Self::Composer => rules!(composer as "composer"),
            Self::Pub => rules!(dart_pub as "pub"),
            Self::Cran => rules!(cran as "cran"),
            Self::Hackage => rules!(hackage as "hackage"),
            Self::Hex => rules!(hex as "hex"),
            Self::Julia => rules!(julia as "julia"),
            Self::Swift => rules!(swift as "swift"),
            Self::Opam => rules!(opam as "opam"),
            Self::Conda => rules!(conda as "conda"),
            Self::Jvm => rules!(jvm as "jvm"),
            Self::Bitnami => rules!(bitnami as "bitnami"),
            Self::Kb => rules!(kb as "kb"),
            Self::Fuzzy => rules!(fuzzy as "fuzzy"),
        }
    }

    /// Lower case, as on the command line.
    pub fn name(self) -> &'static str {
        self.rules().name
    }

    /// The scheme of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name() == name)
    }

    /// The scheme of an ecosystem's packages, by the `family` of `model::Ecosystem`.
    ///
    /// `None` means that packages of this ecosystem cannot be matched yet; callers must show that. Bodies of packages
    /// that mix several package managers (hardened images) have none.
    pub fn for_ecosystem(family: &str) -> Option<Self> {
        let scheme = match family {
            "debian" | "ubuntu" | "echo" => Self::Dpkg,
            // Ubuntu's paid channels.
            _ if family.starts_with("ubuntu-") => Self::Dpkg,
            "alpine" | "wolfi" | "chainguard" | "minimos" | "alpaquita" | "bellsoft hardened containers" => {
                Self::Apk
            }
            "almalinux" | "amazon linux" | "azure linux" | "fedora" | "mageia" | "openeuler" | "opensuse"
            | "oracle linux" | "photon os" | "red hat" | "rocky linux" | "suse" => Self::Rpm,
            "crates.io" | "github actions" | "ghc" | "kubernetes" | "vscode" => Self::Semver,
            "npm" => Self::Npm,
            "pypi" => Self::Pep440,
            "rubygems" => Self::Gem,
            "maven" => Self::Maven,
            "go" => Self::Go,
            "nuget" => Self::Nuget,
            "packagist" => Self::Composer,
            "pub" => Self::Pub,
            "cran" | "bioconductor" => Self::Cran,
            "hackage" => Self::Hackage,
            "hex" => Self::Hex,
            "julia" => Self::Julia,
            "swifturl" => Self::Swift,
            "opam" => Self::Opam,
            "conda" => Self::Conda,
            "bitnami" => Self::Bitnami,
            // Versions as the authors of the software write them.
            "conancenter" | "linux" => Self::Fuzzy,
            _ => return None,
        };
        Some(scheme)
    }

    /// The scheme of packages of this kind, whether or not anybody writes advisories about them.
    ///
    /// `None`: their versions have no order, they are revisions that somebody counts as he likes.
    pub fn of_kind(kind: PackageKind) -> Option<Self> {
        let scheme = match kind {
            PackageKind::Apk => Self::Apk,
            PackageKind::Deb | PackageKind::Opkg => Self::Dpkg,
            PackageKind::Rpm => Self::Rpm,
            PackageKind::Alpm => Self::Pacman,
            PackageKind::Ebuild => Self::Portage,
            PackageKind::Npm => Self::Npm,
            PackageKind::Gem => Self::Gem,
            PackageKind::PyPi => Self::Pep440,
            PackageKind::Maven => Self::Maven,
            PackageKind::Golang => Self::Go,
            PackageKind::Cargo => Self::Semver,
            // PEAR has the order of PHP itself, on which that of Composer rests.
            PackageKind::Composer | PackageKind::Pear => Self::Composer,
            PackageKind::Nuget => Self::Nuget,
            PackageKind::Conda => Self::Conda,
            PackageKind::Cran => Self::Cran,
            PackageKind::Hex => Self::Hex,
            PackageKind::Julia => Self::Julia,
            PackageKind::Pub => Self::Pub,
            PackageKind::Swift => Self::Swift,
            PackageKind::Bitnami => Self::Bitnami,
            // Versions as the authors of the software write them.
            PackageKind::Otp | PackageKind::LuaRocks | PackageKind::WordPress | PackageKind::Binary => {
                Self::Fuzzy
            }
            PackageKind::Snap => return None,
        };
        Some(scheme)
    }

    /// Checks that the version follows the grammar of the scheme.
    pub fn check(self, version: &str) -> Result<(), ParseVersionError> {
        self.check_text(version)?;
        if self == Self::Dpkg {
            // It says more about what is wrong.
            return dpkg::Version::parse(version).map(|_| ());
        }
        if (self.rules().is_well_formed)(version) { Ok(()) } else { Err(self.malformed(version)) }
    }

    /// Orders two versions as the package manager does.
    ///
    /// Some also order text outside of their grammar; this function does the same, so that it can be compared with
    /// tables of known answers. Use [`Self::compare_strictly`] where an answer must be trustworthy.
    pub fn compare(self, a: &str, b: &str) -> Result<Ordering, ParseVersionError> {
        self.check_text(a)?;
        self.check_text(b)?;
        if let Some(order) = (self.rules().compare)(a, b) {
            return Ok(order);
        }
        self.check(a)?;
        self.check(b)?;
        Err(self.undecidable(a, b))
    }

    /// Orders two versions, or says that only text outside of the grammar tells them apart.
    ///
    /// For apk, `1.2z?` is certainly below `1.3`, whatever `?` means; but `latest` is neither below nor above it. The
    /// others order nothing but well-formed versions; the same text is always equal.
    pub fn compare_strictly(self, a: &str, b: &str) -> Result<Ordering, ParseVersionError> {
        if self == Self::Apk {
            self.check_text(a)?;
            self.check_text(b)?;
            return apk::compare_strictly(a, b).ok_or_else(|| self.undecidable(a, b));
        }
        if a != b || self == Self::Dpkg {
            self.check(a)?;
            self.check(b)?;
        }
        if a == b { self.check_text(a).map(|()| Ordering::Equal) } else { self.compare(a, b) }
    }

    /// What holds for versions of any scheme; everything behind this may rely on short, visible ASCII, except where a
    /// package manager is known to take more.
    fn check_text(self, version: &str) -> Result<(), ParseVersionError> {
        if version.is_empty() {
            return Err(ParseVersionError::Empty);
        }
        if version.len() > VERSION_BYTES_MAX {
            return Err(ParseVersionError::TooLong { bytes: version.len(), bytes_max: VERSION_BYTES_MAX });
        }
        let is_allowed = |character: char| match self {
            // Other letters divide like separators; such a version is ordered but not well-formed.
            Self::Rpm => character.is_ascii_graphic() || (!character.is_ascii() && !character.is_control()),
            // Blanks around the version, and in front of the name of a build of Go.
            Self::Semver | Self::Npm | Self::Go => character.is_ascii_graphic() || character == ' ',
            _ => character.is_ascii_graphic(),
        };
        match version.chars().find(|character| !is_allowed(*character)) {
            Some(character) => {
                Err(ParseVersionError::BadCharacter { version: version.to_owned(), character })
            }
            None => Ok(()),
        }
    }

    fn malformed(self, version: &str) -> ParseVersionError {
        ParseVersionError::Malformed { version: version.to_owned(), scheme: self.name() }
    }

    fn undecidable(self, a: &str, b: &str) -> ParseVersionError {
        ParseVersionError::Undecidable { a: a.to_owned(), b: b.to_owned(), scheme: self.name() }
    }
}
