package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"deskbell/gateway"
	"deskbell/store/internal/db"
)

// The states of a message that came in.
const (
	Kept       = "kept"
	HandedOver = "handed over" // it is certain what was meant, the answer is not written yet
	Finished   = "finished"
)

// Inbound is a message that came in.
type Inbound struct {
	ID int64
	gateway.Message
	Person string // who has the sender's address now; empty for a stranger
	KeptAt time.Time
	State  string
	Told   bool // the sender heard that the message is kept
	// Decided is what the message was read as, once that was certain.
	Decided []byte
}

// repeatsFor is how long an SMSC may take to deliver again what it got no response
// for. It does so when the link is back, within minutes. Without a limit the word
// that somebody sends next week would count as the repeat of one whose response was
// lost today.
const repeatsFor = time.Hour

// Keep commits messages, in one transaction, and answers in their order. An IM
// message is a repeat when its key is there. An SMS is a repeat while the newest
// equal message is unconfirmed; else it is kept under an ordinal of its own.
func (s *Store) Keep(ctx context.Context, messages []gateway.Message) ([]gateway.Kept, error) {
	if len(messages) == 0 {
		return nil, nil
	}
	now := s.now()
	batch := db.KeepMessagesParams{KeptAt: now, RepeatsSince: now.Add(-repeatsFor)}
	type said struct{ channel, hash string }
	rows := map[said]gateway.Kept{}
	for _, m := range messages {
		what := said{string(m.Channel), m.Key}
		if _, twice := rows[what]; twice {
			continue // the first of them is unconfirmed
		}
		rows[what] = gateway.Kept{}
		add(&batch, m)
	}
	locks := make([]string, len(batch.Hashes))
	for i := range locks {
		locks[i] = "inbox " + batch.Channels[i] + " " + batch.Hashes[i]
	}
	slices.Sort(locks)
	err := s.tx(ctx, "keep messages", func(q *db.Queries) error {
		if err := q.LockKeys(ctx, locks); err != nil {
			return err
		}
		all, err := q.KeepMessages(ctx, batch)
		for _, row := range all {
			rows[said{row.Channel, row.Hash}] = gateway.Kept{Key: row.Key, Repeat: row.Repeat}
		}
		return cmp.Or(err, setCursors(ctx, q, messages))
	})
	if err != nil {
		return nil, err
	}
	kept := make([]gateway.Kept, len(messages))
	for i, m := range messages {
		what := said{string(m.Channel), m.Key}
		kept[i] = rows[what]
		rows[what] = gateway.Kept{Key: kept[i].Key, Repeat: true}
	}
	return kept, nil
}

// add puts a message at the end of a batch.
func add(b *db.KeepMessagesParams, m gateway.Message) {
	part := gateway.Part{}
	if m.Part != nil {
		part = *m.Part
	}
	b.Channels = append(b.Channels, string(m.Channel))
	b.Hashes = append(b.Hashes, m.Key)
	b.UniqueKeys = append(b.UniqueKeys, m.Channel != gateway.SMS)
	b.Senders = append(b.Senders, m.From)
	b.ReplyTos = append(b.ReplyTos, m.ReplyTo)
	b.Texts = append(b.Texts, storable(m.Text))
	b.Quotes = append(b.Quotes, storable(m.Quotes))
	b.Corrects = append(b.Corrects, m.Corrects)
	b.SentAts = append(b.SentAts, m.SentAt)
	b.PartGroups = append(b.PartGroups, part.Group)
	b.PartNumbers = append(b.PartNumbers, part.Number)
	b.PartTotals = append(b.PartTotals, part.Total)
	b.PartCodings = append(b.PartCodings, int(part.Coding))
	b.PartDatas = append(b.PartDatas, part.Data)
}

func setCursors(ctx context.Context, q *db.Queries, messages []gateway.Message) error {
	last := map[string]gateway.Message{}
	for _, m := range messages {
		if m.Cursor != "" {
			last[m.Archive] = m
		}
	}
	for archive, m := range last {
		err := q.SetCursor(ctx, db.SetCursorParams{Channel: cursor(archive), Cursor: m.Cursor, SentAt: optional(m.SentAt)})
		if err != nil {
			return err
		}
	}
	return nil
}

// cursor names the cursor of an archive: the IM account's own, or a room's.
func cursor(archive string) string {
	if archive == "" {
		return string(gateway.IM)
	}
	return string(gateway.IM) + " " + archive
}

// Confirm notes that the network is known to have our acknowledgement of these
// keys: an equal SMS is a new message from now on.
func (s *Store) Confirm(ctx context.Context, channel gateway.Channel, keys []string) error {
	now := s.now()
	return fail("confirm messages", s.q.Confirm(ctx, db.ConfirmParams{At: &now, Channel: string(channel), Keys: keys}))
}

