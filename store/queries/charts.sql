-- What the charts count, by day: of what happened since the start of a day. Days are
-- those of the zone, and a ticket counts on the day on which the thing happened to it, so
-- that a day which is over stays as it is.

-- name: ChartCounts :one
-- One process counts at a time.
SELECT zone, counted_at, open_from FROM chart_counts FOR UPDATE;

-- name: SetChartCounts :exec
UPDATE chart_counts SET zone = @zone, counted_at = @counted_at, open_from = @open_from;

-- name: DropChartDays :exec
DELETE FROM chart_days WHERE day >= @first_open::date OR day < @oldest::date;

-- name: RoomToCount :exec
-- Some hundred thousand rows are sorted and joined in memory. Compiling the expressions
-- takes longer than computing them.
SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true);

-- name: ChartDays :many
SELECT day, chart, priority, key, sums, samples, others FROM chart_days WHERE day >= @since::date ORDER BY day, chart, priority, key;

-- name: Crew :many
SELECT p.id, p.name, coalesce(t.priority, '')::text AS priority, count(t.number)::integer AS held FROM people p
LEFT JOIN (SELECT assignee, priority, number FROM tickets WHERE status IN ('assigned', 'pending')) t ON t.assignee = p.id
WHERE p.roles && '{agent,oncall,manager}'::text[] GROUP BY p.position, p.id, p.name, t.priority ORDER BY p.position, p.id;

-- name: CountClaims :exec
-- Of the first claims: seconds from the submission, and how many were within the target.
-- Of those whose requester was promised a number: how many waited within it and longer,
-- how long they waited, and how long they were promised at most.
WITH claims AS MATERIALIZED (
    SELECT timezone(@zone::text, c.at)::date AS day, c.at, t.number, t.priority, t.created_at, (t.doc->>'respond_by')::timestamptz AS target
    FROM (SELECT l.ticket, min(l.at) AS at FROM timeline l WHERE l.kind IN ('taken', 'assigned') AND l.at >= @since::timestamptz GROUP BY l.ticket) c
    JOIN tickets t ON t.number = c.ticket
    WHERE c.at = (SELECT min(e.at) FROM timeline e WHERE e.ticket = c.ticket AND e.kind IN ('taken', 'assigned'))
), waits AS (
    INSERT INTO chart_days (day, chart, priority, key, sums, samples)
    SELECT day, 'claim', priority, '', ARRAY[count(*), count(*) FILTER (WHERE target IS NULL OR at <= target)]::float8[], array_agg(extract(epoch FROM at - created_at)::integer)
    FROM claims GROUP BY day, priority
)
INSERT INTO chart_days (day, chart, priority, key, sums, samples, others)
SELECT c.day, 'promises', c.priority, '',
    ARRAY[count(*), count(*) FILTER (WHERE c.at - p.at BETWEEN p.low * interval '1 s' AND p.high * interval '1 s'), count(*) FILTER (WHERE c.at - p.at > p.high * interval '1 s')]::float8[],
    array_agg(extract(epoch FROM c.at - p.at)::integer), array_agg(p.high)
FROM claims c JOIN promises p ON p.ticket = c.number WHERE p.high IS NOT NULL
GROUP BY c.day, c.priority;

-- name: CountSolutions :exec
-- Seconds from the submission to a day's last solution without those in which the
-- requester was asked, and how many were within the target.
WITH solved AS (
    SELECT timezone(@zone::text, l.at)::date AS day, l.ticket, max(l.at) AS at FROM timeline l
    WHERE l.kind = 'resolved' AND l.at >= @since::timestamptz GROUP BY 1, 2
), asked AS (
    SELECT s.ticket, s.day, sum(answer.at - q.at) AS waited FROM solved s
    JOIN timeline q ON q.ticket = s.ticket AND q.kind = 'asked' AND q.at < s.at
    CROSS JOIN LATERAL (
        SELECT a.at FROM timeline a WHERE a.ticket = q.ticket AND a.seq > q.seq
            AND a.kind IN ('asked', 'answered', 'snoozed', 'woken', 'resolved', 'reopened', 'released', 'taken over', 'passed', 'assigned', 'undone')
        ORDER BY a.seq LIMIT 1
    ) answer GROUP BY s.ticket, s.day
), took AS (
    SELECT s.day, t.priority, extract(epoch FROM s.at - t.created_at - coalesce(a.waited, '0'))::integer AS seconds,
        t.doc->>'resolve_by' IS NULL OR s.at <= (t.doc->>'resolve_by')::timestamptz AS within -- which pauses have moved
    FROM solved s JOIN tickets t ON t.number = s.ticket LEFT JOIN asked a ON a.ticket = s.ticket AND a.day = s.day
)
INSERT INTO chart_days (day, chart, priority, key, sums, samples)
SELECT day, 'resolve', priority, '', ARRAY[count(*), count(*) FILTER (WHERE within)]::float8[], array_agg(seconds)
FROM took GROUP BY day, priority;

