-- What the engine was fed in each run of the server, and the engine whole from time to time, so that past calls can
-- be run again under another policy.
CREATE TABLE trace (
    account BLOB    NOT NULL REFERENCES account (id),
    run     INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    -- An event of the log stands here by its number, anything else as a body.
    seq     INTEGER,
    body    TEXT    CHECK (body IS NULL OR json_valid(body)),
    PRIMARY KEY (account, run, n),
    CHECK ((seq IS NULL) <> (body IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint (
    account BLOB    NOT NULL REFERENCES account (id),
    run     INTEGER NOT NULL,
    n       INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    format  INTEGER NOT NULL,
    body    TEXT    NOT NULL CHECK (json_valid(body)),
    PRIMARY KEY (account, run, n)
) STRICT;
