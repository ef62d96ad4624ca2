-- What Bird refuses to several recipients without a word of whom goes in portions.
ALTER TABLE message ADD COLUMN portion INTEGER NOT NULL DEFAULT 0;         -- recipients of the next request, of those that remain; 0: all
