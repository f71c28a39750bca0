-- +goose Up

-- When a presence last reached the holder of the chat.
ALTER TABLE leases ADD COLUMN heard_at timestamptz;

-- What is wrong with the desk itself.
CREATE TABLE troubles (
    name    text PRIMARY KEY,
    since   timestamptz NOT NULL,
    count   integer NOT NULL, -- how many wait
    ticket  integer NOT NULL, -- 0: about no ticket
    told_at timestamptz       -- when the managers were told
);
