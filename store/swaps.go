package store

import (
	"context"
	"errors"

	"deskbell/roster"
	"deskbell/store/internal/db"
)

// errChanged rolls a swap back whose shifts are no longer those that were asked for.
var errChanged = errors.New("the rota has changed")

// AskSwap keeps a request to swap shifts.
func (s *Store) AskSwap(ctx context.Context, w roster.Swap) (roster.Swap, error) {
	row, err := s.q.AskSwap(ctx, db.AskSwapParams{Grp: w.Group, Asker: w.Asker, Other: w.Other, FromTime: w.From, UntilTime: w.Until,
		BackFrom: optional(w.BackFrom), BackUntil: optional(w.BackUntil), AskedAt: s.now(), Expires: w.Expires})
	return swap(row), fail("ask for a swap", err)
}

// Swap returns a request.
func (s *Store) Swap(ctx context.Context, id int64) (roster.Swap, error) {
	row, err := s.q.SwapByID(ctx, id)
	return swap(row), fail("swap", err)
}

// OpenSwaps returns the requests that a person made or was asked, the oldest first.
func (s *Store) OpenSwaps(ctx context.Context, person string) ([]roster.Swap, error) {
	rows, err := s.q.OpenSwaps(ctx, person)
	return swaps(rows), fail("open swaps", err)
}

// OverdueSwaps returns the requests that nobody answered in time.
func (s *Store) OverdueSwaps(ctx context.Context) ([]roster.Swap, error) {
	rows, err := s.q.OverdueSwaps(ctx, s.now())
	return swaps(rows), fail("overdue swaps", err)
}

// EndSwap ends an open request otherwise than by consent, and returns how it ended:
// that is what it was before when it had ended already, or ran out.
func (s *Store) EndSwap(ctx context.Context, id int64, state roster.SwapState) (w roster.Swap, err error) {
	err = s.tx(ctx, "end a swap", func(q *db.Queries) error {
		now := s.now()
		if _, err := q.EndSwap(ctx, db.EndSwapParams{State: string(state), Now: &now, ID: id}); err != nil {
			return err
		}
		row, err := q.SwapByID(ctx, id)
		w = swap(row)
		return err
	})
	return w, err
}

// AcceptSwap has an open request take effect, at the word of the one who was asked.
// The overrides that this ends and adds are what change makes of those that count;
// when it can make nothing of them, the request is declined. One that had ended
// already is returned as it ended.
func (s *Store) AcceptSwap(ctx context.Context, id int64, change func(roster.Swap, []roster.Rotation, []roster.RecordedOverride) (end []int64, add []roster.Override, ok bool)) (w roster.Swap, err error) {
	err = s.tx(ctx, "accept a swap", func(q *db.Queries) error {
		if err := errors.Join(q.LockRota(ctx), q.LockOverrides(ctx)); err != nil {
			return err
		}
		now := s.now()
		ended, err := q.EndSwap(ctx, db.EndSwapParams{State: string(roster.SwapAccepted), Now: &now, ID: id})
		if err != nil {
			return err
		}
		row, err := q.SwapByID(ctx, id)
		if w = swap(row); err != nil || ended == 0 {
			return err
		}
		rows, err := q.Rota(ctx)
		if err != nil {
			return err
		}
		rota := make([]roster.Rotation, len(rows))
		for i := range rows {
			if rota[i], err = rotation(rows[i]); err != nil {
				return err
			}
		}
		overrides, err := q.Overrides(ctx)
		if err != nil {
			return err
		}
		present := make([]roster.RecordedOverride, len(overrides))
		for i := range overrides {
			present[i] = recorded(overrides[i])
		}
		end, add, can := change(w, rota, present)
		if !can {
			return errChanged
		}
		for _, id := range end {
			if _, err := q.RemoveOverride(ctx, db.RemoveOverrideParams{RemovedBy: &w.Other, RemovedAt: &now, ID: id}); err != nil {
				return err
			}
		}
		for _, o := range add {
			if _, err := q.AddOverride(ctx, db.AddOverrideParams{Grp: o.Group, Person: o.Person, Instead: o.Instead, FromTime: o.From, UntilTime: o.Until, AddedBy: &w.Other, AddedAt: &now}); err != nil {
				return err
			}
		}
		return agentsChanged(ctx, q, 1)
	})
	if errors.Is(err, errChanged) {
		return s.EndSwap(ctx, id, roster.SwapDeclined)
	}
	return w, err
}

func swaps(rows []db.Swap) []roster.Swap {
	list := make([]roster.Swap, len(rows))
	for i, row := range rows {
		list[i] = swap(row)
	}
	return list
}

func swap(row db.Swap) roster.Swap {
	return roster.Swap{ID: row.ID, Group: row.Grp, Asker: row.Asker, Other: row.Other, From: row.FromTime.UTC(), Until: row.UntilTime.UTC(),
		BackFrom: moment(row.BackFrom), BackUntil: moment(row.BackUntil), Expires: row.Expires.UTC(), State: roster.SwapState(row.State)}
}
