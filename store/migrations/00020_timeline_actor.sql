-- +goose Up

-- What somebody did, for the audit; of the desk's own deeds any page of timeline_at has
-- some.
CREATE INDEX timeline_actor ON timeline (actor, at, ticket, seq) WHERE actor <> 'deskbell';
