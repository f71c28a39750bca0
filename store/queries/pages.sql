-- name: LinkOf :one
SELECT link FROM tickets WHERE number = @number;

-- name: TicketByLink :one
SELECT number FROM tickets WHERE link = @link;

-- name: Versions :many
SELECT number, version FROM tickets WHERE number = ANY (@numbers::integer[]);

-- name: Queue :many
-- What waits, with how far the search for a holder is.
SELECT (doc - '{body,recent,undo}'::text[])::jsonb AS doc FROM tickets WHERE status = 'new' ORDER BY priority, created_at, number LIMIT @max;

-- name: Notices :many
-- What was sent about a ticket, and what became of it.
SELECT d.id, d.channel, d.person, coalesce(p.name, d.person)::text AS name, d.reason, d.text, d.state, d.why, d.repeated, d.not_before, d.sent_at, d.created_at
FROM deliveries d LEFT JOIN people p ON p.id = d.person
WHERE d.ticket = @ticket::integer AND d.ticket > 0 ORDER BY d.id;

-- name: Promise :exec
-- The place is that among all who wait.
INSERT INTO promises (ticket, at, place, method, low, high)
VALUES (@ticket, @at, @place, @method, sqlc.narg(low)::integer, sqlc.narg(high)::integer) ON CONFLICT DO NOTHING;

-- name: Promised :one
SELECT * FROM promises WHERE ticket = @ticket;

-- name: Place :one
-- The place in line of a ticket that waits, and how many wait.
SELECT count(*) FILTER (WHERE (t.priority, t.created_at, t.number) <= (me.priority, me.created_at, me.number))::integer AS place, count(*)::integer AS waiting
FROM tickets t, (SELECT priority, created_at, number FROM tickets s WHERE s.number = @number) me WHERE t.status = 'new';

-- name: Waits :many
-- How long the last tickets waited that were taken, by their place in line.
SELECT p.place, extract(epoch FROM c.at - p.at)::float8 AS seconds FROM promises p
CROSS JOIN LATERAL (SELECT min(l.at) AS at FROM timeline l WHERE l.ticket = p.ticket AND l.kind IN ('taken', 'assigned')) c
WHERE c.at IS NOT NULL ORDER BY p.at DESC LIMIT @max;

-- name: Claims :one
SELECT count(*)::integer FROM timeline WHERE kind IN ('taken', 'assigned') AND at >= @since;
