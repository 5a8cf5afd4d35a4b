-- The seal: what no single row can tell. Sums are the XOR of the marks of all rows of a
-- table, so that a row that was removed or put back as it once was is missed.
CREATE TABLE seal (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sequence INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    records BLOB NOT NULL,
    heads BLOB NOT NULL,
    work BLOB NOT NULL,
    mark BLOB NOT NULL
) STRICT;

-- Tables with long rows keep their rowid: in a table without one, long rows fill the inner
-- pages too, and the tree grows deep.
CREATE TABLE records (
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    version INTEGER NOT NULL,
    terminal INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    indexed TEXT NOT NULL,
    mark BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (kind, tenant, id)
) STRICT;

-- Trusted only as far as the marked row in `records` agrees.
CREATE TABLE record_index (
    kind TEXT NOT NULL,
    tenant TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    id TEXT NOT NULL,
    PRIMARY KEY (kind, tenant, name, value, id)
) STRICT, WITHOUT ROWID;
