-- +goose Up

-- People. Their state of the moment stands beside them: one row, one reader.
CREATE TABLE people (
    id              text PRIMARY KEY,
    position        integer NOT NULL, -- order of the people file
    name            text NOT NULL,
    roles           text[] NOT NULL,
    phone           text, -- E.164
    jid             text, -- bare, lower case
    language        text NOT NULL,
    loc             text NOT NULL,
    grp             text NOT NULL,
    prefers         text NOT NULL,
    pin_hash        text NOT NULL,
    presence        text NOT NULL DEFAULT 'unknown',
    presence_show   text NOT NULL DEFAULT '',
    presence_reason text NOT NULL DEFAULT '',
    presence_since  timestamptz,
    last_seen       timestamptz,
    away_until      timestamptz,
    away_reason     text NOT NULL DEFAULT '',
    stopped         boolean NOT NULL DEFAULT false, -- no SMS to this person
    last_asked      timestamptz,
    -- Deferred, so that an import may swap the numbers of two people.
    UNIQUE (phone) DEFERRABLE INITIALLY DEFERRED,
    UNIQUE (jid) DEFERRABLE INITIALLY DEFERRED
);

CREATE TABLE rota (
    grp      text NOT NULL,
    name     text NOT NULL,
    position integer NOT NULL,
    zone     text NOT NULL,
    start    timestamptz NOT NULL,
    every    text NOT NULL,
    people   text[] NOT NULL,
    PRIMARY KEY (grp, name)
);

CREATE TABLE overrides (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    grp        text NOT NULL DEFAULT '',
    person     text NOT NULL REFERENCES people,
    instead    text NOT NULL REFERENCES people,
    from_time  timestamptz NOT NULL,
    until_time timestamptz NOT NULL,
    CHECK (from_time < until_time)
);

-- Tickets: a projection. The workflow is the writer; only intake is ours.
CREATE SEQUENCE ticket_numbers START 100;

CREATE TABLE tickets (
    number     integer PRIMARY KEY,
    version    integer NOT NULL, -- 0: submitted, the workflow has not written yet
    status     text NOT NULL,
    priority   text NOT NULL,
    requester  text NOT NULL,
    assignee   text NOT NULL,
    created_at timestamptz NOT NULL,
    doc        jsonb NOT NULL, -- the whole ticket
    opening    jsonb,          -- what its workflow starts from, while version is 0
    commands   text[] NOT NULL DEFAULT '{}' -- ids of the last commands
);
CREATE INDEX tickets_unstarted ON tickets (created_at) WHERE version = 0;
CREATE INDEX tickets_waiting ON tickets (priority, created_at, number) WHERE status = 'new';
CREATE INDEX tickets_holding ON tickets (assignee, number) WHERE status IN ('assigned', 'pending');
CREATE INDEX tickets_requester ON tickets (requester, number);
CREATE INDEX tickets_assignee ON tickets (assignee, number);
CREATE INDEX tickets_status ON tickets (status, number);

CREATE TABLE timeline (
    ticket integer NOT NULL,
    seq    integer NOT NULL,
    at     timestamptz NOT NULL,
    doc    jsonb NOT NULL,
    PRIMARY KEY (ticket, seq)
);
CREATE INDEX timeline_at ON timeline (at, ticket, seq);

-- Who holds a ticket (held), or is about to take it (asked).
CREATE TABLE holds (
    ticket integer NOT NULL,
    person text NOT NULL,
    state  text NOT NULL CHECK (state IN ('asked', 'held')),
    at     timestamptz NOT NULL,
    PRIMARY KEY (ticket, person)
);
CREATE INDEX holds_person ON holds (person);

-- Requests that may be repeated: the ticket they made or the response they got.
CREATE TABLE idempotency (
    scope      text NOT NULL,
    key        text NOT NULL,
    hash       text NOT NULL,
    ticket     integer,
    status     integer,
    body       bytea,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (scope, key)
);

