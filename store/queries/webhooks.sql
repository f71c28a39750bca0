-- name: CreateWebhook :one
INSERT INTO webhooks (url, events, secret, created_by, created_at)
VALUES (@url, @events, @secret, @created_by, @created_at) RETURNING *;

-- name: Webhooks :many
SELECT * FROM webhooks ORDER BY id;

-- name: EndWebhook :one
UPDATE webhooks SET ended_at = @now WHERE id = @id AND ended_at IS NULL RETURNING *;

-- name: DueWebhooks :many
SELECT id FROM webhook_deliveries WHERE state = 'due' ORDER BY id LIMIT @max;

-- name: WebhooksSending :exec
UPDATE webhook_deliveries SET state = 'sending' WHERE id = ANY (@ids::bigint[]) AND state = 'due';

-- name: WebhookDelivery :one
SELECT d.id, d.state, w.url, w.secret, (w.ended_at IS NOT NULL)::boolean AS ended, l.doc AS event, d.ticket,
    t.status AS ticket_status, t.priority, t.requester, t.assignee, t.version
FROM webhook_deliveries d
JOIN webhooks w ON w.id = d.webhook
JOIN timeline l ON l.ticket = d.ticket AND l.seq = d.seq
JOIN tickets t ON t.number = d.ticket
WHERE d.id = @id;

-- name: WebhookTried :exec
UPDATE webhook_deliveries SET state = @state, attempts = attempts + 1, status = @status, why = @why, tried_at = @now WHERE id = @id AND state <> 'delivered';

-- name: WebhookGivenUp :exec
UPDATE webhook_deliveries SET state = 'failed' WHERE id = @id AND state <> 'delivered';

-- name: WebhookLog :many
SELECT * FROM webhook_deliveries WHERE webhook = @webhook AND id < @below ORDER BY id DESC LIMIT @max;
