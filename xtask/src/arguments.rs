//! The tasks and what `--help` says of them.

use clap::{Parser, Subcommand};

use crate::bench::Subject;

/// Tasks of this repository. To check everything, as continuous integration does: `cargo xtask test`.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) task: Task,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Task {
    /// Make the machine ready for the tests
    ///
    /// Installs what is missing of the Debian packages that tests use (as root; otherwise prints the command to run), installs
    /// the Python programs pinned in `tools/anchorecli` and `tools/schemathesis` from the Python package index, builds the
    /// programs pinned in `tools/kubernetes`, `tools/helm` and `tools/vault`, and makes two real Debian images from the
    /// machine's own apt mirrors.
    ///
    /// All are kept in a cache outside the repository and made again only when their recipe changes: the first time takes
    /// about 8 minutes, the next times nothing. The cache is `LAZARET_CACHE_DIR`, else `$XDG_CACHE_HOME/lazaret`, else
    /// `~/.cache/lazaret`. With `KUBEBUILDER_ASSETS` set to a folder that holds kube-apiserver, kube-controller-manager and
    /// kubectl, nothing is built.
    ///
    /// Exit code: 0 ready, 1 something is missing and could not be had.
    Setup,
    /// Check everything: setup, format, lints, tidy, build, all tests
    ///
    /// The last line is always `N passed, N failed, N skipped`; format, lints and tidy count as one each.
    ///
    /// Exit code: 0 when all passed and nothing was skipped, else 1.
    Test,
    /// Check the rules of this repository that no other tool knows
    ///
    /// Which crate may use which, length and first line of source files, one set of lints, no addresses or paths of
    /// somebody's machine, one crypto library, permissive licences only. Prints every problem as `FILE:LINE: what is wrong`.
    ///
    /// Exit code: 0 tidy, 1 not.
    Tidy,
    /// Check what is found in images against what the package managers themselves say
    ///
    /// Images are made once by package managers and kept in the cache (about 3 GB with those of the benchmarks; the first time
    /// takes a quarter of an hour). Of each, the unpacked file system is shown to dpkg-query, rpm, pacman, npm, pip, Go, RubyGems
    /// and Maven's paths, and their lists are compared with that of `lazaret sbom`: name, version and, where it is told,
    /// architecture. Prints a table, the reasons of all known differences, and the names of those that nobody explained.
    ///
    /// Examples: `cargo xtask check-packages`, `cargo xtask check-packages pacman rpm-ndb`
    ///
    /// Exit code: 0 when every difference has a reason, else 1.
    CheckPackages {
        /// Only these; without one all
        images: Vec<String>,
    },
    /// Check how versions are ordered against tables of known answers
    ///
    /// Each line of a table has two versions and -1, 0 or 1 (the first is lower, equal, higher), with tabs between them.
    /// Lines that begin with `#` and a header line are skipped. Every pair is checked in both directions. Of tables of ranges
    /// (`version`, `range`, `satisfied`) those rows count that are plain comparisons.
    ///
    /// Examples: `cargo xtask check-versions` (the tables of this repository), `cargo xtask check-versions FOLDER` (all
    /// `.tsv` files in it, by the first word of their names: `maven-upstream.tsv`), `cargo xtask check-versions rpm table.tsv`
    ///
    /// Exit code: 0 when every row holds, else 1.
    CheckVersions {
        /// Nothing; a folder or a table; or a scheme and a table
        #[arg(value_name = "[SCHEME] TABLE")]
        tables: Vec<String>,
    },
    /// Measure speed and memory against baselines in the same run
    ///
    /// Prints ratios: a scan against inflating and hashing the same layers, admission reviews against a bare TLS echo of
    /// the same bytes; with `engine` the targets of the server, against a bare HTTP server that answers the same bytes.
    /// Slow figures are no failure, wrong answers are.
    Bench {
        /// Only this; without it `scan`, `admission` and `cluster`
        subject: Option<Subject>,
    },
    /// Search for inputs that break a reader of untrusted bytes
    ///
    /// Each target of `fuzz/` is fed with inputs that are led by which code they reach; a panic, more than 10 s or more than
    /// 1.5 GiB is a finding. Findings are kept in `fuzz/cases`, where the tests feed them again. What the search learns stays
    /// in `target/fuzz`, so that the next one begins with it. Needs a C++ compiler.
    ///
    /// Examples: `cargo xtask fuzz --seconds 60` (every target for a minute), `cargo xtask fuzz jar rpm-ndb`
    ///
    /// Exit code: 0 when nothing was found, else 1.
    Fuzz {
        /// Only these; without one every target
        targets: Vec<String>,
        /// Time for each target
        #[arg(long, default_value_t = 30, value_name = "N")]
        seconds: u64,
    },
    /// Run all of it on this machine: a cluster, a registry, Lazaret with the security scan activated, until Ctrl-C
    ///
    /// Prints a kubeconfig and four commands to try: an image that is refused, one that is admitted, one that is let in all
    /// the same, and what was decided. Needs what `cargo xtask setup` makes; nothing is left when it ends.
    Demo,
    /// Run a real API server and a real registry with two real images, until Ctrl-C
    ///
    /// For trying things by hand and for following the pages in `docs/`. Prints what to type in other terminals.
    Playground,
}
