-- Work to do. A row exists as long as the work is wanted; finished work is deleted, given-up work stays with its reason.
CREATE TABLE jobs (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    kind             TEXT    NOT NULL,
    dedupe_key       TEXT    NOT NULL,
    payload          TEXT    NOT NULL,
    priority         INTEGER NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'failed')),
    -- Counts every claim and never goes back; with the id it names one lease, so that a late worker cannot finish
    -- another one's work.
    claims           INTEGER NOT NULL DEFAULT 0,
    -- Counts the claims that count against the limit.
    attempts         INTEGER NOT NULL DEFAULT 0,
    attempts_max     INTEGER NOT NULL,
    run_at_us        INTEGER NOT NULL,
    lease_owner      TEXT,
    lease_expires_us INTEGER,
    last_error       TEXT,
    created_us       INTEGER NOT NULL
) STRICT;

-- The same work is wanted at most once at a time.
CREATE UNIQUE INDEX jobs_wanted ON jobs (kind, dedupe_key) WHERE state <> 'failed';
CREATE INDEX jobs_claim ON jobs (state, priority DESC, run_at_us, id);
