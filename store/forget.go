package store

import (
	"context"
	"time"

	"deskbell/store/internal/db"
)

const (
	// forgetAtOnce is how many rows one statement deletes, or, of timelines, how many
	// it finds and deletes with all of theirs: some tens of milliseconds of work.
	forgetAtOnce = 500
	// forgetPause is about as long, so that others get their turn.
	forgetPause = 50 * time.Millisecond
)

// Forget deletes what happened before a time and is over, and returns how many rows
// went from each table. Messages stay while a ticket that they are about is open, and
// so does all that the audit has about it; a timeline goes as a whole, when nothing
// happened to its ended ticket since. Tickets themselves stay. It works in small
// transactions with pauses, and may be repeated after an error.
func (s *Store) Forget(ctx context.Context, before time.Time) (map[string]int64, error) {
	gone := map[string]int64{}
	for _, old := range forgettable {
		for {
			rows, err := old.forget(ctx, s.q, before)
			if err != nil {
				return gone, fail("forget "+old.table, err)
			}
			if rows == 0 {
				break
			}
			gone[old.table] += rows
			select {
			case <-ctx.Done():
				return gone, ctx.Err()
			case <-time.After(forgetPause):
			}
		}
	}
	return gone, nil
}

var forgettable = []struct {
	table  string
	forget func(ctx context.Context, q *db.Queries, before time.Time) (int64, error)
}{
	{"inbox", some((*db.Queries).ForgetInbox)},
	{"deliveries", some((*db.Queries).ForgetDeliveries)},
	{"timeline", some((*db.Queries).ForgetTimelines)},
	{"incidents", some((*db.Queries).ForgetIncidents)},
	{"audit", some((*db.Queries).ForgetAudit)},
	{"idempotency", some((*db.Queries).ForgetKeys)},
	{"webhook_deliveries", some((*db.Queries).ForgetWebhookDeliveries)},
	{"strangers", some((*db.Queries).ForgetStrangers)},
}

func some[P ~struct {
	Before time.Time
	Most   int
}](query func(*db.Queries, context.Context, P) (int64, error)) func(context.Context, *db.Queries, time.Time) (int64, error) {
	return func(ctx context.Context, q *db.Queries, before time.Time) (int64, error) {
		return query(q, ctx, P{Before: before, Most: forgetAtOnce})
	}
}
