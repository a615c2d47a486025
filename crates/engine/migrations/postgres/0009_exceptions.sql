-- Accepted vulnerabilities, each of one account.
CREATE TABLE exceptions (
    account       TEXT    NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    id            TEXT    NOT NULL,
    vulnerability TEXT    NOT NULL,
    package       TEXT,
    scope_type    TEXT    NOT NULL CHECK (scope_type IN ('account', 'digest', 'repository')),
    -- Digest or pattern; nothing for the whole account.
    scope_value   TEXT,
    owner         TEXT    NOT NULL,
    reason        TEXT    NOT NULL,
    expires_us    BIGINT,
    vex_url       TEXT,
    created_by    TEXT    NOT NULL,
    created_us    BIGINT  NOT NULL,
    updated_by    TEXT    NOT NULL,
    updated_us    BIGINT  NOT NULL,
    PRIMARY KEY (account, id)
);

-- Changes with every change of an account's exceptions; never the same twice, also when an account is made again.
CREATE TABLE exception_revisions (
    account  TEXT NOT NULL PRIMARY KEY REFERENCES accounts (name) ON DELETE CASCADE,
    revision TEXT NOT NULL
);
