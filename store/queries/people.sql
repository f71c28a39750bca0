-- name: ImportPerson :exec
INSERT INTO people (id, position, name, roles, phone, jid, language, loc, grp, prefers, pin_hash)
VALUES (@id, @position, @name, @roles, @phone, @jid, @language, @loc, @grp, @prefers, @pin_hash)
ON CONFLICT (id) DO UPDATE SET
    position = excluded.position, name = excluded.name, roles = excluded.roles, phone = excluded.phone,
    jid = excluded.jid, language = excluded.language, loc = excluded.loc, grp = excluded.grp,
    prefers = excluded.prefers, pin_hash = excluded.pin_hash;

-- name: ShiftPositions :exec
-- Whoever the file does not name keeps their order, after those it names.
UPDATE people SET position = position + @by::integer WHERE NOT id = ANY (@named::text[]);

-- name: People :many
SELECT * FROM people ORDER BY position, id;

-- name: PeopleByID :many
SELECT * FROM people WHERE id = ANY (@ids::text[]);

-- name: PersonByPhone :one
SELECT * FROM people WHERE phone = @phone::text;

-- name: PersonByJID :one
SELECT * FROM people WHERE jid = @jid::text;

-- name: Members :many
SELECT sqlc.embed(p), coalesce(h.numbers, '{}')::integer[] AS holding
FROM people p
LEFT JOIN (
    SELECT assignee, array_agg(number ORDER BY number) AS numbers
    FROM tickets WHERE status IN ('assigned', 'pending') GROUP BY assignee
) h ON h.assignee = p.id
WHERE p.roles && '{agent,oncall,manager}'::text[]
ORDER BY p.position, p.id;

-- name: Member :one
SELECT sqlc.embed(p), ARRAY(
    SELECT t.number FROM tickets t WHERE t.assignee = p.id AND t.status IN ('assigned', 'pending') ORDER BY t.number
)::integer[] AS holding
FROM people p WHERE p.id = @id;

-- name: MarkAsked :exec
UPDATE people SET last_asked = @at WHERE id = ANY (@ids::text[]);

-- name: SetAway :execrows
UPDATE people SET away_until = @until, away_reason = @reason WHERE id = @id;

-- name: SetStopped :execrows
UPDATE people SET stopped = @stopped WHERE id = @id;

-- name: SetPresence :execrows
UPDATE people SET
    presence_since = CASE WHEN presence = @state::text THEN presence_since ELSE @at END,
    last_seen = CASE WHEN 'offline' <> @state AND 'unknown' <> @state OR presence IN ('available', 'away', 'busy') THEN @at ELSE last_seen END,
    presence = @state, presence_show = @show, presence_reason = @reason
WHERE jid = @address AND (presence, presence_show, presence_reason) IS DISTINCT FROM (@state, @show::text, @reason::text);

-- name: ForgetPresence :execrows
UPDATE people SET presence = 'unknown', presence_show = '', presence_reason = '', presence_since = @at
WHERE presence <> 'unknown';
