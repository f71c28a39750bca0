-- name: CreateToken :one
INSERT INTO tokens (hash, person, scopes, name, created_at, expires, created_by)
VALUES (@hash, @person, @scopes, @name, @created_at, @expires, @created_by)
RETURNING *;

-- name: Token :one
SELECT t.person, t.scopes, t.last_used FROM tokens t JOIN people p ON p.id = t.person
WHERE t.hash = @hash AND t.revoked_at IS NULL AND (t.expires IS NULL OR t.expires > @now) AND p.deactivated_at IS NULL;

-- name: TouchToken :exec
UPDATE tokens SET last_used = @now WHERE hash = @hash;

-- name: Tokens :many
-- The newest first; of everybody for an empty person.
SELECT * FROM tokens WHERE id < @below AND (@person::text = '' OR person = @person) ORDER BY id DESC LIMIT @max;

-- name: RevokeToken :one
UPDATE tokens SET revoked_at = @now, revoked_by = @revoked_by
WHERE id = @id AND revoked_at IS NULL AND (@person::text = '' OR person = @person) RETURNING *;

-- name: CreateSession :exec
INSERT INTO sessions (hash, chain, person, via, created_at, issued_at, used_at, expires)
VALUES (@hash, @chain, @person, @via, @created_at, @now, @now, @expires);

-- name: Session :one
SELECT s.hash, s.chain, s.person, s.via, s.created_at, s.issued_at, s.used_at, s.replaced
FROM sessions s WHERE s.hash = @hash AND s.expires > @now;

-- name: TouchSession :exec
UPDATE sessions SET used_at = @now, expires = @expires WHERE hash = @hash AND NOT replaced;

-- name: ReplaceSession :execrows
-- Requests that are under way with the old secret still pass until expires.
UPDATE sessions SET replaced = true, expires = @expires WHERE hash = @hash AND NOT replaced;

-- name: EndSession :one
WITH ended AS (
    DELETE FROM sessions WHERE chain = (SELECT s.chain FROM sessions s WHERE s.hash = @hash) RETURNING person
)
SELECT person FROM ended LIMIT 1;

-- name: EndSessionsOf :exec
DELETE FROM sessions WHERE person = @person;

-- name: EndLinksOf :exec
DELETE FROM sign_in_links WHERE person = @person;

-- name: ForgetSessions :exec
DELETE FROM sessions WHERE expires <= @now;

-- name: CreateLink :execrows
-- None when the person had as many since a time.
INSERT INTO sign_in_links (hash, person, next, created_at, expires)
SELECT @hash, @person, @next, @created_at, @expires
WHERE (SELECT count(*) FROM sign_in_links l WHERE l.person = @person AND l.created_at > @since::timestamptz) < @most::integer;

-- name: UseLink :one
UPDATE sign_in_links SET used_at = @now WHERE hash = @hash AND used_at IS NULL AND expires > @now RETURNING person, next;

-- name: ForgetLinks :exec
DELETE FROM sign_in_links WHERE created_at < @before;

-- name: Note :exec
INSERT INTO audit (at, actor, channel, act, subject, detail) VALUES (@at, @actor, @channel, @act, @subject, @detail);

-- name: Audit :many
-- What tickets know and what the audit knows, the newest first. A line's place is its
-- time, then its source, then its number there. ticket is the one that subject names.
WITH lines AS (
    (SELECT t.at, 1 AS source, (t.ticket::bigint << 31) + t.seq AS id, coalesce(t.actor, '') AS actor, coalesce(t.channel, '') AS channel,
        'ticket.' || coalesce(t.kind, '') AS act, 'ticket ' || t.ticket AS subject, '' AS detail
    FROM timeline t
    WHERE t.at <= @before_at::timestamptz AND t.at >= @since::timestamptz
      AND (@actor::text = '' OR t.actor = @actor) AND (@act::text = '' OR 'ticket.' || coalesce(t.kind, '') LIKE @act || '%')
      AND (@subject::text = '' OR t.ticket = @ticket::integer)
      AND (t.at < @before_at OR @before_source::integer > 1 OR @before_source = 1 AND (t.ticket::bigint << 31) + t.seq < @before_id::bigint)
    ORDER BY t.at DESC, t.ticket DESC, t.seq DESC LIMIT @max)
    UNION ALL
    (SELECT a.at, 0, a.id, a.actor, a.channel, a.act, a.subject, a.detail
    FROM audit a
    WHERE a.at <= @before_at AND a.at >= @since
      AND (@actor = '' OR a.actor = @actor) AND (@act = '' OR a.act LIKE @act || '%') AND (@subject = '' OR a.subject = @subject)
      AND (a.at < @before_at OR @before_source > 0 OR @before_source = 0 AND a.id < @before_id)
    ORDER BY a.at DESC, a.id DESC LIMIT @max)
)
SELECT at::timestamptz AS at, source::integer AS source, id::bigint AS id, actor::text AS actor, channel::text AS channel, act::text AS act, subject::text AS subject, detail::text AS detail
FROM lines ORDER BY at DESC, source DESC, id DESC LIMIT @max;
