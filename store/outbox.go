package store

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
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
	Budget        int       // of offers to the person within an hour; 0: no limit
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
	Decides  string // key of the message in that was read as Decided and is handed over; it is not read again
	Decided  []byte // JSON
	Contexts []ContextChange
	// Bundles are the ids of messages in whose place the first of Outgoing is sent.
	Bundles []int64
}

// Write commits a step in one transaction and returns the ids of its messages in
// their order. A message whose key was written before is not written again, and
// what belongs to it is not changed again.
func (s *Store) Write(ctx context.Context, w Write) (ids []int64, err error) {
	const what = "write messages"
	now := s.now()
	if len(w.Outgoing) == 0 && len(w.Contexts) == 0 {
		return nil, s.together(ctx, what, func(q *db.Queries) error { return errors.Join(w.commits(ctx, q), advance(ctx, q, w)) })
	}
	err = s.inTx(ctx, what, func(tx pgx.Tx) (err error) {
		q := db.New(tx)
		var fresh map[string]bool
		if ids, fresh, err = insertDeliveries(ctx, q, w, now); err != nil {
			return err
		}
		changed, err := changeContexts(ctx, q, w.changes(fresh))
		if err != nil {
			return err
		}
		return flush(ctx, tx, func(q *db.Queries) error {
			for _, c := range changed {
				if err := q.SetConversation(ctx, c); err != nil {
					return err
				}
			}
			for _, channel := range w.channels(fresh) {
				if err := q.Notify(ctx, db.NotifyParams{Channel: due, Payload: channel}); err != nil {
					return err
				}
			}
			if len(w.Bundles) > 0 && len(fresh) > 0 {
				if err := q.Bundled(ctx, db.BundledParams{Why: inBundle, Bundle: w.Outgoing[0].Key, Ids: w.Bundles}); err != nil {
					return err
				}
			}
			return errors.Join(w.commits(ctx, q), advance(ctx, q, w))
		})
	})
	if err != nil {
		return nil, err
	}
	return ids, nil
}

// commits waits for the disk unless all that a crash of the database may forget is a
// decision, with what it did to the conversation: the message is then read again, and
// read as before.
func (w Write) commits(ctx context.Context, q *db.Queries) error {
	if w.Decides == "" || len(w.Outgoing) > 0 {
		return nil
	}
	return q.CommitLazily(ctx)
}

// advance notes what the step means for the message in.
func advance(ctx context.Context, q *db.Queries, w Write) error {
	if w.Answers != "" {
		if err := q.AdvanceInbound(ctx, db.AdvanceInboundParams{Key: w.Answers, State: Finished}); err != nil {
			return err
		}
	}
	if w.Tells != "" {
		if err := q.SetTold(ctx, w.Tells); err != nil {
			return err
		}
	}
	if w.Decides == "" {
		return nil
	}
	if err := q.Decide(ctx, db.DecideParams{Decided: w.Decided, Key: w.Decides}); err != nil {
		return err
	}
	return q.AdvanceInbound(ctx, db.AdvanceInboundParams{Key: w.Decides, State: HandedOver})
}

// changes are the context changes that a step makes: those of messages that were
// written before were made then.
func (w Write) changes(fresh map[string]bool) []ContextChange {
	repeat := len(w.Outgoing) > 0 && len(fresh) == 0
	return slices.DeleteFunc(slices.Clone(w.Contexts), func(c ContextChange) bool {
		return c.With == "" && repeat || c.With != "" && !fresh[c.With]
	})
}

