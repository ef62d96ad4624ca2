-- Whom messages are to: for each block of 256 places (seq >> 8) a comma and the last six digits of each recipient, one
-- after the other. Numbers come in no order: an index of them has a page to change for nearly each message, and the more
-- messages there are the rarer is one at hand. This has one for a block. Who looks for a number reads all blocks, seven
-- octets a recipient, and the messages of those blocks that have its digits; see search.py.
DROP INDEX message_recipient;
DROP TABLE recipient;
CREATE TABLE numbers (
    block INTEGER PRIMARY KEY,
    ends  TEXT NOT NULL
) STRICT;
INSERT INTO numbers
    SELECT seq >> 8, group_concat(',' || substr('000000' || each.value, -6), '')
    FROM message, json_each(message.recipients) AS each GROUP BY 1;
