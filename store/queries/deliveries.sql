-- name: InsertDelivery :batchone
-- An offer leaves at once when the person got none lately, else together with the
-- next ones. One of a ticket that was taken meanwhile will never leave, and keeps no
-- other waiting. Who got as many within an hour as one may gets the next when the
-- hour is over, with all that came meanwhile; such an offer lives as long from then
-- on.
WITH before AS (
    SELECT max(d.not_before) AS last,
        min(CASE WHEN d.state = 'due' AND d.attempt = 0 AND d.not_before > d.created_at AND d.not_before > @not_before::timestamptz THEN d.not_before END) AS bundle
    FROM deliveries d
    WHERE @is_offer::boolean AND d.person = @person::text AND d.channel = @channel::text AND d.reason IN ('offer', 'reminder', 'offer_bundle')
        AND d.state <> 'cancelled' AND d.key <> @key::text
        AND d.not_before > @lately::timestamptz AND d.not_before <= @shortly::timestamptz
        AND NOT (d.state = 'due' AND EXISTS (SELECT FROM tickets t WHERE t.number = d.ticket AND t.status <> 'new'))
), spent AS (
    SELECT d.not_before + interval '1 hour' AS until FROM deliveries d
    WHERE @is_offer::boolean AND @budget::integer > 0 AND d.person = @person::text AND d.reason IN ('offer', 'reminder', 'offer_bundle')
        AND d.state <> 'cancelled' AND d.not_before BETWEEN @hour_ago::timestamptz AND @not_before::timestamptz AND d.key <> @key::text
    ORDER BY d.not_before DESC OFFSET @before_last::integer LIMIT 1
), company AS (
    SELECT s.until AS spent, greatest(coalesce(b.bundle, b.last + @bundle_for::interval), s.until, @not_before::timestamptz) AS leaves,
        sqlc.narg(expires)::timestamptz AS expires
    FROM before b LEFT JOIN spent s ON true
), leaving AS (
    SELECT c.leaves AS at,
        CASE WHEN c.leaves >= c.expires AND c.spent IS NOT NULL THEN c.leaves + (c.expires - @not_before::timestamptz) ELSE c.expires END AS expires
    FROM company c
), written AS (
    INSERT INTO deliveries (key, channel, person, address, reason, ticket, text, again, alert, urgent, not_before, expires, created_at, answers, why)
    SELECT @key::text, @channel::text, @person::text, @address::text, @reason::text, @ticket::integer, @text::text, @again::text, @alert::boolean, @urgent::boolean,
        l.at, l.expires, @created_at::timestamptz, @answers::text,
        CASE WHEN l.at > @created_at::timestamptz AND @reason::text IN ('offer', 'reminder') THEN 'waits in a bundle' ELSE '' END
    FROM leaving l
    ON CONFLICT (key) DO NOTHING RETURNING id
)
SELECT w.id, true AS fresh FROM written w
UNION ALL
SELECT d.id, false FROM deliveries d WHERE d.key = @key::text AND NOT EXISTS (SELECT FROM written);

-- name: PostDelivery :exec
-- To no person, and at once. Nobody is told when it does not arrive.
INSERT INTO deliveries (key, channel, person, address, reason, ticket, text, again, alert, urgent, not_before, expires, created_at, reported)
VALUES (@key::text, @channel::text, '', @address::text, @reason::text, @ticket, @text, @again, @alert, false, @now::timestamptz, sqlc.narg(expires), @now, true)
ON CONFLICT (key) DO NOTHING;

-- name: Answer :one
SELECT text FROM deliveries WHERE answers = @answers::text AND answers <> '' AND key NOT LIKE 'busy/%' ORDER BY id LIMIT 1;

