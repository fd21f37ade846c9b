-- Who changed what about a person: role, sign-in name, mobile number, departments they manage.
CREATE TABLE agent_change (
    id      INTEGER NOT NULL PRIMARY KEY,
    account BLOB    NOT NULL REFERENCES account (id),
    agent   BLOB    NOT NULL REFERENCES agent (id),
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL CHECK (json_valid(actor)),
    -- The request that asked for it.
    request TEXT,
    -- Before and after, by the member that changed.
    changed TEXT    NOT NULL CHECK (json_valid(changed))
) STRICT;

CREATE INDEX agent_change_newest ON agent_change (account, agent, id DESC);
