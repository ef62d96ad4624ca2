-- Every message that was ever accepted, one a row. Times are UTC epoch seconds.
CREATE TABLE message (
    seq          INTEGER PRIMARY KEY,   -- order of acceptance, rising
    -- what was asked for; never changes
    form         INTEGER NOT NULL,      -- version of the stored form, see record.py
    id           TEXT    NOT NULL,      -- ULID, 26 characters; also the provider's reference
    recipients   TEXT    NOT NULL,      -- JSON array of MSISDNs, digits only, 1 to 50
    originator   TEXT    NOT NULL,      -- as the provider is given it
    body         TEXT    NOT NULL,      -- the text
    coding       TEXT    NOT NULL,      -- data coding: plain or unicode
    segments     INTEGER NOT NULL,      -- parts a recipient gets, 1 to 9
    api_key      TEXT    NOT NULL,      -- name of the key it came under
    accepted_at  REAL    NOT NULL,      -- when it was accepted
    priority     INTEGER NOT NULL,      -- 0 high, 1 normal, 2 low
    batch        TEXT    NOT NULL,      -- id of the whole that it is a part of, or empty
    reference    TEXT    NOT NULL,      -- the client's own word for it, or empty
    valid_until  REAL,                  -- stale after this; NULL: never
    -- what has become of it
    state        TEXT    NOT NULL,      -- one of lifecycle.State
    changed_at   REAL    NOT NULL,      -- since when it is in this state
    not_before   REAL    NOT NULL,      -- its next turn is not before this
    gateway      TEXT    NOT NULL,      -- name of the gateway that the last attempt went to, or empty
    attempts     INTEGER NOT NULL,      -- how often the provider was asked to take it
    attempted_at REAL,                  -- when the last attempt began; NULL: never
    sent_at      REAL,                  -- when the provider took it; NULL: it has not
    provider_id  TEXT    NOT NULL,      -- the provider's id, or empty
    deliveries   TEXT    NOT NULL,      -- JSON array of [MSISDN, status, at, reason, error code, network], by MSISDN
    error        TEXT    NOT NULL,      -- why it is not sent, in the provider's words, or empty
    history      TEXT    NOT NULL,      -- JSON array of [at, state, what, detail], oldest first
    ready        INTEGER                -- 1: in line; 0: its time has not come; NULL: it has no turn in this state
) STRICT;

CREATE UNIQUE INDEX message_id ON message (id);

-- The line itself, in the order of sending (an index ends in the rowid, which is seq).
-- What is sent, or not due yet, is not in it: its first entry is the next to go, however many messages there are.
CREATE INDEX message_in_line ON message (state, priority) WHERE ready = 1;

-- What waits for its time. Each lease moves what has become due into the line.
CREATE INDEX message_scheduled ON message (priority, not_before) WHERE ready = 0;

-- For questions about messages, newest first (an index ends in seq).
CREATE INDEX message_state       ON message (state);
CREATE INDEX message_recipient   ON message (recipients ->> 0);
CREATE INDEX message_originator  ON message (originator);
CREATE INDEX message_reference   ON message (reference) WHERE reference <> '';
CREATE INDEX message_batch       ON message (batch) WHERE batch <> '';
CREATE INDEX message_api_key     ON message (api_key);
CREATE INDEX message_accepted_at ON message (accepted_at);

-- Idempotency keys, and the answers that were given under them.
CREATE TABLE claim (
    api_key     TEXT NOT NULL,          -- name of the API key
    key         TEXT NOT NULL,          -- the client's word
    fingerprint TEXT NOT NULL,          -- of the body, hexadecimal
    answer      TEXT NOT NULL,          -- body of the answer, JSON
    until       REAL NOT NULL,          -- from then on the key is free again
    PRIMARY KEY (api_key, key)
) STRICT;
CREATE INDEX claim_until ON claim (until);

-- The recipients of each message that has more than one.
CREATE TABLE recipient (
    msisdn TEXT    NOT NULL,            -- digits only
    seq    INTEGER NOT NULL,            -- of the message
    PRIMARY KEY (msisdn, seq)
) STRICT, WITHOUT ROWID;

-- What was being sent when its sender died, for the next start.
CREATE INDEX message_sending ON message (seq) WHERE state = 'sending';