-- name: CountEscalations :exec
-- Tickets by the step of the chain that they reached.
INSERT INTO chart_days (day, chart, priority, key, sums)
SELECT day, 'escalations', priority, '', ARRAY[count(*) FILTER (WHERE step = 1), count(*) FILTER (WHERE step = 2), count(*) FILTER (WHERE step > 2)]::float8[]
FROM (
    SELECT timezone(@zone::text, l.at)::date AS day, t.priority, coalesce((l.doc->>'step')::integer, 0) + 1 AS step
    FROM timeline l JOIN tickets t ON t.number = l.ticket WHERE l.kind = 'escalated' AND l.at >= @since::timestamptz
) e GROUP BY day, priority;

-- name: CountNights :exec
-- Calls between 22:00 and 06:00, on the day on which the night began. The night before
-- the first day was counted with its own day.
INSERT INTO chart_days (day, chart, priority, key, sums)
SELECT night, 'nights', priority, '', ARRAY[sum(calls)]::float8[]
FROM (
    SELECT (timezone(@zone::text, l.at) - interval '6 hours')::date AS night, timezone(@zone, l.at)::time AS clock, t.priority, jsonb_array_length(coalesce(l.doc->'to', '[]')) AS calls
    FROM timeline l JOIN tickets t ON t.number = l.ticket WHERE l.kind IN ('escalated', 'paged again') AND l.at >= @since::timestamptz
) n WHERE (clock >= '22:00' OR clock < '06:00') AND night >= timezone(@zone, @since)::date
GROUP BY night, priority;

-- name: CountDeeds :exec
-- Who took, solved and declined how much.
INSERT INTO chart_days (day, chart, priority, key, sums)
SELECT timezone(@zone::text, l.at)::date, 'deeds', t.priority, l.actor, ARRAY[count(*) FILTER (WHERE l.kind IN ('taken', 'passed', 'taken over')),
    count(*) FILTER (WHERE l.kind = 'resolved'), count(*) FILTER (WHERE l.kind = 'declined')]::float8[]
FROM timeline l JOIN tickets t ON t.number = l.ticket
WHERE l.kind IN ('taken', 'passed', 'taken over', 'resolved', 'declined') AND l.at >= @since::timestamptz AND l.actor IS NOT NULL
GROUP BY 1, 3, 4;

-- name: CountOffers :exec
-- Tickets offered to a person, and how many of them the person neither took nor declined.
WITH offers AS (
    SELECT DISTINCT timezone(@zone::text, l.at)::date AS day, l.ticket, p->>'id' AS person FROM timeline l CROSS JOIN LATERAL jsonb_array_elements(l.doc->'to') p
    WHERE l.kind = 'offered' AND l.at >= @since::timestamptz AND jsonb_typeof(l.doc->'to') = 'array'
), answered AS (
    SELECT DISTINCT ticket, actor FROM timeline WHERE kind IN ('taken', 'declined') AND at >= @since
)
INSERT INTO chart_days (day, chart, priority, key, sums)
SELECT o.day, 'offers', t.priority, o.person, ARRAY[count(*), count(*) FILTER (WHERE a.ticket IS NULL)]::float8[]
FROM offers o JOIN tickets t ON t.number = o.ticket LEFT JOIN answered a ON a.ticket = o.ticket AND a.actor = o.person
WHERE o.person IS NOT NULL GROUP BY 1, 3, 4;

-- name: CountDeliveries :exec
-- What became of what was sent. A chat tells of failures only.
INSERT INTO chart_days (day, chart, priority, key, sums)
SELECT timezone(@zone::text, d.created_at)::date, 'delivery', coalesce(t.priority, ''), '', ARRAY[
    count(*) FILTER (WHERE d.channel = 'sms' AND d.state = 'delivered'), count(*) FILTER (WHERE d.channel = 'sms' AND d.state IN ('sent', 'unknown')),
    count(*) FILTER (WHERE d.channel = 'im' AND d.state IN ('sent', 'delivered', 'unknown')), count(*) FILTER (WHERE d.channel = 'im' AND d.state IN ('failed', 'expired')),
    count(*) FILTER (WHERE d.channel = 'sms' AND d.state IN ('failed', 'expired'))]::float8[]
