-- Entries of the log say how they are to be read: until now a person's entry named its person in the column alone (1).
-- A server of the version before writes no format, which is that one.
ALTER TABLE event ADD COLUMN format INTEGER NOT NULL DEFAULT 1;