-- name: Take :many
-- Of each address the row that is being sent, else the first, holds up the others.
-- Rows that wait for their own time hold nobody up, rows that are tried again do;
-- urgent rows wait for urgent rows only. Windows, because a join of the queue with
-- itself is quadratic in the backlog. What is no longer to be sent is returned with
-- what became of it.
WITH queue AS (
    SELECT d.id, d.urgent, d.state = 'due' AND d.not_before <= @now AS ready,
        CASE
            WHEN d.expires <= @now::timestamptz THEN 'expired'
            WHEN d.channel = 'sms' AND p.stopped AND d.reason <> 'stop_ok' THEN 'failed'
            WHEN d.reason IN ('offer', 'reminder', 'offer_bundle', 'page', 'mgr_nobody') AND t.status <> 'new' THEN 'cancelled'
            ELSE 'sending'
        END AS verdict,
        row_number() OVER (PARTITION BY d.address ORDER BY d.state = 'sending' DESC, d.id) AS place,
        row_number() OVER (PARTITION BY d.address, d.urgent ORDER BY d.state = 'sending' DESC, d.id) AS place_of_its_kind
    FROM deliveries d
    LEFT JOIN people p ON p.id = d.person
    LEFT JOIN tickets t ON t.number = d.ticket
    WHERE d.channel = @channel AND (d.state = 'sending' OR d.state = 'due' AND (d.not_before <= @now OR d.attempt > 0))
), first AS (
    SELECT q.id, q.verdict FROM queue q
    WHERE q.ready AND (q.verdict <> 'sending' OR CASE WHEN q.urgent THEN q.place_of_its_kind ELSE q.place END = 1)
    ORDER BY q.urgent DESC, q.id LIMIT @max
)
UPDATE deliveries SET state = f.verdict, attempt = deliveries.attempt + CASE f.verdict WHEN 'sending' THEN 1 ELSE 0 END,
    why = CASE f.verdict
        WHEN 'expired' THEN 'not sent in time'
        WHEN 'failed' THEN 'the person has stopped texts'
        WHEN 'cancelled' THEN 'the ticket is no longer waiting'
        ELSE deliveries.why END
FROM first f WHERE f.id = deliveries.id AND deliveries.state = 'due'
RETURNING deliveries.*;

-- name: SettleDelivery :exec
-- What an attempt came to. A fate that is known stays; that a message was sent is
-- news also when another process took the attempt for lost meanwhile. An alert with
-- an unknown outcome is sent once more.
UPDATE deliveries SET
    state = CASE WHEN @state::text = 'unknown' AND alert AND NOT repeated THEN 'due' ELSE @state END,
    why = @why,
    not_before = CASE WHEN @state = 'due' THEN least(@again_at, expires) ELSE not_before END,
    repeated = repeated OR @state = 'unknown' AND alert,
    sent_at = CASE WHEN @state = 'sent' OR @state = 'unknown' AND (repeated OR NOT alert) THEN @now::timestamptz ELSE sent_at END
WHERE id = @id AND (state = 'sending' OR @state = 'sent' AND state IN ('due', 'unknown'));

-- name: SendingIDs :many
SELECT id FROM deliveries WHERE channel = @channel AND state = 'sending' ORDER BY id;

-- name: InsertSegment :exec
-- With the receipts that came before: the first final one counts.
WITH taken AS (
    DELETE FROM orphans o
    WHERE o.channel = (SELECT d.channel FROM deliveries d WHERE d.id = @delivery) AND o.norm = ANY (@forms::text[]) AND o.kept_at >= @since
    RETURNING *
), word AS (
    SELECT t.state, t.why FROM taken t ORDER BY t.state = 'unknown', t.id LIMIT 1
)
INSERT INTO segments (delivery, number, channel, wire, norm, state, why)
SELECT d.id, @number::integer, d.channel, @wire::text, @norm::text, coalesce(w.state, 'sent'), coalesce(w.why, '')
FROM deliveries d LEFT JOIN word w ON true
WHERE d.id = @delivery AND d.state = 'sent'
ON CONFLICT DO NOTHING;

