-- Nobody holds the work while its epoch is 0.
CREATE TABLE work (
    queue TEXT NOT NULL,
    id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    due INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    held_until INTEGER NOT NULL,
    mark BLOB NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (queue, id)
) STRICT;

CREATE INDEX work_by_due ON work (queue, due, id);
