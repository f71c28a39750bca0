package store

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"deskbell/gateway"
	"deskbell/store/internal/db"
)

// due is the channel on which senders hear that something is due: the payload is
// the gateway's channel.
const due = "deskbell_due"

// Outgoing is one message to write.
type Outgoing struct {
	Key     string // deterministic: the same key is the same message
	Channel gateway.Channel
	Person  string // empty for a stranger
	Address string // E.164 number, bare JID or full JID
	Reason  string // the message's id
	Ticket  int    // 0: about no ticket
	Text    string
	Again   string // the text when it is sent after an unknown outcome; Text when empty
	// Alert is sent once more after an unknown outcome, and reported when it does
	// not arrive. Urgent goes before everything else.
	Alert, Urgent bool
	NotBefore     time.Time // zero: at once
	Expires       time.Time // zero: no limit
}

// ContextChange changes what a person and the desk are talking about. Change gets
// nil when they never spoke; it may run more than once and must not block.
type ContextChange struct {
	Person string
	Change func(old []byte) ([]byte, error)
	// With is the key of the step's message that the change belongs to; empty when it
	// belongs to all of them.
	With string
}

// Write is what one step writes: messages, what they answer and what the people
// are then talking about.
type Write struct {
	Outgoing []Outgoing
	Answers  string // key of the message in that is finished by this
	Tells    string // key of the message in whose sender is told that it is kept
	Decides  string // key of the message in that was read as Decided, and is not read again
	Decided  []byte // JSON
	Contexts []ContextChange
}

