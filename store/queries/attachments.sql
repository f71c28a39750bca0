-- name: AddAttachment :one
-- No row: the ticket has this file already, or as many as it may have.
INSERT INTO attachments (id, ticket, name, type, size, sha256, added_by, added_at)
SELECT @id, @ticket, @name, @type, @size, @sha256, @added_by, @added_at
WHERE (SELECT count(*) FROM attachments a WHERE a.ticket = @ticket) < @most::integer
ON CONFLICT DO NOTHING RETURNING *;

-- name: Attachments :many
SELECT * FROM attachments WHERE ticket = @ticket ORDER BY added_at, id;

-- name: RemoveAttachment :one
DELETE FROM attachments WHERE ticket = @ticket AND id = @id RETURNING *;
