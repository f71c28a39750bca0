-- +goose Up

-- People are added, changed and deactivated one by one, not by import alone. version
-- grows with what the directory says of them, not with their presence. Who is
-- deactivated keeps their row, for the tickets that name them.
ALTER TABLE people
    ADD COLUMN version        integer NOT NULL DEFAULT 1,
    ADD COLUMN deactivated_at timestamptz;
CREATE INDEX people_position ON people (position, id);

-- What a start imported last, as a slow hash because it has PINs in it: the same file
-- is not imported again, over what was changed since.
CREATE TABLE people_file (
    singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    hash text NOT NULL
);
