-- name: Rota :many
SELECT * FROM rota ORDER BY position, grp, name;

-- name: Rotation :one
SELECT * FROM rota WHERE grp = @grp AND name = @name;

-- name: LockRota :exec
-- Two people who change the rota at once do it one after the other.
LOCK TABLE rota IN SHARE ROW EXCLUSIVE MODE;

-- name: ImportRotation :exec
INSERT INTO rota (grp, name, position, zone, start, every, people, shifts)
VALUES (@grp, @name, @position, @zone, @start, @every, @people, @shifts)
ON CONFLICT (grp, name) DO UPDATE SET
    position = excluded.position, zone = excluded.zone, start = excluded.start,
    every = excluded.every, people = excluded.people, shifts = excluded.shifts;

-- name: SetRotation :exec
-- One that is there keeps its place in the order, a new one is the last.
INSERT INTO rota (grp, name, position, zone, start, every, people, shifts)
SELECT @grp, @name, coalesce(max(position), 0) + 1, @zone, @start, @every, @people, @shifts FROM rota
ON CONFLICT (grp, name) DO UPDATE SET
    zone = excluded.zone, start = excluded.start, every = excluded.every,
    people = excluded.people, shifts = excluded.shifts;

-- name: RemoveRotation :exec
DELETE FROM rota WHERE grp = @grp AND name = @name;

-- name: AddRotaChange :exec
INSERT INTO rota_changes (at, changed_by, grp, name, before, after)
VALUES (@at, @changed_by, @grp, @name, sqlc.narg(before), sqlc.narg(after));

-- name: RotaChanges :many
SELECT * FROM rota_changes ORDER BY id DESC LIMIT @most;

-- name: KeepFeed :one
-- The person's feed: the one there is, or this one.
INSERT INTO feeds (person, token, created_at) VALUES (@person, @token, @created_at)
ON CONFLICT (person) DO UPDATE SET person = excluded.person
RETURNING token;

-- name: RemoveFeed :execrows
DELETE FROM feeds WHERE person = @person;

-- name: FeedPerson :one
SELECT person FROM feeds WHERE token = @token;

-- name: AskSwap :one
INSERT INTO swaps (grp, asker, other, from_time, until_time, back_from, back_until, asked_at, expires)
VALUES (@grp, @asker, @other, @from_time, @until_time, @back_from, @back_until, @asked_at, @expires)
RETURNING *;

-- name: OpenSwaps :many
-- Those that a person asked or was asked.
SELECT * FROM swaps WHERE state = 'asked' AND (asker = @person OR other = @person) ORDER BY id;

-- name: SwapByID :one
SELECT * FROM swaps WHERE id = @id;

-- name: OverdueSwaps :many
SELECT * FROM swaps WHERE state = 'asked' AND expires <= @now ORDER BY id;

-- name: EndSwap :execrows
-- An answer counts once, and not when it comes too late.
UPDATE swaps SET state = @state, ended_at = @now
WHERE id = @id AND state = 'asked' AND (expires > @now OR @state = 'expired');
