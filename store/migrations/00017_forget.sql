-- +goose Up

-- Messages that came in are forgotten one day. Their ordinals are from a sequence, so
-- that no message gets the key of an equal one that is gone.
CREATE SEQUENCE inbox_ordinals AS integer;
SELECT setval('inbox_ordinals', (SELECT coalesce(max(ordinal), 0) + 1 FROM inbox), false);

-- What is old enough to be forgotten.
CREATE INDEX inbox_kept ON inbox USING brin (kept_at);
CREATE INDEX idempotency_created ON idempotency USING brin (created_at);
CREATE INDEX webhook_deliveries_created ON webhook_deliveries USING brin (created_at);

-- Whose group's tickets are asked for.
CREATE INDEX tickets_group ON tickets ((doc->>'group'), number) WHERE doc->>'group' <> '';
