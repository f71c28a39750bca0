-- +goose Up

-- A message's row is written a second time within a moment, when its acknowledgement
-- is confirmed. With room for that on the row's own page no index is written again.
ALTER TABLE inbox SET (fillfactor = 50);
