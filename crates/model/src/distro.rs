//! The operating system of an image.

/// What an image's os-release file says about it.
///
/// Plain data: every field is as written in the file, absent ones are empty or `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Distro {
    /// `ID`, lower case: `debian`, `alpine`.
    pub id: String,
    /// `VERSION_ID`: `12`, `3.18.4`. Debian testing and rolling distros have none.
    pub version_id: Option<String>,
    /// `VERSION_CODENAME`: `bookworm`.
    pub version_codename: Option<String>,
    /// `ID_LIKE`, split at blanks.
    pub id_like: Vec<String>,
    /// `PRETTY_NAME`, for people.
    pub pretty_name: Option<String>,
    /// The channel of updates besides the usual one that the image draws from: `eus`, `esm`.
    pub channel: Option<String>,
}

impl Distro {
    /// `debian:12`, or `wolfi` where there is no version: the namespace that policies and messages show.
    pub fn namespace(&self) -> String {
        match &self.version_id {
            Some(version_id) => format!("{}:{version_id}", self.id),
            None => self.id.clone(),
        }
    }
}
