package store

import (
	"context"
	"time"

	"deskbell/store/internal/db"
)

// Overdue are things of a kind that should have moved by now.
type Overdue struct {
	What    string // inbox, outbox, unstarted
	Channel string // empty for unstarted
	Count   int
	Oldest  time.Time
}

// partsWait is how long the parts of a long message may wait for the others, and for
// what is made of them then.
const partsWait = 4 * time.Minute

// Overdue returns what has waited for longer than a time.
func (s *Store) Overdue(ctx context.Context, longer time.Duration) ([]Overdue, error) {
	before := s.now().Add(-longer)
	rows, err := s.q.Overdue(ctx, db.OverdueParams{Before: before, PartsBefore: before.Add(-partsWait)})
	if err != nil {
		return nil, fail("overdue", err)
	}
	list := make([]Overdue, len(rows))
	for i, r := range rows {
		list[i] = Overdue{What: r.What, Channel: r.Channel, Count: r.Count, Oldest: r.Oldest.UTC()}
	}
	return list, nil
}

// Heard notes that a presence reached the holder of a lease. It is without effect
// when the tenure is over.
func (s *Store) Heard(ctx context.Context, name, holder string) error {
	return fail("heard "+name, s.q.SetHeard(ctx, db.SetHeardParams{Name: name, Holder: holder}))
}

// Silences returns for how long nothing was heard on the links that stand, by lease.
// A link that has just come up counts as heard.
func (s *Store) Silences(ctx context.Context) (map[string]time.Duration, error) {
	rows, err := s.q.Silences(ctx)
	if err != nil {
		return nil, fail("silences", err)
	}
	silences := map[string]time.Duration{}
	for _, r := range rows {
		silences[r.Name] = r.Silence
	}
	return silences, nil
}

// Trouble is something wrong with the desk itself.
type Trouble struct {
	Name   string // what is wrong, and with what: "link sms"
	Since  time.Time
	Count  int       // how many wait
	Ticket int       // 0: about no ticket
	ToldAt time.Time // when the managers were told; zero while they are not
}

// Troubles returns what is wrong, the oldest first.
func (s *Store) Troubles(ctx context.Context) ([]Trouble, error) {
	rows, err := s.q.Troubles(ctx)
	if err != nil {
		return nil, fail("troubles", err)
	}
	list := make([]Trouble, len(rows))
	for i, r := range rows {
		list[i] = Trouble{Name: r.Name, Since: r.Since.UTC(), Count: r.Count, Ticket: r.Ticket, ToldAt: moment(r.ToldAt)}
	}
	return list, nil
}

// SetTrouble keeps a trouble; Since stays as it was first kept.
func (s *Store) SetTrouble(ctx context.Context, t Trouble) error {
	return fail("keep a trouble", s.q.SetTrouble(ctx, db.SetTroubleParams{Name: t.Name, Since: t.Since, Count: t.Count, Ticket: t.Ticket, ToldAt: optional(t.ToldAt)}))
}

// DropTrouble forgets one that is over.
func (s *Store) DropTrouble(ctx context.Context, name string) error {
	return fail("drop a trouble", s.q.DropTrouble(ctx, name))
}
