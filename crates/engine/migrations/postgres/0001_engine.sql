-- Tenants. Everything else belongs to one of them.
CREATE TABLE accounts (
    name       TEXT    NOT NULL PRIMARY KEY,
    type       TEXT    NOT NULL CHECK (type IN ('admin', 'user', 'service')),
    state      TEXT    NOT NULL CHECK (state IN ('enabled', 'disabled', 'deleting')),
    email      TEXT,
    created_us BIGINT NOT NULL,
    updated_us BIGINT NOT NULL
);

CREATE TABLE users (
    username      TEXT    NOT NULL PRIMARY KEY,
    account       TEXT    NOT NULL REFERENCES accounts (name),
    password_hash TEXT    NOT NULL,
    created_us    BIGINT NOT NULL,
    updated_us    BIGINT NOT NULL
);

-- Policy bundles as they were posted, byte for byte of the JSON value.
CREATE TABLE policies (
    account    TEXT    NOT NULL REFERENCES accounts (name),
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    document   TEXT    NOT NULL,
    revision   TEXT    NOT NULL,
    is_active  BIGINT NOT NULL,
    source     TEXT    NOT NULL,
    created_us BIGINT NOT NULL,
    updated_us BIGINT NOT NULL,
    PRIMARY KEY (account, id)
);
-- At most one active bundle per account, whatever the code does.
CREATE UNIQUE INDEX policies_active ON policies (account) WHERE is_active = 1;

CREATE TABLE images (
    account         TEXT    NOT NULL REFERENCES accounts (name),
    digest          TEXT    NOT NULL,
    parent_digest   TEXT    NOT NULL,
    image_id        TEXT    NOT NULL,
    analysis_status TEXT    NOT NULL CHECK (analysis_status IN ('not_analyzed', 'analyzing', 'analyzed', 'analysis_failed')),
    -- Why the last attempt failed; kept until one succeeds.
    analysis_error  TEXT,
    annotations     TEXT    NOT NULL,
    -- The Dockerfile that a user supplied, base64.
    dockerfile      TEXT,
    created_us      BIGINT NOT NULL,
    updated_us      BIGINT NOT NULL,
    analyzed_us     BIGINT,
    PRIMARY KEY (account, digest)
);
CREATE INDEX images_by_digest ON images (digest);
CREATE INDEX images_by_parent ON images (account, parent_digest);
CREATE INDEX images_by_id ON images (account, image_id);

-- Which digests a tag had; the one detected last is the tag's own.
CREATE TABLE image_tags (
    account     TEXT    NOT NULL,
    registry    TEXT    NOT NULL,
    repository  TEXT    NOT NULL,
    tag         TEXT    NOT NULL,
    digest      TEXT    NOT NULL,
    created_us  BIGINT NOT NULL,
    updated_us  BIGINT NOT NULL,
    detected_us BIGINT NOT NULL,
    PRIMARY KEY (account, registry, repository, tag, digest),
    FOREIGN KEY (account, digest) REFERENCES images (account, digest) ON DELETE CASCADE
);
CREATE INDEX image_tags_by_digest ON image_tags (account, digest);

-- What is in an image: identified by its bytes, so the same for every account. Never holds file content.
CREATE TABLE analyses (
    digest         TEXT    NOT NULL PRIMARY KEY,
    form           BIGINT NOT NULL,
    content        BYTEA    NOT NULL,
    architecture   TEXT    NOT NULL,
    distro         TEXT,
    distro_version TEXT,
    dockerfile_mode TEXT   NOT NULL,
    size_bytes     BIGINT NOT NULL,
    layer_count    BIGINT NOT NULL,
    created_us     BIGINT NOT NULL
);

-- Verdicts that differ: a new evaluation with the same action only moves the time.
CREATE TABLE evaluations (
    account    TEXT    NOT NULL,
    policy_id  TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    tag        TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    created_us BIGINT NOT NULL,
    updated_us BIGINT NOT NULL,
    PRIMARY KEY (account, policy_id, digest, tag, action)
);
