//! What a row of the table says.

use model::PackageKind;

/// What a classifier finds.
#[derive(Debug)]
pub(crate) struct Product {
    /// Stable name of this row: it stands in what is kept of a layer.
    pub(crate) id: &'static str,
    pub(crate) kind: PackageKind,
    /// Name of the package.
    pub(crate) name: &'static str,
    /// Name in the package URL, where that is another one; what stands before a slash is its namespace.
    pub(crate) purl_name: Option<&'static str>,
    /// `vendor:product` in the Common Platform Enumeration.
    pub(crate) cpes: &'static [&'static str],
}

/// A product of no ecosystem.
pub(super) const fn product(id: &'static str, name: &'static str, cpes: &'static [&'static str]) -> Product {
    Product { id, kind: PackageKind::Binary, name, purl_name: None, cpes }
}

impl Product {
    pub(super) const fn called(self, purl_name: &'static str) -> Self {
        Self { purl_name: Some(purl_name), ..self }
    }

    pub(super) const fn of_kind(self, kind: PackageKind) -> Self {
        Self { kind, ..self }
    }
}

/// Files of certain base names, and how their version is found.
#[derive(Debug)]
pub(crate) struct Classifier {
    pub(crate) names: Names,
    /// The first one that finds a version wins; together they may name several products.
    pub(crate) rules: &'static [Rule],
}

/// Which base names are claimed.
#[derive(Debug)]
pub(crate) enum Names {
    /// These, with `*` for any text and `?` for one character.
    Any(&'static [&'static str]),
    /// `python3.11`: this text, numbers with dots, and an end. The version that is found must begin with the numbers.
    Numbered(&'static str, NumberedEnd),
}

/// What stands behind the numbers of a name.
#[derive(Debug, Clone, Copy)]
pub(crate) enum NumberedEnd {
    /// Nothing.
    Nothing,
    /// `.so` and anything else, with letters of a variant in front.
    Library,
}

/// One kind of evidence.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) product: &'static Product,
    /// Literals; around each of them the expression is tried.
    pub(crate) anchors: &'static [&'static str],
    /// Bytes before and behind the literal that the expression sees.
    pub(crate) before: usize,
    pub(crate) after: usize,
    /// The expression, in the form that [`crate::binary::index`] reads.
    pub(crate) pattern: &'static str,
    pub(crate) conditions: &'static [Condition],
}

/// What else must hold.
#[derive(Debug)]
pub(crate) enum Condition {
    /// The literal stands anywhere in the file.
    Contains(&'static str),
    /// The literal stands nowhere in it.
    Lacks(&'static str),
    /// The path holds this text.
    Path(&'static str),
}

/// Bytes behind a literal that an expression sees if nothing else is said.
const AFTER: usize = 64;

/// A version behind the literal.
pub(super) const fn rule(
    product: &'static Product,
    anchors: &'static [&'static str],
    pattern: &'static str,
) -> Rule {
    Rule { product, anchors, before: 1, after: AFTER, pattern, conditions: &[] }
}

impl Rule {
    /// With so many bytes before and behind the literal.
    pub(super) const fn within(self, before: usize, after: usize) -> Self {
        Self { before, after, ..self }
    }

    /// With these conditions.
    pub(super) const fn when(self, conditions: &'static [Condition]) -> Self {
        Self { conditions, ..self }
    }

    /// Whether what the whole file holds decides.
    pub(super) fn depends_on_content(&self) -> bool {
        self.conditions.iter().any(|condition| !matches!(condition, Condition::Path(_)))
    }
}

impl Names {
    /// The numbers that a version must begin with, empty where there are none; `None` if the name is not claimed.
    pub(super) fn claim<'a>(&self, base_name: &'a str) -> Option<&'a str> {
        match self {
            Self::Any(globs) => globs.iter().any(|glob| is_match(glob, base_name)).then_some(""),
            Self::Numbered(prefix, end) => numbers(base_name.strip_prefix(prefix)?, *end),
        }
    }
}

fn numbers(rest: &str, end: NumberedEnd) -> Option<&str> {
    let is_part = |character: char| character.is_ascii_digit() || character == '.';
    let numbers = match end {
        NumberedEnd::Nothing => rest,
        NumberedEnd::Library => {
            let (head, _) = rest.split_once(".so")?;
            head.trim_end_matches(|character: char| character.is_ascii_lowercase())
        }
    };
    let parts = numbers.split('.').count();
    let is_number =
        parts > 1 && numbers.chars().all(is_part) && numbers.split('.').all(|part| !part.is_empty());
    is_number.then_some(numbers)
}

/// Whether a name is of a form with `*` and `?`.
fn is_match(glob: &str, name: &str) -> bool {
    let Some((head, tail)) = glob.split_once('*') else {
        return fits(glob, name);
    };
    let Some((first, rest)) = name.split_at_checked(head.len()) else { return false };
    fits(head, first)
        && rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| is_match(tail, &rest[at..]))
}

fn fits(form: &str, name: &str) -> bool {
    form.len() == name.len()
        && form.bytes().zip(name.bytes()).all(|(wanted, found)| wanted == b'?' || wanted == found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_claimed() {
        let cases = [
            ("node", "node", true),
            ("node", "nodejs", false),
            ("libpypy*.so*", "libpypy3.9-c.so", true),
            ("libpypy*.so*", "libpypy3.9-c.a", false),
            ("libav*.so*", "libavcodec.so.59.37.100", true),
            ("libstd-????????????????.so", "libstd-a5a48102fbd58791.so", true),
            ("libstd-????????????????.so", "libstd-a5a48102fbd5879.so", false),
            ("ghc-*", "ghc-9.6.5", true),
            ("ghc-*", "ghc", false),
        ];
        for (glob, name, expected) in cases {
            assert_eq!(is_match(glob, name), expected, "{glob} {name}");
        }
        let (program, library) = (NumberedEnd::Nothing, NumberedEnd::Library);
        for (prefix, end, name, expected) in [
            ("python", program, "python3.11", Some("3.11")),
            ("python", program, "python3", None),
            ("python", program, "python3.11-config", None),
            ("python", program, "python3..1", None),
            ("libpython", library, "libpython3.7m.so.1.0", Some("3.7")),
            ("libpython", library, "libpython3.11.so", Some("3.11")),
            ("libpython", library, "libpython3.so", None),
            ("libpython", library, "libpython3.11.a", None),
        ] {
            assert_eq!(Names::Numbered(prefix, end).claim(name), expected, "{name}");
        }
    }
}
