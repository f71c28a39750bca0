-- The figures behind the charts. Each is about tickets that came in since a time, or
-- events since then, of one priority or of all. Days are those of the zone.

-- name: ClaimTimes :many
-- Seconds from submission to the first claim, by day of submission, and how many
-- claims were within the target.
WITH first AS (
    SELECT ticket, min(at) AS at FROM timeline WHERE kind IN ('taken', 'assigned') AND at >= @since::timestamptz GROUP BY ticket
)
SELECT date_trunc(@unit::text, timezone(@zone::text, t.created_at))::date AS day, count(*)::integer AS count,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM f.at - t.created_at))::float8 AS p50,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM f.at - t.created_at))::float8 AS p90,
    count(*) FILTER (WHERE t.doc->>'respond_by' IS NULL OR f.at <= (t.doc->>'respond_by')::timestamptz)::integer AS within
FROM tickets t JOIN first f ON f.ticket = t.number
WHERE t.created_at >= @since AND (@priority::text = '' OR t.priority = @priority)
GROUP BY 1 ORDER BY 1;

-- name: ResolveTimes :many
-- Seconds from submission to the solution without those in which the requester was
-- asked, by day of the solution.
WITH moves AS (
    SELECT ticket, kind, at, lead(at) OVER (PARTITION BY ticket ORDER BY seq) AS next FROM timeline
    WHERE at >= @since::timestamptz AND kind IN ('asked', 'answered', 'snoozed', 'woken', 'resolved', 'reopened', 'released', 'taken over', 'passed', 'assigned', 'undone', 'withdrawn', 'merged', 'closed')
), asked AS (
    SELECT ticket, sum(next - at) AS waited FROM moves WHERE kind = 'asked' AND next IS NOT NULL GROUP BY ticket
), solved AS (
    SELECT ticket, max(at) AS at FROM moves WHERE kind = 'resolved' GROUP BY ticket
), took AS (
    SELECT s.at, extract(epoch FROM s.at - t.created_at - coalesce(a.waited, '0')) AS seconds,
        t.doc->>'resolve_by' IS NULL OR s.at <= (t.doc->>'resolve_by')::timestamptz AS within -- which pauses have moved
    FROM solved s JOIN tickets t ON t.number = s.ticket LEFT JOIN asked a ON a.ticket = s.ticket
    WHERE t.created_at >= @since AND (@priority::text = '' OR t.priority = @priority)
)
SELECT date_trunc(@unit::text, timezone(@zone::text, at))::date AS day, count(*)::integer AS count,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::float8 AS p50,
    percentile_cont(0.9) WITHIN GROUP (ORDER BY seconds)::float8 AS p90,
    (count(*) FILTER (WHERE within))::integer AS within
FROM took GROUP BY 1 ORDER BY 1;

-- name: Escalations :many
-- Tickets by the step of the chain that they reached, by day.
SELECT date_trunc(@unit::text, timezone(@zone::text, e.at))::date AS day,
    (count(*) FILTER (WHERE e.step = 1))::integer AS first, (count(*) FILTER (WHERE e.step = 2))::integer AS second, (count(*) FILTER (WHERE e.step > 2))::integer AS later
FROM (
    SELECT l.at, coalesce((l.doc->>'step')::integer, 0) + 1 AS step FROM timeline l JOIN tickets t ON t.number = l.ticket
    WHERE l.kind = 'escalated' AND l.at >= @since::timestamptz AND (@priority::text = '' OR t.priority = @priority)
) e GROUP BY 1 ORDER BY 1;

-- name: NightPages :many
-- Calls between 22:00 and 06:00, by the day on which the night began.
SELECT date_trunc(@unit::text, timezone(@zone::text, l.at) - interval '6 hours')::date AS day, sum(jsonb_array_length(coalesce(l.doc->'to', '[]')))::integer AS pages
FROM timeline l JOIN tickets t ON t.number = l.ticket
WHERE l.kind IN ('escalated', 'paged again') AND l.at >= @since::timestamptz AND (@priority::text = '' OR t.priority = @priority)
    AND (extract(hour FROM timezone(@zone, l.at)) >= 22 OR extract(hour FROM timezone(@zone, l.at)) < 6)
GROUP BY 1 ORDER BY 1;

