-- name: Overrides :many
SELECT * FROM overrides WHERE removed_at IS NULL ORDER BY id;

-- name: OverrideHistory :many
SELECT * FROM overrides ORDER BY id DESC LIMIT @most;

-- name: LockOverrides :exec
-- Two people who change the rota at once do it one after the other.
LOCK TABLE overrides IN SHARE ROW EXCLUSIVE MODE;

-- name: AddOverride :one
INSERT INTO overrides (grp, person, instead, from_time, until_time, added_by, added_at)
VALUES (@grp, @person, @instead, @from_time, @until_time, @added_by, @added_at)
RETURNING *;

-- name: RemoveOverride :one
UPDATE overrides SET removed_by = @removed_by, removed_at = @removed_at
WHERE id = @id AND removed_at IS NULL
RETURNING *;
