-- name: LockKeys :exec
-- In the order of the array, which the caller sorted: no two callers deadlock.
SELECT pg_advisory_xact_lock(hashtextextended(key, 0)) FROM unnest(@keys::text[]) AS key;

-- name: KeepMessages :many
-- One statement for a batch, of which no two messages are equal.
WITH said AS (
    SELECT generate_subscripts(@hashes::text[], 1) AS place, unnest(@channels::text[]) AS channel, unnest(@hashes::text[]) AS hash, unnest(@unique_keys::boolean[]) AS unique_key,
        unnest(@senders::text[]) AS sender, unnest(@reply_tos::text[]) AS reply_to, unnest(@texts::text[]) AS text,
        unnest(@quotes::text[]) AS quotes, unnest(@corrects::boolean[]) AS corrects, unnest(@sent_ats::timestamptz[]) AS sent_at,
        unnest(@part_groups::text[]) AS part_group, unnest(@part_numbers::integer[]) AS part_number,
        unnest(@part_totals::integer[]) AS part_total, unnest(@part_codings::integer[]) AS part_coding,
        unnest(@part_datas::bytea[]) AS part_data
), placed AS (
    SELECT said.*, coalesce(newest.key, '') AS newest_key,
        newest.key IS NOT NULL AND (said.unique_key OR newest.confirmed_at IS NULL AND newest.kept_at > @repeats_since::timestamptz) AS repeat
    FROM said LEFT JOIN LATERAL (
        SELECT i.key, i.confirmed_at, i.kept_at FROM inbox i
        WHERE i.channel = said.channel AND i.hash = said.hash ORDER BY i.ordinal DESC LIMIT 1
    ) AS newest ON true
), kept AS (
    INSERT INTO inbox (channel, key, hash, ordinal, sender, reply_to, text, quotes, sent_at,
        part_group, part_number, part_total, part_coding, part_data, kept_at, corrects)
    SELECT p.channel, p.hash || CASE WHEN p.unique_key THEN '' ELSE '.' || p.ordinal END, p.hash, p.ordinal,
        p.sender, p.reply_to, p.text, p.quotes, nullif(p.sent_at, '0001-01-01 00:00:00+00'),
        nullif(p.part_group, ''), p.part_number, p.part_total, p.part_coding, p.part_data, @kept_at, p.corrects
    FROM (SELECT placed.*, nextval('inbox_ordinals')::integer AS ordinal FROM placed WHERE NOT placed.repeat) p ORDER BY p.place
    RETURNING inbox.channel, inbox.hash, inbox.key
)
SELECT kept.channel, kept.hash, kept.key, false AS repeat FROM kept
UNION ALL SELECT p.channel, p.hash, p.newest_key, true FROM placed p WHERE p.repeat;

-- name: SetCursor :exec
INSERT INTO cursors (channel, cursor, sent_at) VALUES (@channel, @cursor, @sent_at)
ON CONFLICT (channel) DO UPDATE SET cursor = excluded.cursor, sent_at = excluded.sent_at;

-- name: Cursor :one
SELECT cursor, sent_at FROM cursors WHERE channel = @channel;

-- name: Confirm :exec
UPDATE inbox SET confirmed_at = @at
WHERE channel = @channel AND key = ANY (@keys::text[]) AND confirmed_at IS NULL;

-- name: Unfinished :many
SELECT sqlc.embed(i), coalesce(phone.id, jid.id, '') AS person FROM inbox i
LEFT JOIN people phone ON i.channel = 'sms' AND phone.phone = i.sender
LEFT JOIN people jid ON i.channel = 'im' AND jid.jid = i.sender
WHERE i.channel = @channel AND i.state <> 'finished'
ORDER BY i.id LIMIT @max;

-- name: Inbound :one
SELECT sqlc.embed(i), coalesce(phone.id, jid.id, '') AS person FROM inbox i
LEFT JOIN people phone ON i.channel = 'sms' AND phone.phone = i.sender
LEFT JOIN people jid ON i.channel = 'im' AND jid.jid = i.sender
WHERE i.key = @key;

-- name: Parts :many
-- References are used again, so a group may hold parts of several messages: the
-- first of each number belong together, then the second of each, and so on.
SELECT DISTINCT ON (i.part_number) sqlc.embed(i), coalesce(p.id, '') AS person FROM inbox i
LEFT JOIN people p ON i.channel = 'sms' AND p.phone = i.sender
WHERE i.part_group = @part_group::text AND i.state <> 'finished'
ORDER BY i.part_number, i.id;

-- name: AdvanceInbound :exec
-- A part takes the other parts of its message along; see Parts.
WITH this AS (
    SELECT i.id, i.part_group FROM inbox i WHERE i.key = @key
), unfinished AS (
    SELECT i.id, row_number() OVER (PARTITION BY i.part_number ORDER BY i.id) AS nth
    FROM inbox i JOIN this ON i.part_group = this.part_group
    WHERE i.state <> 'finished'
), together AS (
    SELECT this.id FROM this
    UNION
    SELECT u.id FROM unfinished u WHERE u.nth = (SELECT o.nth FROM unfinished o JOIN this ON o.id = this.id)
)
UPDATE inbox SET state = @state, why = @why
FROM together t WHERE inbox.id = t.id AND inbox.state <> 'finished';

-- name: SetTold :exec
UPDATE inbox SET told = true WHERE key = @key;

-- name: MeetStranger :execrows
INSERT INTO strangers AS s (channel, address, told_at) VALUES (@channel, @address, @told_at)
ON CONFLICT (channel, address) DO UPDATE SET told_at = excluded.told_at WHERE s.told_at <= @before::timestamptz;

-- name: Conversation :one
SELECT doc FROM conversations WHERE person = @person;

-- name: LockConversations :many
-- Opens those that there are none of. The rows of the others are locked in the order
-- of the people, so that two steps about the same people do not wait for each other.
INSERT INTO conversations (person) SELECT p FROM unnest(@people::text[]) AS p ORDER BY p
ON CONFLICT (person) DO UPDATE SET person = excluded.person
RETURNING person, doc;

-- name: SetConversation :exec
UPDATE conversations SET doc = @doc WHERE person = @person;

-- name: TryLock :one
SELECT pg_try_advisory_lock(hashtextextended('sender ' || @sender::text, 0));

-- name: Unlock :exec
SELECT pg_advisory_unlock(hashtextextended('sender ' || @sender::text, 0));

-- name: Returners :many
-- Who said until when they are away, and is due.
SELECT * FROM people WHERE away_until <= @now ORDER BY position;

-- name: Decide :exec
UPDATE inbox SET decided = @decided::json, state = 'handed over' WHERE key = @key AND state = 'kept';

-- name: ReplyTo :one
SELECT reply_to FROM inbox WHERE key = @key;
