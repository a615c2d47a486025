-- By which objects in clusters say which installation applied them. One row, the same for ever; no secret.
CREATE TABLE plane_installation (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id  TEXT    NOT NULL
) STRICT;