-- name: LockReceived :exec
-- Receipts of one message's segments come one after the other.
SELECT FROM deliveries d
WHERE d.id IN (SELECT s.delivery FROM segments s WHERE s.channel = @channel AND s.norm = ANY (@forms::text[]))
ORDER BY d.id FOR UPDATE;

-- name: Receive :exec
-- The best match: as written, then in the order of the forms; of equals the one that
-- has no receipt yet, then the newest. The first final word on a segment counts.
-- What fits nothing waits for its send to be stored; what waits since before @since
-- waits in vain.
WITH match AS (
    SELECT s.delivery, s.number FROM segments s
    WHERE s.channel = @channel AND s.norm = ANY (@forms::text[])
    ORDER BY s.wire = @wire DESC, array_position(@forms::text[], s.norm), s.state = 'sent' DESC, s.delivery DESC
    LIMIT 1
), kept AS (
    INSERT INTO orphans (channel, wire, norm, state, why, kept_at)
    SELECT @channel, @wire::text, @norm::text, @state::text, @why::text, @kept_at::timestamptz WHERE NOT EXISTS (SELECT FROM match)
    RETURNING id
), forgotten AS (
    DELETE FROM orphans o WHERE o.kept_at < @since AND EXISTS (SELECT FROM kept)
)
UPDATE segments SET state = @state, why = @why FROM match m
WHERE segments.delivery = m.delivery AND segments.number = m.number AND segments.state IN ('sent', 'unknown');

-- name: SumUp :exec
-- A message's state is that of its worst segment: failed as soon as one is,
-- delivered when all are.
UPDATE deliveries SET state = worst.state, why = worst.why FROM (
    SELECT DISTINCT ON (s.delivery) s.delivery, s.state, s.why FROM segments s
    WHERE s.delivery IN (
        SELECT @delivery::bigint UNION SELECT m.delivery FROM segments m WHERE m.channel = @channel AND m.norm = ANY (@forms::text[]))
    ORDER BY s.delivery, array_position(ARRAY['failed', 'expired', 'sent', 'unknown', 'delivered'], s.state), s.number
) worst
WHERE worst.delivery = deliveries.id AND deliveries.state <> worst.state;

-- name: FailedAlerts :many
-- What was sent in one message failed with it, or with its copy by SMS. The line
-- before the last condition is that of the index.
WITH lost AS (
    SELECT a.id, a.key, a.ticket, a.person, a.channel, a.reason, a.why FROM deliveries a
    WHERE a.alert AND NOT a.reported AND (a.channel = 'sms' OR a.reason IN ('page', 'page_help', 'mgr_nobody'))
        AND (a.state IN ('failed', 'expired') OR a.state IN ('sent', 'unknown') AND (a.channel = 'sms') = (a.reason IN ('page', 'page_help', 'mgr_nobody')))
        AND (a.state IN ('failed', 'expired') OR a.sent_at <= @before)
)
SELECT l.id, l.key, l.ticket, l.person, l.channel, l.reason, l.why FROM lost l WHERE l.ticket > 0
UNION ALL
SELECT d.id, d.key, d.ticket, d.person, l.channel, d.reason, l.why FROM lost l
JOIN deliveries d ON d.bundle = regexp_replace(l.key, '^text/', '') AND NOT d.reported
WHERE l.reason = 'offer_bundle'
ORDER BY id LIMIT @max;

-- name: Reported :exec
UPDATE deliveries SET reported = true WHERE id = @id;

-- name: FatesOf :many
SELECT key, state, why FROM deliveries WHERE key = ANY (@keys::text[]);

-- name: Fates :many
SELECT id, state FROM deliveries WHERE id = ANY (@ids::bigint[]);

-- name: AcquireLease :one
INSERT INTO leases AS l (name, holder, fence, expires)
VALUES (@name, @holder, 1, clock_timestamp() + @ttl::interval)
ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder, expires = excluded.expires,
    fence = l.fence + CASE WHEN l.holder = excluded.holder AND l.expires > clock_timestamp() THEN 0 ELSE 1 END,
    up_since = CASE WHEN l.holder = excluded.holder AND l.expires > clock_timestamp() THEN l.up_since END,
    links = CASE WHEN l.holder = excluded.holder AND l.expires > clock_timestamp() THEN l.links ELSE '{}' END
