-- name: OpenTickets :many
SELECT status, priority, count(*)::integer AS count, min(created_at)::timestamptz AS oldest
FROM tickets WHERE status IN ('new', 'assigned', 'pending', 'resolved') GROUP BY status, priority ORDER BY status, priority;

-- name: UnfinishedByChannel :many
SELECT channel, count(*)::integer AS count, min(kept_at)::timestamptz AS oldest
FROM inbox WHERE state <> 'finished' GROUP BY channel ORDER BY channel;

-- name: UnsentByChannel :many
SELECT channel, state, count(*)::integer AS count, min(not_before)::timestamptz AS oldest
FROM deliveries WHERE state = 'sending' OR state = 'due' AND not_before <= @now GROUP BY channel, state ORDER BY channel, state;

-- name: Unstarts :one
SELECT count(*)::integer FROM tickets WHERE version = 0;
