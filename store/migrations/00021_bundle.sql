-- +goose Up

ALTER TABLE deliveries ADD COLUMN bundle text; -- key of the message that was sent in place of this one
CREATE INDEX deliveries_bundle ON deliveries (bundle) WHERE bundle IS NOT NULL AND NOT reported;
