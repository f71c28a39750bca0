-- name: Superseded :many
-- The last offer of the same ticket to the same person in the same chat.
SELECT g.id, o.wire FROM deliveries g, LATERAL (
    SELECT s.wire FROM deliveries d JOIN segments s ON s.delivery = d.id
    WHERE d.ticket = g.ticket AND d.ticket > 0 AND d.person = g.person AND d.channel = g.channel AND d.reason IN ('offer', 'reminder')
        AND split_part(d.address, '/', 1) = split_part(g.address, '/', 1)
    ORDER BY d.id DESC LIMIT 1
) o
WHERE g.id = ANY (@ids::bigint[]);

-- name: UnreadAlerts :many
-- Alerts by chat, pages apart, that came back or that no client has confirmed in
-- time; and whether the person has written there since. The line before the last
-- condition is that of the index.
SELECT d.*, coalesce(p.phone, '')::text AS phone, EXISTS (
    SELECT FROM inbox i WHERE i.channel = d.channel AND i.sender = p.jid AND i.kept_at > d.sent_at
) AS seen
FROM deliveries d LEFT JOIN people p ON p.id = d.person
WHERE d.alert AND NOT d.reported AND d.channel = 'im' AND d.reason NOT IN ('page', 'page_help', 'mgr_nobody')
    AND (d.state IN ('failed', 'expired') OR d.state IN ('sent', 'unknown') AND (d.channel = 'sms') = (d.reason IN ('page', 'page_help', 'mgr_nobody')))
    AND (d.state IN ('failed', 'expired') OR d.sent_at <= @before)
ORDER BY d.id LIMIT @max;
