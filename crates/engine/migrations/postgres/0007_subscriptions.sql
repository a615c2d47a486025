-- Who wants to be told what. The id is the md5 that clients compute: account, key and type, joined by `+`.
CREATE TABLE subscriptions (
    account          TEXT    NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    subscription_key TEXT    NOT NULL,
    type             TEXT    NOT NULL,
    id               TEXT    NOT NULL,
    -- A text of the user, or JSON of ours for watched repositories.
    value            TEXT,
    is_active        BIGINT  NOT NULL,
    created_us       BIGINT  NOT NULL,
    updated_us       BIGINT  NOT NULL,
    PRIMARY KEY (account, subscription_key, type)
);
CREATE INDEX subscriptions_by_id ON subscriptions (account, id);
CREATE INDEX subscriptions_active ON subscriptions (type, account, subscription_key) WHERE is_active = 1;

-- What watchers found last time, to compare the next result with: verdicts and findings.
CREATE TABLE watch_results (
    account          TEXT    NOT NULL,
    subscription_key TEXT    NOT NULL,
    type             TEXT    NOT NULL,
    digest           TEXT    NOT NULL,
    -- What is compared, where that is short: the final action.
    summary          TEXT    NOT NULL,
    -- The whole result: JSON, zstd.
    content          BYTEA   NOT NULL,
    updated_us       BIGINT  NOT NULL,
    PRIMARY KEY (account, subscription_key, type, digest),
    FOREIGN KEY (account, digest) REFERENCES images (account, digest) ON DELETE CASCADE
);

-- Tags of watched repositories that could not be added, and when they are tried again.
CREATE TABLE repository_tag_failures (
    account    TEXT    NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    repository TEXT    NOT NULL,
    tag        TEXT    NOT NULL,
    failures   BIGINT  NOT NULL,
    retry_us   BIGINT  NOT NULL,
    PRIMARY KEY (account, repository, tag)
);

-- What is to be told. A row exists until everybody who is to be told was told, or its time is over.
CREATE TABLE notifications (
    id         TEXT    NOT NULL PRIMARY KEY,
    account    TEXT    NOT NULL REFERENCES accounts (name) ON DELETE CASCADE,
    type       TEXT    NOT NULL,
    -- A JSON object.
    payload    TEXT    NOT NULL,
    created_us BIGINT  NOT NULL,
    -- Not tried again after this time.
    expires_us BIGINT  NOT NULL
);

CREATE TABLE notification_deliveries (
    notification TEXT    NOT NULL REFERENCES notifications (id) ON DELETE CASCADE,
    -- Which webhook: `general` or a type.
    target       TEXT    NOT NULL,
    tries        BIGINT  NOT NULL,
    due_us       BIGINT  NOT NULL,
    PRIMARY KEY (notification, target)
);
CREATE INDEX notification_deliveries_due ON notification_deliveries (target, due_us);
