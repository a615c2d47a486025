//! Who has made a package of the operating system: the distro, or somebody else about whose packages its advisories say nothing.
//!
//! Packages of rpm name their vendor, and each distro has few of them: whoever is not listed is somebody else. Maintainers of Debian's
//! and Alpine's packages are people with addresses of any kind: there, makers of well-known repositories are listed.
//! Who rebuilds a distro's packages with fixes and publishes advisories about them is never somebody else.

use model::Distro;

/// Vendors by distro, as their packages begin to name them, in lower case.
const VENDORS: &[(&str, &[&str])] = &[
    ("rhel", &["red hat"]),
    ("hummingbird", &["red hat", "hummingbird", "fedora project"]),
    ("centos", &["centos", "red hat"]),
    ("rocky", &["rocky"]),
    ("almalinux", &["almalinux"]),
    ("cloudlinux", &["cloudlinux", "almalinux"]),
    ("eurolinux", &["eurolinux"]),
    ("scientific", &["scientific linux"]),
    ("fedora", &["fedora project"]),
    ("ol", &["oracle america", "oracle"]),
    ("amzn", &["amazon linux", "amazon.com", "amazon"]),
    ("mariner", &["microsoft corporation"]),
    ("azurelinux", &["microsoft corporation"]),
    ("photon", &["vmware", "broadcom"]),
    ("sles", &["suse"]),
    ("sled", &["suse"]),
    ("sle-micro", &["suse"]),
    ("sl-micro", &["suse"]),
    ("opensuse", &["opensuse", "suse"]),
    ("suse", &["opensuse", "suse"]),
    ("openeuler", &["http://openeuler.org", "https://openeuler.org", "openeuler"]),
    ("anolis", &["anolis", "alibaba"]),
    ("alinux", &["alibaba", "anolis"]),
    ("mageia", &["mageia"]),
    ("bottlerocket", &["bottlerocket", "amazon"]),
];

/// Who rebuilds packages of distros and publishes advisories about the results.
const CURATORS: [&str; 6] =
    ["seal security", "@seal.security", "@sealsecurity.io", "@echohq.com", "@root.io", "rootio"];

/// Parts of what packages of well-known repositories say about their maintainer, in lower case.
const OTHER_MAINTAINERS: &[&str] = &[
    "@adoptopenjdk",
    "adoptium",
    "@amazon.com",
    "@amd.com",
    "@azul.com",
    "@azulsystems.com",
    "@bell-sw.com",
    "@brave.com",
    "@chromium.org",
    "@citusdata.com",
    "@clickhouse.com",
    "@cloudflare.com",
    "@confluent.io",
    "@couchbase.com",
    "@couchdb.apache.org",
    "@cassandra.apache.org",
    "@crowdstrike.com",
    "@datadoghq.com",
    "@docker.com",
    "@elastic.co",
    "@erlang-solutions.com",
    "@f5.com",
    "@falco.org",
    "@fluentd.org",
    "@gitlab.com",
    "@github.com>",
    "@grafana.com",
    "@hashicorp.com",
    "@haproxy.com",
    "@influxdata.com",
    "@influxdb.com",
    "@k8s.io",
    "@kohsuke.org",
    "@kubernetes.io",
    "@lists.mariadb.org",
    "@mariadb.com",
    "@mariadb.org",
    "@microsoft.com",
    "@mongodb.com",
    "@mozilla.com",
    "@neo4j.com",
    "@newrelic.com",
    "@nginx.com",
    "@nodesource.com",
    "@oracle.com",
    "@oss.oracle.com",
    "@percona.com",
    "@plesk.com",
    "@puppet.com",
    "@puppetlabs.com",
    "@rabbitmq.com",
    "@redis.com",
    "@redis.io",
    "@saltproject.io",
    "@slack-corp.com",
    "@splunk.com",
    "@sury.org",
    "@tailscale.com",
    "@teleport.dev",
    "@timescale.com",
    "@treasure-data.com",
    "@varnish-software.com",
    "@vector.dev",
    "@virtuozzo.com",
    "@vmware.com",
    "@yarnpkg.com",
    "@zabbix.com",
    "chrome linux team",
    "cudatools@nvidia.com",
    "docker, inc",
    "gc-team@google.com",
    "gitlab, inc",
    "google cloud cli authors",
    "google-cloud-sdk",
    "linux-packages-keymaster@google.com",
    "kubernetes authors",
    "nginx packaging",
    "nvidia corporation",
    "opscode",
    "yarn@dan.cx",
];

/// Parts of versions that only certain repositories give: their packages keep the names of Debian's maintainers.
const OTHER_VERSIONS: [&[&str]; 5] =
    [&[".pgdg"], &["deb.sury.org"], &["+0~20", ".gbp"], &["nodesource"], &["+maria~"]];

