-- A fold reads the last entry of each person, and every entry that is about nobody: those, without the rest of the log.
CREATE INDEX event_of_nobody ON event (account, seq) WHERE agent IS NULL;
