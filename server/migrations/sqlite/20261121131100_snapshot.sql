-- The lasting state at some place of the log, so that a start folds only what came after it.
CREATE TABLE snapshot (
    account BLOB    NOT NULL PRIMARY KEY REFERENCES account (id),
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    -- Whoever does not know it throws the snapshot away.
    format  INTEGER NOT NULL,
    body    TEXT    NOT NULL CHECK (json_valid(body))
) STRICT;
