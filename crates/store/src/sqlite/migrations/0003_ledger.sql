CREATE TABLE entries (
    tenant TEXT NOT NULL,
    position INTEGER NOT NULL,
    leaf BLOB NOT NULL,
    mark BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (tenant, position)
) STRICT;

CREATE TABLE tree_heads (
    tenant TEXT PRIMARY KEY,
    size INTEGER NOT NULL,
    frontier BLOB NOT NULL,
    mark BLOB NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE tree_nodes (
    tenant TEXT NOT NULL,
    level INTEGER NOT NULL,
    place INTEGER NOT NULL,
    hash BLOB NOT NULL,
    mark BLOB NOT NULL,
    PRIMARY KEY (tenant, level, place)
) STRICT, WITHOUT ROWID;