// channels are those on which something new is due.
func (w Write) channels(fresh map[string]bool) []string {
	var list []string
	for _, o := range w.Outgoing {
		if fresh[o.Key] {
			list = append(list, string(o.Channel))
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

// insertDeliveries writes messages; fresh are the keys that were not there.
func insertDeliveries(ctx context.Context, q *db.Queries, w Write, now time.Time) (ids []int64, fresh map[string]bool, err error) {
	fresh = map[string]bool{}
	if len(w.Outgoing) == 0 {
		return nil, fresh, nil
	}
	if err := lockOffers(ctx, q, w.Outgoing); err != nil {
		return nil, nil, err
	}
	params := make([]db.InsertDeliveryParams, len(w.Outgoing))
	for i, o := range w.Outgoing {
		wait := waitsFor(o.Expires, now)
		params[i] = db.InsertDeliveryParams{Key: o.Key, Channel: string(o.Channel), Person: o.Person, Address: o.Address, Reason: o.Reason,
			Ticket: o.Ticket, Text: storable(o.Text), Again: storable(cmp.Or(o.Again, o.Text)), Alert: o.Alert, Urgent: o.Urgent,
			NotBefore: now, Expires: optional(o.Expires), CreatedAt: now, Answers: w.Answers, IsOffer: isOffer(o.Reason),
			Lately: now.Add(-wait), Shortly: now.Add(wait), BundleFor: wait, Budget: o.Budget, BeforeLast: max(o.Budget-1, 0), HourAgo: now.Add(-time.Hour)}
		if !o.NotBefore.IsZero() {
			params[i].NotBefore, params[i].IsOffer = o.NotBefore, false
		}
	}
	ids = make([]int64, len(params))
	q.InsertDelivery(ctx, params).QueryRow(func(i int, row db.InsertDeliveryRow, failed error) {
		err = errors.Join(err, failed)
		ids[i] = row.ID
		if row.Fresh {
			fresh[params[i].Key] = true
		}
	})
	return ids, fresh, err
}

// post writes messages within a step that waits for no result.
func (s *Store) post(ctx context.Context, q *db.Queries, news []Outgoing) error {
	now := s.now()
	for _, o := range news {
		if err := errors.Join(
			q.PostDelivery(ctx, db.PostDeliveryParams{Key: o.Key, Channel: string(o.Channel), Address: o.Address, Reason: o.Reason, Ticket: o.Ticket,
				Text: storable(o.Text), Again: storable(cmp.Or(o.Again, o.Text)), Alert: o.Alert, Expires: optional(o.Expires), Now: now}),
			q.Notify(ctx, db.NotifyParams{Channel: due, Payload: string(o.Channel)}),
		); err != nil {
			return err
		}
	}
	return nil
}

// changeContexts locks the conversations of people and returns them changed.
func changeContexts(ctx context.Context, q *db.Queries, changes []ContextChange) ([]db.SetConversationParams, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	var people []string
	for _, c := range changes {
		people = append(people, c.Person)
	}
	slices.Sort(people)
	rows, err := q.LockConversations(ctx, slices.Compact(people))
	if err != nil {
		return nil, err
	}
	changed := make([]db.SetConversationParams, len(rows))
	for i, row := range rows {
		changed[i] = db.SetConversationParams{Person: row.Person, Doc: row.Doc}
		for _, c := range changes {
			if c.Person != row.Person {
				continue
			}
			if changed[i].Doc, err = c.Change(changed[i].Doc); err != nil {
				return nil, err
			}
		}
	}
	return changed, nil
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
func (s *Store) Take(ctx context.Context, channel gateway.Channel, limit int) ([]gateway.Delivery, error) {
	const what = "take messages"
	now := s.now()
	for {
		// Most looks find nothing.
		found, err := s.q.Look(ctx, db.LookParams{Channel: string(channel), Now: now})
		if err != nil || !found.Due {
			return nil, fail(what, err)
		}
		if found.Company {
			if err := s.bundle(ctx, channel, now); err != nil {
				return nil, err
			}
		}
		rows, err := s.q.Take(ctx, db.TakeParams{Channel: string(channel), Now: now, Max: limit})
		if err != nil {
			return nil, fail(what, err)
		}
		var list []gateway.Delivery
		for _, row := range rows {
			if row.State == string(gateway.Sending) {
				list = append(list, delivery(row))
			}
		}
		if err := s.supersede(ctx, rows, list); err != nil {
			s.log.Warn("an offer that is gone is told in a message of its own", slog.Any("error", err))
		}
		if len(list) == 0 && len(rows) > 0 {
			continue // what was discarded held up others
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
}

func delivery(row db.Delivery) gateway.Delivery {
	d := gateway.Delivery{ID: row.ID, Key: row.Key, Channel: gateway.Channel(row.Channel), To: row.Address, Text: row.Text,
		Alert: row.Alert, Urgent: row.Urgent, Expires: moment(row.Expires), Attempt: row.Attempt, Repeated: row.Repeated}
	if row.Repeated {
		d.Text = row.Again
	}
	return d
}

// Settle notes what an attempt to send came to, with the receipts that came
// before it. It is without effect on a message whose fate is known.
func (s *Store) Settle(ctx context.Context, id int64, o gateway.Outcome) error {
	return s.together(ctx, "settle a message", func(q *db.Queries) error {
		if o.State != gateway.Sent || len(o.WireIDs) == 0 {
			return s.settle(ctx, q, id, o)
		}
		if err := lockWires(ctx, q, o.WireIDs); err != nil {
			return err
		}
		if err := s.settle(ctx, q, id, o); err != nil {
			return err
		}
		return s.storeWires(ctx, q, id, o.WireIDs)
	})
}

func (s *Store) settle(ctx context.Context, q *db.Queries, id int64, o gateway.Outcome) error {
	now := s.now()
	return q.SettleDelivery(ctx, db.SettleDeliveryParams{ID: id, State: string(o.State), Why: storable(o.Reason), AgainAt: now.Add(o.RetryIn), Now: now})
}

// Recover settles what another holder of the channel left unsettled: its outcome
// is unknown. Only the holder may call it, before it takes anything.
func (s *Store) Recover(ctx context.Context, channel gateway.Channel) error {
	const what = "recover messages"
	ids, err := s.q.SendingIDs(ctx, string(channel))
	if err != nil {
		return fail(what, err)
	}
	return s.together(ctx, what, func(q *db.Queries) error {
		for _, id := range ids {
			if err := s.settle(ctx, q, id, gateway.Outcome{State: gateway.Unknown, Reason: "the sender ended before the outcome was known"}); err != nil {
				return err
			}
		}
		return nil
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
	rows, err := s.q.UnsentByChannel(ctx, s.now())
	if err != nil {
		return nil, fail("backlog", err)
	}
	backlog := map[gateway.Channel]int{}
	for _, row := range rows {
		if row.State == string(gateway.Due) {
			backlog[gateway.Channel(row.Channel)] = row.Count
		}
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
