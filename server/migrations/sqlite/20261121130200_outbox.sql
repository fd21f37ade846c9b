-- Text messages to people of the account: on their way to the gateway, or held when there is none.
CREATE TABLE outbox (
    id        BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account   BLOB    NOT NULL REFERENCES account (id),
    agent     BLOB    NOT NULL REFERENCES agent (id),
    -- E.164; none when no mobile number is known.
    recipient TEXT,
    text      TEXT    NOT NULL,
    at        INTEGER NOT NULL,
    state     TEXT    NOT NULL,
    tries     INTEGER NOT NULL DEFAULT 0,
    -- When it is tried next; none unless it is on its way.
    next_at   INTEGER,
    error     TEXT
) STRICT;

CREATE INDEX outbox_newest ON outbox (account, at DESC, id DESC);
CREATE INDEX outbox_due ON outbox (next_at) WHERE next_at IS NOT NULL;

-- Where a person's text messages go.
ALTER TABLE agent ADD COLUMN mobile TEXT;
-- A link sent to a person holds its generation; raising this one takes all earlier links back.
ALTER TABLE agent ADD COLUMN link_generation INTEGER NOT NULL DEFAULT 1;
