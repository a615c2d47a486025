//! Names that come from addresses and end up in questions to a cluster.

const OBJECT_NAME_CHARS_MAX: usize = 253;
const LABEL_CHARS_MAX: usize = 63;

/// Whether an object can have this name. What cannot must not be asked for: it would be part of another address.
pub(super) fn is_object_name(name: &str) -> bool {
    let is_inner = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    !name.is_empty()
        && name.len() <= OBJECT_NAME_CHARS_MAX
        && name.split('.').all(|part| {
            part.bytes().all(|letter| is_inner(letter) || letter == b'-')
                && part.bytes().next().is_some_and(is_inner)
                && part.bytes().next_back().is_some_and(is_inner)
        })
}

/// Whether a label can have this value. What cannot must not be part of a selector, where `,` and `=` mean something.
pub(super) fn is_label_value(value: &str) -> bool {
    let ends = |letter: Option<u8>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    value.len() <= LABEL_CHARS_MAX
        && value.bytes().all(|letter| letter.is_ascii_alphanumeric() || b"-_.".contains(&letter))
        && ends(value.bytes().next())
        && ends(value.bytes().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_be_more_than_a_name_are_none() {
        for (text, is_object, is_label) in [
            ("web", true, true),
            ("web-1.a", true, true),
            ("Web_1", false, true),
            ("a", true, true),
            ("", false, false),
            ("-a", false, false),
            ("a-", false, false),
            ("a..b", false, true),
            ("a/b", false, false),
            ("..", false, false),
            ("a?b", false, false),
            ("a,b=c", false, false),
            ("a%2fb", false, false),
            ("ä", false, false),
        ] {
            assert_eq!((is_object_name(text), is_label_value(text)), (is_object, is_label), "{text}");
        }
        assert!(!is_object_name(&"a".repeat(254)) && !is_label_value(&"a".repeat(64)));
    }
}
