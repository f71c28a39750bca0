-- name: ClaimKey :execrows
INSERT INTO idempotency (scope, key, hash, created_at)
VALUES (@scope, @key, @hash, @created_at)
ON CONFLICT DO NOTHING;

-- name: Key :one
SELECT hash, ticket, status, body FROM idempotency WHERE scope = @scope AND key = @key;

-- name: TakeKey :execrows
-- For a request that was begun before and of which nothing more was heard.
UPDATE idempotency SET created_at = @now WHERE scope = @scope AND key = @key AND hash = @hash AND status IS NULL AND created_at < @before;

-- name: DropKey :exec
DELETE FROM idempotency WHERE scope = @scope AND key = @key AND status IS NULL AND ticket IS NULL;

-- name: SetKeyResponse :execrows
UPDATE idempotency SET status = @status, body = @body WHERE scope = @scope AND key = @key;

-- name: InsertTicket :one
-- No row: the key was used before. A number is taken only for a key that looks new.
WITH next AS (
    SELECT nextval('ticket_numbers')::integer AS number
    WHERE NOT EXISTS (SELECT FROM idempotency i WHERE i.scope = @scope::text AND i.key = @key::text AND @key <> '')
), claimed AS (
    INSERT INTO idempotency (scope, key, hash, ticket, created_at)
    SELECT @scope, @key, @hash::text, next.number, @created_at::timestamptz FROM next WHERE @key <> ''
    ON CONFLICT DO NOTHING RETURNING ticket
), fresh AS (
    SELECT next.number FROM next WHERE @key = '' OR EXISTS (SELECT FROM claimed)
)
INSERT INTO tickets (number, version, status, priority, requester, assignee, created_at, doc, opening)
SELECT f.number, 0, @status::text, @priority::text, @requester::text, '', @created_at,
    @doc::jsonb || jsonb_build_object('number', f.number), @opening::jsonb || jsonb_build_object('number', f.number)
FROM fresh f RETURNING number;

-- name: Unstarted :many
SELECT opening FROM tickets
WHERE version = 0 AND created_at < @before
ORDER BY created_at, number LIMIT @max;

-- name: ProjectTicket :exec
INSERT INTO tickets AS t (number, version, status, priority, requester, assignee, created_at, doc, commands)
VALUES (@number, @version, @status, @priority, @requester, @assignee, @created_at, @doc, @commands)
ON CONFLICT (number) DO UPDATE SET
    version = excluded.version, status = excluded.status, priority = excluded.priority,
    requester = excluded.requester, assignee = excluded.assignee, created_at = excluded.created_at,
    doc = excluded.doc, commands = excluded.commands, opening = NULL
WHERE t.version < excluded.version;

-- name: InsertTimeline :exec
-- What is written for the first time is also due to the webhooks that ask for it.
WITH kept AS (
    INSERT INTO timeline (ticket, seq, at, doc)
    SELECT @ticket, unnest(@seqs::integer[]), unnest(@ats::timestamptz[]), unnest(@docs::text[])::jsonb
    ON CONFLICT DO NOTHING RETURNING ticket, seq, doc
)
INSERT INTO webhook_deliveries (webhook, ticket, seq, created_at)
SELECT w.id, k.ticket, k.seq, @now::timestamptz FROM kept k
JOIN webhooks w ON w.ended_at IS NULL AND (cardinality(w.events) = 0 OR k.doc->>'kind' = ANY (w.events))
ORDER BY w.id, k.seq;

-- name: ClearHolds :exec
-- As the ticket's newest version has it. A take that is under way stays counted as
-- long as nobody has the ticket.
DELETE FROM holds USING tickets t
WHERE t.number = @ticket AND t.version = @version AND holds.ticket = t.number
    AND holds.person <> @holder AND (holds.state = 'held' OR NOT @waiting::boolean);

-- name: SetHold :exec
INSERT INTO holds (ticket, person, state, at)
SELECT t.number, @person::text, 'held', @at::timestamptz FROM tickets t WHERE t.number = @ticket AND t.version = @version
ON CONFLICT (ticket, person) DO UPDATE SET state = 'held', at = excluded.at;

-- name: LockPerson :exec
SELECT id FROM people WHERE id = @id FOR UPDATE;

