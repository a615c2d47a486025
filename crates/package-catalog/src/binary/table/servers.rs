//! Servers and proxies.

use crate::binary::classifier::{Classifier, Condition, Names, Product, product, rule};

static HAPROXY: Product = product("haproxy", "haproxy", &["haproxy:haproxy"]);
static HTTPD: Product = product("httpd", "httpd", &["apache:http_server"]);
static NGINX: Product = product("nginx", "nginx", &["f5:nginx", "nginx:nginx"]);
static LIGHTTPD: Product = product("lighttpd", "lighttpd", &["lighttpd:lighttpd"]);
static PROFTPD: Product = product("proftpd", "proftpd", &["proftpd:proftpd"]);
static FLUENT_BIT: Product = product("fluent-bit", "fluent-bit", &["treasuredata:fluent_bit"]);
static ENVOY: Product = product("envoy", "envoy", &["envoyproxy:envoy"]);

/// The libraries in Envoy have versions in the same form; none of them has a second number of two digits that begins like this.
const ENVOY_VERSION: &str = r"\x00<1\.[1-9][0-9]\.[0-9]{1,2}(?:-dev)?>\x00";
const ENVOY_AT: &[&str] =
    &["\x001.1", "\x001.2", "\x001.3", "\x001.4", "\x001.5", "\x001.6", "\x001.7", "\x001.8", "\x001.9"];

pub(super) static ROWS: &[Classifier] = &[
    Classifier {
        names: Names::Any(&["haproxy"]),
        rules: &[
            rule(
                &HAPROXY,
                &[", released 20"],
                r"version <#2(?:\.|-dev|-rc)[0-9]+>[^\x00]{0,40}, released 20",
            )
            .within(72, 0),
            rule(&HAPROXY, &["HA-Proxy version "], r"HA-Proxy version <#2(?:\.|-dev|-rc)[0-9]+>"),
            rule(&HAPROXY, &["HAProxy version"], r"\x00<#2(?:\.|-dev|-rc)[0-9]+>-[0-9a-f]{6,9}\x00")
                .within(160, 0),
        ],
    },
    Classifier {
        names: Names::Any(&["httpd", "apache2"]),
        rules: &[rule(&HTTPD, &["Apache/"], "Apache/<#3>")],
    },
    Classifier {
        names: Names::Any(&["nginx", "openresty"]),
        // OpenResty adds a fourth number to that of nginx.
        rules: &[rule(&NGINX, &["nginx version: "], r"nginx version: [^/\x00]{1,24}/<#3>")],
    },
    Classifier {
        names: Names::Any(&["lighttpd"]),
        rules: &[rule(&LIGHTTPD, &["\0lighttpd/"], r"\x00lighttpd/<#3>[\x00 ]")],
    },
    Classifier {
        names: Names::Any(&["proftpd"]),
        rules: &[rule(&PROFTPD, &["ProFTPD Version "], "ProFTPD Version <#3(?:rc[0-9]+|[a-z])?>")],
    },
    Classifier {
        names: Names::Any(&["fluent-bit"]),
        rules: &[rule(&FLUENT_BIT, &["Fluent Bit"], r"\x00<#3>\x00{1,4}(?:\x1b\[1m\x00{1,3})?(?:%s)?Fluent")
            .within(48, 0)],
    },
    Classifier {
        names: Names::Any(&["envoy"]),
        rules: &[
            rule(&ENVOY, &["envoy_reloadable_features", "envoy.reloadable_features"], ENVOY_VERSION)
                .within(1000, 0),
            rule(&ENVOY, &["envoy_quic_"], ENVOY_VERSION).within(0, 1000),
            rule(&ENVOY, &["Unable to", "ValidationError"], ENVOY_VERSION).within(1000, 0),
            rule(&ENVOY, &["[source/"], ENVOY_VERSION).within(0, 256),
            // Where linkers have put all texts together, it stands anywhere.
            rule(&ENVOY, ENVOY_AT, ENVOY_VERSION)
                .within(0, 12)
                .when(&[Condition::Contains("envoy_reloadable_features")]),
            rule(&ENVOY, &["RELEASE"], r"\x00<1\.#2(?:-dev)?>\x00.{0,20}RELEASE").within(48, 0),
        ],
    },
];
