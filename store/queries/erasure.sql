-- What a person left, and how it is forgotten. name is who they become.

-- name: OpenOf :many
-- Tickets that are not over and know them: their workflows would tell again.
SELECT number FROM tickets
WHERE status IN ('new', 'assigned', 'pending', 'resolved')
  AND (requester = @person::text OR jsonb_path_exists(doc, '$.**.id ? (@ == $id)', jsonb_build_object('id', @person)))
ORDER BY number;

-- name: TurnsOf :one
SELECT count(*)::integer FROM rota WHERE @person::text = ANY (people) OR shifts @> jsonb_build_array(jsonb_build_object('person', @person));

-- name: NumbersOf :many
SELECT number FROM tickets WHERE requester = @person ORDER BY number;

-- name: TicketsNaming :many
-- Their own tickets and every other that knows them.
SELECT number, requester, doc, opening FROM tickets
WHERE requester = @person::text OR jsonb_path_exists(doc, '$.**.id ? (@ == $id)', jsonb_build_object('id', @person));

-- name: TimelinesNaming :many
SELECT l.ticket, l.seq, l.doc, (t.requester = @person::text)::boolean AS own FROM timeline l JOIN tickets t ON t.number = l.ticket
WHERE t.requester = @person OR jsonb_path_exists(l.doc, '$.**.id ? (@ == $id)', jsonb_build_object('id', @person));

-- name: RewriteTicket :exec
UPDATE tickets SET doc = @doc, opening = NULL, commands = '{}',
    requester = CASE WHEN requester = @person::text THEN @name::text ELSE requester END, assignee = CASE WHEN assignee = @person THEN @name ELSE assignee END
WHERE number = @number;

-- name: RewriteTimeline :exec
UPDATE timeline SET doc = @doc WHERE ticket = @ticket AND seq = @seq;

-- name: CopyErased :exec
INSERT INTO people (id, position, name, roles, language, loc, grp, prefers, pin_hash, deactivated_at)
SELECT @name::text, p.position, 'Erased', '{requester}', '', '', '', 'none', '', @at::timestamptz FROM people p WHERE p.id = @person::text;

-- name: RenameInOverrides :exec
UPDATE overrides SET
    person = CASE WHEN person = @person::text THEN @name::text ELSE person END, instead = CASE WHEN instead = @person THEN @name ELSE instead END,
    added_by = CASE WHEN added_by = @person THEN @name ELSE added_by END, removed_by = CASE WHEN removed_by = @person THEN @name ELSE removed_by END
WHERE @person IN (person, instead, added_by, removed_by);

-- name: RenameInRota :exec
UPDATE rota_changes SET changed_by = CASE WHEN changed_by = @person::text THEN @name::text ELSE changed_by END,
    before = replace(before::text, to_json(@person)::text, to_json(@name)::text)::jsonb, after = replace(after::text, to_json(@person)::text, to_json(@name)::text)::jsonb
WHERE changed_by = @person OR before::text LIKE '%' || to_json(@person)::text || '%' OR after::text LIKE '%' || to_json(@person)::text || '%';

-- name: RenameInAudit :exec
UPDATE audit SET actor = CASE WHEN actor = @person::text THEN @name::text ELSE actor END,
    subject = CASE WHEN subject = 'person ' || @person THEN 'person ' || @name ELSE subject END,
    detail = CASE WHEN detail IN ('for ' || @person, 'of ' || @person) THEN split_part(detail, ' ', 1) || ' ' || @name ELSE detail END
WHERE actor = @person OR subject = 'person ' || @person OR detail IN ('for ' || @person, 'of ' || @person);

-- name: RenameInIncidents :exec
UPDATE incidents SET affected = array_replace(affected, @person::text, @name::text), announced_by = CASE WHEN announced_by = @person THEN @name ELSE announced_by END,
    words = CASE WHEN announced_by = @person OR position(@known_as::text IN words) > 0 THEN '' ELSE words END
WHERE @person = ANY (affected) OR announced_by = @person OR position(@known_as IN words) > 0;

-- name: RenameElsewhere :exec
WITH w AS (UPDATE webhooks SET created_by = @name::text WHERE created_by = @person::text),
     k AS (UPDATE tokens SET created_by = CASE WHEN created_by = @person THEN @name ELSE created_by END, revoked_by = CASE WHEN revoked_by = @person THEN @name ELSE revoked_by END
           WHERE person <> @person AND @person IN (created_by, revoked_by))
UPDATE attachments SET added_by = @name WHERE added_by = @person;

-- name: ForgetPerson :exec
-- Sessions, links, feeds and swaps go with the person.
WITH t AS (DELETE FROM tokens WHERE person = @person::text),
     c AS (DELETE FROM conversations WHERE person = @person),
     h AS (DELETE FROM holds WHERE person = @person),
     i AS (DELETE FROM idempotency WHERE scope = @person),
     m AS (DELETE FROM inbox WHERE sender = ANY (@addresses::text[])),
     s AS (DELETE FROM strangers WHERE address = ANY (@addresses)),
     z AS (UPDATE chart_counts SET zone = ''), -- who did what, and words that were not understood, are counted anew
     y AS (DELETE FROM chart_days),
     d AS (DELETE FROM deliveries WHERE person = @person OR address = ANY (@addresses) OR ticket = ANY (@numbers::integer[]))
DELETE FROM people p WHERE p.id = @person;

-- name: BlankMentions :exec
-- What other people got and quoted: lists that have their tickets, and texts with their
-- name.
WITH i AS (
    UPDATE inbox SET quotes = '' WHERE quotes <> '' AND EXISTS (SELECT FROM unnest(@numbers::integer[]) n WHERE quotes ~ ('#' || n || '\M'))
)
UPDATE deliveries SET text = '', again = '', state = CASE WHEN state IN ('due', 'sending') THEN 'cancelled' ELSE state END
WHERE (position(@known_as::text IN text) > 0 OR ticket = 0 AND EXISTS (SELECT FROM unnest(@numbers) n WHERE text ~ ('#' || n || '\M')));

-- name: ForgetFiles :many
DELETE FROM attachments a WHERE a.ticket = ANY (@numbers::integer[]) RETURNING a.id;

-- name: MessagesFrom :many
SELECT channel, text, kept_at FROM inbox WHERE sender = ANY (@addresses::text[]) ORDER BY id;

-- name: MessagesTo :many
SELECT channel, reason, ticket, text, state, created_at FROM deliveries WHERE person = @person ORDER BY id;

-- name: IncidentsOf :many
SELECT ticket FROM incidents WHERE @person::text = ANY (affected) ORDER BY ticket;

-- name: DocsOf :many
SELECT doc FROM tickets WHERE requester = @person ORDER BY number;

-- name: DeedsOf :many
SELECT l.ticket, l.seq, l.doc FROM timeline l JOIN tickets t ON t.number = l.ticket WHERE t.requester = @person::text
UNION ALL
SELECT l.ticket, l.seq, l.doc FROM timeline l JOIN tickets t ON t.number = l.ticket WHERE l.actor = @person AND t.requester <> @person
ORDER BY ticket, seq;
