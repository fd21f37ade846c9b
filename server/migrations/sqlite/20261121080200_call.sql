-- Call records, why each phone rang or did not, and the recordings.
CREATE TABLE call (
    uid        BLOB    NOT NULL PRIMARY KEY CHECK (length(uid) = 16),
    account    BLOB    NOT NULL REFERENCES account (id),
    started_at INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    agent      BLOB    CHECK (agent IS NULL OR length(agent) = 16),
    department BLOB    CHECK (department IS NULL OR length(department) = 16),
    -- The record's version: an older write that comes late changes nothing.
    epoch      INTEGER NOT NULL,
    rev        INTEGER NOT NULL,
    body       TEXT    NOT NULL CHECK (json_valid(body))
) STRICT;

-- The call log, newest first, with a stable order for equal times.
CREATE INDEX call_newest ON call (account, started_at DESC, uid DESC);
-- What a restart has to close.
CREATE INDEX call_open ON call (account) WHERE state <> 'ended';

CREATE TABLE decision (
    account BLOB    NOT NULL REFERENCES account (id),
    call    BLOB    NOT NULL CHECK (length(call) = 16),
    step    INTEGER NOT NULL,
    body    TEXT    NOT NULL CHECK (json_valid(body)),
    PRIMARY KEY (call, step)
) STRICT, WITHOUT ROWID;

-- Who stands in a call's decisions: those people may see the call.
CREATE TABLE call_member (
    call  BLOB NOT NULL CHECK (length(call) = 16),
    agent BLOB NOT NULL CHECK (length(agent) = 16),
    PRIMARY KEY (call, agent)
) STRICT, WITHOUT ROWID;

CREATE TABLE recording (
    id      BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account BLOB    NOT NULL REFERENCES account (id),
    call    BLOB    NOT NULL CHECK (length(call) = 16),
    kind    TEXT    NOT NULL,
    mailbox TEXT,
    -- Relative to the folder of recordings.
    path    TEXT    NOT NULL UNIQUE,
    ms      INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    sha256  TEXT    NOT NULL,
    at      INTEGER NOT NULL
) STRICT;

CREATE INDEX recording_of_call ON recording (call);
