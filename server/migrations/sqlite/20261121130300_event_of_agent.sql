-- The history of one person's facts, without reading the whole log.
CREATE INDEX event_of_agent ON event (account, agent, seq) WHERE agent IS NOT NULL;
