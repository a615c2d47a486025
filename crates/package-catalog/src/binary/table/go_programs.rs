//! Programs written in Go whose version their build information does not have: the linker sets it, or it is a constant.
//!
//! Texts of a constant have no end of their own; those that the linker sets stand alone between zeros.

use model::PackageKind;

use crate::binary::classifier::{Classifier, Names, Product, product, rule};

static HELM: Product = product("helm", "helm", &["helm:helm"]);
static TRAEFIK: Product = product("traefik", "traefik", &["traefik:traefik"]);
static CONSUL: Product = product("consul", "consul", &["hashicorp:consul"]);
static VAULT: Product =
    product("vault", "github.com/hashicorp/vault", &["hashicorp:vault"]).of_kind(PackageKind::Golang);
static PILOT_DISCOVERY: Product =
    product("pilot-discovery", "pilot-discovery", &["istio:istio"]).called("istio");
static PILOT_AGENT: Product = product("pilot-agent", "pilot-agent", &["istio:istio"]).called("istio");
static GRAFANA: Product = product("grafana", "grafana", &["grafana:grafana"]);
static INGRESS: Product =
    product("nginx-ingress-controller", "nginx-ingress-controller", &["kubernetes:ingress-nginx"]);
static FILEBEAT: Product = product("filebeat", "filebeat", &["elastic:filebeat"]);
static METRICBEAT: Product = product("metricbeat", "metricbeat", &["elastic:metricbeat"]);
static HEARTBEAT: Product = product("heartbeat", "heartbeat", &["elastic:heartbeat"]);
static PACKETBEAT: Product = product("packetbeat", "packetbeat", &["elastic:packetbeat"]);
static AUDITBEAT: Product = product("auditbeat", "auditbeat", &["elastic:auditbeat"]);
static ELASTIC_AGENT: Product = product("elastic-agent", "elastic-agent", &["elastic:elastic_agent"]);

/// Constants are sorted by their length; these have the same and stand before the version.
const BEAT_AT: &[&str] = &["Test 9.", "m.rate8.", "plugin8.", "plugin9."];
const BEAT: &str = r"(?:Test |m\.rate|plugin)<[89]\.[0-9]{1,2}\.[0-9]{1,2}>";
const AGENT: &str = r"<[89]\.[0-9]{1,2}\.[0-9]{1,2}>(?:-?headeruint16|:https\x3c-chan)";

const ISTIO_TWICE: &str = r"\x00#3\x00{1,32}<1\.#2(?:-(?:alpha|beta|rc)\.[0-9]+|-dev)?>\x00";
const ISTIO_CLEAN: &str = r"Clean\x00{1,32}<1\.#2(?:-(?:alpha|beta|rc)\.[0-9]+|-dev)?>\x00";
const ISTIO_CHANGED: &str = r"Modified\x00{1,32}<1\.[0-9]+-dev>\x00";

const GRAFANA_RELEASE: &str = r"\x00release-<#3(?:-(?:beta[0-9]|test|preview))?>(?:\+security-[0-9]+)?\x00";
const GRAFANA_BRANCH: &str =
    r"\x00(?:HEAD|v[0-9.]+x)\x00.{0,48}?\x00<#3(?:-(?:beta[0-9]|test|preview))?>(?:\+security-[0-9]+)?\x00";
const GRAFANA_BEFORE: &str = r"<#3(?:-(?:beta[0-9]|test|preview))?>(?:\+security-[0-9]+)?\x00{1,32}(?:v[0-9]+\.[0-9]+\.x|/usr/local/go)\x00";
const GRAFANA_ALONE: &str =
    r"\x00<1[0-9]\.#2(?:-[0-9]{6,}|-beta[0-9]|-test|-preview)?>(?:\+security-[0-9]+)?\x00";

const INGRESS_ALONE: &str = r"\x00v<[01]\.#2(?:-(?:alpha|beta)\.[0-9])?>\x00";
const INGRESS_BEFORE_GO: &str = r"v<[01]\.#2(?:-(?:alpha|beta)\.[0-9])?>\x00+.{0,50}?\x00go1\.[0-9.]+\x00";

