//! Names of images inside archives: when two spellings mean the same, and how they are listed.

use model::ImageReference;

use crate::manifest::shorten;

const SHOWN_MAX: usize = 20;

/// Whether the name a user chose means a name of the archive: the same text, or the same image once both are completed
/// (`nginx:1` is `docker.io/library/nginx:1`).
pub(crate) fn is_same_name(wanted: &str, there: &str) -> bool {
    if wanted == there {
        return true;
    }
    match (wanted.parse::<ImageReference>(), there.parse::<ImageReference>()) {
        (Ok(wanted), Ok(there)) => {
            wanted.registry() == there.registry()
                && wanted.registry_repository() == there.registry_repository()
                && (wanted.tag(), wanted.digest()) == (there.tag(), there.digest())
        }
        _ => false,
    }
}

/// Names for an error text.
pub(crate) fn list(names: impl Iterator<Item = String>) -> String {
    let all: Vec<String> = names.map(|name| format!("`{}`", shorten(&name))).collect();
    match all.len() {
        0 => "none".to_owned(),
        count if count > SHOWN_MAX => format!("{}, {} more", all[..SHOWN_MAX].join(", "), count - SHOWN_MAX),
        _ => all.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_image_are_the_same() {
        for (wanted, there, expected) in [
            ("v1", "v1", true),
            ("nginx:1", "docker.io/library/nginx:1", true),
            ("nginx", "nginx:latest", true),
            ("nginx:1", "nginx:2", false),
            ("not a name", "not a name", true),
            ("h:5000/nginx", "nginx", false),
        ] {
            assert_eq!(is_same_name(wanted, there), expected, "{wanted} {there}");
        }
    }

    #[test]
    fn long_lists_are_cut() {
        assert_eq!(list(std::iter::empty()), "none");
        assert!(list((0..30).map(|number| number.to_string())).ends_with("`19`, 10 more"));
    }
}
