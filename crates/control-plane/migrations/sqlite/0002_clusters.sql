CREATE TABLE plane_clusters (
    id              INTEGER NOT NULL PRIMARY KEY,
    -- The name of the cluster towards engines: never the same for two clusters, whatever they are called.
    uid             TEXT    NOT NULL UNIQUE,
    organization_id INTEGER NOT NULL REFERENCES plane_organizations (id) ON DELETE CASCADE,
    name            TEXT    NOT NULL,
    cloud           TEXT    NOT NULL,
    distribution    TEXT    NOT NULL,
    location        TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    -- The secret with its kubeconfig.
    secret_id       TEXT    NOT NULL,
    status          TEXT    NOT NULL CHECK (status IN ('CREATING', 'RUNNING', 'UPDATING', 'DELETING', 'WARNING', 'ERROR')),
    status_message  TEXT    NOT NULL,
    creator_id      INTEGER NOT NULL,
    creator_name    TEXT    NOT NULL,
    created_us      INTEGER NOT NULL,
    started_us      INTEGER,
    updated_us      INTEGER NOT NULL,
    UNIQUE (organization_id, name)
) STRICT;
