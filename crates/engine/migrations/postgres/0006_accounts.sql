-- When the password was set. A user without a password, who cannot log in, has an empty hash and no time.
ALTER TABLE users ADD COLUMN password_us BIGINT;
UPDATE users SET password_us = updated_us;
CREATE INDEX users_by_account ON users (account, created_us);

-- Who to be at a registry, or at a part of one. The password is sealed.
CREATE TABLE registries (
    account    TEXT   NOT NULL REFERENCES accounts (name),
    registry   TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    -- As it was given: null means a plain registry.
    type       TEXT,
    login      TEXT   NOT NULL,
    password   BYTEA   NOT NULL,
    -- As it was given: null means that certificates are checked.
    verify     BIGINT,
    created_us BIGINT NOT NULL,
    updated_us BIGINT NOT NULL,
    PRIMARY KEY (account, registry)
);
