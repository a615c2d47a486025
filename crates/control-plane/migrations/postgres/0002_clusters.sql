CREATE TABLE plane_clusters (
    id              BIGINT  NOT NULL PRIMARY KEY,
    -- The name of the cluster towards engines: never the same for two clusters, whatever they are called.
    uid             TEXT    NOT NULL UNIQUE,
    organization_id BIGINT  NOT NULL REFERENCES plane_organizations (id) ON DELETE CASCADE,
    name            TEXT    NOT NULL,
    cloud           TEXT    NOT NULL,
    distribution    TEXT    NOT NULL,
    location        TEXT    NOT NULL,
    version         TEXT    NOT NULL,
    -- The secret with its kubeconfig.
    secret_id       TEXT    NOT NULL,
    status          TEXT    NOT NULL CHECK (status IN ('CREATING', 'RUNNING', 'UPDATING', 'DELETING', 'WARNING', 'ERROR')),
    status_message  TEXT    NOT NULL,
    creator_id      BIGINT  NOT NULL,
    creator_name    TEXT    NOT NULL,
    created_us      BIGINT  NOT NULL,
    started_us      BIGINT ,
    updated_us      BIGINT  NOT NULL,
    UNIQUE (organization_id, name)
);
