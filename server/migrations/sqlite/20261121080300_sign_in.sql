-- Signed-in panels and API tokens. Of both only a hash is kept.
CREATE TABLE session (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account    BLOB    NOT NULL REFERENCES account (id),
    agent      BLOB    NOT NULL REFERENCES agent (id),
    -- SHA-256 of the cookie's value.
    secret     BLOB    NOT NULL UNIQUE CHECK (length(secret) = 32),
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL
) STRICT;

CREATE INDEX session_seen ON session (seen_at);

CREATE TABLE token (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account    BLOB    NOT NULL REFERENCES account (id),
    agent      BLOB    NOT NULL REFERENCES agent (id),
    -- Set on a panel's short token for the edge: it ends with the sign-in.
    session    BLOB    REFERENCES session (id) ON DELETE CASCADE,
    name       TEXT    NOT NULL,
    -- SHA-256 of the whole token.
    secret     BLOB    NOT NULL CHECK (length(secret) = 32),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

CREATE INDEX token_of_session ON token (session) WHERE session IS NOT NULL;
CREATE INDEX token_expiry ON token (expires_at);
