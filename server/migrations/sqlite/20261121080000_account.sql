-- The company and its policy: who works there, what rings, where numbers lead.
-- Policy objects are kept whole as JSON; only what is looked up or ordered by stands in columns.
CREATE TABLE account (
    id               BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    name             TEXT    NOT NULL,
    zone             TEXT    NOT NULL,
    language         TEXT    NOT NULL,
    policy_version   INTEGER NOT NULL,
    token_generation INTEGER NOT NULL
) STRICT;

CREATE TABLE agent (
    id        BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account   BLOB NOT NULL REFERENCES account (id),
    name      TEXT NOT NULL,
    -- Lower case: people do not remember how they wrote it.
    email     TEXT NOT NULL UNIQUE CHECK (email = lower(email)),
    role      TEXT NOT NULL,
    extension TEXT,
    -- argon2id in PHC form.
    password  TEXT NOT NULL,
    UNIQUE (account, extension)
) STRICT;

CREATE TABLE department (
    id       BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account  BLOB    NOT NULL REFERENCES account (id),
    slug     TEXT    NOT NULL,
    position INTEGER NOT NULL,
    body     TEXT    NOT NULL CHECK (json_valid(body)),
    UNIQUE (account, slug)
) STRICT;

CREATE TABLE trunk (
    id       BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account  BLOB    NOT NULL REFERENCES account (id),
    position INTEGER NOT NULL,
    body     TEXT    NOT NULL CHECK (json_valid(body))
) STRICT;

CREATE TABLE number (
    id       BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account  BLOB    NOT NULL REFERENCES account (id),
    number   TEXT    NOT NULL UNIQUE,
    position INTEGER NOT NULL,
    body     TEXT    NOT NULL CHECK (json_valid(body))
) STRICT;

CREATE TABLE flow (
    id       BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account  BLOB    NOT NULL REFERENCES account (id),
    slug     TEXT    NOT NULL,
    position INTEGER NOT NULL,
    body     TEXT    NOT NULL CHECK (json_valid(body)),
    UNIQUE (account, slug)
) STRICT;

CREATE TABLE mailbox (
    account  BLOB    NOT NULL REFERENCES account (id),
    name     TEXT    NOT NULL,
    position INTEGER NOT NULL,
    body     TEXT    NOT NULL CHECK (json_valid(body)),
    PRIMARY KEY (account, name)
) STRICT;

-- Desk phones. The digest secret is kept as RFC 8760 HA1 = SHA-256(username:realm:password), never in the clear.
CREATE TABLE sip_user (
    username   TEXT NOT NULL PRIMARY KEY,
    account    BLOB NOT NULL REFERENCES account (id),
    agent      BLOB NOT NULL REFERENCES agent (id),
    realm      TEXT NOT NULL,
    ha1_sha256 TEXT NOT NULL
) STRICT;

-- Single values about the database itself: the epoch, the last sign of life.
CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

INSERT INTO meta (key, value) VALUES ('epoch', '1');
