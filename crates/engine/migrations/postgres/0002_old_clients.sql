-- What clients of the Anchore API see of a Dockerfile that nobody supplied.
ALTER TABLE analyses ADD COLUMN guessed_dockerfile TEXT;

-- The verdicts about one image under one name, newest first.
CREATE INDEX evaluations_by_image ON evaluations (account, digest, tag, updated_us);
