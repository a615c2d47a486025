//! Which distros are made in the same way.

use crate::Distro;

/// A family of distros: the same package manager, the same habits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DistroFamily {
    /// Debian, Ubuntu and what is made of them: dpkg.
    Debian,
    /// Alpine, Wolfi and their relatives: apk.
    Alpine,
    /// Red Hat, Fedora, Amazon, Azure Linux, Photon and their relatives: rpm.
    RedHat,
    /// SUSE and openSUSE: rpm.
    Suse,
    /// Arch and what is made of it: pacman.
    Arch,
    /// Gentoo and what is made of it: portage.
    Gentoo,
    /// OpenWrt: opkg.
    OpenWrt,
}

/// The distros whose family is known without asking what they are like.
const FAMILIES: &[(DistroFamily, &[&str])] = &[
    (
        DistroFamily::Debian,
        &["debian", "ubuntu", "raspbian", "kali", "devuan", "linuxmint", "echo", "deepin", "pop"],
    ),
    (
        DistroFamily::Alpine,
        &[
            "alpine",
            "wolfi",
            "chainguard",
            "minimos",
            "postmarketos",
            "alpaquita",
            "secureos",
            "bellsoft-hardened-containers",
        ],
    ),
    (
        DistroFamily::RedHat,
        &[
            "rhel",
            "fedora",
            "centos",
            "rocky",
            "almalinux",
            "ol",
            "amzn",
            "scientific",
            "cloudlinux",
            "eurolinux",
            "mariner",
            "azurelinux",
            "photon",
            "bottlerocket",
            "openeuler",
            "anolis",
            "alinux",
            "mageia",
            "hummingbird",
        ],
    ),
    (
        DistroFamily::Suse,
        &[
            "suse",
            "opensuse",
            "sles",
            "sled",
            "sles_sap",
            "sle-micro",
            "sl-micro",
            "opensuse-leap",
            "opensuse-tumbleweed",
            "opensuse-slowroll",
            "opensuse-microos",
        ],
    ),
    (DistroFamily::Arch, &["arch", "archarm", "manjaro", "endeavouros", "artix", "cachyos"]),
    (DistroFamily::Gentoo, &["gentoo", "funtoo", "chromeos", "cos"]),
    (DistroFamily::OpenWrt, &["openwrt", "immortalwrt"]),
];

/// What has no releases: every day's packages are the distro.
const ROLLING: [&str; 19] = [
    "arch",
    "archarm",
    "artix",
    "cachyos",
    "chainguard",
    "clear-linux-os",
    "endeavouros",
    "gentoo",
    "hummingbird",
    "kali",
    "manjaro",
    "minimos",
    "opensuse-microos",
    "opensuse-slowroll",
    "opensuse-tumbleweed",
    "secureos",
    "solus",
    "void",
    "wolfi",
];

/// Root file systems that no package manager has filled.
const WITHOUT_PACKAGES: [&str; 1] = ["busybox"];

impl Distro {
    /// The family, by the distro's own name or else by what it says it is like.
    pub fn family(&self) -> Option<DistroFamily> {
        let family_of =
            |id: &str| FAMILIES.iter().find(|(_, ids)| ids.contains(&id)).map(|(family, _)| *family);
        family_of(&self.id).or_else(|| self.id_like.iter().find_map(|id| family_of(id)))
    }

    /// Whether it has no releases, or the image is made of what will be the next one: Debian's testing and unstable, Alpine's edge.
    pub fn is_rolling(&self) -> bool {
        let version_id = self.version_id.as_deref();
        match self.id.as_str() {
            "debian" => version_id.is_none(),
            "alpine" | "postmarketos" => {
                version_id.is_none_or(|version| version == "edge" || version.contains("_alpha"))
            }
            "openwrt" => version_id.is_some_and(|version| version.eq_ignore_ascii_case("snapshot")),
            id => ROLLING.contains(&id),
        }
    }

    /// Whether its package manager has filled the image; an image of any other has no database that could be missing.
    pub fn has_packages(&self) -> bool {
        !WITHOUT_PACKAGES.contains(&self.id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Row<'a> = (&'a str, Option<&'a str>, &'a [&'a str], Option<DistroFamily>, bool);

    #[test]
    fn families_and_rolling_distros_are_known() {
        let rows: [Row<'_>; 18] = [
            ("debian", Some("12"), &[], Some(DistroFamily::Debian), false),
            ("debian", None, &[], Some(DistroFamily::Debian), true),
            ("ubuntu", Some("22.04"), &["debian"], Some(DistroFamily::Debian), false),
            ("mine", None, &["ubuntu", "debian"], Some(DistroFamily::Debian), false),
            ("alpine", Some("3.20.1"), &[], Some(DistroFamily::Alpine), false),
            ("alpine", Some("3.22_alpha20250108"), &[], Some(DistroFamily::Alpine), true),
            ("alpine", None, &[], Some(DistroFamily::Alpine), true),
            ("postmarketos", Some("edge"), &["alpine"], Some(DistroFamily::Alpine), true),
            ("wolfi", None, &[], Some(DistroFamily::Alpine), true),
            ("rocky", Some("9.3"), &["rhel", "fedora"], Some(DistroFamily::RedHat), false),
            ("amzn", Some("2023"), &["fedora"], Some(DistroFamily::RedHat), false),
            ("sles", Some("15.5"), &["suse"], Some(DistroFamily::Suse), false),
            ("opensuse-tumbleweed", Some("20240101"), &["opensuse", "suse"], Some(DistroFamily::Suse), true),
            ("arch", None, &[], Some(DistroFamily::Arch), true),
            ("gentoo", None, &[], Some(DistroFamily::Gentoo), true),
            ("openwrt", Some("23.05.2"), &[], Some(DistroFamily::OpenWrt), false),
            ("busybox", Some("1.36.1"), &[], None, false),
            ("nixos", None, &[], None, false),
        ];
        for (id, version_id, like, family, is_rolling) in rows {
            let distro = Distro {
                id: id.to_owned(),
                version_id: version_id.map(str::to_owned),
                id_like: like.iter().map(ToString::to_string).collect(),
                ..Distro::default()
            };
            assert_eq!((distro.family(), distro.is_rolling()), (family, is_rolling), "{id} {version_id:?}");
            assert_eq!(distro.has_packages(), id != "busybox");
        }
    }
}
