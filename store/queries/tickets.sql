-- name: ClaimKey :execrows
INSERT INTO idempotency (scope, key, hash, created_at)
VALUES (@scope, @key, @hash, @created_at)
ON CONFLICT DO NOTHING;

-- name: Key :one
SELECT hash, ticket, status, body FROM idempotency WHERE scope = @scope AND key = @key;

-- name: SetKeyTicket :exec
UPDATE idempotency SET ticket = @ticket WHERE scope = @scope AND key = @key;

-- name: SetKeyResponse :execrows
UPDATE idempotency SET status = @status, body = @body WHERE scope = @scope AND key = @key;

-- name: NextNumber :one
SELECT nextval('ticket_numbers')::integer AS number;

-- name: InsertTicket :exec
INSERT INTO tickets (number, version, status, priority, requester, assignee, created_at, doc, opening)
VALUES (@number, 0, @status, @priority, @requester, '', @created_at, @doc, @opening);

-- name: Unstarted :many
SELECT opening FROM tickets
WHERE version = 0 AND created_at < @before
ORDER BY created_at, number LIMIT @max;

-- name: ProjectTicket :execrows
INSERT INTO tickets AS t (number, version, status, priority, requester, assignee, created_at, doc, commands)
VALUES (@number, @version, @status, @priority, @requester, @assignee, @created_at, @doc, @commands)
ON CONFLICT (number) DO UPDATE SET
    version = excluded.version, status = excluded.status, priority = excluded.priority,
    requester = excluded.requester, assignee = excluded.assignee, created_at = excluded.created_at,
    doc = excluded.doc, commands = excluded.commands, opening = NULL
WHERE t.version < excluded.version;

-- name: InsertTimeline :execrows
INSERT INTO timeline (ticket, seq, at, doc)
SELECT @ticket, unnest(@seqs::integer[]), unnest(@ats::timestamptz[]), unnest(@docs::text[])::jsonb
ON CONFLICT DO NOTHING;

-- name: ClearHolds :exec
-- A take that is under way stays counted as long as nobody has the ticket.
DELETE FROM holds WHERE ticket = @ticket AND person <> @holder AND (state = 'held' OR NOT @waiting::boolean);

-- name: SetHold :exec
INSERT INTO holds (ticket, person, state, at) VALUES (@ticket, @person, 'held', @at)
ON CONFLICT (ticket, person) DO UPDATE SET state = 'held', at = excluded.at;

-- name: LockPerson :exec
SELECT id FROM people WHERE id = @id FOR UPDATE;

-- name: CountHolds :one
SELECT count(*)::integer FROM holds
WHERE person = @person AND ticket <> @ticket AND (state = 'held' OR at > @since);

-- name: AskHold :exec
INSERT INTO holds (ticket, person, state, at) VALUES (@ticket, @person, 'asked', @at)
ON CONFLICT (ticket, person) DO UPDATE SET at = excluded.at;

-- name: AskedHolds :many
SELECT DISTINCT ticket FROM holds WHERE state = 'asked' AND at > @since ORDER BY ticket;

-- name: Ticket :one
SELECT doc, commands FROM tickets WHERE number = @number;

-- name: Tickets :many
SELECT (doc - '{offers,pages,recent,undo,alarms,plan}'::text[])::jsonb AS doc FROM tickets
WHERE number < @below::integer
  AND (cardinality(@statuses::text[]) = 0 OR status = ANY (@statuses::text[]))
  AND (@assignee::text = '' OR assignee = @assignee)
  AND (@requester::text = '' OR requester = @requester)
ORDER BY number DESC LIMIT @max;

-- name: Waiting :many
SELECT doc FROM tickets WHERE status = 'new' ORDER BY priority, created_at, number LIMIT @max;

-- name: Holding :many
SELECT doc FROM tickets WHERE assignee = @person AND status IN ('assigned', 'pending') ORDER BY number;

-- name: Counts :one
SELECT count(*) FILTER (WHERE status = 'new')::integer AS new,
       count(*) FILTER (WHERE status = 'assigned')::integer AS assigned,
       count(*) FILTER (WHERE status = 'pending')::integer AS pending,
       coalesce(min(created_at) FILTER (WHERE status = 'new'), '0001-01-01 00:00:00+00')::timestamptz AS oldest
FROM tickets WHERE status IN ('new', 'assigned', 'pending');

-- name: Timeline :many
SELECT doc FROM timeline WHERE ticket = @ticket ORDER BY seq;

-- name: RecentEvents :many
SELECT ticket, doc FROM timeline ORDER BY at DESC, ticket DESC, seq DESC LIMIT @max;

-- name: Notify :exec
SELECT pg_notify(@channel::text, @payload::text);
