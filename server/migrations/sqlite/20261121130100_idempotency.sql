-- Answers of the last 24 hours by the caller's own key, so that a request repeated after a lost answer has no second effect.
-- A row without a status is a request that had begun: if it still stands after a restart, its outcome is unknown.
CREATE TABLE idempotency (
    -- The token or sign-in that sent the key.
    principal   BLOB    NOT NULL CHECK (length(principal) = 16),
    key         TEXT    NOT NULL CHECK (length(key) <= 64),
    -- SHA-256 of method, path and body.
    fingerprint BLOB    NOT NULL CHECK (length(fingerprint) = 32),
    at          INTEGER NOT NULL,
    status      INTEGER,
    -- Those headers of the answer that belong to it, as a JSON array of pairs.
    headers     TEXT    NOT NULL DEFAULT '[]' CHECK (json_valid(headers)),
    body        TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_age ON idempotency (at);
