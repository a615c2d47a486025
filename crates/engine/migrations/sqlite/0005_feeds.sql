-- What is known about each source of vulnerability data. Its last good files lie in the data folder.
CREATE TABLE feed_sources (
    name         TEXT    NOT NULL PRIMARY KEY,
    -- What an administrator said; NULL: what the configuration says.
    is_enabled   INTEGER,
    -- Whether the database that was built last holds its data.
    is_used      INTEGER NOT NULL,
    -- Name of the folder with its good files; NULL: there are none.
    version      TEXT,
    -- A JSON list: address, validators, digest and size of each file.
    files        TEXT    NOT NULL,
    records      INTEGER,
    withdrawn    INTEGER,
    diagnostics  INTEGER,
    -- The last good answer, new or unchanged.
    succeeded_us INTEGER,
    -- The last one that brought something new.
    changed_us   INTEGER,
    failed_us    INTEGER,
    -- Why the last attempt failed; NULL when it did not.
    failure      TEXT,
    -- Failures since the last success.
    failures     INTEGER NOT NULL,
    -- When it is asked next; NULL: at once.
    next_us      INTEGER,
    created_us   INTEGER NOT NULL,
    updated_us   INTEGER NOT NULL
) STRICT;

-- The bodies of packages that a source speaks about. The empty source stands for all of them together.
CREATE TABLE feed_groups (
    source     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    -- NULL: not in the good files.
    records    INTEGER,
    is_enabled INTEGER NOT NULL,
    created_us INTEGER NOT NULL,
    updated_us INTEGER NOT NULL,
    PRIMARY KEY (source, name)
) STRICT;
CREATE INDEX feed_groups_by_name ON feed_groups (name);

-- Single facts: what was built last and from what, what images were judged with last, whether anything is fetched.
CREATE TABLE feed_state (
    key        TEXT    NOT NULL PRIMARY KEY,
    value      TEXT    NOT NULL,
    updated_us INTEGER NOT NULL
) STRICT;

-- The findings of an image as they were computed last, with the times that cannot be computed again.
CREATE TABLE image_reports (
    digest            TEXT    NOT NULL PRIMARY KEY REFERENCES analyses (digest) ON DELETE CASCADE,
    database_revision TEXT    NOT NULL,
    -- JSON, compressed with zstd.
    content           BLOB    NOT NULL,
    updated_us        INTEGER NOT NULL
) STRICT;
CREATE INDEX image_reports_by_revision ON image_reports (database_revision);

-- Which images have which package, to find those that a change of the data is about.
CREATE TABLE packages (
    id        INTEGER NOT NULL PRIMARY KEY,
    kind      TEXT    NOT NULL,
    -- In which advisories are looked up: `debian:12`; empty when there is none.
    ecosystem TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    version   TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    UNIQUE (name, version, kind, ecosystem, source)
) STRICT;

CREATE TABLE image_packages (
    digest     TEXT    NOT NULL REFERENCES analyses (digest) ON DELETE CASCADE,
    package_id INTEGER NOT NULL REFERENCES packages (id),
    PRIMARY KEY (package_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX image_packages_by_digest ON image_packages (digest);
