-- What is known about each source of vulnerability data. Its last good files lie in the data folder.
CREATE TABLE feed_sources (
    name         TEXT    NOT NULL PRIMARY KEY,
    -- What an administrator said; NULL: what the configuration says.
    is_enabled   BIGINT,
    -- Whether the database that was built last holds its data.
    is_used      BIGINT  NOT NULL,
    -- Name of the folder with its good files; NULL: there are none.
    version      TEXT,
    -- A JSON list: address, validators, digest and size of each file.
    files        TEXT    NOT NULL,
    records      BIGINT,
    withdrawn    BIGINT,
    diagnostics  BIGINT,
    -- The last good answer, new or unchanged.
    succeeded_us BIGINT,
    -- The last one that brought something new.
    changed_us   BIGINT,
    failed_us    BIGINT,
    -- Why the last attempt failed; NULL when it did not.
    failure      TEXT,
    -- Failures since the last success.
    failures     BIGINT  NOT NULL,
    -- When it is asked next; NULL: at once.
    next_us      BIGINT,
    created_us   BIGINT  NOT NULL,
    updated_us   BIGINT  NOT NULL
);

-- The bodies of packages that a source speaks about. The empty source stands for all of them together.
CREATE TABLE feed_groups (
    source     TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    -- NULL: not in the good files.
    records    BIGINT,
    is_enabled BIGINT  NOT NULL,
    created_us BIGINT  NOT NULL,
    updated_us BIGINT  NOT NULL,
    PRIMARY KEY (source, name)
);
CREATE INDEX feed_groups_by_name ON feed_groups (name);

-- Single facts: what was built last and from what, what images were judged with last, whether anything is fetched.
CREATE TABLE feed_state (
    key        TEXT    NOT NULL PRIMARY KEY,
    value      TEXT    NOT NULL,
    updated_us BIGINT  NOT NULL
);

-- The findings of an image as they were computed last, with the times that cannot be computed again.
CREATE TABLE image_reports (
    digest            TEXT    NOT NULL PRIMARY KEY REFERENCES analyses (digest) ON DELETE CASCADE,
    database_revision TEXT    NOT NULL,
    -- JSON, compressed with zstd.
    content           BYTEA   NOT NULL,
    updated_us        BIGINT  NOT NULL
);
CREATE INDEX image_reports_by_revision ON image_reports (database_revision);

-- Which images have which package, to find those that a change of the data is about.
CREATE TABLE packages (
    id        BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind      TEXT    NOT NULL,
    -- In which advisories are looked up: `debian:12`; empty when there is none.
    ecosystem TEXT    NOT NULL,
    name      TEXT    NOT NULL,
    version   TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    UNIQUE (name, version, kind, ecosystem, source)
);

CREATE TABLE image_packages (
    digest     TEXT    NOT NULL REFERENCES analyses (digest) ON DELETE CASCADE,
    package_id BIGINT  NOT NULL REFERENCES packages (id),
    PRIMARY KEY (package_id, digest)
);
CREATE INDEX image_packages_by_digest ON image_packages (digest);
