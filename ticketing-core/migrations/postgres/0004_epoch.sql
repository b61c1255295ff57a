-- Where the store has lived so far: the server's identity, its timeline and the table's number. A
-- restored dump, or a standby that took over, is recognised by its having changed.
CREATE TABLE epoch (
    -- There is one row at most; none until the first start.
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL
);
