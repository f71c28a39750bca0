-- +goose Up

-- Since when the holder's link (its bind or login) stands; NULL while it does not.
ALTER TABLE leases ADD COLUMN up_since timestamptz;
