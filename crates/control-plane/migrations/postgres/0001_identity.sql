-- The last number that each kind of thing got: numbers are never used again, because clients remember them.
CREATE TABLE plane_numbers (
    kind TEXT    NOT NULL PRIMARY KEY,
    last BIGINT  NOT NULL
);

CREATE TABLE plane_users (
    id         BIGINT  NOT NULL PRIMARY KEY,
    login      TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    email      TEXT    NOT NULL,
    image      TEXT    NOT NULL,
    -- Who says that it is him, and what he calls him; NULL: nobody, he has tokens only.
    issuer     TEXT,
    subject    TEXT,
    created_us BIGINT  NOT NULL,
    updated_us BIGINT  NOT NULL,
    UNIQUE (issuer, subject)
);

CREATE TABLE plane_organizations (
    id         BIGINT  NOT NULL PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE,
    provider   TEXT    NOT NULL,
    created_us BIGINT  NOT NULL,
    updated_us BIGINT  NOT NULL
);

CREATE TABLE plane_members (
    organization_id BIGINT  NOT NULL REFERENCES plane_organizations (id) ON DELETE CASCADE,
    user_id         BIGINT  NOT NULL REFERENCES plane_users (id) ON DELETE CASCADE,
    role            TEXT    NOT NULL CHECK (role IN ('admin', 'member')),
    created_us      BIGINT  NOT NULL,
    PRIMARY KEY (organization_id, user_id)
);

-- What was given out; the token itself is signed and not kept. A row that is gone is a token that is refused.
CREATE TABLE plane_tokens (
    id         TEXT    NOT NULL PRIMARY KEY,
    user_id    BIGINT  NOT NULL REFERENCES plane_users (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    created_us BIGINT  NOT NULL,
    expires_us BIGINT 
);
CREATE INDEX plane_tokens_by_user ON plane_tokens (user_id, created_us);

-- Keys that this installation made for itself, sealed with the key file.
CREATE TABLE plane_keys (
    name   TEXT NOT NULL PRIMARY KEY,
    sealed BYTEA NOT NULL
);
