-- +goose Up

-- What the holder's link consists of, where that is several: for SMS each SMSC, with
-- the time since when it is bound, or null.
ALTER TABLE leases ADD COLUMN links jsonb NOT NULL DEFAULT '{}';
