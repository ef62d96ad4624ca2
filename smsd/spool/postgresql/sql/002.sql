-- What a message is for, and how a request is sent again.
ALTER TABLE message ADD COLUMN category TEXT NOT NULL DEFAULT '';         -- in Bird's words; empty: as the settings say
ALTER TABLE message ADD COLUMN bundle TEXT NOT NULL DEFAULT '';           -- what the request is known by that its last attempt shared with others; empty: none
ALTER TABLE message ADD COLUMN asks_first INTEGER NOT NULL DEFAULT 0;     -- 1: the provider is asked for it before it is sent again
