-- Files of the audio library. The sound itself is a WAV file in the folder `audio` of the data folder, named by its id.
CREATE TABLE audio (
    id      BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    account BLOB    NOT NULL REFERENCES account (id),
    name    TEXT    NOT NULL,
    ms      INTEGER NOT NULL,
    bytes   INTEGER NOT NULL,
    sha256  TEXT    NOT NULL,
    source  TEXT    NOT NULL CHECK (json_valid(source)),
    at      INTEGER NOT NULL,
    actor   TEXT    NOT NULL CHECK (json_valid(actor))
) STRICT;
