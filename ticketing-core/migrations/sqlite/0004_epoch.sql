-- Which life of the store this is. The same name stands in the file `….epoch` beside this one, and
-- both change from time to time: a file that was put back from a copy, or copied to elsewhere, is
-- recognised by a name that no longer fits.
CREATE TABLE epoch (
    -- There is one row at most; none until the first start.
    one INTEGER PRIMARY KEY CHECK (one = 1),
    -- Drawn at random.
    name TEXT NOT NULL
) STRICT;
