-- What happened, for people and for clients that ask later. Deleted by age and by hand.
CREATE TABLE events (
    id            TEXT    NOT NULL PRIMARY KEY,
    account       TEXT    NOT NULL,
    type          TEXT    NOT NULL,
    level         TEXT    NOT NULL CHECK (level IN ('info', 'error')),
    message       TEXT    NOT NULL,
    -- A JSON object.
    details       TEXT    NOT NULL,
    resource_type TEXT    NOT NULL,
    resource_id   TEXT,
    service       TEXT    NOT NULL,
    host          TEXT    NOT NULL,
    request_id    TEXT,
    created_us    BIGINT  NOT NULL
);
CREATE INDEX events_by_account ON events (account, created_us, id);
