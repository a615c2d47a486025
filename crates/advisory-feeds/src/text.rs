//! Small pieces of text: summaries, identifiers, times.

use jiff::Timestamp;

/// Longest summary that is kept.
const SUMMARY_CHARACTERS_MAX: usize = 300;

/// The first line that says something, shortened.
pub(crate) fn first_line(text: &str) -> Option<String> {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    match line.char_indices().nth(SUMMARY_CHARACTERS_MAX) {
        None => Some(line.to_owned()),
        Some((end, _)) => line.get(..end).map(|start| format!("{}…", start.trim_end())),
    }
}

/// A time as feeds write it; what is none is as good as absent.
pub(crate) fn parse_time(text: Option<&str>) -> Option<Timestamp> {
    text?.parse().ok()
}

/// The first CVE inside an identifier such as `UBUNTU-CVE-2021-3782` or `CVE-2017-17434-1`.
pub(crate) fn cve_inside(id: &str) -> Option<&str> {
    let cve = id.get(id.find("CVE-")?..)?;
    let is_digit = |byte: &u8| byte.is_ascii_digit();
    let (year, number) = cve.strip_prefix("CVE-")?.split_once('-')?;
    let digits = number.bytes().take_while(|byte| is_digit(byte)).count();
    let is_complete = year.len() == 4 && year.bytes().all(|byte| is_digit(&byte)) && digits > 0;
    if is_complete { cve.get(.."CVE-0000-".len() + digits) } else { None }
}

/// Whether the text is `CVE-` with a year and a number.
pub(crate) fn is_cve(id: &str) -> bool {
    cve_inside(id) == Some(id)
}

/// Adds an identifier once, and never the record's own.
pub(crate) fn add_alias(aliases: &mut Vec<String>, id: &str, alias: &str) {
    if !alias.is_empty() && alias != id && !aliases.iter().any(|known| known == alias) {
        aliases.push(alias.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cve_inside_an_identifier_is_found() {
        let cases = [
            ("CVE-2021-3782", Some("CVE-2021-3782")),
            ("UBUNTU-CVE-2021-3782", Some("CVE-2021-3782")),
            ("CVE-2017-17434-1", Some("CVE-2017-17434")),
            ("CVE-2017-8073.patch", Some("CVE-2017-8073")),
            ("CVE-2017-", None),
            ("CVE-17-1234", None),
            ("CVE-", None),
            ("CVE", None),
            ("USN-5614-1", None),
            ("CVE-20é7-1", None),
        ];
        for (id, expected) in cases {
            assert_eq!(cve_inside(id), expected, "`{id}`");
            assert_eq!(is_cve(id), expected == Some(id), "`{id}`");
        }
    }

    #[test]
    fn a_summary_is_one_short_line() {
        assert_eq!(first_line("\n  a b \nc"), Some("a b".to_owned()));
        assert_eq!(first_line(" \n"), None);
        let exact = "ä".repeat(SUMMARY_CHARACTERS_MAX);
        assert_eq!(first_line(&exact), Some(exact.clone()));
        assert_eq!(first_line(&format!("{exact}ä")), Some(format!("{exact}…")));
    }
}
