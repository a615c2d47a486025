//! Interpreters, compilers and their libraries.

use crate::binary::classifier::{Classifier, Condition, Names, NumberedEnd, Product, Rule, product, rule};

static PYTHON: Product = product("python", "python", &["python_software_foundation:python", "python:python"]);
static PYPY: Product = product("pypy", "pypy", &[]);
static GO: Product = product("go", "go", &["golang:go"]);
static JULIA: Product = product("julia", "julia", &["julialang:julia"]);
static NODE: Product = product("node", "node", &["nodejs:node.js"]);
static PERL: Product = product("perl", "perl", &["perl:perl"]);
static PHP: Product = product("php", "php", &["php:php"]);
static COMPOSER: Product = product("composer", "composer", &["getcomposer:composer"]);
static RUST: Product = product("rust", "rust", &["rust-lang:rust"]);
static RUBY: Product = product("ruby", "ruby", &["ruby-lang:ruby"]);
static ERLANG: Product = product("erlang", "erlang", &["erlang:erlang/otp"]);
static ELIXIR: Product = product("elixir", "elixir", &["elixir-lang:elixir"]);
/// Nothing in the dictionary of names is SWI-Prolog.
static SWIPL: Product = product("swipl", "swipl", &[]);
static DART: Product = product("dart", "dart", &["dart:dart_software_development_kit"]);
static DENO: Product = product("deno", "deno", &["deno:deno"]);
static BUN: Product = product("bun", "bun", &["oven-sh:bun"]);
static GHC: Product = product("ghc", "haskell/ghc", &["haskell:ghc"]);
static CABAL: Product = product("cabal", "haskell/cabal", &["haskell:cabal"]);
static STACK: Product = product("stack", "haskell/stack", &["haskell:stack"]);
static GCC: Product = product("gcc", "gcc", &["gnu:gcc"]);

const PYTHON_AT: &[&str] = &["\x002.", "\x003."];
const PYTHON_VERSION: &str = r"\x00<[23]\.[0-9]{1,2}\.[0-9]{1,2}(?:(?:a|b|rc)[0-9]+)?>\+?\x00";
/// Where a folder is named by the version, linkers let both be one text.
const PYTHON_FOLDER_AT: &[&str] = &["/versions/2.", "/versions/3.", "/python/2.", "/python/3."];
const PYTHON_FOLDER: &str = r"/(?:versions|python)/<[23]\.[0-9]{1,2}\.[0-9]{1,2}(?:(?:a|b|rc)[0-9]+)?>\x00";
const GO_VERSION: &str = r"go<1\.[0-9]{1,2}(?:\.[0-9]{1,2}|beta[0-9]|rc[0-9])?>\x00";
const OLD_NODE: &str = r"\x00(?:node )?v<[0456]\.[0-9]{1,2}\.[0-9]{1,2}>\x00";
/// Erlang's own releases, and the folders that distros build it in.
const OTP_FOLDER: &str = r"/(?:otp_src_|otp-|erlang-)<#2(?:\.[0-9]+){0,2}(?:-rc[0-9])?>(?:\+[a-z]+)?/erts";
const OTP_BEFORE: &str = r"\x00<[12][0-9](?:\.[0-9]{1,2}){1,3}(?:-rc[0-9])?>\x00+Erlang/OTP";
const OTP_BEHIND: &str = r"Erlang/OTP [0-9%].{1,150}?\x00<[12][0-9](?:\.[0-9]{1,2}){1,3}(?:-rc[0-9])?>\x00";

const PYTHON_RULES: &[Rule] = &[
    rule(&PYTHON, PYTHON_AT, PYTHON_VERSION).within(0, 24),
    rule(&PYTHON, PYTHON_FOLDER_AT, PYTHON_FOLDER).within(0, 24),
];