-- name: Loads :many
-- Who did how much: for planning. An offer left is one that the person neither took
-- nor declined.
WITH done AS (
    SELECT l.actor AS person, (count(*) FILTER (WHERE l.kind IN ('taken', 'passed', 'taken over')))::integer AS taken,
        (count(*) FILTER (WHERE l.kind = 'resolved'))::integer AS solved, (count(*) FILTER (WHERE l.kind = 'declined'))::integer AS declined
    FROM timeline l JOIN tickets t ON t.number = l.ticket
    WHERE l.kind IN ('taken', 'passed', 'taken over', 'resolved', 'declined') AND l.at >= @since::timestamptz AND (@priority::text = '' OR t.priority = @priority)
    GROUP BY l.actor
), offers AS (
    SELECT DISTINCT o.person, l.ticket FROM timeline l JOIN tickets t ON t.number = l.ticket
    CROSS JOIN LATERAL (SELECT p->>'id' AS person FROM jsonb_array_elements(l.doc->'to') p) o
    WHERE l.kind = 'offered' AND l.at >= @since AND jsonb_typeof(l.doc->'to') = 'array' AND (@priority = '' OR t.priority = @priority)
), left_over AS (
    SELECT o.person, count(*)::integer AS offered,
        (count(*) FILTER (WHERE NOT EXISTS (SELECT FROM timeline l WHERE l.ticket = o.ticket AND l.actor = o.person AND l.kind IN ('taken', 'declined'))))::integer AS passed_by
    FROM offers o GROUP BY o.person
)
SELECT p.id, p.name, (SELECT count(*) FROM tickets h WHERE h.assignee = p.id AND h.status IN ('assigned', 'pending'))::integer AS held,
    coalesce(d.taken, 0)::integer AS taken, coalesce(d.solved, 0)::integer AS solved,
    coalesce(o.offered, 0)::integer AS offered, coalesce(d.declined, 0)::integer AS declined, coalesce(o.passed_by, 0)::integer AS passed_by
FROM people p LEFT JOIN done d ON d.person = p.id LEFT JOIN left_over o ON o.person = p.id
WHERE p.roles && '{agent,oncall,manager}'::text[] ORDER BY p.position, p.id;

-- name: DeliveryFates :many
-- What became of what was sent, by day. A chat tells of failures only.
SELECT date_trunc(@unit::text, timezone(@zone::text, d.created_at))::date AS day,
    (count(*) FILTER (WHERE d.channel = 'sms' AND d.state = 'delivered'))::integer AS sms_delivered,
    (count(*) FILTER (WHERE d.channel = 'sms' AND d.state IN ('sent', 'unknown')))::integer AS sms_open,
    (count(*) FILTER (WHERE d.channel = 'sms' AND d.state IN ('failed', 'expired')))::integer AS sms_failed,
    (count(*) FILTER (WHERE d.channel = 'im' AND d.state IN ('sent', 'delivered', 'unknown')))::integer AS im_sent,
    (count(*) FILTER (WHERE d.channel = 'im' AND d.state IN ('failed', 'expired')))::integer AS im_failed
FROM deliveries d LEFT JOIN tickets t ON t.number = d.ticket
WHERE d.created_at >= @since::timestamptz AND (@priority::text = '' OR t.priority = @priority)
GROUP BY 1 ORDER BY 1;

-- name: QueueByHour :many
-- How many waited at each full hour and for how many minutes the oldest, on average
-- over the weeks; weekdays from Monday, 1.
WITH moves AS (
    SELECT l.ticket, l.kind, l.at, coalesce(lead(l.at) OVER (PARTITION BY l.ticket ORDER BY l.seq), @now::timestamptz) AS next
    FROM timeline l JOIN tickets t ON t.number = l.ticket
    WHERE l.at >= @since::timestamptz AND (@priority::text = '' OR t.priority = @priority)
        AND l.kind IN ('opened', 'taken', 'released', 'lapsed', 'assigned', 'withdrawn', 'merged', 'resolved', 'reopened', 'closed', 'undone', 'snoozed', 'woken')
), hours AS (
    SELECT h, count(*) AS waiting, max(extract(epoch FROM h - m.at)) / 60 AS oldest FROM moves m
    CROSS JOIN LATERAL generate_series(date_trunc('hour', m.at) + interval '1 hour', m.next, interval '1 hour') h
    WHERE m.kind IN ('opened', 'released', 'lapsed') GROUP BY h
), all_hours AS (
    SELECT generate_series(date_trunc('hour', @since) + interval '1 hour', @now, interval '1 hour') AS h
)
SELECT extract(isodow FROM timezone(@zone::text, a.h))::integer AS weekday, extract(hour FROM timezone(@zone, a.h))::integer AS hour,
    avg(coalesce(s.waiting, 0))::float8 AS waiting, avg(coalesce(s.oldest, 0))::float8 AS oldest
