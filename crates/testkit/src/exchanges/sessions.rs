//! Which sessions there are, and what of them is not served yet.

/// A file of exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExchangeSession {
    /// The file's name.
    pub file: &'static str,
    /// Whether images are analyzed while it is played; one looks at images that wait.
    pub with_workers: bool,
}

const fn session(file: &'static str, with_workers: bool) -> ExchangeSession {
    ExchangeSession { file, with_workers }
}

/// All of them.
pub const SESSIONS: [ExchangeSession; 15] = [
    session("open", false),
    session("waiting", false),
    session("analyzed", true),
    session("webhook", true),
    session("policies", true),
    session("system", false),
    session("transport", false),
    session("accounts", false),
    session("registries", false),
    session("subscriptions", true),
    session("events", true),
    session("queries", true),
    session("services", false),
    session("deletion", true),
    session("extras", true),
];

/// Paths, without `/v1`, that are not served yet, each for all methods or behind its only one; steps about them are left out.
/// Whoever serves one takes the line out.
pub(super) const NOT_SERVED_YET: &[&str] = &[];

/// Sessions about nothing else than what is not served yet. Whoever serves it takes the line out.
pub(super) const NOT_PLAYED_YET: &[&str] = &[];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::workspace_folder;

    #[test]
    fn no_file_is_forgotten() {
        let mut files: Vec<String> = fs_err::read_dir(workspace_folder().join(super::super::FOLDER))
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .filter(|name| name != "shapes")
            .collect();
        let mut known: Vec<&str> = SESSIONS.iter().map(|session| session.file).collect();
        files.sort();
        known.sort_unstable();
        assert_eq!(files, known);
    }
}