pub(super) static ROWS: &[Classifier] = &[
    Classifier { names: Names::Numbered("python", NumberedEnd::Nothing), rules: PYTHON_RULES },
    Classifier { names: Names::Numbered("libpython", NumberedEnd::Library), rules: PYTHON_RULES },
    Classifier { names: Names::Any(&["libpypy*.so*"]), rules: &[rule(&PYPY, &["[PyPy "], r"\[PyPy <#3>")] },
    Classifier {
        names: Names::Any(&["go", "go.exe"]),
        rules: &[rule(&GO, &["\0go1."], GO_VERSION), rule(&GO, &["go1."], GO_VERSION)],
    },
    Classifier {
        // Until version 1.5 there was one library.
        names: Names::Any(&["julia", "libjulia-internal.so*", "libjulia.so*"]),
        rules: &[
            rule(&JULIA, &["\0julia version "], r"\x00<#3(?:-[a-z]+[0-9.]*)?>\x00{1,8}julia version")
                .within(32, 0),
            rule(&JULIA, &["__init__\0"], r"__init__\x00<#3>\x00"),
        ],
    },
    Classifier {
        names: Names::Any(&["node", "libnode.so*"]),
        rules: &[
            rule(&NODE, &["node.js/v"], "node\\.js/v<#3>"),
            rule(&NODE, &["\0node v", "\0v0.", "\0v4.", "\0v5.", "\0v6."], OLD_NODE),
        ],
    },
    Classifier {
        names: Names::Any(&["perl", "perl5.*"]),
        rules: &[
            rule(&PERL, &["\0v5."], r"\x00v<5\.[0-9]{1,2}\.[0-9]{1,2}>\x00"),
            rule(&PERL, &["/lib/perl5/5."], r"/lib/perl5/<5\.[0-9]{1,2}\.[0-9]{1,2}>"),
        ],
    },
    Classifier {
        names: Names::Any(&["php", "php7*", "php8*", "php-cgi*", "php-fpm*", "libphp*.so"]),
        rules: &[rule(&PHP, &["X-Powered-By: PHP/"], "X-Powered-By: PHP/<#3(?:(?:alpha|beta|RC)[0-9]+)?>")],
    },
    Classifier {
        names: Names::Any(&["composer", "composer*.phar"]),
        // The first package that the archive names is its own.
        rules: &[rule(
            &COMPOSER,
            &["'pretty_version'"],
            r"'pretty_version'\s*=\x3e\s*'v?<#3(?:-?(?:alpha|beta|RC)\.?[0-9]+)?>'",
        )],
    },
    Classifier {
        names: Names::Any(&["libstd-????????????????.so", "libstd-????????????????.dylib"]),
        rules: &[
            rule(&RUST, &["rustc version "], r"rustc version <#3(?:-(?:nightly|beta(?:\.[0-9]+)?))?> \("),
            // The folder that a distro builds it in.
            rule(&RUST, &["/rustc-1."], r"/rustc-<1\.#2>/library/"),
            rule(&RUST, &["c 1."], r"c <1\.#2> \([0-9a-f]{9} 20[0-9]{2}-[0-9]{2}-[0-9]{2}\)"),
        ],
    },
    Classifier {
        names: Names::Any(&["ruby", "libruby*.so*"]),
        // A patch level counts builds of one version.
        rules: &[rule(&RUBY, &["ruby "], r"ruby <#3(?:(?:preview|rc|dev)[0-9]*)?>(?:p[0-9]+)? \(20")],
    },
    Classifier {
        names: Names::Any(&["erlexec", "liberts_internal.a"]),
        rules: &[rule(&ERLANG, &["/erts"], OTP_FOLDER).within(48, 0)],
    },
    Classifier {
        names: Names::Any(&["beam.smp"]),
        rules: &[
            rule(&ERLANG, &["/erts"], OTP_FOLDER).within(48, 0),
            rule(&ERLANG, &["Erlang/OTP"], OTP_BEFORE).within(64, 0),
            rule(&ERLANG, &["Erlang/OTP"], OTP_BEHIND).within(0, 200),
        ],
    },
    Classifier {
        names: Names::Any(&["elixir"]),
        rules: &[rule(&ELIXIR, &["ELIXIR_VERSION="], r"ELIXIR_VERSION=<#3(?:-[a-z0-9]+(?:\.[0-9]+)?)?>")],
    },
    Classifier {
        names: Names::Any(&["elixir.app"]),
        rules: &[rule(&ELIXIR, &["{vsn,"], r#"\{vsn, ?"<#3(?:-[a-z0-9]+(?:\.[0-9]+)?)?>"\}"#)
            .when(&[Condition::Path("/elixir/ebin/")])],
    },
    Classifier { names: Names::Any(&["swipl"]), rules: &[rule(&SWIPL, &["swipl-"], "swipl-<#3>/")] },
    Classifier {
        // Neither the program nor its library says it where it was built without its folder's name.
        names: Names::Any(&["swipl.pc"]),
        rules: &[rule(
            &SWIPL,
            &["Name: swipl\n"],
            r"Name: swipl\n(?:[A-Za-z]+:[^\n]*\n){0,3}Version: <#3>\n",
        )
        .within(1, 256)],
    },
    Classifier {
        names: Names::Any(&["dart"]),
        rules: &[rule(
            &DART,
            &[" (stable)", " (beta)", " (dev)"],
            r"\x00<#3(?:-[0-9]+\.[0-9]+\.(?:beta|dev))?> \((?:stable|beta|dev)\)",
        )
        .within(40, 0)],
    },
    Classifier {
        names: Names::Any(&["deno"]),
        rules: &[
            // The exporter of telemetry in it has a name that ends likewise, and a version of its own.
            rule(&DENO, &["Deno/"], "[^-]Deno/<#3>"),
            rule(&DENO, &["deno 0.", "deno 1."], "deno <#3>"),
        ],
    },
    Classifier {
        names: Names::Any(&["bun"]),
        rules: &[rule(&BUN, &["Bun v", "Bun/", "bun-v"], "[Bb]un[ /-]v?<#3>")],
    },
    Classifier {
        names: Names::Any(&["ghc", "ghc-*"]),
        rules: &[
            rule(&GHC, &["\0GHC "], r"\x00GHC <#3>\x00"),
            rule(&GHC, &["libHSghc-"], r"libHSghc-<#3>-(?:[a-zA-Z0-9]+-)?ghc[0-9.]+\.so"),
        ],
    },
    Classifier {
        names: Names::Any(&["cabal"]),
        rules: &[
            rule(&CABAL, &["cabal-install-"], r"cabal-install-<#3(?:\.[0-9]+)?>-"),
            rule(&CABAL, &["\0Cabal-"], r"\x00Cabal-<#3(?:\.[0-9]+)?>-"),
        ],
    },
    Classifier {
        names: Names::Any(&["stack"]),
        rules: &[
            rule(&STACK, &["Version "], r"Version <#3>, Git"),
            // What the compiler calls it where it was built without the revision.
            rule(
                &STACK,
                &["stack-1.", "stack-2.", "stack-3.", "stack-4."],
                r"stack-<#3>-[A-Za-z0-9]{15,24}[^A-Za-z0-9]",
            ),
        ],
    },
    Classifier {
        names: Names::Any(&["gcc"]),
        rules: &[
            rule(&GCC, &["\0(GCC) \0"], r"\x00<#3>\x00\(GCC\) \x00").within(24, 0),
            rule(&GCC, &["\0(GCC) \0"], r"\(GCC\) \x00<#3>\x00").within(0, 24),
            // A compiler of GCC is built by itself.
            rule(&GCC, &["GCC: (GNU) "], r"GCC: \(GNU\) <#3>"),
        ],
    },
];
