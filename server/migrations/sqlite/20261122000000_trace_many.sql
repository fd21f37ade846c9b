-- Events of the log that were fed to the engine together stand in one row: so many, from this one on.
ALTER TABLE trace ADD COLUMN many INTEGER NOT NULL DEFAULT 1 CHECK (many >= 1);
