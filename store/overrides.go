package store

import (
	"context"

	"deskbell/roster"
	"deskbell/store/internal/db"
)

// AddOverride keeps an override and who added it. When one that counts clashes
// with it, nothing is kept, and that one is returned with added false.
func (s *Store) AddOverride(ctx context.Context, o roster.Override, by string) (r roster.RecordedOverride, added bool, err error) {
	err = s.tx(ctx, "add an override", func(q *db.Queries) error {
		added = false
		if err := q.LockOverrides(ctx); err != nil {
			return err
		}
		present, err := q.Overrides(ctx)
		if err != nil {
			return err
		}
		for _, row := range present {
			if r = recorded(row); r.Clashes(o) {
				return nil
			}
		}
		now := s.now()
		row, err := q.AddOverride(ctx, db.AddOverrideParams{Grp: o.Group, Person: o.Person, Instead: o.Instead,
			FromTime: o.From, UntilTime: o.Until, AddedBy: &by, AddedAt: &now})
		if err != nil {
			return err
		}
		r, added = recorded(row), true
		return agentsChanged(ctx, q, 1)
	})
	return r, added, err
}

// RemoveOverride ends an override and keeps who removed it. ErrNotFound when it
// is not there, or not any more.
func (s *Store) RemoveOverride(ctx context.Context, id int64, by string) (r roster.RecordedOverride, err error) {
	err = s.tx(ctx, "remove an override", func(q *db.Queries) error {
		now := s.now()
		row, err := q.RemoveOverride(ctx, db.RemoveOverrideParams{RemovedBy: &by, RemovedAt: &now, ID: id})
		if err != nil {
			return err
		}
		r = recorded(row)
		return agentsChanged(ctx, q, 1)
	})
	return r, err
}

// OverrideHistory returns overrides, those that were removed too, the last added
// first, at most as many.
func (s *Store) OverrideHistory(ctx context.Context, most int) ([]roster.RecordedOverride, error) {
	rows, err := s.q.OverrideHistory(ctx, most)
	if err != nil {
		return nil, fail("history of overrides", err)
	}
	list := make([]roster.RecordedOverride, len(rows))
	for i, row := range rows {
		list[i] = recorded(row)
	}
	return list, nil
}

func recorded(row db.Override) roster.RecordedOverride {
	r := roster.RecordedOverride{ID: row.ID, AddedAt: moment(row.AddedAt), RemovedAt: moment(row.RemovedAt),
		Override: roster.Override{Group: row.Grp, Person: row.Person, Instead: row.Instead, From: row.FromTime.UTC(), Until: row.UntilTime.UTC()}}
	if row.AddedBy != nil {
		r.AddedBy = *row.AddedBy
	}
	if row.RemovedBy != nil {
		r.RemovedBy = *row.RemovedBy
	}
	return r
}