/// The same for Alpine, whose own maintainers have addresses of companies too.
const OTHER_ALPINE_MAINTAINERS: &[&str] = &[
    "nginx packaging",
    "@nginx.com",
    "@f5.com",
    "@docker.com",
    "@azul.com",
    "@azulsystems.com",
    "@bell-sw.com",
    "@sgerrand.com",
    "adoptium",
];

/// The domains of Debian's and Ubuntu's own teams.
const OWN_ADDRESSES: [&str; 6] =
    ["debian.org>", "debian.net>", "ubuntu.com>", "canonical.com>", "raspbian.org>", "raspberrypi.com>"];

/// A package of dpkg or opkg. `None`: it does not say who has made it.
pub(crate) fn of_debian(maintainer: Option<&str>, version: &str) -> Option<bool> {
    let maintainer = maintainer?.to_ascii_lowercase();
    if is_curator(&maintainer) {
        return Some(false);
    }
    let version = version.to_ascii_lowercase();
    if OTHER_VERSIONS.iter().any(|parts| parts.iter().all(|part| version.contains(part))) {
        return Some(true);
    }
    // A team's address on one of their own machines may hold any of the other words.
    let is_own = OWN_ADDRESSES.iter().any(|address| maintainer.ends_with(address));
    Some(!is_own && contains_any(&maintainer, OTHER_MAINTAINERS))
}

/// A package of apk. Who builds Wolfi and its relatives names no maintainer.
pub(crate) fn of_alpine(maintainer: Option<&str>, distro: Option<&Distro>) -> Option<bool> {
    match maintainer.map(str::to_ascii_lowercase) {
        Some(maintainer) => {
            Some(!is_curator(&maintainer) && contains_any(&maintainer, OTHER_ALPINE_MAINTAINERS))
        }
        None => distro
            .is_some_and(|distro| matches!(distro.id.as_str(), "wolfi" | "chainguard" | "minimos"))
            .then_some(false),
    }
}

/// A package of rpm. `None`: it names no vendor, or it is not known which vendors its distro has.
pub(crate) fn of_rpm(vendor: Option<&str>, distro: Option<&Distro>) -> Option<bool> {
    let vendor = vendor?.to_ascii_lowercase();
    if is_curator(&vendor) {
        return Some(false);
    }
    let begins = |vendors: &[&str]| vendors.iter().any(|known| vendor.starts_with(known));
    let vendors_of = |id: &str| {
        let id = if id.starts_with("opensuse") { "opensuse" } else { id };
        VENDORS.iter().find(|(known, _)| *known == id).map(|(_, vendors)| *vendors)
    };
    let distro = distro?;
    if let Some(vendors) = vendors_of(&distro.id) {
        return Some(!begins(vendors));
    }
    // What a relative takes over it takes over as it is; what it builds itself has a name that is not known here.
    let is_inherited = distro.id_like.iter().filter_map(|id| vendors_of(id)).any(begins);
    let is_named = vendor.contains(&distro.id);
    (is_inherited || is_named).then_some(false)
}

/// A package of pacman. Its maintainer is who has built it.
pub(crate) fn of_arch(packager: Option<&str>, distro: Option<&Distro>) -> Option<bool> {
    let packager = packager?.to_ascii_lowercase();
    if packager == "unknown packager" {
        // What pacman's own tool writes on the machine of somebody who has set nothing.
        return Some(true);
    }
    let id = distro.map(|distro| distro.id.as_str()).unwrap_or_default();
    let is_own = packager.contains("@archlinux") || (!id.is_empty() && packager.contains(&format!("@{id}")));
    is_own.then_some(false)
}

/// A package of portage, by the repository that it comes from.
pub(crate) fn of_gentoo(repository: Option<&str>) -> Option<bool> {
    repository.map(|repository| repository != "gentoo")
}

fn is_curator(maker: &str) -> bool {
    contains_any(maker, &CURATORS)
}

