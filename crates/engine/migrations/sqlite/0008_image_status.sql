-- Whether an image is there for its account, or waits to be removed.
ALTER TABLE images ADD COLUMN image_status TEXT NOT NULL DEFAULT 'active' CHECK (image_status IN ('active', 'deleting'));
CREATE INDEX images_deleting ON images (image_status) WHERE image_status = 'deleting';
-- Lists show the newest first, a page at a time.
CREATE INDEX images_by_age ON images (account, created_us, digest);
