-- The durable log of one account: availability is the fold of it. A doubled append breaks the key and fails whole.
CREATE TABLE event (
    account BLOB    NOT NULL REFERENCES account (id),
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    agent   BLOB    CHECK (agent IS NULL OR length(agent) = 16),
    body    TEXT    NOT NULL CHECK (json_valid(body)),
    PRIMARY KEY (account, seq)
) STRICT, WITHOUT ROWID;
