-- name: Announce :one
-- No row: there is no such ticket, or it is over. What is known gets other words only.
INSERT INTO incidents AS i (ticket, words, announced_by, announced_at)
SELECT t.number, @words, @announced_by, @now::timestamptz FROM tickets t WHERE t.number = @ticket AND t.status IN ('new', 'assigned', 'pending')
ON CONFLICT (ticket) DO UPDATE SET words = excluded.words, announced_by = excluded.announced_by, withdrawn_at = NULL,
    announced_at = CASE WHEN i.withdrawn_at IS NULL THEN i.announced_at ELSE excluded.announced_at END
RETURNING i.ticket;

-- name: WithdrawIncident :execrows
UPDATE incidents SET withdrawn_at = @now::timestamptz WHERE ticket = @ticket AND withdrawn_at IS NULL;

-- name: KnownIncidents :many
-- All, or a ticket's; the latest first.
SELECT i.ticket, i.words, i.announced_by, i.announced_at, i.affected, t.requester FROM incidents i JOIN tickets t ON t.number = i.ticket
WHERE i.withdrawn_at IS NULL AND t.status IN ('new', 'assigned', 'pending') AND @ticket::integer IN (0, i.ticket)
ORDER BY i.announced_at DESC, i.ticket DESC;

-- name: LockIncident :one
SELECT ticket FROM incidents WHERE ticket = @ticket FOR UPDATE;

-- name: JoinIncident :execrows
UPDATE incidents i SET affected = i.affected || @person::text FROM tickets t
WHERE i.ticket = @ticket AND t.number = i.ticket AND t.requester <> @person AND @person <> ALL (i.affected);

-- name: Affected :one
-- It waits for whoever is being added.
SELECT words, affected FROM incidents WHERE ticket = @ticket FOR SHARE;

-- name: MoveIncident :exec
-- What is known of a ticket that was merged is known of the other one.
WITH merged AS (DELETE FROM incidents m WHERE m.ticket = @merged RETURNING m.*)
INSERT INTO incidents AS i (ticket, words, announced_by, announced_at, withdrawn_at, affected)
SELECT @ticket::integer, m.words, m.announced_by, m.announced_at, m.withdrawn_at, m.affected FROM merged m JOIN tickets t ON t.number = @ticket
ON CONFLICT (ticket) DO UPDATE SET affected = ARRAY(SELECT DISTINCT p FROM unnest(i.affected || excluded.affected) p ORDER BY p);
