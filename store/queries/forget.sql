-- What is old and over is forgotten, some of it at a time. A ticket that is not over
-- keeps all that happened to it; so do the charts with what they reach.

-- name: ForgetInbox :execrows
-- Not what a ticket that is not over was told: it knows the message by its key.
DELETE FROM inbox WHERE id IN (
    SELECT i.id FROM inbox i
    WHERE i.kept_at < @before AND i.state = 'finished' AND i.key NOT IN (
        SELECT unnest(t.commands) FROM tickets t WHERE t.status IN ('new', 'assigned', 'pending', 'resolved'))
    LIMIT @most);

-- name: ForgetDeliveries :execrows
-- Not those about a ticket that is not over: its workflow may write one again.
DELETE FROM deliveries WHERE id IN (
    SELECT d.id FROM deliveries d
    WHERE d.created_at < @before AND d.state NOT IN ('due', 'sending')
        AND NOT EXISTS (SELECT FROM tickets t WHERE t.number = d.ticket AND t.status IN ('new', 'assigned', 'pending', 'resolved'))
    LIMIT @most);

-- name: ForgetTimelines :execrows
-- Whole ones, when nothing happened to the ticket since. The ticket itself stays.
WITH over AS (
    SELECT l.ticket FROM timeline l JOIN tickets t ON t.number = l.ticket
    WHERE l.at < @before AND t.status IN ('closed', 'cancelled')
        AND (SELECT max(later.at) FROM timeline later WHERE later.ticket = l.ticket) < @before
    LIMIT @most
), promised AS (
    DELETE FROM promises p USING over WHERE p.ticket = over.ticket
)
DELETE FROM timeline l USING over WHERE l.ticket = over.ticket;

-- name: ForgetIncidents :execrows
DELETE FROM incidents WHERE ticket IN (
    SELECT i.ticket FROM incidents i JOIN tickets t ON t.number = i.ticket
    WHERE i.announced_at < @before AND t.status IN ('closed', 'cancelled') LIMIT @most);

-- name: ForgetAudit :execrows
DELETE FROM audit WHERE id IN (
    SELECT a.id FROM audit a
    WHERE a.at < @before AND NOT EXISTS (
        SELECT FROM tickets t WHERE t.number = substring(a.subject || ' ' || a.detail FROM '\mticket ([0-9]{1,9})\M')::integer
            AND t.status IN ('new', 'assigned', 'pending', 'resolved'))
    LIMIT @most);

-- name: ForgetKeys :execrows
DELETE FROM idempotency WHERE (scope, key) IN (SELECT k.scope, k.key FROM idempotency k WHERE k.created_at < @before LIMIT @most);

-- name: ForgetWebhookDeliveries :execrows
DELETE FROM webhook_deliveries WHERE id IN (SELECT w.id FROM webhook_deliveries w WHERE w.created_at < @before LIMIT @most);

-- name: ForgetStrangers :execrows
DELETE FROM strangers WHERE (channel, address) IN (SELECT s.channel, s.address FROM strangers s WHERE s.told_at < @before LIMIT @most);
