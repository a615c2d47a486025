-- Work to do. A row exists as long as the work is wanted; finished work is deleted, given-up work stays with its reason.
CREATE TABLE jobs (
    id               BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind             TEXT    NOT NULL,
    dedupe_key       TEXT    NOT NULL,
    payload          TEXT    NOT NULL,
    priority         BIGINT NOT NULL,
    state            TEXT    NOT NULL CHECK (state IN ('queued', 'running', 'failed')),
    -- Counts every claim and never goes back; with the id it names one lease, so that a late worker cannot finish
    -- another one's work.
    claims           BIGINT NOT NULL DEFAULT 0,
    -- Counts the claims that count against the limit.
    attempts         BIGINT NOT NULL DEFAULT 0,
    attempts_max     BIGINT NOT NULL,
    run_at_us        BIGINT NOT NULL,
    lease_owner      TEXT,
    lease_expires_us BIGINT,
    last_error       TEXT,
    created_us       BIGINT NOT NULL
);

-- The same work is wanted at most once at a time.
CREATE UNIQUE INDEX jobs_wanted ON jobs (kind, dedupe_key) WHERE state <> 'failed';
CREATE INDEX jobs_claim ON jobs (state, priority DESC, run_at_us, id);
