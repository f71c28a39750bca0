-- +goose Up

-- Who changed the rota by hand, and when. A removed override stays, as history.
ALTER TABLE overrides
    ADD COLUMN added_by   text REFERENCES people,
    ADD COLUMN added_at   timestamptz,
    ADD COLUMN removed_by text REFERENCES people,
    ADD COLUMN removed_at timestamptz;