WHERE l.holder = excluded.holder OR l.expires <= clock_timestamp()
RETURNING fence;

-- name: ReleaseLease :exec
UPDATE leases SET expires = '-infinity' WHERE name = @name AND holder = @holder AND fence = @fence;

-- name: SetLink :exec
UPDATE leases SET up_since = CASE WHEN @up::boolean THEN coalesce(up_since, clock_timestamp()) END, heard_at = clock_timestamp(), links = @links
WHERE name = @name AND holder = @holder AND expires > clock_timestamp();

-- name: Leases :many
SELECT name, holder, up_since, links FROM leases WHERE expires > clock_timestamp() ORDER BY name;

-- name: Look :one
-- Whether anything is to be taken, and whether offers that waited for company are
-- among it.
SELECT coalesce(
    (SELECT d.not_before FROM deliveries d WHERE d.channel = @channel AND d.state = 'due' ORDER BY d.not_before LIMIT 1) <= @now::timestamptz, false
)::boolean AS due, EXISTS (
    SELECT FROM deliveries d
    WHERE d.channel = @channel AND d.state = 'due' AND d.not_before <= @now AND d.not_before > d.created_at
        AND d.attempt = 0 AND d.reason IN ('offer', 'reminder')
) AS company;

-- name: Companions :many
-- Offers that waited for company, and found some; Take discards the others.
SELECT d.person, d.address, p.language, max(d.expires)::timestamptz AS expires,
    array_agg(d.id ORDER BY d.id)::bigint[] AS ids, array_agg(d.ticket ORDER BY d.id)::integer[] AS tickets,
    array_agg(t.doc->>'subject' ORDER BY d.id)::text[] AS subjects
FROM deliveries d JOIN tickets t ON t.number = d.ticket JOIN people p ON p.id = d.person
WHERE d.channel = @channel AND d.state = 'due' AND d.attempt = 0 AND d.reason IN ('offer', 'reminder')
    AND d.not_before > d.created_at AND d.not_before <= @now
    AND (d.expires IS NULL OR d.expires > @now) AND t.status = 'new' AND NOT (d.channel = 'sms' AND p.stopped)
GROUP BY d.person, d.address, p.language HAVING count(*) > 1;

-- name: Bundled :exec
UPDATE deliveries SET state = 'cancelled', why = @why, bundle = @bundle::text WHERE id = ANY (@ids::bigint[]) AND state = 'due';

-- name: HeldBack :many
-- Offers to a person that wait for company, one for each ticket.
SELECT array_agg(d.id)::bigint[] AS ids, d.ticket, (t.doc->>'subject')::text AS subject
FROM deliveries d JOIN tickets t ON t.number = d.ticket
WHERE d.person = @person AND d.reason IN ('offer', 'reminder') AND d.state = 'due' AND d.not_before > @now AND t.status = 'new'
GROUP BY d.ticket, t.doc->>'subject', t.priority ORDER BY t.priority, d.ticket;

-- name: Quoted :one
SELECT d.ticket FROM segments s JOIN deliveries d ON d.id = s.delivery
WHERE s.channel = @channel AND s.wire = @wire AND d.person = @person ORDER BY d.id DESC LIMIT 1;

-- name: LastReason :one
-- What the message before this one was answered with.
SELECT coalesce((SELECT d.reason FROM deliveries d WHERE d.answers = i.key AND d.answers <> '' AND d.key NOT LIKE 'busy/%' ORDER BY d.id LIMIT 1), '')::text AS reason FROM inbox i
WHERE i.channel = @channel AND i.sender = @sender AND i.id < @before ORDER BY i.id DESC LIMIT 1;
