-- +goose Up

-- Files of tickets. What is in them is not here: it lies in a folder under the id.
CREATE TABLE attachments (
    id         text PRIMARY KEY, -- not to be guessed
    ticket     integer NOT NULL,
    name       text NOT NULL,
    type       text NOT NULL,
    size       integer NOT NULL, -- bytes
    sha256     bytea NOT NULL,
    added_by   text NOT NULL,
    added_at   timestamptz NOT NULL,
    UNIQUE (ticket, sha256, name)
);
CREATE INDEX attachments_added_by ON attachments (added_by);
