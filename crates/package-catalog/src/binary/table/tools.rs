//! Shells, tools and libraries.

use crate::binary::classifier::{Classifier, Names, Product, Rule, product, rule};

static BUSYBOX: Product = product("busybox", "busybox", &["busybox:busybox"]);
static UTIL_LINUX: Product = product("util-linux", "util-linux", &["kernel:util-linux"]);
static BASH: Product = product("bash", "bash", &["gnu:bash"]);
static OPENSSL: Product = product("openssl", "openssl", &["openssl:openssl"]);
static AWS_LC: Product = product("aws-lc", "aws-lc", &["amazon:aws_libcrypto"]);
static OPENLDAP: Product = product("openldap", "openldap", &["openldap:openldap"]);
static QT: Product = product("qtbase", "qtbase", &["qt:qt", "qt:qtbase"]);
static WP_CLI: Product = product("wp-cli", "wp-cli", &["wp-cli:wp-cli"]);
static CURL: Product = product("curl", "curl", &["haxx:curl"]);
static ZSTD: Product = product("zstd", "zstd", &["facebook:zstandard"]);
static XZ: Product = product("xz", "xz", &["tukaani:xz"]);
static GZIP: Product = product("gzip", "gzip", &["gnu:gzip"]);
static JQ: Product = product("jq", "jq", &["jqlang:jq"]);
static CHROME: Product = product("chrome", "chrome", &["google:chrome"]);
/// Advisories are about Chrome.
static CHROMIUM: Product = product("chromium", "chromium", &["google:chrome"]);
static FIREFOX: Product = product("firefox", "firefox", &["mozilla:firefox"]);
static FFMPEG: Product = product("ffmpeg", "ffmpeg", &["ffmpeg:ffmpeg"]);
static KRB5: Product = product("krb5", "krb5", &["mit:kerberos_5"]);
static HEIMDAL: Product = product("heimdal-krb5", "heimdal-krb5", &["heimdal_project:heimdal"]);

const CHROME_RULES: &[Rule] = &chrome_rules(&CHROME);
const CHROMIUM_RULES: &[Rule] = &chrome_rules(&CHROMIUM);

/// Other versions with four numbers stand in it: of the browsers that it knows, and of its libraries.
const fn chrome_rules(product: &'static Product) -> [Rule; 3] {
    [
        rule(product, &["\0Default"], r"\x00<#4>\x00Default").within(32, 0),
        rule(product, &["\0Chrome/"], r"\x00Chrome/<#4>\x00"),
        // Behind its version stands its name.
        rule(product, &["\0chrome\0"], r"\x00<[0-9]{2,3}\.0\.[0-9]{4,5}\.[0-9]{1,3}>\x00chrome\x00")
            .within(32, 0),
    ]
}

pub(super) static ROWS: &[Classifier] = &[
    Classifier {
        // All names are one file; the first of them in the archive brings its content.
        names: Names::Any(&["busybox", "["]),
        rules: &[rule(&BUSYBOX, &["BusyBox v"], "BusyBox v<#3>")],
    },
    Classifier {
        names: Names::Any(&["getopt"]),
        rules: &[rule(&UTIL_LINUX, &["\0util-linux "], r"\x00util-linux <#2(?:\.[0-9]+)?>\x00")],
    },
    Classifier {
        names: Names::Any(&["bash"]),
        rules: &[rule(&BASH, &["@(#)Bash version "], r"Bash version <#3>\(")],
    },
    Classifier {
        names: Names::Any(&["openssl"]),
        rules: &[
            // Where its library is part of the program, the name stands alone too.
            rule(&AWS_LC, &["AWS-LC "], r"AWS-LC <#3>[\)\x00]"),
            // Behind the version stands a date; what only says that it is compatible has none.
            rule(
                &OPENSSL,
                &["\0OpenSSL "],
                r"\x00OpenSSL <#3(?:[a-z]{1,2}|-(?:alpha|beta|rc)[0-9]+)?>[-+a-z0-9]* {1,2}[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4}",
            ),
        ],
    },
    Classifier {
        names: Names::Any(&["ldapsearch"]),
        rules: &[rule(&OPENLDAP, &["$OpenLDAP: ldapsearch "], "ldapsearch <#3>")],
    },
    Classifier {
        names: Names::Any(&["libQt*Core.so*"]),
        rules: &[
            rule(&QT, &["\0Qt "], r"\x00Qt <[5-9]\.#2> \("),
            rule(&QT, &["QtCore library version "], "QtCore library version <#3>"),
        ],
    },
    Classifier {
        names: Names::Any(&["wp"]),
        rules: &[rule(&WP_CLI, &["wp-cli/wp-cli "], "wp-cli/wp-cli <#3>")],
    },
    Classifier {
        names: Names::Any(&["curl"]),
        rules: &[rule(&CURL, &["curl/"], r"\x00curl/<#3>[\x00-]")],
    },
    Classifier {
        names: Names::Any(&["zstd"]),
        rules: &[rule(&ZSTD, &["\0v0.", "\0v1."], r"\x00v<#3>\x00")],
    },
    Classifier {
        names: Names::Any(&["xz"]),
        rules: &[rule(&XZ, &["xz (XZ Utils) "], r"xz \(XZ Utils\) <#3(?:alpha|beta)?>\x00")],
    },
    Classifier {
        names: Names::Any(&["gzip"]),
        rules: &[rule(&GZIP, &["\x001."], r"\x00<1\.[0-9]{1,3}>\x00")],
    },
    Classifier {
        names: Names::Any(&["jq"]),
        rules: &[rule(&JQ, &["\x001.", "\0jq-1."], r"\x00(?:jq-)?<1\.[0-9](?:\.[0-9])?(?:rc[0-9])?>\x00")],
    },
    Classifier {
        names: Names::Any(&["chrome", "headless_shell", "chrome-headless-shell"]),
        rules: CHROME_RULES,
    },
    Classifier { names: Names::Any(&["chromium"]), rules: CHROMIUM_RULES },
    Classifier {
        // The program itself does not say it; the file beside it does.
        names: Names::Any(&["application.ini"]),
        rules: &[rule(
            &FIREFOX,
            &["Name=Firefox"],
            r"Name=Firefox\r?\n(?:[A-Za-z]+=[^\n]*\n){0,4}Version=<[0-9]{1,3}(?:\.[0-9]{1,3}){1,2}(?:b[0-9]+|esr)?>\r?\n",
        )
        .within(0, 256)],
    },
    Classifier {
        names: Names::Any(&["ffmpeg"]),
        rules: &[
            rule(&FFMPEG, &["%s version "], r"%s version n?<#2(?:\.[0-9]+)?>"),
            // Since version 8 it stands apart.
            rule(&FFMPEG, &["%s version %s"], r"\x00n?<#2(?:\.[0-9]+)?>[^\x00]{0,60}\x00+%s version %s").within(96, 0),
        ],
    },
    Classifier {
        // The numbers in their names are of their own; only this text is about the whole.
        names: Names::Any(&["libav*.so*", "libav*.dylib", "libswresample*.so*", "libswresample*.dylib"]),
        rules: &[rule(&FFMPEG, &["FFmpeg version "], r"FFmpeg version n?<#2(?:\.[0-9]+)?>")],
    },
    Classifier {
        names: Names::Any(&["libkrb5.so*"]),
        rules: &[
            rule(&KRB5, &["KRB5_BRAND: krb5-"], r"krb5-<#2(?:\.[0-9]+)?(?:-(?:alpha|beta)[0-9])?>-"),
            rule(&HEIMDAL, &["$Version: Heimdal "], "Heimdal <#3>"),
        ],
    },
];
