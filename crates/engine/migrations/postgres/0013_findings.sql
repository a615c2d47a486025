-- Which images have which finding, to find those that have a vulnerability: what the stored reports say, once more.
CREATE TABLE findings (
    id            BIGINT  GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vulnerability TEXT    NOT NULL,
    kind          TEXT    NOT NULL,
    package       TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    -- In which body of packages it was found: `debian:12`.
    body          TEXT    NOT NULL,
    severity      TEXT    NOT NULL,
    state         TEXT    NOT NULL,
    UNIQUE (vulnerability, package, version, kind, body, severity, state)
);

CREATE TABLE image_findings (
    digest     TEXT    NOT NULL REFERENCES image_reports (digest) ON DELETE CASCADE,
    finding_id BIGINT  NOT NULL REFERENCES findings (id),
    PRIMARY KEY (finding_id, digest)
);
CREATE INDEX image_findings_by_digest ON image_findings (digest);

-- Reports that were stored before are computed again.
ALTER TABLE image_reports ADD COLUMN is_indexed BIGINT NOT NULL DEFAULT 0;
CREATE INDEX image_reports_not_indexed ON image_reports (digest) WHERE is_indexed = 0;

-- Pages far behind and searches look at thousands of images: what they ask about each must be in the index.
DROP INDEX images_by_age;
CREATE INDEX images_by_age ON images (account, created_us, digest, image_status, analysis_status);
CREATE INDEX images_by_state ON images (account, digest, image_status, analysis_status);
