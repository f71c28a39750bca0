package store

import (
	"context"
	"errors"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

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
	return s.tx(ctx, "receipt", func(q *db.Queries) error {
		if err := lockWires(ctx, q, []string{r.WireID}); err != nil {
			return err
		}
		why := storable(r.Reason)
		match, err := q.MatchSegment(ctx, db.MatchSegmentParams{Channel: string(r.Channel), Forms: forms(r.WireID), Wire: r.WireID})
		if errors.Is(err, pgx.ErrNoRows) {
			now := s.now()
			if err := q.ForgetOrphans(ctx, now.Add(-orphansLast)); err != nil {
				return err
			}
			return q.KeepOrphan(ctx, db.KeepOrphanParams{Channel: string(r.Channel), Wire: r.WireID, Norm: normal(r.WireID),
				State: string(r.State), Why: why, KeptAt: now})
		}
		if err != nil {
			return err
		}
		row, err := q.DeliveryForUpdate(ctx, match.Delivery)
		if err != nil {
			return err
		}
		if gateway.State(match.State) != gateway.Sent && gateway.State(match.State) != gateway.Unknown {
			return nil
		}
		err = q.SetSegment(ctx, db.SetSegmentParams{State: string(r.State), Why: why, Delivery: match.Delivery, Number: match.Number})
		if err != nil {
			return err
		}
		return sumUp(ctx, q, row)
	})
}

// storeWires stores the network's ids of a message with the receipts that came
// before.
func (s *Store) storeWires(ctx context.Context, q *db.Queries, row db.Delivery, wires []string) error {
	news := false
	for i, wire := range wires {
		err := q.InsertSegment(ctx, db.InsertSegmentParams{Delivery: row.ID, Number: i + 1, Channel: row.Channel, Wire: wire, Norm: normal(wire)})
		if err != nil {
			return err
		}
		orphans, err := q.TakeOrphans(ctx, db.TakeOrphansParams{Channel: row.Channel, Forms: forms(wire), Since: s.now().Add(-orphansLast)})
		if err != nil {
			return err
		}
		if len(orphans) == 0 {
			continue
		}
		news = true
		word := orphans[0]
		for _, o := range orphans {
			if gateway.State(word.State) == gateway.Unknown {
				word = o
			}
		}
		if err := q.SetSegment(ctx, db.SetSegmentParams{State: word.State, Why: word.Why, Delivery: row.ID, Number: i + 1}); err != nil {
			return err
		}
	}
	if !news {
		return nil
	}
	return sumUp(ctx, q, row)
}

// worst orders the states of segments: the worst is the message's.
var worst = []gateway.State{gateway.Failed, gateway.Expired, gateway.Sent, gateway.Unknown, gateway.Delivered}

// sumUp derives a message's state from its segments: failed as soon as one is,
// delivered when all are.
func sumUp(ctx context.Context, q *db.Queries, row db.Delivery) error {
	segments, err := q.Segments(ctx, row.ID)
	if err != nil {
		return err
	}
	sum := slices.MinFunc(segments, func(a, b db.SegmentsRow) int {
		return slices.Index(worst, gateway.State(a.State)) - slices.Index(worst, gateway.State(b.State))
	})
	return q.ReceiveDelivery(ctx, db.ReceiveDeliveryParams{State: sum.State, Why: sum.Why, ID: row.ID})
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

// FailedAlerts returns the alerts of tickets that failed or expired and the pages
// by SMS without a delivered receipt 60 s after sending, oldest first, until they
// are reported.
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