// Write commits a step in one transaction and returns the ids of its messages in
// their order. A message whose key was written before is not written again, and
// what belongs to it is not changed again.
func (s *Store) Write(ctx context.Context, w Write) (ids []int64, err error) {
	now := s.now()
	err = s.tx(ctx, "write messages", func(q *db.Queries) (err error) {
		fresh := map[string]bool{}
		if ids, err = insertDeliveries(ctx, q, w, now, fresh); err != nil {
			return err
		}
		if w.Answers != "" {
			if _, err := q.AdvanceInbound(ctx, db.AdvanceInboundParams{Key: w.Answers, State: Finished}); err != nil {
				return err
			}
		}
		if w.Tells != "" {
			if err := q.SetTold(ctx, w.Tells); err != nil {
				return err
			}
		}
		if w.Decides != "" {
			if err := q.Decide(ctx, db.DecideParams{Decided: w.Decided, Key: w.Decides}); err != nil {
				return err
			}
		}
		repeat := len(w.Outgoing) > 0 && len(fresh) == 0
		return changeContexts(ctx, q, slices.DeleteFunc(slices.Clone(w.Contexts), func(c ContextChange) bool {
			return c.With == "" && repeat || c.With != "" && !fresh[c.With]
		}))
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// insertDeliveries writes messages and adds the keys that were not there to fresh.
func insertDeliveries(ctx context.Context, q *db.Queries, w Write, now time.Time, fresh map[string]bool) (ids []int64, err error) {
	var channels []gateway.Channel
	if err := lockOffers(ctx, q, w.Outgoing); err != nil {
		return nil, err
	}
	for _, o := range w.Outgoing {
		p := db.InsertDeliveryParams{Key: o.Key, Channel: string(o.Channel), Person: o.Person, Address: o.Address, Reason: o.Reason,
			Ticket: o.Ticket, Text: storable(o.Text), Again: storable(cmp.Or(o.Again, o.Text)), Alert: o.Alert, Urgent: o.Urgent,
			NotBefore: now, Expires: optional(o.Expires), CreatedAt: now, Answers: w.Answers}
		if !o.NotBefore.IsZero() {
			p.NotBefore = o.NotBefore
		} else if isOffer(o.Reason) {
			if p.NotBefore, err = company(ctx, q, o, now); err != nil {
				return nil, err
			}
		}
		id, err := q.InsertDelivery(ctx, p)
		if errors.Is(err, pgx.ErrNoRows) {
			id, err = q.DeliveryID(ctx, o.Key)
		} else {
			fresh[o.Key] = true
			channels = append(channels, o.Channel)
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	slices.Sort(channels)
	for _, channel := range slices.Compact(channels) {
		if err := q.Notify(ctx, db.NotifyParams{Channel: due, Payload: string(channel)}); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// changeContexts locks in the order of the people, so that two steps about the
// same people do not wait for each other.
func changeContexts(ctx context.Context, q *db.Queries, changes []ContextChange) error {
	changes = slices.SortedStableFunc(slices.Values(changes), func(a, b ContextChange) int { return cmp.Compare(a.Person, b.Person) })
	for _, c := range changes {
		if err := q.OpenConversation(ctx, c.Person); err != nil {
			return err
		}
		doc, err := q.LockConversation(ctx, c.Person)
		if err != nil {
			return err
		}
		if doc, err = c.Change(doc); err != nil {
			return err
		}
		if err := q.SetConversation(ctx, db.SetConversationParams{Doc: doc, Person: c.Person}); err != nil {
			return err
		}
	}
	return nil
}

// Answer returns the text that answered a message in. It is ErrNotFound while there
// is none, and for a message that got no answer.
func (s *Store) Answer(ctx context.Context, key string) (string, error) {
	text, err := s.q.Answer(ctx, key)
	return text, fail("answer", err)
}

// Conversation returns what a person and the desk are talking about; nil when
// they never spoke.
func (s *Store) Conversation(ctx context.Context, person string) ([]byte, error) {
	doc, err := s.q.Conversation(ctx, person)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return doc, fail("conversation", err)
}

// Take returns messages to send now, urgent ones first, and marks them as being
// sent: at most one per address, in the order in which they were written. A row
// whose time has not come holds up nobody. What is no longer wanted is discarded:
// it expired, its ticket is no longer waiting, or the person has stopped texts.
func (s *Store) Take(ctx context.Context, channel gateway.Channel, limit int) (list []gateway.Delivery, err error) {
	now := s.now()
	// Most looks find nothing; they cost no transaction.
	if due, err := s.q.AnyDue(ctx, db.AnyDueParams{Channel: string(channel), Now: now}); err != nil || !due {
		return nil, fail("take messages", err)
	}
	err = s.tx(ctx, "take messages", func(q *db.Queries) error {
		list = nil
		// One taker at a time sees what the one before it took.
		if err := q.LockTaker(ctx, string(channel)); err != nil {
			return err
		}
		if err := q.Discard(ctx, db.DiscardParams{Now: now, Channel: string(channel)}); err != nil {
			return err
		}
		if err := s.bundle(ctx, q, channel, now); err != nil {
			return err
		}
		rows, err := q.Take(ctx, db.TakeParams{Channel: string(channel), Now: now, Max: limit})
		for _, row := range rows {
			list = append(list, delivery(row))
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(list, func(a, b gateway.Delivery) int {
		if a.Urgent != b.Urgent {
			if a.Urgent {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return list, nil
}

func delivery(row db.Delivery) gateway.Delivery {
	d := gateway.Delivery{ID: row.ID, Key: row.Key, Channel: gateway.Channel(row.Channel), To: row.Address, Text: row.Text,
		Alert: row.Alert, Urgent: row.Urgent, Expires: moment(row.Expires), Attempt: row.Attempt}
	if row.Repeated {
		d.Text = row.Again
	}
	return d
}

// Settle notes what an attempt to send came to, with the receipts that came
// before it. It is without effect on a message whose fate is known.
func (s *Store) Settle(ctx context.Context, id int64, o gateway.Outcome) error {
	return s.tx(ctx, "settle a message", func(q *db.Queries) error {
		if o.State == gateway.Sent {
			if err := lockWires(ctx, q, o.WireIDs); err != nil {
				return err
			}
		}
		return s.settle(ctx, q, id, o)
	})
}

func (s *Store) settle(ctx context.Context, q *db.Queries, id int64, o gateway.Outcome) error {
	row, err := q.DeliveryForUpdate(ctx, id)
	if err != nil {
		return err
	}
	// Another process may have taken the attempt for lost meanwhile; that it was sent
	// is news all the same.
	state := gateway.State(row.State)
	late := o.State == gateway.Sent && (state == gateway.Due || state == gateway.Unknown)
	if state != gateway.Sending && !late {
		return nil
	}
	now := s.now()
	p := db.SettleDeliveryParams{ID: id, State: string(o.State), Why: storable(o.Reason), NotBefore: row.NotBefore, Repeated: row.Repeated, SentAt: row.SentAt}
	switch {
	case o.State == gateway.Due:
		p.NotBefore = now.Add(o.RetryIn)
	case o.State == gateway.Unknown && row.Alert && !row.Repeated:
		p.State, p.Repeated = string(gateway.Due), true
	case o.State == gateway.Sent || o.State == gateway.Unknown:
		p.SentAt = &now
	}
	if err := q.SettleDelivery(ctx, p); err != nil {
		return err
	}
	if o.State != gateway.Sent {
		return nil
	}
	return s.storeWires(ctx, q, row, o.WireIDs)
}

// Recover settles what another holder of the channel left unsettled: its outcome
// is unknown. Only the holder may call it, before it takes anything.
func (s *Store) Recover(ctx context.Context, channel gateway.Channel) error {
	return s.tx(ctx, "recover messages", func(q *db.Queries) error {
		ids, err := q.SendingIDs(ctx, string(channel))
		for _, id := range ids {
			err = errors.Join(err, s.settle(ctx, q, id, gateway.Outcome{State: gateway.Unknown, Reason: "the sender ended before the outcome was known"}))
		}
		return err
	})
}

// Fate returns the states of messages, in the order of their ids; empty for an
// unknown id.
func (s *Store) Fate(ctx context.Context, ids []int64) ([]gateway.State, error) {
	rows, err := s.q.Fates(ctx, ids)
	if err != nil {
		return nil, fail("fate of messages", err)
	}
	states := make([]gateway.State, len(ids))
	for _, row := range rows {
		for i, id := range ids {
			if id == row.ID {
				states[i] = gateway.State(row.State)
			}
		}
	}
	return states, nil
}

// Backlog returns how many messages are due, per channel.
func (s *Store) Backlog(ctx context.Context) (map[gateway.Channel]int, error) {
	rows, err := s.q.Backlog(ctx, s.now())
	if err != nil {
		return nil, fail("backlog", err)
	}
	backlog := map[gateway.Channel]int{}
	for _, row := range rows {
		backlog[gateway.Channel(row.Channel)] = row.Due
	}
	return backlog, nil
}

// Quoted returns the ticket that a message of ours to this person spoke of, by the
// network's id; 0 when there is none.
func (s *Store) Quoted(ctx context.Context, channel gateway.Channel, wire, person string) (int, error) {
	number, err := s.q.Quoted(ctx, db.QuotedParams{Channel: string(channel), Wire: wire, Person: person})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	}
	return number, fail("quoted message", err)
}

// LastReason returns what the sender's message before this one was answered with;
// empty when it was not.
func (s *Store) LastReason(ctx context.Context, m Inbound) (string, error) {
	reason, err := s.q.LastReason(ctx, db.LastReasonParams{Channel: string(m.Channel), Sender: m.From, Before: m.ID})
	if errors.Is(err, pgx.ErrNoRows) {
		return "", nil
	}
	return reason, fail("last answer", err)
}
