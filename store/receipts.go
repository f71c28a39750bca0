package store

import (
	"context"
	"math/big"
	"slices"
	"strings"
	"time"

	"deskbell/gateway"
	"deskbell/store/internal/db"
)

const (
	// orphansLast is how long a receipt waits for its send to be stored; a send that
	// is not stored in a day never will be.
	orphansLast = 24 * time.Hour
	// overdue is how long a page may be without a receipt: whoever is called next must
	// not lose more than a minute to a phone that is off.
	overdue = 60 * time.Second
)

// Receipt notes the network's later word on a sent message. One that comes before
// its send is stored waits for it; one that fits nothing is forgotten after 24 h.
// The first final word on a segment counts.
func (s *Store) Receipt(ctx context.Context, r gateway.Receipt) error {
	channel, fits := string(r.Channel), forms(r.WireID)
	return s.together(ctx, "receipt", func(q *db.Queries) error {
		if err := lockWires(ctx, q, []string{r.WireID}); err != nil {
			return err
		}
		if err := q.LockReceived(ctx, db.LockReceivedParams{Channel: channel, Forms: fits}); err != nil {
			return err
		}
		now := s.now()
		err := q.Receive(ctx, db.ReceiveParams{Channel: channel, Forms: fits, Wire: r.WireID, Norm: fits[0],
			State: string(r.State), Why: storable(r.Reason), KeptAt: now, Since: now.Add(-orphansLast)})
		if err != nil {
			return err
		}
		return q.SumUp(ctx, db.SumUpParams{Channel: channel, Forms: fits})
	})
}

// storeWires stores the network's ids of a message with the receipts that came
// before.
func (s *Store) storeWires(ctx context.Context, q *db.Queries, id int64, wires []string) error {
	since := s.now().Add(-orphansLast)
	for i, wire := range wires {
		fits := forms(wire)
		if err := q.InsertSegment(ctx, db.InsertSegmentParams{Delivery: id, Number: i + 1, Wire: wire, Norm: fits[0], Forms: fits, Since: since}); err != nil {
			return err
		}
	}
	return q.SumUp(ctx, db.SumUpParams{Delivery: id, Forms: []string{}})
}

// lockWires keeps a receipt and the storing of its send apart: whichever comes
// second sees the other. Two ids that fit each other share a form.
func lockWires(ctx context.Context, q *db.Queries, wires []string) error {
	var keys []string
	for _, wire := range wires {
		for _, form := range forms(wire) {
			keys = append(keys, "wire "+form)
		}
	}
	slices.Sort(keys)
	return q.LockKeys(ctx, slices.Compact(keys))
}

// normal is a wire id in lower case without leading zeros.
func normal(wire string) string {
	wire = strings.ToLower(strings.TrimSpace(wire))
	if trimmed := strings.TrimLeft(wire, "0"); trimmed != "" || wire == "" {
		return trimmed
	}
	return "0"
}

// forms are the normal forms of the ids that may mean the same message, likeliest
// first. Networks say an id in hexadecimal in one place and in decimal in another.
func forms(wire string) []string {
	norm := normal(wire)
	list := []string{norm}
	for _, bases := range [][2]int{{10, 16}, {16, 10}} {
		if n, ok := parse(norm, bases[0]); ok {
			list = append(list, n.Text(bases[1]))
		}
	}
	return list
}

// longestNumber is the most digits that a numeric id has: a UUID in hexadecimal has
// 32, in decimal 39.
const longestNumber = 39

func parse(digits string, base int) (*big.Int, bool) {
	if len(digits) > longestNumber || strings.ContainsAny(digits, "+-_") {
		return nil, false
	}
	return new(big.Int).SetString(digits, base)
}

// FailedAlert is an alert that did not arrive.
type FailedAlert struct {
	ID      int64
	Key     string
	Ticket  int
	Person  string
	Channel gateway.Channel
	Reason  string // the message's id
	Why     string
}

// FailedAlerts returns the alerts of tickets that failed or expired, those in a bundle
// with it, and the pages by SMS without a delivered receipt 60 s after sending, oldest
// first, until they are reported.
func (s *Store) FailedAlerts(ctx context.Context, limit int) ([]FailedAlert, error) {
	rows, err := s.q.FailedAlerts(ctx, db.FailedAlertsParams{Before: optional(s.now().Add(-overdue)), Max: limit})
	if err != nil {
		return nil, fail("failed alerts", err)
	}
	list := make([]FailedAlert, len(rows))
	for i, row := range rows {
		list[i] = FailedAlert{ID: row.ID, Key: row.Key, Ticket: row.Ticket, Person: row.Person, Channel: gateway.Channel(row.Channel),
			Reason: row.Reason, Why: row.Why}
	}
	return list, nil
}

// Reported notes that the ticket knows of a failed alert.
func (s *Store) Reported(ctx context.Context, id int64) error {
	return fail("report a failed alert", s.q.Reported(ctx, id))
}

// Fate is what became of a message out.
type Fate struct {
	State gateway.State
	Why   string
}

// Fates are what became of messages, by their keys; without those that there are
// none of.
func (s *Store) Fates(ctx context.Context, keys []string) (map[string]Fate, error) {
	rows, err := s.q.FatesOf(ctx, keys)
	fates := make(map[string]Fate, len(rows))
	for _, r := range rows {
		fates[r.Key] = fateOf(r.State, r.Why)
	}
	return fates, fail("fates", err)
}
