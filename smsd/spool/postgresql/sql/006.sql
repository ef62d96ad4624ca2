-- Of one message in 1024: times rise with seq, and this is asked only about where to begin and to end, see search.py.
DROP INDEX message_accepted_at;
CREATE INDEX message_accepted_at ON message (accepted_at) WHERE seq % 1024 = 0;

-- What waits, by when it is too late for it, wherever in line it stands.
CREATE INDEX message_valid_until ON message (state, valid_until) WHERE valid_until IS NOT NULL;