FROM all_hours a LEFT JOIN hours s ON s.h = a.h GROUP BY 1, 2 ORDER BY 1, 2;

-- name: Promises :many
-- What was promised against what happened, by day of the promise: of the tickets that
-- were taken, how many were told a number, waited within it, and longer.
WITH kept AS (
    SELECT p.at, p.low, p.high, extract(epoch FROM c.at - p.at) AS waited FROM promises p JOIN tickets t ON t.number = p.ticket
    CROSS JOIN LATERAL (SELECT min(l.at) AS at FROM timeline l WHERE l.ticket = p.ticket AND l.kind IN ('taken', 'assigned')) c
    WHERE p.at >= @since::timestamptz AND p.high IS NOT NULL AND c.at IS NOT NULL AND (@priority::text = '' OR t.priority = @priority)
)
SELECT date_trunc(@unit::text, timezone(@zone::text, at))::date AS day, count(*)::integer AS promised,
    (count(*) FILTER (WHERE waited BETWEEN low AND high))::integer AS within, (count(*) FILTER (WHERE waited > high))::integer AS longer,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY waited)::float8 AS waited,
    percentile_cont(0.5) WITHIN GROUP (ORDER BY high)::float8 AS high
FROM kept GROUP BY 1 ORDER BY 1;

-- name: Reopenings :many
SELECT date_trunc(@unit::text, timezone(@zone::text, l.at))::date AS day,
    (count(*) FILTER (WHERE l.kind = 'resolved'))::integer AS solved, (count(*) FILTER (WHERE l.kind = 'reopened'))::integer AS reopened
FROM timeline l JOIN tickets t ON t.number = l.ticket
WHERE l.kind IN ('resolved', 'reopened') AND l.at >= @since::timestamptz AND (@priority::text = '' OR t.priority = @priority)
GROUP BY 1 ORDER BY 1;

-- name: ClaimChannels :many
SELECT date_trunc(@unit::text, timezone(@zone::text, l.at))::date AS day,
    (count(*) FILTER (WHERE l.channel = 'sms'))::integer AS sms, (count(*) FILTER (WHERE l.channel = 'im'))::integer AS im,
    (count(*) FILTER (WHERE l.channel = 'web'))::integer AS web, (count(*) FILTER (WHERE l.channel = 'rest'))::integer AS rest
FROM timeline l JOIN tickets t ON t.number = l.ticket
WHERE l.kind IN ('taken', 'passed', 'taken over') AND l.at >= @since::timestamptz AND (@priority::text = '' OR t.priority = @priority)
GROUP BY 1 ORDER BY 1;

-- name: NotUnderstood :many
-- Messages that were answered with a question or with help, by day and channel.
SELECT date_trunc(@unit::text, timezone(@zone::text, i.kept_at))::date AS day, (count(*) FILTER (WHERE i.channel = 'sms'))::integer AS sms, (count(*) FILTER (WHERE i.channel = 'im'))::integer AS im
FROM deliveries d JOIN inbox i ON i.key = d.answers
WHERE d.answers <> '' AND d.reason IN ('err_word', 'err_guess') AND d.created_at >= @since::timestamptz
GROUP BY 1 ORDER BY 1;

-- name: UnknownWords :many
-- The words of such messages that came at least twice: the next synonyms. Longer
-- texts are somebody's words, not commands, and stay out.
SELECT w.word::text AS word, count(*)::integer AS count
FROM deliveries d JOIN inbox i ON i.key = d.answers
CROSS JOIN LATERAL (SELECT DISTINCT m[1] AS word FROM regexp_matches(lower(i.text), '[[:alpha:]]{2,20}', 'g') m) w
WHERE d.answers <> '' AND d.reason IN ('err_word', 'err_guess') AND d.created_at >= @since::timestamptz AND length(i.text) <= 40
GROUP BY 1 HAVING count(*) > 1 ORDER BY 2 DESC, 1 LIMIT 30;
