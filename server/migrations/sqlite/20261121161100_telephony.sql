-- The telephony settings of a company: one document, like the routing policy. The passwords of trunks stand in it, since
-- a digest answer to a far side needs them (RFC 7616); the database file is for the service user only.
CREATE TABLE telephony (
    account BLOB    NOT NULL PRIMARY KEY REFERENCES account (id),
    version INTEGER NOT NULL,
    body    TEXT    NOT NULL CHECK (json_valid(body))
) STRICT;

-- Phones that know nothing newer sign in by MD5 (RFC 7616 §3.2); none for those founded before this column.
ALTER TABLE sip_user ADD COLUMN ha1_md5 TEXT;