fn contains_any(maker: &str, known: &[&str]) -> bool {
    known.iter().any(|known| maker.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maintainers_of_other_repositories_are_known() {
        let rows = [
            ("Docker <support@docker.com>", "5:24.0.7-1~debian.12~bookworm", Some(true)),
            ("NGINX Packaging <nginx-packaging@f5.com>", "1.25.3-1~bookworm", Some(true)),
            ("cudatools <cudatools@nvidia.com>", "12.2.2-1", Some(true)),
            ("Google Cloud CLI Authors <https://code.google.com/p/google-cloud-sdk/>", "1", Some(true)),
            ("Kubernetes Authors <kubernetes-dev+release@googlegroups.com>", "1.31.0-1.1", Some(true)),
            // People of companies maintain packages of Debian, too.
            ("Brandon Weeks <bweeks@google.com>", "1", Some(false)),
            ("Ondřej Surý <ondrej@debian.org>", "8.2.13-1+0~20231124.23+debian12~1.gbp05a2b6", Some(true)),
            ("GitHub <opensource+cli@github.com>", "2.40.0", Some(true)),
            ("Microsoft <xyz@microsoft.com>", "8.0.0-1", Some(true)),
            // The repositories of the projects themselves keep the names of Debian's teams.
            (
                "Debian PostgreSQL Maintainers <team+postgresql@tracker.debian.org>",
                "16.1-1.pgdg120+1",
                Some(true),
            ),
            (
                "Debian PostgreSQL Maintainers <team+postgresql@tracker.debian.org>",
                "15.5-0+deb12u1",
                Some(false),
            ),
            ("Ivan Iguaran <ivan@nodesource.com>", "20.10.0-1nodesource1", Some(true)),
            ("Matthias Klose <doko@debian.org>", "3.11.2-6", Some(false)),
            ("Somebody <somebody@example.net>", "1", Some(false)),
            ("Ubuntu Developers <ubuntu-devel-discuss@lists.ubuntu.com>", "1", Some(false)),
            ("Debian Google Team <google@lists.debian.org>", "1", Some(false)),
            ("Seal Security <support@seal.security>", "1+sp1", Some(false)),
            ("Echo <packages@echohq.com>", "1", Some(false)),
        ];
        for (maintainer, version, expected) in rows {
            assert_eq!(of_debian(Some(maintainer), version), expected, "{maintainer} {version}");
        }
        assert_eq!(of_debian(None, "1"), None);
    }

    fn distro(id: &str, like: &[&str]) -> Distro {
        let id_like = like.iter().map(ToString::to_string).collect();
        Distro { id: id.to_owned(), id_like, ..Distro::default() }
    }

    #[test]
    fn vendors_belong_to_distros() {
        let rows: [(&str, &[&str], &str, Option<bool>); 19] = [
            ("rhel", &["fedora"], "Red Hat, Inc.", Some(false)),
            ("rhel", &["fedora"], "Fedora Project", Some(true)),
            ("rhel", &["fedora"], "Docker", Some(true)),
            ("centos", &["rhel", "fedora"], "CentOS", Some(false)),
            ("rocky", &["rhel"], "Rocky Enterprise Software Foundation", Some(false)),
            ("rocky", &["rhel"], "Red Hat, Inc.", Some(true)),
            ("almalinux", &[], "AlmaLinux", Some(false)),
            ("ol", &[], "Oracle America", Some(false)),
            ("amzn", &[], "Amazon Linux", Some(false)),
            ("mariner", &[], "Microsoft Corporation", Some(false)),
            ("rhel", &[], "Microsoft Corporation", Some(true)),
            ("photon", &[], "VMware, Inc.", Some(false)),
            ("sles", &["suse"], "SUSE LLC <https://www.suse.com/>", Some(false)),
            ("opensuse-leap", &["suse", "opensuse"], "openSUSE", Some(false)),
            ("opensuse-tumbleweed", &[], "obs://build.opensuse.org/x", Some(true)),
            ("ultramarine", &["fedora"], "Fedora Project", Some(false)),
            ("ultramarine", &["fedora"], "Ultramarine Linux", Some(false)),
            ("ultramarine", &["fedora"], "Somebody", None),
            ("rhel", &[], "Seal Security Ltd", Some(false)),
        ];
        for (id, like, vendor, expected) in rows {
            assert_eq!(of_rpm(Some(vendor), Some(&distro(id, like))), expected, "{id} {vendor}");
        }
        assert_eq!(of_rpm(None, Some(&distro("rhel", &[]))), None);
        assert_eq!(of_rpm(Some("Red Hat, Inc."), None), None);
    }

    #[test]
    fn other_package_managers_have_their_own_signs() {
        let alpine = distro("alpine", &[]);
        assert_eq!(of_alpine(Some("Natanael Copa <ncopa@alpinelinux.org>"), Some(&alpine)), Some(false));
        assert_eq!(of_alpine(Some("NGINX Packaging <nginx-packaging@f5.com>"), Some(&alpine)), Some(true));
        assert_eq!(of_alpine(Some("Somebody <x@microsoft.com>"), Some(&alpine)), Some(false));
        assert_eq!(of_alpine(None, Some(&alpine)), None);
        assert_eq!(of_alpine(None, Some(&distro("wolfi", &[]))), Some(false));
        let (arch, manjaro) = (distro("arch", &[]), distro("manjaro", &["arch"]));
        assert_eq!(of_arch(Some("David Runge <dvzrv@archlinux.org>"), Some(&arch)), Some(false));
        assert_eq!(of_arch(Some("Somebody <x@manjaro.org>"), Some(&manjaro)), Some(false));
        assert_eq!(of_arch(Some("Somebody <x@manjaro.org>"), Some(&arch)), None);
        assert_eq!(of_arch(Some("Unknown Packager"), Some(&arch)), Some(true));
        assert_eq!((of_gentoo(Some("gentoo")), of_gentoo(Some("guru"))), (Some(false), Some(true)));
        assert_eq!(of_gentoo(None), None);
    }
}
