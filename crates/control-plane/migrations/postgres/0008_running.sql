-- How the Pods that run in a cluster were judged last: one row for each cluster whose service is active.
CREATE TABLE plane_running_clusters (
    cluster_id         BIGINT NOT NULL PRIMARY KEY,
    service            TEXT    NOT NULL,
    -- What the last complete look was made from; empty: there was none.
    service_version    BIGINT NOT NULL,
    policy_revision    TEXT    NOT NULL,
    database_revision  TEXT    NOT NULL,
    whitelist_revision TEXT    NOT NULL,
    -- The last look.
    started_us         BIGINT,
    finished_us        BIGINT,
    -- Looks that failed, one after the other.
    failures           BIGINT NOT NULL,
    -- Why there is no newer look, or what could not be told.
    problem            TEXT    NOT NULL,
    FOREIGN KEY (cluster_id, service) REFERENCES plane_services (cluster_id, name) ON DELETE CASCADE
);

-- An image that runs, under the name by which policies know it.
CREATE TABLE plane_running_images (
    cluster_id        BIGINT NOT NULL REFERENCES plane_running_clusters (cluster_id) ON DELETE CASCADE,
    reference         TEXT    NOT NULL,
    state             TEXT    NOT NULL CHECK (state IN ('new', 'passed', 'refused', 'undecided')),
    -- Whether asking again soon may help.
    is_retryable      BIGINT NOT NULL,
    policy_revision   TEXT    NOT NULL,
    database_revision TEXT    NOT NULL,
    judged_us         BIGINT NOT NULL,
    -- Verdict and reasons, JSON.
    verdict           TEXT    NOT NULL,
    PRIMARY KEY (cluster_id, reference)
);

CREATE TABLE plane_running_pods (
    cluster_id   BIGINT NOT NULL REFERENCES plane_running_clusters (cluster_id) ON DELETE CASCADE,
    uid          TEXT    NOT NULL,
    namespace    TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    -- Name of the Audit, which Pods of one owner share.
    audit        TEXT    NOT NULL,
    -- Whose Pod it is and which images it runs, JSON; and a hash of both.
    subject      TEXT    NOT NULL,
    images       TEXT    NOT NULL,
    content_hash TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN ('new', 'passed', 'refused', 'exempt', 'undecided')),
    -- What was told last about it; empty: nothing.
    told         TEXT    NOT NULL,
    -- A hash of the Audit that was written last.
    audit_hash   TEXT    NOT NULL,
    -- Counts what was told: no two Events of a Pod have one name.
    told_count   BIGINT NOT NULL,
    PRIMARY KEY (cluster_id, uid)
);
CREATE INDEX plane_running_pods_by_audit ON plane_running_pods (cluster_id, namespace, audit, name);

CREATE TABLE plane_running_pod_images (
    cluster_id BIGINT NOT NULL,
    reference  TEXT    NOT NULL,
    uid        TEXT    NOT NULL,
    PRIMARY KEY (cluster_id, reference, uid),
    FOREIGN KEY (cluster_id, uid) REFERENCES plane_running_pods (cluster_id, uid) ON DELETE CASCADE
);
CREATE INDEX plane_running_pod_images_by_pod ON plane_running_pod_images (cluster_id, uid);
