-- +goose Up

-- A token has an id, to be named and revoked by. A revoked one stays, as history.
ALTER TABLE tokens
    ADD COLUMN id         bigint NOT NULL GENERATED ALWAYS AS IDENTITY UNIQUE,
    ADD COLUMN created_by text NOT NULL DEFAULT '', -- empty: by the command line
    ADD COLUMN revoked_at timestamptz,
    ADD COLUMN revoked_by text NOT NULL DEFAULT '';

-- Signed-in browsers. A session's secret is replaced from time to time: chain is
-- what its rows have in common.
CREATE TABLE sessions (
    hash       bytea PRIMARY KEY, -- SHA-256 of the cookie
    chain      bytea NOT NULL,    -- hash of the first
    person     text NOT NULL REFERENCES people ON DELETE CASCADE,
    via        text NOT NULL,     -- link, oidc
    created_at timestamptz NOT NULL, -- of the first
    issued_at  timestamptz NOT NULL,
    used_at    timestamptz NOT NULL,
    expires    timestamptz NOT NULL,
    replaced   boolean NOT NULL DEFAULT false
);
CREATE INDEX sessions_chain ON sessions (chain);
CREATE INDEX sessions_person ON sessions (person);
CREATE INDEX sessions_expires ON sessions (expires);

-- Links to sign in with, each good once.
CREATE TABLE sign_in_links (
    hash       bytea PRIMARY KEY, -- SHA-256 of the secret in the link
    person     text NOT NULL REFERENCES people ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    expires    timestamptz NOT NULL,
    used_at    timestamptz
);
CREATE INDEX sign_in_links_person ON sign_in_links (person, created_at);

-- Who did what that is no ticket's: those have their timelines.
CREATE TABLE audit (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at      timestamptz NOT NULL,
    actor   text NOT NULL,  -- a person's id; empty for the command line
    channel text NOT NULL,  -- rest, web, cli
    act     text NOT NULL,  -- token.created
    subject text NOT NULL,  -- what it was done to: token 3, person ann
    detail  text NOT NULL DEFAULT ''
);
CREATE INDEX audit_at ON audit (at, id);
CREATE INDEX audit_actor ON audit (actor, at);
