-- Where changes of state are posted, when the provider is asked, and what waits for an operator.
ALTER TABLE message ADD COLUMN callback_url TEXT NOT NULL DEFAULT '';   -- empty: nowhere
ALTER TABLE message ADD COLUMN attend_at REAL;                             -- when it is asked for (sent) or archived (dead); NULL: never
ALTER TABLE message ADD COLUMN tried_since REAL;                           -- first of the attempts that a provider would know for one; NULL: it has none
ALTER TABLE message ADD COLUMN is_held INTEGER NOT NULL DEFAULT 0;      -- 1: waits for an operator's word

-- Messages that were sent and are asked for, or that are dead and not archived yet, by when.
CREATE INDEX message_attend ON message (state, attend_at) WHERE attend_at IS NOT NULL;

-- The line, by API key as well: the keys take turns within a priority.
DROP INDEX message_in_line;
CREATE INDEX message_in_line ON message (state, priority, api_key) WHERE ready = 1;

-- Finished messages whose text and numbers are still there, by since when: see Table.forget.
CREATE INDEX message_keep ON message (changed_at)
    WHERE state IN ('sent', 'delivered', 'undelivered', 'expired', 'canceled') AND body <> '';

-- What waits for an operator's word.
CREATE INDEX message_held ON message (seq) WHERE is_held = 1;

-- Changes of state that receivers are still owed.
CREATE TABLE callback (
    id         TEXT    NOT NULL PRIMARY KEY,  -- the same over all tries
    url        TEXT    NOT NULL,              -- where it is posted
    body       BLOB    NOT NULL,              -- the octets that are signed and posted
    api_key    TEXT    NOT NULL,              -- name of the key whose secrets sign it
    created_at REAL    NOT NULL,              -- when it was owed first
    attempts   INTEGER NOT NULL,              -- tries that failed
    not_before REAL    NOT NULL,              -- its next try, or until when somebody has it
    host       TEXT    NOT NULL               -- of its url
) STRICT;
CREATE INDEX callback_due ON callback (host, not_before);

-- Incoming messages.
CREATE TABLE inbound (
    seq         INTEGER PRIMARY KEY,          -- order of arrival, rising
    id          TEXT NOT NULL UNIQUE,         -- the provider's
    originator  TEXT NOT NULL,                -- who sent it
    recipient   TEXT NOT NULL,                -- number of ours, digits only
    body        TEXT NOT NULL,                -- the text
    received_at REAL NOT NULL                 -- when the provider got it
) STRICT;
CREATE INDEX inbound_received_at ON inbound (received_at);

-- When messages could last be sent.
CREATE TABLE beat (one INTEGER PRIMARY KEY CHECK (one = 1), at REAL NOT NULL) STRICT;

-- What API keys have used of their quotas.
CREATE TABLE usage (
    api_key TEXT    NOT NULL,                 -- name of the key
    quota   TEXT    NOT NULL,                 -- name of the quota
    start   REAL    NOT NULL,                 -- of the window that it is counted in
    used    INTEGER NOT NULL,                 -- recipients
    PRIMARY KEY (api_key, quota)
) STRICT;

-- Of one key, what needs a look: few among many, which the index by key alone would have to read all of.
CREATE INDEX message_failed ON message (api_key, state)
    WHERE state IN ('dead', 'uncertain', 'undelivered', 'expired', 'canceled');