FROM deliveries d LEFT JOIN tickets t ON t.number = d.ticket
WHERE d.created_at >= @since::timestamptz GROUP BY 1, 3;

-- name: CountQueue :exec
-- How many waited at each full hour of the zone, and for how many minutes the oldest.
WITH moved AS (
    SELECT ticket FROM timeline WHERE at >= @since::timestamptz
        AND kind IN ('opened', 'released', 'lapsed', 'taken', 'passed', 'taken over', 'assigned', 'withdrawn', 'merged', 'undone', 'snoozed')
    UNION SELECT number FROM tickets WHERE status = 'new'
), moves AS (
    SELECT l.ticket, l.kind, l.at, coalesce(lead(l.at) OVER (PARTITION BY l.ticket ORDER BY l.seq), @now::timestamptz) AS next
    FROM moved m JOIN timeline l ON l.ticket = m.ticket
    WHERE l.kind IN ('opened', 'released', 'lapsed', 'taken', 'passed', 'taken over', 'assigned', 'withdrawn', 'merged', 'undone', 'snoozed')
), waits AS (
    SELECT t.priority, timezone(@zone::text, m.at) AS at, timezone(@zone::text, m.next) AS next FROM moves m JOIN tickets t ON t.number = m.ticket
    WHERE m.kind IN ('opened', 'released', 'lapsed') AND m.next >= @since::timestamptz
)
INSERT INTO chart_days (day, chart, priority, key, sums)
SELECT h::date, 'queue', w.priority, to_char(h, 'HH24'), ARRAY[count(*), max(extract(epoch FROM h - w.at)) / 60]::float8[]
FROM waits w CROSS JOIN LATERAL generate_series(greatest(date_trunc('hour', w.at) + interval '1 hour', timezone(@zone::text, @since::timestamptz)), w.next, interval '1 hour') h
GROUP BY h, w.priority;

-- name: CountReopenings :exec
INSERT INTO chart_days (day, chart, priority, key, sums)
SELECT timezone(@zone::text, l.at)::date, 'reopened', t.priority, '', ARRAY[count(*) FILTER (WHERE l.kind = 'resolved'), count(*) FILTER (WHERE l.kind = 'reopened')]::float8[]
FROM timeline l JOIN tickets t ON t.number = l.ticket
WHERE l.kind IN ('resolved', 'reopened') AND l.at >= @since::timestamptz GROUP BY 1, 3;

-- name: CountChannels :exec
INSERT INTO chart_days (day, chart, priority, key, sums)
SELECT timezone(@zone::text, l.at)::date, 'channels', t.priority, '', ARRAY[count(*) FILTER (WHERE l.channel = 'sms'), count(*) FILTER (WHERE l.channel = 'im'),
    count(*) FILTER (WHERE l.channel = 'web'), count(*) FILTER (WHERE l.channel = 'rest')]::float8[]
FROM timeline l JOIN tickets t ON t.number = l.ticket
WHERE l.kind IN ('taken', 'passed', 'taken over') AND l.at >= @since::timestamptz GROUP BY 1, 3;

-- name: CountUnknown :exec
-- Messages that were answered with a question or with help.
INSERT INTO chart_days (day, chart, priority, key, sums)
SELECT timezone(@zone::text, i.kept_at)::date, 'unknown', '', '', ARRAY[count(*) FILTER (WHERE i.channel = 'sms'), count(*) FILTER (WHERE i.channel = 'im')]::float8[]
FROM deliveries d JOIN inbox i ON i.key = d.answers
WHERE d.answers <> '' AND d.reason IN ('err_word', 'err_guess') AND i.kept_at >= @since::timestamptz AND d.created_at >= @since GROUP BY 1;

-- name: CountWords :exec
-- The words of such messages. Longer texts are somebody's words, not commands, and stay
-- out.
INSERT INTO chart_days (day, chart, priority, key, sums)
SELECT timezone(@zone::text, i.kept_at)::date, 'words', '', w.word, ARRAY[count(*)]::float8[]
FROM deliveries d JOIN inbox i ON i.key = d.answers
CROSS JOIN LATERAL (SELECT DISTINCT m[1] AS word FROM regexp_matches(lower(i.text), '[[:alpha:]]{2,20}', 'g') m) w
WHERE d.answers <> '' AND d.reason IN ('err_word', 'err_guess') AND i.kept_at >= @since::timestamptz AND d.created_at >= @since AND length(i.text) <= 40
GROUP BY 1, 4;
