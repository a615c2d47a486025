-- What is wanted of a service in a cluster, and how far it is. No row: it is not active.
CREATE TABLE plane_services (
    cluster_id      BIGINT NOT NULL,
    name            TEXT    NOT NULL,
    organization_id BIGINT NOT NULL,
    status          TEXT    NOT NULL CHECK (status IN ('PENDING', 'ACTIVE', 'ERROR')),
    -- As it was sent.
    spec            TEXT    NOT NULL,
    wanted          TEXT    NOT NULL CHECK (wanted IN ('active', 'removed', 'removed_with_resources')),
    -- Counts what was wanted: whoever works for an older number stops.
    version         BIGINT NOT NULL,
    -- Whether it was active once with what is in the inventory: then a failure leaves it as it is.
    was_active      BIGINT NOT NULL,
    -- Attempts of this version that failed.
    failures        BIGINT NOT NULL,
    -- Why it is in error, or what is being waited for.
    reason          TEXT    NOT NULL,
    -- What it put into the engine and the cluster, written before it is put there. JSON, without credentials.
    inventory       TEXT    NOT NULL,
    created_by      TEXT    NOT NULL,
    created_us      BIGINT NOT NULL,
    updated_us      BIGINT NOT NULL,
    PRIMARY KEY (cluster_id, name)
);
CREATE INDEX plane_services_by_status ON plane_services (status);

-- How far the work on the newest version is.
CREATE TABLE plane_service_steps (
    cluster_id  BIGINT NOT NULL,
    service     TEXT    NOT NULL,
    position    BIGINT NOT NULL,
    step        TEXT    NOT NULL,
    state       TEXT    NOT NULL CHECK (state IN ('running', 'done', 'failed')),
    message     TEXT    NOT NULL,
    started_us  BIGINT NOT NULL,
    finished_us BIGINT,
    PRIMARY KEY (cluster_id, service, position),
    FOREIGN KEY (cluster_id, service) REFERENCES plane_services (cluster_id, name) ON DELETE CASCADE
);
