//! Where a database is, and how many may use it at once.

use std::fmt;
use std::path::PathBuf;

/// Connections to a PostgreSQL server, unless the caller says otherwise.
const CONNECTIONS_MAX: u32 = 16;

/// Where a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A file for one process, created if it is not there; its folder must exist.
    File(PathBuf),
    /// A server that several processes share.
    Postgres(PostgresSettings),
}

impl Location {
    /// For people: the file, or the server without its password.
    pub fn describe(&self) -> String {
        match self {
            Self::File(path) => format!("file `{}`", path.display()),
            Self::Postgres(settings) => format!("PostgreSQL `{}`", settings.redacted()),
        }
    }
}

/// How a PostgreSQL server is reached.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresSettings {
    /// `postgres://user:password@host:5432/database`, with `?sslmode=…` and the other usual parameters.
    pub url: String,
    /// Connections of this process.
    pub connections_max: u32,
}

impl PostgresSettings {
    /// The usual number of connections to an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), connections_max: CONNECTIONS_MAX }
    }

    /// The address without its user, password and parameters.
    pub fn redacted(&self) -> String {
        let (scheme, rest) = self.url.split_once("://").unwrap_or(("postgres", &self.url));
        let without_parameters = rest.split(['?', '#']).next().unwrap_or_default();
        let host = without_parameters.rsplit_once('@').map_or(without_parameters, |(_, host)| host);
        format!("{scheme}://{host}")
    }
}

impl fmt::Debug for PostgresSettings {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresSettings")
            .field("url", &self.redacted())
            .field("connections_max", &self.connections_max)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_never_shown() {
        for (url, shown) in [
            (
                "postgres://lazaret:se:cr@et@db.example:5432/lazaret?sslmode=require",
                "postgres://db.example:5432/lazaret",
            ),
            ("postgres://db.example/x?password=secret", "postgres://db.example/x"),
            ("postgresql:///x?host=/run&user=a", "postgresql:///x"),
        ] {
            let settings = PostgresSettings::new(url);
            assert_eq!(settings.redacted(), shown);
            assert!(
                !format!("{settings:?}{}", Location::Postgres(settings.clone()).describe())
                    .contains("secret")
            );
        }
    }
}
