-- +goose Up

-- Whose offers wait for company.
CREATE INDEX deliveries_offers ON deliveries (person, channel, not_before) WHERE reason IN ('offer', 'reminder', 'offer_bundle');

-- Which message of ours somebody quotes.
CREATE INDEX segments_wire ON segments (channel, wire);

-- The message replaces one that its sender wrote before (XEP-0308).
ALTER TABLE inbox ADD corrects boolean NOT NULL DEFAULT false;
CREATE INDEX inbox_sender ON inbox (channel, sender, id);

-- What a message was read as, once that is certain: it is not read again, because
-- the conversation has gone on.
ALTER TABLE inbox ADD decided json;
