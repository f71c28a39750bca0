-- name: Overdue :many
-- What should have moved by now: messages in without an answer (the parts of a long
-- one may wait for the others), messages out whose time has come, new tickets whose
-- workflow has not written.
SELECT 'inbox'::text AS what, channel, count(*)::integer AS count, min(kept_at)::timestamptz AS oldest
FROM inbox WHERE state <> 'finished' AND kept_at <= CASE WHEN part_group IS NULL THEN @before::timestamptz ELSE @parts_before::timestamptz END GROUP BY channel
UNION ALL
SELECT 'outbox', channel, count(*)::integer, min(created_at)::timestamptz
FROM deliveries WHERE state = 'due' AND (not_before <= @before OR attempt > 0 AND created_at <= @before) GROUP BY channel
UNION ALL
SELECT 'unstarted', '', count(*)::integer, min(created_at)::timestamptz
FROM tickets WHERE version = 0 AND created_at <= @before HAVING count(*) > 0;

-- name: SetHeard :exec
UPDATE leases SET heard_at = clock_timestamp() WHERE name = @name AND holder = @holder AND expires > clock_timestamp();

-- name: Silences :many
-- How long nothing was heard on links that stand.
SELECT name, (clock_timestamp() - heard_at)::interval AS silence
FROM leases WHERE expires > clock_timestamp() AND up_since IS NOT NULL AND heard_at IS NOT NULL ORDER BY name;

-- name: Troubles :many
SELECT * FROM troubles ORDER BY since, name;

-- name: SetTrouble :exec
INSERT INTO troubles (name, since, count, ticket, told_at) VALUES (@name, @since, @count, @ticket, @told_at)
ON CONFLICT (name) DO UPDATE SET count = excluded.count, ticket = excluded.ticket, told_at = excluded.told_at;

-- name: DropTrouble :exec
DELETE FROM troubles WHERE name = @name;
