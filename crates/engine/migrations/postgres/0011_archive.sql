-- Analyses that were put away: everything that brings an image back as it was.
CREATE TABLE archived_images (
    account       TEXT    NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    digest        TEXT    NOT NULL,
    parent_digest TEXT    NOT NULL,
    -- JSON: an object, and a list of tags.
    annotations   TEXT    NOT NULL,
    tags          TEXT    NOT NULL,
    -- The rows of the image: JSON, zstd.
    content       BYTEA    NOT NULL,
    size_bytes    BIGINT NOT NULL,
    analyzed_us   BIGINT,
    created_us    BIGINT NOT NULL,
    updated_us    BIGINT NOT NULL,
    PRIMARY KEY (account, digest)
);

-- When images go to the archive, and when they leave it for good.
CREATE TABLE archive_rules (
    account    TEXT    NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    id         TEXT    NOT NULL,
    is_global  BIGINT NOT NULL,
    -- A JSON object.
    document   TEXT    NOT NULL,
    created_us BIGINT NOT NULL,
    updated_us BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
