-- By its layers an image is known to be built on another one: OCI's ChainID of all of them, and of each fewer of them from the
-- lowest on, separated by spaces. NULL in `prefix_chain_ids`: stored before; it is computed from the content.
ALTER TABLE analyses ADD COLUMN chain_id TEXT;
ALTER TABLE analyses ADD COLUMN prefix_chain_ids TEXT;
CREATE INDEX analyses_by_chain ON analyses (chain_id);
CREATE INDEX analyses_without_chains ON analyses (digest) WHERE prefix_chain_ids IS NULL;
