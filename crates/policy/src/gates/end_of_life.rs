//! Gates that the language once had: their rules are refused on upload and do nothing in stored bundles.

use serde_json::{Value, json};

/// A gate that is not evaluated any more.
#[derive(Debug)]
pub(crate) struct EndOfLifeGate {
    pub(crate) name: &'static str,
    pub(crate) replaced_by: Option<&'static str>,
    description: &'static str,
    triggers: &'static [&'static str],
}

static END_OF_LIFE: &[EndOfLifeGate] = &[
    EndOfLifeGate {
        name: "suiddiff",
        replaced_by: None,
        description: "Compared files with set-user-id bits with those of the base image.",
        triggers: &["suiddiff", "suidfileadd", "suidfiledel", "suidmodediff"],
    },
    EndOfLifeGate {
        name: "imagecheck",
        replaced_by: None,
        description: "Told when the base image had changed.",
        triggers: &["baseoutofdate"],
    },
    EndOfLifeGate {
        name: "pkgdiff",
        replaced_by: None,
        description: "Compared packages with those of the base image.",
        triggers: &["pkgversiondiff", "pkgadd", "pkgdel", "pkgdiff"],
    },
    EndOfLifeGate {
        name: "anchoresec",
        replaced_by: Some("vulnerabilities"),
        description: "One trigger per severity of vulnerabilities.",
        triggers: &[
            "vulnlow",
            "vulnmedium",
            "vulnhigh",
            "vulncritical",
            "vulnunknown",
            "feedoutofdate",
            "unsupporteddistro",
        ],
    },
    EndOfLifeGate {
        name: "pkgcheck",
        replaced_by: Some("packages"),
        description: "Presence and integrity of packages.",
        triggers: &["pkgnotpresent", "verify"],
    },
    EndOfLifeGate {
        name: "dockerfilecheck",
        replaced_by: Some("dockerfile"),
        description: "Single checks of the Dockerfile.",
        triggers: &[
            "directivecheck",
            "effectiveuser",
            "expose",
            "nofrom",
            "fromscratch",
            "notag",
            "sudo",
            "volumepresent",
            "nohealthcheck",
            "nodockerfile",
        ],
    },
    EndOfLifeGate {
        name: "filecheck",
        replaced_by: Some("files"),
        description: "Names, contents and modes of files.",
        triggers: &["contentmatch", "filenamematch", "suidsgidcheck"],
    },
    EndOfLifeGate {
        name: "fileparse_passwd",
        replaced_by: Some("passwd_file"),
        description: "Entries of /etc/passwd.",
        triggers: &[
            "filenotstored",
            "usernamematch",
            "useridmatch",
            "groupidmatch",
            "shellmatch",
            "pentrymatch",
        ],
    },
    EndOfLifeGate {
        name: "gemcheck",
        replaced_by: Some("ruby_gems"),
        description: "Ruby gems.",
        triggers: &[
            "gemnotlatest",
            "gemnotofficial",
            "gembadversion",
            "gempkgfullmatch",
            "gempkgnamematch",
            "gemnofeed",
        ],
    },
    EndOfLifeGate {
        name: "metadatacheck",
        replaced_by: Some("metadata"),
        description: "Attributes of the image.",
        triggers: &["attributecheck"],
    },
    EndOfLifeGate {
        name: "licblacklist",
        replaced_by: Some("licenses"),
        description: "Licences of packages.",
        triggers: &["licfullmatch", "licsubmatch"],
    },
    EndOfLifeGate {
        name: "npmcheck",
        replaced_by: Some("npms"),
        description: "JavaScript packages.",
        triggers: &[
            "npmnotlatest",
            "npmnotofficial",
            "npmbadversion",
            "npmpkgfullmatch",
            "npmpkgnamematch",
            "npmnofeed",
        ],
    },
    EndOfLifeGate {
        name: "pkgblacklist",
        replaced_by: Some("packages"),
        description: "Packages that must not be there.",
        triggers: &["pkgfullmatch", "pkgnamematch"],
    },
    EndOfLifeGate {
        name: "secretcheck",
        replaced_by: Some("secret_scans"),
        description: "Secrets in files.",
        triggers: &["contentmatch", "filenamematch"],
    },
];

/// The gate of this name; names ignore case.
pub(crate) fn find_end_of_life(name: &str) -> Option<&'static EndOfLifeGate> {
    END_OF_LIFE.iter().find(|gate| gate.name.eq_ignore_ascii_case(name))
}

pub(super) fn specification() -> impl Iterator<Item = Value> {
    END_OF_LIFE.iter().map(|gate| {
        let triggers: Vec<Value> = gate
            .triggers
            .iter()
            .map(|name| {
                json!({
                    "name": name,
                    "description": gate.description,
                    "state": "eol",
                    // Only whole gates have a successor.
                    "superceded_by": null,
                    "parameters": [],
                })
            })
            .collect();
        json!({
            "name": gate.name,
            "description": gate.description,
            "state": "eol",
            "superceded_by": gate.replaced_by,
            "triggers": triggers,
        })
    })
}
