//! One installed package and the evidence for it.

use crate::Digest;

/// What kind of package it is, by the package manager that installs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PackageKind {
    /// Alpine and its relatives.
    Apk,
    /// Debian and its relatives.
    Deb,
    /// Red Hat, SUSE and their relatives.
    Rpm,
    /// OpenWrt.
    Opkg,
    /// Arch Linux, `pacman`.
    Alpm,
    /// Gentoo, `portage`.
    Ebuild,
    /// Snaps.
    Snap,
    /// JavaScript.
    Npm,
    /// Ruby.
    Gem,
    /// Python.
    PyPi,
    /// Java.
    Maven,
    /// Go.
    Golang,
    /// Rust.
    Cargo,
    /// PHP, by Composer.
    Composer,
    /// PHP, by PEAR and PECL.
    Pear,
    /// .NET.
    Nuget,
    /// Conda.
    Conda,
    /// R.
    Cran,
    /// Erlang and Elixir, by Hex.
    Hex,
    /// Applications of Erlang/OTP itself.
    Otp,
    /// Lua.
    LuaRocks,
    /// Julia.
    Julia,
    /// Dart.
    Pub,
    /// Swift.
    Swift,
    /// What Bitnami's images say of themselves.
    Bitnami,
    /// Plugins of WordPress.
    WordPress,
    /// An executable that was recognised by its content.
    Binary,
}

impl PackageKind {
    /// All kinds.
    pub const ALL: [Self; 27] = [
        Self::Apk,
        Self::Deb,
        Self::Rpm,
        Self::Opkg,
        Self::Alpm,
        Self::Ebuild,
        Self::Snap,
        Self::Npm,
        Self::Gem,
        Self::PyPi,
        Self::Maven,
        Self::Golang,
        Self::Cargo,
        Self::Composer,
        Self::Pear,
        Self::Nuget,
        Self::Conda,
        Self::Cran,
        Self::Hex,
        Self::Otp,
        Self::LuaRocks,
        Self::Julia,
        Self::Pub,
        Self::Swift,
        Self::Bitnami,
        Self::WordPress,
        Self::Binary,
    ];

    /// The type of the package in a package URL, of each kind another one.
    pub fn purl_type(self) -> &'static str {
        match self {
            Self::Apk => "apk",
            Self::Deb => "deb",
            Self::Rpm => "rpm",
            Self::Opkg => "opkg",
            Self::Alpm => "alpm",
            Self::Ebuild => "ebuild",
            Self::Snap => "snap",
            Self::Npm => "npm",
            Self::Gem => "gem",
            Self::PyPi => "pypi",
            Self::Maven => "maven",
            Self::Golang => "golang",
            Self::Cargo => "cargo",
            Self::Composer => "composer",
            Self::Pear => "pear",
            Self::Nuget => "nuget",
            Self::Conda => "conda",
            Self::Cran => "cran",
            Self::Hex => "hex",
            Self::Otp => "otp",
            Self::LuaRocks => "luarocks",
            Self::Julia => "julia",
            Self::Pub => "pub",
            Self::Swift => "swift",
            Self::Bitnami => "bitnami",
            Self::WordPress => "wordpress",
            Self::Binary => "generic",
        }
    }

    /// The kind of this package URL type.
    pub fn from_purl_type(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.purl_type() == name)
    }

    /// Whether the operating system's package manager installs it.
    pub fn is_operating_system(self) -> bool {
        matches!(
            self,
            Self::Apk | Self::Deb | Self::Rpm | Self::Opkg | Self::Alpm | Self::Ebuild | Self::Snap
        )
    }
}

/// What a binary package was built from. Distros write their advisories about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourcePackage {
    /// Source name (deb, rpm), origin (apk).
    pub name: String,
    /// Its version; differs from the binary's after a binary-only rebuild.
    pub version: String,
}

/// Where evidence was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Real path in the squashed tree, absolute: `/var/lib/dpkg/status`.
    pub path: String,
    /// The diff id of the layer that brought it, when known: the one that holds the file as it is seen; for a package of a database
    /// that several layers have written, the lowest since which the database has had the package in this version without a break.
    pub layer: Option<Digest>,
}

/// A file that a package database lists as belonging to a package.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnedFile {
    /// Absolute path, as the database writes it.
    pub path: String,
    /// The database's checksum with its algorithm in front, `md5:…`, `sha1:…` or `sha256:…`, where it has one.
    pub checksum: Option<String>,
    /// Permission bits, where the database has them.
    pub permissions: Option<u32>,
    /// Size in bytes, where the database has it.
    pub size_bytes: Option<u64>,
    /// Whether the user is expected to change it.
    pub is_configuration: bool,
    /// Whether the content in the image is another than the checksum says; `None`: not compared.
    pub is_content_changed: Option<bool>,
}

/// The versions that a Java archive states about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JavaVersions {
    /// `Specification-Version` of the manifest.
    pub specification: Option<String>,
    /// `Implementation-Version` of the manifest.
    pub implementation: Option<String>,
    /// Version of the Maven properties.
    pub maven: Option<String>,
    /// SHA-1 of the archive in hexadecimal digits, where all of it was read.
    pub sha1: Option<String>,
}

/// One installed package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// Package manager.
    pub kind: PackageKind,
    /// Name as written.
    pub name: String,
    /// Whole version as written, with epoch and revision; `None` when the record has none: it is then never matched and never silently clean.
    pub version: Option<String>,
    /// Architecture as written: `amd64`, `all`, `x86_64`.
    pub architecture: Option<String>,
    /// What it was built from. For deb and apk always present: the binary's own name and version when nothing else is stated.
    pub source: Option<SourcePackage>,
    /// Package URL with distro and upstream qualifiers.
    pub purl: String,
    /// Licence expressions as written.
    pub licenses: Vec<String>,
    /// Who maintains it, as written.
    pub maintainer: Option<String>,
    /// Installed size in bytes, when stated.
    pub installed_size_bytes: Option<u64>,
    /// Evidence, first the database entry.
    pub locations: Vec<Location>,
    /// Files it owns, sorted by path.
    pub files: Vec<OwnedFile>,
    /// For Java archives, what they state.
    pub java: Option<JavaVersions>,
    /// Whether somebody else than the distro made it; `None`: not known.
    pub is_third_party: Option<bool>,
    /// Name of the distro's package that brought it, for packages of programming languages. What a package of somebody else than the
    /// distro brings has none. Where none of the distro has the file, the package of conda that has, or the one of
    /// Python; no advisories speak for that.
    pub owner: Option<String>,
    /// For rpm packages of a module, its label: `nodejs:18:8060020220523160029:ad008a3a`.
    pub modularity: Option<String>,
    /// Names in the Common Platform Enumeration, where who finds the package knows them: `cpe:2.3:a:redis:redis:7.2.4:…`.
    pub cpes: Vec<String>,
}

impl Package {
    /// A package of which no more is known than this.
    pub fn new(kind: PackageKind, name: String, version: Option<String>) -> Self {
        Self {
            kind,
            name,
            version,
            architecture: None,
            source: None,
            purl: String::new(),
            licenses: Vec::new(),
            maintainer: None,
            installed_size_bytes: None,
            locations: Vec::new(),
            files: Vec::new(),
            java: None,
            is_third_party: None,
            owner: None,
            modularity: None,
            cpes: Vec::new(),
        }
    }

    /// Where it was found first; empty where nobody knows.
    pub fn path(&self) -> &str {
        self.locations.first().map_or("", |location| &location.path)
    }
}
