-- Secrets of organizations, where no Vault keeps them.
CREATE TABLE plane_secrets (
    organization_id BIGINT NOT NULL REFERENCES plane_organizations (id) ON DELETE CASCADE,
    -- SHA-256 of the name, in hexadecimal.
    id              TEXT NOT NULL,
    name            TEXT NOT NULL,
    kind            TEXT NOT NULL,
    -- Names of the values, and tags: JSON lists.
    keys            TEXT NOT NULL,
    tags            TEXT NOT NULL,
    -- A JSON object of the values, sealed with the key file.
    sealed          BYTEA NOT NULL,
    version         BIGINT NOT NULL,
    updated_us      BIGINT NOT NULL,
    updated_by      TEXT NOT NULL,
    PRIMARY KEY (organization_id, id)
);
