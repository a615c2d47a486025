-- What was done about clusters and services, for people to watch and to look up. Nothing is decided by it but who canceled.
CREATE TABLE plane_processes (
    id              TEXT    NOT NULL PRIMARY KEY,
    parent_id       TEXT    NOT NULL,
    organization_id INTEGER NOT NULL,
    cluster_id      INTEGER NOT NULL,
    -- What of the cluster it is about: one process at a time runs for each.
    subject         TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    status          TEXT    NOT NULL CHECK (status IN ('running', 'failed', 'finished', 'canceled')),
    log             TEXT    NOT NULL,
    started_by      TEXT    NOT NULL,
    -- Who wants it to stop; empty: nobody.
    canceled_by     TEXT    NOT NULL,
    started_us      INTEGER NOT NULL,
    finished_us     INTEGER
) STRICT;
CREATE INDEX plane_processes_by_organization ON plane_processes (organization_id, started_us);
CREATE UNIQUE INDEX plane_processes_running ON plane_processes (cluster_id, subject) WHERE status = 'running';

CREATE TABLE plane_process_events (
    process_id   TEXT    NOT NULL REFERENCES plane_processes (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    kind         TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    log          TEXT    NOT NULL,
    timestamp_us INTEGER NOT NULL,
    PRIMARY KEY (process_id, position)
) STRICT;
