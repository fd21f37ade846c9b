-- Who changed the settings of the company, when, and to what: telephony, phone passwords, flows, numbers, audio files.
-- The routing policy has its own record in the log of events. Secrets never stand here.
CREATE TABLE setting_change (
    n       INTEGER NOT NULL PRIMARY KEY,
    account BLOB    NOT NULL REFERENCES account (id),
    at      INTEGER NOT NULL,
    -- telephony, phone, flow, number, audio
    kind    TEXT    NOT NULL,
    -- Which one of its kind; empty where there is one only.
    subject TEXT    NOT NULL,
    -- What was done: set, published, restored, deleted …
    what    TEXT    NOT NULL,
    actor   TEXT    NOT NULL CHECK (json_valid(actor)),
    -- What it was set to.
    body    TEXT    NOT NULL CHECK (json_valid(body))
) STRICT;

CREATE INDEX setting_change_of ON setting_change (account, kind, subject, n);
