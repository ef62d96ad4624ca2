-- Of one key, by state: what is in none but a few messages is found as fast as what is in all. The messages of a key
-- in whatever state are those of each state in turn, see search.py. One index in the place of two.
DROP INDEX message_failed;
DROP INDEX message_api_key;
CREATE INDEX message_api_key ON message (api_key, state);

-- The same messages as before. What is accepted is asked the first word only; to look a state up in a list for each
-- row cost a fifth of an insert.
DROP INDEX message_keep;
CREATE INDEX message_keep ON message (changed_at)
    WHERE ready IS NULL AND state <> 'sending' AND state <> 'dead' AND state <> 'queued' AND state <> 'uncertain'
    AND body <> '';