-- Messages in.
CREATE TABLE inbox (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel      text NOT NULL,
    key          text NOT NULL UNIQUE, -- hash, and for SMS the ordinal
    hash         text NOT NULL,        -- the key that the gateway gave
    ordinal      integer NOT NULL,     -- 1 for the first of several equal messages
    sender       text NOT NULL,
    reply_to     text NOT NULL,
    text         text NOT NULL,
    quotes       text NOT NULL,
    sent_at      timestamptz,
    part_group   text,                 -- the part columns: of a concatenated SMS only
    part_number  integer NOT NULL,
    part_total   integer NOT NULL,
    part_coding  integer NOT NULL,
    part_data    bytea,
    kept_at      timestamptz NOT NULL,
    confirmed_at timestamptz,
    state        text NOT NULL DEFAULT 'kept' CHECK (state IN ('kept', 'handed over', 'finished')),
    told         boolean NOT NULL DEFAULT false, -- the sender heard that it is kept
    why          text NOT NULL DEFAULT '',       -- finished without an answer
    UNIQUE (channel, hash, ordinal)
);
CREATE INDEX inbox_unfinished ON inbox (channel, id) WHERE state <> 'finished';
CREATE INDEX inbox_parts ON inbox (part_group, id) WHERE part_group IS NOT NULL AND state <> 'finished';

CREATE TABLE cursors (
    channel text PRIMARY KEY,
    cursor  text NOT NULL,
    sent_at timestamptz
);

CREATE TABLE strangers (
    channel text NOT NULL,
    address text NOT NULL,
    told_at timestamptz NOT NULL,
    PRIMARY KEY (channel, address)
);

-- What a person and the desk are talking about. json, not jsonb: it is read and
-- written whole and may hold any text.
CREATE TABLE conversations (
    person text PRIMARY KEY,
    doc    json
);

-- Messages out: the one way.
CREATE TABLE deliveries (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, -- the order per recipient
    key        text NOT NULL UNIQUE,
    channel    text NOT NULL,
    person     text NOT NULL,
    address    text NOT NULL,
    reason     text NOT NULL, -- the message's id
    ticket     integer NOT NULL, -- 0: about no ticket
    text       text NOT NULL,
    again      text NOT NULL, -- the text when it is sent after an unknown outcome
    alert      boolean NOT NULL,
    urgent     boolean NOT NULL,
    not_before timestamptz NOT NULL,
    expires    timestamptz,
    state      text NOT NULL DEFAULT 'due' CHECK (state IN
        ('due', 'sending', 'sent', 'delivered', 'failed', 'expired', 'cancelled', 'unknown')),
    attempt    integer NOT NULL DEFAULT 0,
    repeated   boolean NOT NULL DEFAULT false, -- the outcome was unknown once
    sent_at    timestamptz,
    why        text NOT NULL DEFAULT '',
    reported   boolean NOT NULL DEFAULT false, -- the ticket knows that it did not arrive
    answers    text NOT NULL DEFAULT '',       -- key of the message in that this answers
    created_at timestamptz NOT NULL
);
CREATE INDEX deliveries_unsettled ON deliveries (channel, address, id) WHERE state IN ('due', 'sending');
CREATE INDEX deliveries_answers ON deliveries (answers) WHERE answers <> '';
CREATE INDEX deliveries_alerts ON deliveries (id) WHERE alert AND NOT reported AND state IN ('sent', 'failed', 'expired', 'unknown');

-- The network's ids of what was sent, one per segment. wire is verbatim, norm is
-- in lower case without leading zeros.
CREATE TABLE segments (
    delivery bigint NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    number   integer NOT NULL,
    channel  text NOT NULL,
    wire     text NOT NULL,
    norm     text NOT NULL,
    state    text NOT NULL DEFAULT 'sent',
    why      text NOT NULL DEFAULT '',
    PRIMARY KEY (delivery, number)
);
CREATE INDEX segments_norm ON segments (channel, norm);

-- Receipts that came before their send was stored.
CREATE TABLE orphans (
    id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel text NOT NULL,
    wire    text NOT NULL,
    norm    text NOT NULL,
    state   text NOT NULL,
    why     text NOT NULL,
    kept_at timestamptz NOT NULL
);
CREATE INDEX orphans_norm ON orphans (channel, norm);
CREATE INDEX orphans_kept_at ON orphans (kept_at);

-- Who holds what only one process may hold. The fence grows with every holder.
CREATE TABLE leases (
    name    text PRIMARY KEY,
    holder  text NOT NULL,
    fence   bigint NOT NULL,
    expires timestamptz NOT NULL
);

CREATE TABLE tokens (
    hash       bytea PRIMARY KEY, -- SHA-256 of the secret
    person     text NOT NULL REFERENCES people,
    scopes     text[] NOT NULL,
    name       text NOT NULL,
    created_at timestamptz NOT NULL,
    expires    timestamptz,
    last_used  timestamptz
);
