-- name: WritePerson :one
-- Who is new comes last.
INSERT INTO people (id, position, name, roles, phone, jid, language, loc, grp, prefers, pin_hash, deactivated_at, source)
SELECT @id, coalesce(max(p.position), 0) + 1, @name, @roles, @phone, @jid, @language, @loc, @grp, @prefers, @pin_hash, @deactivated_at, @source FROM people p
ON CONFLICT (id) DO UPDATE SET
    name = excluded.name, roles = excluded.roles, phone = excluded.phone, jid = excluded.jid, language = excluded.language,
    loc = excluded.loc, grp = excluded.grp, prefers = excluded.prefers, pin_hash = excluded.pin_hash,
    deactivated_at = excluded.deactivated_at, source = excluded.source, version = people.version + 1
RETURNING version;

-- name: OrderPeople :exec
-- Those who are named stand in this order, before all others, who keep theirs.
UPDATE people SET position = coalesce(array_position(@named::text[], id), position + cardinality(@named));

-- name: LockedPeople :many
SELECT * FROM people WHERE id = ANY (@ids::text[]) ORDER BY id FOR UPDATE;

-- name: Directory :many
SELECT * FROM people
WHERE (position, id) > (@after_position::integer, @after_id::text)
  AND (@role::text = '' OR @role = ANY (roles)) AND (@grp::text = '' OR grp = @grp) AND (@inactive::boolean OR deactivated_at IS NULL)
  AND (@words::text = '' OR position(lower(@words) IN lower(id || ' ' || name || ' ' || coalesce(phone, '') || ' ' || coalesce(jid, ''))) > 0)
ORDER BY position, id LIMIT @max;

-- name: PeopleFile :one
SELECT hash FROM people_file;

-- name: SetPeopleFile :exec
INSERT INTO people_file (hash) VALUES (@hash) ON CONFLICT (singleton) DO UPDATE SET hash = excluded.hash;

-- name: People :many
SELECT * FROM people ORDER BY position, id;

-- name: PeopleByID :many
SELECT * FROM people WHERE id = ANY (@ids::text[]);

-- name: PersonByPhone :one
SELECT * FROM people WHERE phone = @phone::text AND deactivated_at IS NULL;

-- name: PersonByJID :one
SELECT * FROM people WHERE jid = @jid::text AND deactivated_at IS NULL;

-- name: Members :many
SELECT sqlc.embed(p), coalesce(h.numbers, '{}')::integer[] AS holding
FROM people p
LEFT JOIN (
    SELECT assignee, array_agg(number ORDER BY number) AS numbers
    FROM tickets WHERE status IN ('assigned', 'pending') GROUP BY assignee
) h ON h.assignee = p.id
WHERE p.roles && '{agent,oncall,manager}'::text[] AND p.deactivated_at IS NULL
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
