-- Flows are edited as drafts and published as versions; `flow` holds the live version of each.
CREATE TABLE flow_draft (
    id       BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account  BLOB    NOT NULL REFERENCES account (id),
    slug     TEXT    NOT NULL,
    -- Rises with each save.
    revision INTEGER NOT NULL,
    -- The version it was begun from; none for a flow that was never published.
    based_on INTEGER,
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL CHECK (json_valid(actor)),
    body     TEXT    NOT NULL CHECK (json_valid(body)),
    UNIQUE (account, slug)
) STRICT;

CREATE TABLE flow_version (
    id       BLOB    NOT NULL CHECK (length(id) = 16),
    version  INTEGER NOT NULL,
    account  BLOB    NOT NULL REFERENCES account (id),
    at       INTEGER NOT NULL,
    actor    TEXT    NOT NULL CHECK (json_valid(actor)),
    note     TEXT,
    -- The version it restores, if it does.
    restores INTEGER,
    body     TEXT    NOT NULL CHECK (json_valid(body)),
    PRIMARY KEY (id, version)
) STRICT;
