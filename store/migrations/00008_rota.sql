-- +goose Up

-- Shifts that were fixed one by one, in place of turns: [{person, from, until}].
ALTER TABLE rota ADD COLUMN shifts jsonb;

-- Who changed which rotation. Before and after are as the API writes a rotation;
-- NULL where there is none.
CREATE TABLE rota_changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL,
    changed_by text NOT NULL, -- empty: a people file
    grp        text NOT NULL,
    name       text NOT NULL,
    before     jsonb,
    after      jsonb
);

-- The addresses of people's shifts. Whoever reads a token here reads the rota
-- beside it too, so it is kept as it is and can be shown again.
CREATE TABLE feeds (
    person     text PRIMARY KEY REFERENCES people ON DELETE CASCADE,
    token      text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL
);

-- Who asked whom to change shifts.
CREATE TABLE swaps (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grp        text NOT NULL,
    asker      text NOT NULL REFERENCES people ON DELETE CASCADE,
    other      text NOT NULL REFERENCES people ON DELETE CASCADE,
    from_time  timestamptz NOT NULL, -- the asker's shift
    until_time timestamptz NOT NULL,
    back_from  timestamptz,          -- the other's in return; NULL: none
    back_until timestamptz,
    asked_at   timestamptz NOT NULL,
    expires    timestamptz NOT NULL,
    state      text NOT NULL DEFAULT 'asked' CHECK (state IN ('asked', 'accepted', 'declined', 'withdrawn', 'expired')),
    ended_at   timestamptz
);
CREATE UNIQUE INDEX swaps_asked ON swaps (asker) WHERE state = 'asked';
CREATE INDEX swaps_other ON swaps (other) WHERE state = 'asked';
