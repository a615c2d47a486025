-- Who uploaded the package list of an analysis; NULL: the image was really read.
ALTER TABLE analyses ADD COLUMN imported_by TEXT;
CREATE INDEX analyses_imported ON analyses (digest, imported_by) WHERE imported_by IS NOT NULL;

-- The import that an image comes from; NULL: a registry.
ALTER TABLE images ADD COLUMN import_id TEXT;

-- Images that are put together from uploaded documents.
CREATE TABLE image_imports (
    id         TEXT    NOT NULL PRIMARY KEY,
    account    TEXT    NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    status     TEXT    NOT NULL CHECK (status IN ('pending', 'processing', 'complete', 'failed', 'invalidated')),
    -- The image that it became, and a JSON object: which document of each kind counts.
    digest     TEXT,
    documents  TEXT,
    created_us BIGINT NOT NULL,
    updated_us BIGINT NOT NULL,
    expires_us BIGINT NOT NULL
);
CREATE INDEX image_imports_by_account ON image_imports (account, created_us);

CREATE TABLE image_import_documents (
    import_id  TEXT    NOT NULL REFERENCES image_imports (id) ON DELETE CASCADE,
    kind       TEXT    NOT NULL,
    digest     TEXT    NOT NULL,
    content    BYTEA    NOT NULL,
    size_bytes BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    PRIMARY KEY (import_id, kind, digest)
);
