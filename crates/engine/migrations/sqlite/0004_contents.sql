-- What the files of an image say: attributes, matches of patterns, and the content of `/etc/passwd` and of files that a
-- setting names. Apart from the analysis, because few questions need it. NULL: analyzed before it was recorded.
ALTER TABLE analyses ADD COLUMN contents BLOB;
ALTER TABLE analyses ADD COLUMN contents_form INTEGER;

-- Bytes of all layers as they are unpacked: the size that clients of the Anchore API know.
ALTER TABLE analyses ADD COLUMN unpacked_bytes INTEGER;
