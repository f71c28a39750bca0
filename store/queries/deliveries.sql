-- name: InsertDelivery :one
INSERT INTO deliveries (key, channel, person, address, reason, ticket, text, again, alert, urgent, not_before, expires, created_at, answers)
VALUES (@key, @channel, @person, @address, @reason, @ticket, @text, @again, @alert, @urgent, @not_before, sqlc.narg(expires), @created_at, @answers)
ON CONFLICT (key) DO NOTHING RETURNING id;

-- name: DeliveryID :one
SELECT id FROM deliveries WHERE key = @key;

-- name: Answer :one
SELECT text FROM deliveries WHERE answers = @answers::text AND key NOT LIKE 'busy/%' ORDER BY id LIMIT 1;

-- name: Discard :exec
-- What is due but no longer to be sent.
WITH verdicts AS (
    SELECT d.id, CASE
        WHEN d.expires <= @now::timestamptz THEN 'expired'
        WHEN d.channel = 'sms' AND p.stopped AND d.reason <> 'stop_ok' THEN 'failed'
        WHEN d.reason IN ('offer', 'reminder', 'offer_bundle', 'page', 'mgr_nobody') AND t.status <> 'new' THEN 'cancelled'
        END AS state
    FROM deliveries d
    LEFT JOIN people p ON p.id = d.person
    LEFT JOIN tickets t ON t.number = d.ticket
    WHERE d.channel = @channel AND d.state = 'due'
)
UPDATE deliveries SET state = v.state, why = CASE v.state
    WHEN 'expired' THEN 'not sent in time'
    WHEN 'failed' THEN 'the person has stopped texts'
    ELSE 'the ticket is no longer waiting' END
FROM verdicts v WHERE v.id = deliveries.id AND v.state IS NOT NULL;

-- name: Take :many
-- Of each address the row that is being sent, else the first, holds up the others.
-- Rows that wait for their own time hold nobody up, rows that are tried again do;
-- urgent rows wait for urgent rows only. Windows, because a join of the queue with
-- itself is quadratic in the backlog.
WITH queue AS (
    SELECT d.id, d.urgent, d.state = 'due' AND d.not_before <= @now AS ready,
        row_number() OVER (PARTITION BY d.address ORDER BY d.state = 'sending' DESC, d.id) AS place,
        row_number() OVER (PARTITION BY d.address, d.urgent ORDER BY d.state = 'sending' DESC, d.id) AS place_of_its_kind
    FROM deliveries d
    WHERE d.channel = @channel AND (d.state = 'sending' OR d.state = 'due' AND (d.not_before <= @now OR d.attempt > 0))
), first AS (
    SELECT q.id FROM queue q
    WHERE q.ready AND CASE WHEN q.urgent THEN q.place_of_its_kind ELSE q.place END = 1
    ORDER BY q.urgent DESC, q.id LIMIT @max
)
UPDATE deliveries SET state = 'sending', attempt = deliveries.attempt + 1
WHERE deliveries.id = ANY (ARRAY(SELECT f.id FROM first f)) AND deliveries.state = 'due'
RETURNING *;

-- name: DeliveryForUpdate :one
SELECT * FROM deliveries WHERE id = @id FOR UPDATE;

-- name: SettleDelivery :exec
UPDATE deliveries SET state = @state, why = @why, not_before = @not_before, repeated = @repeated, sent_at = sqlc.narg(sent_at)
WHERE id = @id;

-- name: SendingIDs :many
SELECT id FROM deliveries WHERE channel = @channel AND state = 'sending' ORDER BY id;

-- name: InsertSegment :exec
INSERT INTO segments (delivery, number, channel, wire, norm) VALUES (@delivery, @number, @channel, @wire, @norm);

-- name: MatchSegment :one
-- The best match: as written, then in the order of the forms; of equals the one
-- that has no receipt yet, then the newest.
SELECT s.delivery, s.number, s.state FROM segments s
WHERE s.channel = @channel AND s.norm = ANY (@forms::text[])
ORDER BY s.wire = @wire DESC, array_position(@forms::text[], s.norm), s.state = 'sent' DESC, s.delivery DESC
LIMIT 1;

-- name: SetSegment :exec
UPDATE segments SET state = @state, why = @why WHERE delivery = @delivery AND number = @number;

-- name: Segments :many
SELECT state, why FROM segments WHERE delivery = @delivery ORDER BY number;

-- name: ReceiveDelivery :exec
UPDATE deliveries SET state = @state, why = @why WHERE id = @id;

-- name: KeepOrphan :exec
INSERT INTO orphans (channel, wire, norm, state, why, kept_at) VALUES (@channel, @wire, @norm, @state, @why, @kept_at);