-- name: CountHolds :one
SELECT count(*)::integer FROM holds
WHERE person = @person AND ticket <> @ticket AND (state = 'held' OR at > @since);

-- name: AskHold :exec
INSERT INTO holds (ticket, person, state, at) VALUES (@ticket, @person, 'asked', @at)
ON CONFLICT (ticket, person) DO UPDATE SET at = excluded.at;

-- name: DropAsk :exec
DELETE FROM holds WHERE ticket = @ticket AND person = @person AND state = 'asked';

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
  AND (cardinality(@priorities::text[]) = 0 OR priority = ANY (@priorities::text[]))
  AND (@grp::text = '' OR doc->>'group' = @grp)
  AND created_at >= @since::timestamptz AND created_at < @before::timestamptz
  AND (@words::text = '' OR search @@ (websearch_to_tsquery('simple', @words) || websearch_to_tsquery('english', @words) || websearch_to_tsquery('german', @words)))
ORDER BY number DESC LIMIT @max;

-- name: OpenPlans :many
-- The plans by which open tickets run.
SELECT number, priority, coalesce(doc->>'group', '')::text AS grp, (doc->'plan')::jsonb AS plan
FROM tickets WHERE status IN ('new', 'assigned', 'pending') ORDER BY number;

-- name: Waiting :many
SELECT (doc - '{body,offers,pages,recent,undo,alarms,plan}'::text[])::jsonb AS doc FROM tickets WHERE status = 'new' ORDER BY priority, created_at, number LIMIT @max;

-- name: Mentionable :many
-- The tickets that a person may mean: those they hold, those that wait, the last that
-- they asked for and those that were offered to them; of each no more than that needs.
WITH meant AS (
    (SELECT 1 AS kind, t.* , row_number() OVER (ORDER BY t.number) AS place FROM tickets t
        WHERE @works::boolean AND t.assignee = @person::text AND t.status IN ('assigned', 'pending'))
    UNION ALL
    (SELECT 2, t.*, row_number() OVER (ORDER BY t.priority, t.created_at, t.number) FROM tickets t
        WHERE @works AND t.status = 'new' ORDER BY t.priority, t.created_at, t.number LIMIT @waiting)
    UNION ALL
    (SELECT 3, t.*, row_number() OVER (ORDER BY t.number DESC) FROM tickets t
        WHERE t.requester = @person ORDER BY t.number DESC LIMIT @own)
    UNION ALL
    (SELECT 4, t.*, t.number FROM tickets t WHERE t.number = ANY (@offered::integer[]))
)
SELECT kind::integer, number, status,
    (doc->>'subject')::text AS subject, coalesce(doc->>'waits', '')::text AS waits,
    coalesce((doc->>'claimed_at')::timestamptz, '0001-01-01 00:00:00+00')::timestamptz AS claimed_at, (doc ? 'pass')::boolean AS passed,
    (doc->'promise')::jsonb AS promise
FROM meant ORDER BY kind, place;

-- name: Counts :one
SELECT count(*) FILTER (WHERE status = 'new')::integer AS new,
       count(*) FILTER (WHERE status = 'assigned')::integer AS assigned,
       count(*) FILTER (WHERE status = 'pending')::integer AS pending,
       coalesce(min(created_at) FILTER (WHERE status = 'new'), '0001-01-01 00:00:00+00')::timestamptz AS oldest
FROM tickets WHERE status IN ('new', 'assigned', 'pending');

-- name: Timeline :many
SELECT doc FROM timeline WHERE ticket = @ticket ORDER BY seq;

-- name: RecentEvents :many
SELECT ticket, doc FROM timeline WHERE kind <> ALL (@omitted::text[]) ORDER BY at DESC, ticket DESC, seq DESC LIMIT @max;

-- name: Notify :exec
SELECT pg_notify(@channel::text, @payload::text);

-- name: CommitLazily :exec
-- This transaction is not waited for on the disk. One that waits flushes it too.
SELECT set_config('synchronous_commit', 'off', true);

-- name: PastEvents :many
SELECT l.ticket, l.doc FROM timeline l JOIN tickets t ON t.number = l.ticket WHERE t.created_at >= @since ORDER BY l.ticket, l.seq;