// Advance moves an archive's cursor on past messages that are not kept; the archive is
// a room's bare JID, or empty for the account's own. An empty cursor with a stamp says
// where to begin.
func (s *Store) Advance(ctx context.Context, archive, id string, stamp time.Time) error {
	return fail("advance the cursor", s.q.SetCursor(ctx, db.SetCursorParams{Channel: cursor(archive), Cursor: id, SentAt: optional(stamp)}))
}

// Cursor returns the last id kept of an archive and the stamp of its message; empty at
// the first login.
func (s *Store) Cursor(ctx context.Context, archive string) (string, time.Time, error) {
	row, err := s.q.Cursor(ctx, cursor(archive))
	if errors.Is(err, pgx.ErrNoRows) {
		return "", time.Time{}, nil
	}
	return row.Cursor, moment(row.SentAt), fail("cursor", err)
}

// Unfinished returns the messages that have no answer yet, oldest first.
func (s *Store) Unfinished(ctx context.Context, channel gateway.Channel, limit int) ([]Inbound, error) {
	rows, err := s.q.Unfinished(ctx, db.UnfinishedParams{Channel: string(channel), Max: limit})
	if err != nil {
		return nil, fail("unfinished messages", err)
	}
	list := make([]Inbound, len(rows))
	for i, row := range rows {
		list[i] = inbound(row.Inbox, row.Person)
	}
	return list, nil
}

// Inbound returns a message by its key, or ErrNotFound.
func (s *Store) Inbound(ctx context.Context, key string) (Inbound, error) {
	row, err := s.q.Inbound(ctx, key)
	if err != nil {
		return Inbound{}, fail("message", err)
	}
	return inbound(row.Inbox, row.Person), nil
}

// ReplyTo returns where the answer to a message goes; empty when there is no such
// message.
func (s *Store) ReplyTo(ctx context.Context, key string) (string, error) {
	address, err := s.q.ReplyTo(ctx, key)
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return address, fail("sender of a message", err)
}

// Parts returns the unfinished parts of the oldest message of a group, by number.
func (s *Store) Parts(ctx context.Context, group string) ([]Inbound, error) {
	rows, err := s.q.Parts(ctx, group)
	if err != nil {
		return nil, fail("parts", err)
	}
	list := make([]Inbound, len(rows))
	for i, row := range rows {
		list[i] = inbound(row.Inbox, row.Person)
	}
	return list, nil
}

func inbound(row db.Inbox, person string) Inbound {
	m := Inbound{ID: row.ID, Person: person, KeptAt: row.KeptAt.UTC(), State: row.State, Told: row.Told, Decided: row.Decided,
		Message: gateway.Message{Channel: gateway.Channel(row.Channel), Key: row.Key, From: row.Sender, ReplyTo: row.ReplyTo,
			Text: row.Text, SentAt: moment(row.SentAt), Quotes: row.Quotes, Corrects: row.Corrects}}
	if row.PartGroup != nil {
		m.Part = &gateway.Part{Group: *row.PartGroup, Number: row.PartNumber, Total: row.PartTotal, Coding: byte(row.PartCoding), Data: row.PartData}
	}
	return m
}

// Drop finishes a message without an answer, and with a part those that it
// belongs to.
func (s *Store) Drop(ctx context.Context, key, why string) error {
	return fail("drop a message", s.q.AdvanceInbound(ctx, db.AdvanceInboundParams{Key: key, State: Finished, Why: storable(why)}))
}

// unlockTimeout bounds the unlocking; a connection that does not unlock is closed,
// which unlocks as well.
const unlockTimeout = 5 * time.Second

// Lock takes the lock on a sender, in all processes. It does not wait for another
// holder: ok is then false. Locks end with the process at the latest; unlock may
// be called more than once.
func (s *Store) Lock(ctx context.Context, sender string) (unlock func(), ok bool, err error) {
	conn, err := s.locks.Acquire(ctx)
	if err != nil {
		return nil, false, fail("lock a sender", err)
	}
	q := db.New(conn)
	if ok, err = q.TryLock(ctx, sender); err != nil || !ok {
		conn.Release()
		return nil, false, fail("lock a sender", err)
	}
	var once sync.Once
	return func() {
		once.Do(func() {
			defer conn.Release()
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), unlockTimeout)
			defer cancel()
			if err := q.Unlock(ctx, sender); err != nil {
				_ = conn.Conn().Close(ctx)
			}
		})
	}, true, nil
}

// strangerPause is how long a stranger is not answered again: whoever forges
// senders must not make the desk send texts.
const strangerPause = 24 * time.Hour

// Stranger notes that an unknown address wrote; first tells whether it is to be
// answered.
func (s *Store) Stranger(ctx context.Context, channel gateway.Channel, address string, at time.Time) (first bool, err error) {
	rows, err := s.q.MeetStranger(ctx, db.MeetStrangerParams{Channel: string(channel), Address: address, ToldAt: at, Before: at.Add(-strangerPause)})
	return rows > 0, fail("meet a stranger", err)
}
