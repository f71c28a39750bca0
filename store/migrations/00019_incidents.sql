-- +goose Up

-- Tickets that are announced to everybody as a known incident. One is known while its
-- ticket is open and it was not withdrawn.
CREATE TABLE incidents (
    ticket       integer PRIMARY KEY REFERENCES tickets,
    words        text NOT NULL, -- what everybody reads
    announced_by text NOT NULL,
    announced_at timestamptz NOT NULL,
    withdrawn_at timestamptz,
    affected     text[] NOT NULL DEFAULT '{}' -- people besides whoever asked for the ticket, as they said so
);
