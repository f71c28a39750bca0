package store

import (
	"context"
	"time"
)

// Count is how many rows of a kind there are, and since when the oldest waits.
type Count struct {
	Channel, Status, Priority string // those that apply
	Count                     int
	Oldest                    time.Time
}

// Figures are what an operator asks of a desk at one moment.
type Figures struct {
	Tickets    []Count // not over yet, by status and priority
	Unstarted  int     // tickets whose workflow has not written yet
	Unfinished []Count // messages in without an answer, by channel
	Unsent     []Count // messages out that are due or being sent, by channel and status
	Tenures    []Tenure
	Troubles   []Trouble
}

// Figures reads them. It costs some index scans, whatever the desk's age.
func (s *Store) Figures(ctx context.Context) (f Figures, err error) {
	if f.Tickets, err = s.openTickets(ctx); err != nil {
		return f, err
	}
	if f.Unstarted, err = s.q.Unstarts(ctx); err != nil {
		return f, fail("figures", err)
	}
	unfinished, err := s.q.UnfinishedByChannel(ctx)
	if err != nil {
		return f, fail("figures", err)
	}
	for _, r := range unfinished {
		f.Unfinished = append(f.Unfinished, Count{Channel: r.Channel, Count: r.Count, Oldest: r.Oldest})
	}
	unsent, err := s.q.UnsentByChannel(ctx, s.now())
	if err != nil {
		return f, fail("figures", err)
	}
	for _, r := range unsent {
		f.Unsent = append(f.Unsent, Count{Channel: r.Channel, Status: r.State, Count: r.Count, Oldest: r.Oldest})
	}
	if f.Tenures, err = s.Tenures(ctx); err != nil {
		return f, err
	}
	f.Troubles, err = s.Troubles(ctx)
	return f, err
}

// openTickets counts the tickets that are not over yet, by status and priority.
func (s *Store) openTickets(ctx context.Context) ([]Count, error) {
	rows, err := s.q.OpenTickets(ctx)
	if err != nil {
		return nil, fail("open tickets", err)
	}
	counts := make([]Count, len(rows))
	for i, r := range rows {
		counts[i] = Count{Status: r.Status, Priority: r.Priority, Count: r.Count, Oldest: r.Oldest}
	}
	return counts, nil
}
