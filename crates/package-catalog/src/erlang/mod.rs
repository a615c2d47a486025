//! Erlang and Elixir: the resource file of each compiled application, and what Hex tells of a package in its folder.
//!
//! A resource file does not say where the application comes from. Those of Erlang/OTP and of Elixir itself are known by their names,
//! which Hex gives to nobody else; all others are taken for packages of Hex.

mod terms;
#[cfg(test)]
mod tests;

use model::{Package, PackageKind};

use crate::described::{self, Description, DescriptionKind, Extent, Found};
use crate::parse::{ParseInput, Parsed, Problems};
use crate::purl::qualified_purl;
use terms::{Term, Terms};

/// `lib/erlang/lib/ssl-11.1/ebin/ssl.app`
pub(crate) static APPLICATION: DescriptionKind = DescriptionKind {
    tag: 38,
    kind: PackageKind::Hex,
    is_description: is_application,
    extent: Extent::Whole(1),
    read: read_application,
    complete,
};

/// `deps/jason/hex_metadata.config`
pub(crate) static HEX_METADATA: DescriptionKind = DescriptionKind {
    tag: 39,
    kind: PackageKind::Hex,
    is_description: is_hex_metadata,
    extent: Extent::Whole(1),
    read: read_hex_metadata,
    complete,
};

const HEX_FILE: &str = "/hex_metadata.config";

/// Applications that releases of Erlang/OTP hold or have held, sorted.
const OTP: [&str; 56] = [
    "appmon",
    "asn1",
    "common_test",
    "compiler",
    "cosEvent",
    "cosEventDomain",
    "cosFileTransfer",
    "cosNotification",
    "cosProperty",
    "cosTime",
    "cosTransactions",
    "crypto",
    "debugger",
    "dialyzer",
    "diameter",
    "docbuilder",
    "edoc",
    "eldap",
    "erl_docgen",
    "erl_interface",
    "erts",
    "et",
    "eunit",
    "ftp",
    "gs",
    "hipe",
    "ic",
    "inets",
    "inviso",
    "jinterface",
    "kernel",
    "megaco",
    "mnesia",
    "observer",
    "odbc",
    "orber",
    "os_mon",
    "ose",
    "otp_mibs",
    "parsetools",
    "percept",
    "pman",
    "public_key",
    "reltool",
    "runtime_tools",
    "sasl",
    "snmp",
    "ssh",
    "ssl",
    "stdlib",
    "syntax_tools",
    "tftp",
    "toolbar",
    "tools",
    "wx",
    "xmerl",
];

/// Applications that Elixir itself consists of, sorted.
const ELIXIR: [&str; 6] = ["eex", "elixir", "ex_unit", "iex", "logger", "mix"];

fn is_application(path: &str) -> bool {
    path.ends_with(".app") && path.rsplit('/').nth(1) == Some("ebin")
}

fn is_hex_metadata(path: &str) -> bool {
    path.ends_with(HEX_FILE)
}

/// `{application, ssl, [{description, "…"}, {vsn, "11.1"}, …]}.`
fn read_application(content: &[u8], found: &mut Found) -> Result<(), String> {
    let mut terms = Terms::new(content);
    let is_application = terms.next() == Some(Term::Open)
        && terms.next() == Some(Term::Atom("application".to_owned()))
        && terms.next() == Some(Term::Comma);
    let Some(Term::Atom(name)) = terms.next().filter(|_| is_application) else {
        return Err("file is no description of an application".to_owned());
    };
    let mut description = Description { name, ..Description::default() };
    // The list is in the tuple, its tuples are in the list.
    let (mut depth, mut key) = (1_usize, None);
    let mut before = Term::Comma;
    while let Some(term) = terms.next() {
        match &term {
            Term::Open => depth += 1,
            Term::Close => depth = depth.saturating_sub(1),
            Term::Atom(atom) if depth == 3 && before == Term::Open => key = Some(atom.clone()),
            Term::Text(text) if depth == 3 && key.as_deref() == Some("vsn") => {
                description.version.get_or_insert_with(|| text.clone());
            }
            _ => {}
        }
        before = term;
    }
    found.add(description);
    Ok(())
}

/// `{<<"name">>,<<"jason">>}.` and more of these.
fn read_hex_metadata(content: &[u8], found: &mut Found) -> Result<(), String> {
    let mut terms = Terms::new(content);
    let mut description = Description::default();
    let (mut depth, mut key) = (0_usize, String::new());
    let mut before = Term::Comma;
    while let Some(term) = terms.next() {
        match &term {
            Term::Open => depth += 1,
            Term::Close => depth = depth.saturating_sub(1),
            Term::Text(text) if depth == 1 && before == Term::Open => key = text.clone(),
            Term::Text(text) => match (depth, key.as_str()) {
                (1, "name") => description.name = text.clone(),
                (1, "version") => description.version = Some(text.clone()),
                (2, "licenses") => description.licenses.push(text.clone()),
                _ => {}
            },
            Term::Atom(_) | Term::Comma => {}
        }
        before = term;
    }
    if description.name.is_empty() {
        return Err("description of a package has no name".to_owned());
    }
    found.add(description);
    Ok(())
}

fn complete(package: &mut Package, _: &Description, input: &ParseInput<'_>, _: &mut Problems<'_>) {
    let name = package.name.as_str();
    if !input.path.ends_with(HEX_FILE) && (OTP.contains(&name) || ELIXIR.contains(&name)) {
        package.kind = PackageKind::Otp;
    }
    package.purl = qualified_purl(package, &[]);
}

pub(crate) fn parse_application(input: &ParseInput<'_>) -> Parsed {
    described::parse(input, &APPLICATION)
}

pub(crate) fn parse_hex_metadata(input: &ParseInput<'_>) -> Parsed {
    described::parse(input, &HEX_METADATA)
}
