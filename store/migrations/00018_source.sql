-- +goose Up

-- The directory elsewhere that somebody came from, so that who left it can be told from
-- who was never there; empty for none.
ALTER TABLE people ADD COLUMN source text NOT NULL DEFAULT '';
