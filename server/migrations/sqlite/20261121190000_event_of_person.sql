-- Where in the log each person's entries are. Kept apart from the log and brought up some hundred entries at a time: an
-- index would add a page to a commit for each person in it, and a toggle waits for its commit.
CREATE TABLE event_of_person (
    account BLOB    NOT NULL,
    agent   BLOB    NOT NULL CHECK (length(agent) = 16),
    seq     INTEGER NOT NULL,
    PRIMARY KEY (account, agent, seq)
) STRICT, WITHOUT ROWID;
-- Up to where that was done; what comes after is looked for in the log itself.
CREATE TABLE event_sorted (
    account BLOB    NOT NULL PRIMARY KEY REFERENCES account (id),
    seq     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO event_of_person (account, agent, seq)
SELECT account, agent, seq FROM event WHERE agent IS NOT NULL ORDER BY account, agent, seq;
INSERT INTO event_sorted (account, seq) SELECT account, max(seq) FROM event GROUP BY account;
DROP INDEX event_of_agent;
