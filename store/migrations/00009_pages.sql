-- +goose Up

-- The requester's page is /t/ and this: 122 random bits.
ALTER TABLE tickets ADD link text NOT NULL DEFAULT translate(encode(uuid_send(gen_random_uuid()), 'base64'), '+/=', '-_');
CREATE UNIQUE INDEX tickets_link ON tickets (link);
CREATE INDEX tickets_created ON tickets USING brin (created_at);

-- What the charts count. The document holds the same words.
ALTER TABLE timeline
    ADD kind    text GENERATED ALWAYS AS (doc->>'kind') STORED,
    ADD actor   text GENERATED ALWAYS AS (doc->'actor'->>'id') STORED,
    ADD channel text GENERATED ALWAYS AS (doc->>'channel') STORED;
CREATE INDEX timeline_moves ON timeline (kind, at) INCLUDE (ticket, seq, actor, channel) WHERE kind NOT IN ('planned', 'noted', 'told', 'written', 'kept');

-- What was sent about a ticket.
CREATE INDEX deliveries_ticket ON deliveries (ticket, id) WHERE ticket > 0;
CREATE INDEX deliveries_created ON deliveries USING brin (created_at);

-- What requesters were told at the start about their wait. Low and high are NULL
-- when they were told no number.
CREATE TABLE promises (
    ticket integer PRIMARY KEY,
    at     timestamptz NOT NULL,
    place  integer NOT NULL, -- in line, 1 for the first
    method text NOT NULL,
    low    integer, -- seconds
    high   integer
);
CREATE INDEX promises_at ON promises (at);
