-- +goose Up

-- Who is told by HTTP what happens to tickets. An ended one stays, for its log.
CREATE TABLE webhooks (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url        text NOT NULL,
    events     text[] NOT NULL, -- kinds of events; none: all
    secret     bytea NOT NULL,  -- encrypted
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    ended_at   timestamptz
);

-- What is to be told, and what became of it: one row for each event of a ticket.
CREATE TABLE webhook_deliveries (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    webhook    bigint NOT NULL REFERENCES webhooks,
    ticket     integer NOT NULL,
    seq        integer NOT NULL,
    created_at timestamptz NOT NULL,
    state      text NOT NULL DEFAULT 'due' CHECK (state IN ('due', 'sending', 'delivered', 'failed')),
    attempts   integer NOT NULL DEFAULT 0,
    status     integer NOT NULL DEFAULT 0, -- of the last answer; 0: there was none
    why        text NOT NULL DEFAULT '',
    tried_at   timestamptz
);
CREATE INDEX webhook_deliveries_log ON webhook_deliveries (webhook, id);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (id) WHERE state = 'due';
