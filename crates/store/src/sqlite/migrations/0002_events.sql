CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    tenant TEXT NOT NULL,
    at INTEGER NOT NULL,
    stream TEXT NOT NULL,
    name TEXT NOT NULL,
    mark BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;

-- An index ends in the rowid, which is the sequence.
CREATE INDEX events_by_tenant ON events (tenant);
CREATE INDEX events_by_stream ON events (tenant, stream);
