-- What `heap export` writes; docs/heap-export.md explains it.
CREATE TABLE meta (
    key TEXT PRIMARY KEY,
    value
) WITHOUT ROWID;
CREATE TABLE types (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    address INTEGER NOT NULL,
    object INTEGER REFERENCES objects,
    instances INTEGER NOT NULL,
    bytes INTEGER NOT NULL
);
CREATE TABLE generations (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    interpreter INTEGER NOT NULL,
    objects INTEGER NOT NULL,
    problem TEXT
);
CREATE TABLE objects (
    id INTEGER PRIMARY KEY,
    address INTEGER NOT NULL,
    type INTEGER REFERENCES types,
    size INTEGER NOT NULL,
    retained INTEGER NOT NULL,
    dominator INTEGER REFERENCES objects,
    generation INTEGER REFERENCES generations,
    reachable INTEGER NOT NULL
);
CREATE TABLE edges (
    referrer INTEGER NOT NULL REFERENCES objects,
    referent INTEGER NOT NULL REFERENCES objects,
    count INTEGER NOT NULL,
    PRIMARY KEY (referrer, referent)
) WITHOUT ROWID;
CREATE TABLE roots (
    object INTEGER NOT NULL REFERENCES objects,
    kind TEXT NOT NULL,
    words TEXT NOT NULL,
    expression TEXT,
    address INTEGER,
    certain INTEGER NOT NULL
);
CREATE VIEW named AS
    SELECT objects.id, printf('0x%x', objects.address) AS address, types.name AS type, size, retained,
        dominator, generation, reachable
    FROM objects LEFT JOIN types ON types.id = objects.type;