-- name: ForgetOrphans :exec
DELETE FROM orphans WHERE kept_at < @before;

-- name: TakeOrphans :many
WITH taken AS (
    DELETE FROM orphans o WHERE o.channel = @channel AND o.norm = ANY (@forms::text[]) AND o.kept_at >= @since RETURNING *
)
SELECT state, why FROM taken ORDER BY id;

-- name: FailedAlerts :many
SELECT id, key, ticket, person, channel, reason, why FROM deliveries
WHERE alert AND NOT reported AND ticket > 0 AND (
    state IN ('failed', 'expired')
    OR state IN ('sent', 'unknown') AND channel = 'sms' AND reason IN ('page', 'page_help', 'mgr_nobody') AND sent_at <= @before)
ORDER BY id LIMIT @max;

-- name: Reported :exec
UPDATE deliveries SET reported = true WHERE id = @id;

-- name: Fates :many
SELECT id, state FROM deliveries WHERE id = ANY (@ids::bigint[]);

-- name: Backlog :many
SELECT channel, count(*)::integer AS due FROM deliveries WHERE state = 'due' AND not_before <= @now GROUP BY channel;

-- name: AcquireLease :one
INSERT INTO leases AS l (name, holder, fence, expires)
VALUES (@name, @holder, 1, clock_timestamp() + @ttl::interval)
ON CONFLICT (name) DO UPDATE SET
    holder = excluded.holder, expires = excluded.expires,
    fence = l.fence + CASE WHEN l.holder = excluded.holder AND l.expires > clock_timestamp() THEN 0 ELSE 1 END,
    up_since = CASE WHEN l.holder = excluded.holder AND l.expires > clock_timestamp() THEN l.up_since END
WHERE l.holder = excluded.holder OR l.expires <= clock_timestamp()
RETURNING fence;

-- name: ReleaseLease :exec
UPDATE leases SET expires = '-infinity' WHERE name = @name AND holder = @holder AND fence = @fence;

-- name: SetLink :exec
UPDATE leases SET up_since = CASE WHEN @up::boolean THEN coalesce(up_since, clock_timestamp()) END
WHERE name = @name AND holder = @holder AND expires > clock_timestamp();

-- name: Leases :many
SELECT name, holder, up_since FROM leases WHERE expires > clock_timestamp() ORDER BY name;

-- name: AnyDue :one
SELECT EXISTS (SELECT FROM deliveries WHERE channel = @channel AND state = 'due' AND (not_before <= @now OR expires <= @now));

-- name: LockTaker :exec
SELECT pg_advisory_xact_lock(hashtextextended('take ' || @channel::text, 0));

-- name: LastOffer :one
-- When the last offer to a person left or will leave.
SELECT max(not_before)::timestamptz AS at FROM deliveries
WHERE person = @person AND channel = @channel AND reason IN ('offer', 'reminder', 'offer_bundle')
    AND state <> 'cancelled' AND not_before > @since AND key <> @key
HAVING max(not_before) IS NOT NULL;

-- name: Companions :many
-- Offers that waited for company, and found some.
SELECT d.person, d.address, p.language, max(d.expires)::timestamptz AS expires,
    array_agg(d.id ORDER BY d.id)::bigint[] AS ids, array_agg(d.ticket ORDER BY d.id)::integer[] AS tickets,
    array_agg(t.doc->>'subject' ORDER BY d.id)::text[] AS subjects
FROM deliveries d JOIN tickets t ON t.number = d.ticket JOIN people p ON p.id = d.person
WHERE d.channel = @channel AND d.state = 'due' AND d.attempt = 0 AND d.reason IN ('offer', 'reminder')
    AND d.not_before > d.created_at AND d.not_before <= @now
GROUP BY d.person, d.address, p.language HAVING count(*) > 1;

-- name: Bundled :exec
UPDATE deliveries SET state = 'cancelled', why = 'sent in a bundle' WHERE id = ANY (@ids::bigint[]);

-- name: Quoted :one
SELECT d.ticket FROM segments s JOIN deliveries d ON d.id = s.delivery
WHERE s.channel = @channel AND s.wire = @wire AND d.person = @person ORDER BY d.id DESC LIMIT 1;

-- name: LastReason :one
-- What the message before this one was answered with.
SELECT coalesce((SELECT d.reason FROM deliveries d WHERE d.answers = i.key AND d.key NOT LIKE 'busy/%' ORDER BY d.id LIMIT 1), '')::text AS reason FROM inbox i
WHERE i.channel = @channel AND i.sender = @sender AND i.id < @before ORDER BY i.id DESC LIMIT 1;
