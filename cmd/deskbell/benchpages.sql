-- Tickets of four weeks, number 1 to $1, each with the story that most have: offered,
-- taken from a phone, solved, closed. The last 60 wait or are in work.
WITH numbers AS (
    SELECT n, now() - interval '28 days' * (1 - (n - 1.0) / $1::integer) AS came,
        'agent-' || n % 12 AS agent, 'req-' || n % 400 AS requester, 'P' || 1 + n % 4 AS priority,
        (60 + (n * 7919::bigint) % 3600) * interval '1 second' AS waited, (300 + (n * 104729::bigint) % 14400) * interval '1 second' AS worked,
        (ARRAY['printer', 'monitor', 'network', 'keyboard', 'badge reader', 'mailbox', 'projector', 'chair'])[1 + n % 8] AS thing,
        CASE WHEN n > $1 - 20 THEN 'new' WHEN n > $1 - 60 THEN 'assigned' WHEN n % 50 = 0 THEN 'resolved' ELSE 'closed' END AS status
    FROM generate_series(1, $1::integer) n
), written AS (
    INSERT INTO tickets (number, version, status, priority, requester, assignee, created_at, doc)
    SELECT n, 5, status, priority, requester, CASE WHEN status = 'new' THEN '' ELSE agent END, came, jsonb_build_object(
        'number', n, 'subject', 'The ' || thing || ' on floor ' || n % 9 || ' is broken', 'body', 'It worked on ' || to_char(came, 'Day') || '. Asset ' || n * 17 || '.',
        'requester', jsonb_build_object('id', requester, 'name', 'Requester ' || n % 400), 'channel', 'rest', 'created_at', came, 'priority', priority, 'version', 5, 'status', status,
        'plan', jsonb_build_object('wave', jsonb_build_object('size', 3, 'every', 300000000000), 'repeat', 900000000000, 'lease', 3600000000000),
        'respond_by', came + interval '30 minutes', 'resolve_by', came + interval '8 hours')
        || CASE WHEN status = 'new' THEN '{}' ELSE jsonb_build_object('assignee', jsonb_build_object('id', agent, 'name', 'Agent ' || n % 12), 'claimed_at', came + waited) END
        || CASE WHEN status IN ('resolved', 'closed') THEN jsonb_build_object('resolved_at', came + waited + worked) ELSE '{}' END
    FROM numbers
), happened AS (
    INSERT INTO timeline (ticket, seq, at, doc)
    SELECT n, seq, at, jsonb_build_object('seq', seq, 'at', at, 'kind', kind, 'actor', jsonb_build_object('id', actor, 'name', actor), 'channel', channel) || more
    FROM numbers CROSS JOIN LATERAL (VALUES
        (1, came, 'opened', requester, 'rest', '{}'::jsonb),
        (2, came, 'offered', 'deskbell', '', jsonb_build_object('to', jsonb_build_array(jsonb_build_object('id', agent, 'name', agent), jsonb_build_object('id', 'agent-' || (n + 1) % 12, 'name', 'x')))),
        (3, came + waited, CASE WHEN status = 'new' THEN 'noted' ELSE 'taken' END, agent, CASE WHEN n % 3 = 0 THEN 'im' ELSE 'sms' END, '{}'),
        (4, came + waited + worked, CASE WHEN status IN ('new', 'assigned') THEN 'noted' ELSE 'resolved' END, agent, 'sms', '{"text": "new one"}'),
        (5, came + waited + worked + interval '3 days', CASE WHEN status = 'closed' THEN 'closed' ELSE 'noted' END, 'deskbell', '', '{}')
    ) e (seq, at, kind, actor, channel, more)
), sent AS (
    INSERT INTO deliveries (key, channel, person, address, reason, ticket, text, again, alert, urgent, not_before, state, sent_at, created_at, reported)
    SELECT 'bench/' || n || '/' || what, 'sms', who, '+1', what, n, 'The ' || thing || ' of #' || n, '', false, false, came, CASE WHEN n % 40 = 0 THEN 'failed' ELSE 'delivered' END, came, came, true
    FROM numbers CROSS JOIN LATERAL (VALUES ('req_created', requester), ('offer', agent), ('req_claimed', requester)) m (what, who)
)
INSERT INTO promises (ticket, at, place, method, low, high)
SELECT n, came, 1 + n % 5, 'same place', 120, 2400 FROM numbers WHERE status <> 'new';