pub(super) static ROWS: &[Classifier] = &[
    Classifier {
        names: Names::Any(&["helm"]),
        rules: &[rule(
            &HELM,
            &["\0v2.", "\0v3.", "\0v4."],
            r"\x00v<[2-4]\.#2(?:-(?:alpha|beta|rc)\.[0-9]+)?>\x00",
        )],
    },
    Classifier {
        names: Names::Any(&["traefik"]),
        rules: &[
            rule(
                &TRAEFIK,
                &["\0v1.", "\x001.", "\x002.", "\x003."],
                r"\x00v?<[1-3]\.[0-9]{1,2}\.[0-9]{1,2}(?:-(?:alpha|beta|ea|rc)\.?[0-9]+)?>\x00",
            ),
            // The address before it may end in anything.
            rule(
                &TRAEFIK,
                &["3."],
                r"[\x80-\xff].?<3\.[0-9]{1,2}\.[0-9]{1,2}(?:-(?:alpha|beta|ea|rc)\.?[0-9]+)?>\x00",
            )
            .within(2, 16),
        ],
    },
    Classifier {
        names: Names::Any(&["consul"]),
        rules: &[
            rule(&CONSUL, &["CONSUL_VERSION: "], "CONSUL_VERSION: <#3>"),
            rule(&CONSUL, &["GitDescribe="], r#"GitDescribe=v?<#3>["' ]"#),
            rule(&CONSUL, &["\0v1."], r"\x00v<1\.#2>\x00"),
        ],
    },
    Classifier {
        names: Names::Any(&["vault"]),
        rules: &[
            rule(
                &VAULT,
                &["revoke1.", "state1.", "016x1.", "stuffit1."],
                r"(?:revoke|state|016x|stuffit)<1\.[0-9]{1,2}\.[0-9]{1,2}(?:-rc[0-9])?>",
            ),
            rule(&VAULT, &["\x001."], r"\x00<1\.(?:[0-9]|1[01])\.[0-9]{1,2}>\x00"),
        ],
    },
    Classifier {
        names: Names::Any(&["pilot-discovery"]),
        rules: &[
            rule(&PILOT_DISCOVERY, &["\x001."], ISTIO_TWICE).within(0, 80),
            rule(&PILOT_DISCOVERY, &["Clean\0"], ISTIO_CLEAN),
            rule(&PILOT_DISCOVERY, &["Modified\0"], ISTIO_CHANGED),
        ],
    },
    Classifier {
        names: Names::Any(&["pilot-agent"]),
        rules: &[
            rule(&PILOT_AGENT, &["\x001."], ISTIO_TWICE).within(0, 80),
            rule(&PILOT_AGENT, &["Clean\0"], ISTIO_CLEAN),
            rule(&PILOT_AGENT, &["Modified\0"], ISTIO_CHANGED),
        ],
    },
    Classifier {
        names: Names::Any(&["grafana", "grafana-server"]),
        rules: &[
            rule(&GRAFANA, &["\0release-"], GRAFANA_RELEASE),
            rule(&GRAFANA, &["\0HEAD\0", ".x\0"], GRAFANA_BRANCH).within(8, 96),
            rule(&GRAFANA, &[".x\0", "/usr/local/go"], GRAFANA_BEFORE).within(64, 1),
            rule(&GRAFANA, &["\x001"], GRAFANA_ALONE),
        ],
    },
    Classifier {
        names: Names::Any(&["nginx-ingress-controller"]),
        rules: &[
            rule(&INGRESS, &["\0v0.", "\0v1."], INGRESS_ALONE),
            rule(&INGRESS, &["\0go1."], INGRESS_BEFORE_GO).within(88, 16),
        ],
    },
    Classifier { names: Names::Any(&["filebeat"]), rules: &[rule(&FILEBEAT, BEAT_AT, BEAT)] },
    Classifier { names: Names::Any(&["metricbeat"]), rules: &[rule(&METRICBEAT, BEAT_AT, BEAT)] },
    Classifier { names: Names::Any(&["heartbeat"]), rules: &[rule(&HEARTBEAT, BEAT_AT, BEAT)] },
    Classifier { names: Names::Any(&["packetbeat"]), rules: &[rule(&PACKETBEAT, BEAT_AT, BEAT)] },
    Classifier { names: Names::Any(&["auditbeat"]), rules: &[rule(&AUDITBEAT, BEAT_AT, BEAT)] },
    Classifier {
        names: Names::Any(&["elastic-agent"]),
        rules: &[rule(&ELASTIC_AGENT, &["headeruint16", ":https<-chan"], AGENT).within(24, 0)],
    },
];
