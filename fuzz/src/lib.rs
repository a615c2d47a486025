//! Readers of bytes that somebody else made, each as a function that must come back whatever it gets.
//!
//! `cargo xtask fuzz` searches for inputs that make one of them panic, take too long or too much memory, led by which code an input
//! reaches. What it finds is kept in `cases/TARGET`, and the tests here feed it again, with the seeds in `seeds/TARGET`.

mod catalog;
mod documents;
mod images;
mod layers;
mod repair;
mod reports;
mod toc;
mod versions;
mod wrapped;

/// One reader.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name on the command line, and of its folders.
    pub name: &'static str,
    /// Reads any bytes. Panics where something does not hold that must hold for all bytes.
    pub run: fn(&[u8]),
}

const fn target(name: &'static str, run: fn(&[u8])) -> Target {
    Target { name, run }
}

/// All readers.
pub const TARGETS: &[Target] = &[
    target("layer", layers::read),
    target("layers-squashed", layers::squash_two),
    target("layer-facts", layers::read_facts),
    target("toc-estargz", toc::read_estargz),
    target("toc-zstd-chunked", toc::read_zstd_chunked),
    target("dpkg", |bytes| catalog::read("var/lib/dpkg/status", bytes)),
    target("dpkg-file-list", catalog::read_file_list),
    target("debian-copyright", catalog::read_copyright),
    target("distroless", |bytes| catalog::read("var/lib/dpkg/status.d/base", bytes)),
    target("opkg", |bytes| catalog::read("usr/lib/opkg/status", bytes)),
    target("opkg-control", |bytes| catalog::read("usr/lib/opkg/info/a.control", bytes)),
    target("apk", |bytes| catalog::read("lib/apk/db/installed", bytes)),
    target("rpm-sqlite", |bytes| catalog::read("var/lib/rpm/rpmdb.sqlite", bytes)),
    target("rpm-write-ahead-log", catalog::read_write_ahead_log),
    target("rpm-ndb", |bytes| catalog::read("var/lib/rpm/Packages.db", bytes)),
    target("rpm-berkeley", |bytes| catalog::read("var/lib/rpm/Packages", bytes)),
    target("rpm-header", wrapped::read_rpm_header),
    target("rpm-manifest", |bytes| catalog::read("var/lib/rpmmanifest/container-manifest-2", bytes)),
    target("os-release", |bytes| catalog::read("etc/os-release", bytes)),
    target("executable", |bytes| catalog::read("usr/bin/app", bytes)),
    target("rust-crates", wrapped::read_rust_crates),
    target("classifiers", catalog::read_known_program),
    target("busybox", |bytes| catalog::read("bin/busybox", bytes)),
    target("library-of-windows", |bytes| catalog::read("app/a.dll", bytes)),
    target("jar", |bytes| catalog::read("app/a.jar", bytes)),
    target("jar-texts", wrapped::read_jar_texts),
    target("web-archive", |bytes| catalog::read("app/a.war", bytes)),
    target("dotnet-dependencies", |bytes| catalog::read("app/a.deps.json", bytes)),
    target("java-release", catalog::read_java_release),
    target("pacman", |bytes| catalog::read("var/lib/pacman/local/a-1-1/desc", bytes)),
    target("pacman-files", catalog::read_pacman_files),
    target("portage-facts", catalog::read_portage_facts),
    target("portage", |bytes| catalog::read("var/db/pkg/a/b-1/CONTENTS", bytes)),
    target("snap", |bytes| catalog::read("snap/manifest.yaml", bytes)),
    target("snap-installed", |bytes| catalog::read("meta/snap.yaml", bytes)),
    target("snap-recipe", catalog::read_snap_recipe),
    target("snap-base", |bytes| catalog::read("usr/share/snappy/dpkg.yaml", bytes)),
    target("channel", catalog::read_channel),
    target("bottlerocket", |bytes| catalog::read("usr/share/bottlerocket/application-inventory.json", bytes)),
    target("gemspec", |bytes| catalog::read("usr/lib/ruby/specifications/a-1.gemspec", bytes)),
    target("composer", |bytes| catalog::read("app/vendor/composer/installed.json", bytes)),
    target("pear", |bytes| catalog::read("usr/share/php/.registry/a.reg", bytes)),
    target("conda", |bytes| catalog::read("opt/conda/conda-meta/a-1-0.json", bytes)),
    target("rockspec", |bytes| catalog::read("usr/lib/luarocks/rocks-5.1/a/1-1/a-1-1.rockspec", bytes)),
    target("wordpress-plugin", |bytes| catalog::read("srv/wp-content/plugins/a/a.php", bytes)),
    target("r-description", |bytes| catalog::read("usr/lib/R/library/a/DESCRIPTION", bytes)),
    target("erlang-application", |bytes| catalog::read("usr/lib/erlang/lib/a-1/ebin/a.app", bytes)),
    target("hex-metadata", |bytes| catalog::read("app/deps/a/hex_metadata.config", bytes)),
    target("julia-project", |bytes| catalog::read("srv/.julia/packages/a/abcde/Project.toml", bytes)),
    target("pubspec", |bytes| catalog::read("srv/.pub-cache/hosted/pub.dev/a-1/pubspec.yaml", bytes)),
    target("swift-workspace", |bytes| catalog::read("app/.build/workspace-state.json", bytes)),
    target("egg", |bytes| catalog::read("usr/lib/python3/a-1-py3.egg", bytes)),
    target("yarn-cache", |bytes| catalog::read("app/.yarn/cache/a-npm-1-ab.zip", bytes)),
    target("python-origin", catalog::read_python_origin),
    target("package-json", |bytes| catalog::read("app/node_modules/a/package.json", bytes)),
    target("python-metadata", |bytes| catalog::read("usr/lib/python3/a.dist-info/METADATA", bytes)),
    target("python-record", catalog::read_python_record),
    target("egg-info", |bytes| catalog::read("usr/lib/python3/a.egg-info/PKG-INFO", bytes)),
    target("wolfi-document", |bytes| catalog::read("var/lib/db/sbom/a-1-r0.spdx.json", bytes)),
    target("bitnami-document", |bytes| catalog::read("opt/bitnami/a/.spdx-a.spdx", bytes)),
    target("bitnami-components", |bytes| catalog::read("opt/bitnami/.bitnami_components.json", bytes)),
    target("kernel", |bytes| catalog::read("boot/vmlinuz-6.1", bytes)),
    target("kernel-module", |bytes| catalog::read("lib/modules/6.1/a.ko", bytes)),
    target("kernel-module-gz", |bytes| catalog::read("lib/modules/6.1/a.ko.gz", bytes)),
    target("kernel-module-xz", |bytes| catalog::read("lib/modules/6.1/a.ko.xz", bytes)),
    target("kernel-module-zstd", |bytes| catalog::read("lib/modules/6.1/a.ko.zst", bytes)),
    target("named-by-a-link", catalog::read_linked),
    target("versions", versions::compare),
    target("image-documents", documents::describe_image),
    target("syft-json", documents::read_syft),
    target("package-list", documents::read_package_list),
    target("osv", documents::read_osv),
    target("alpine-secdb", documents::read_alpine_secdb),
    target("debian-tracker", documents::read_debian_tracker),
    target("bundle", reports::judge),
    target("reports", reports::write_all),
    target("template", reports::render_template),
    target("vulnerabilities", reports::find_vulnerabilities),
    target("image-archive", images::read_archive),
    target("image-contents", images::read_contents),
    target("saved-image", images::read_saved),
    target("answers", images::read_answer),
    target("references", images::read_reference),
];

/// The reader of this name.
pub fn find(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
