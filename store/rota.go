package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"deskbell/roster"
	"deskbell/store/internal/db"
)

// Rota returns the rotations, in their order, and the overrides.
func (s *Store) Rota(ctx context.Context) ([]roster.Rotation, []roster.Override, error) {
	const what = "rota"
	rows, err := s.q.Rota(ctx)
	if err != nil {
		return nil, nil, fail(what, err)
	}
	overrides, err := s.q.Overrides(ctx)
	if err != nil {
		return nil, nil, fail(what, err)
	}
	rota := make([]roster.Rotation, len(rows))
	for i, row := range rows {
		if rota[i], err = rotation(row); err != nil {
			return nil, nil, fail(what, err)
		}
	}
	list := make([]roster.Override, len(overrides))
	for i, o := range overrides {
		list[i] = recorded(o).Override
	}
	return rota, list, nil
}

func rotation(row db.Rota) (roster.Rotation, error) {
	r := roster.Rotation{Group: row.Grp, Name: row.Name, Zone: row.Zone, Start: row.Start.UTC(), Every: row.Every, People: row.People}
	if len(row.Shifts) > 0 {
		if err := json.Unmarshal(row.Shifts, &r.Shifts); err != nil {
			return r, fmt.Errorf("rotation %q: %w", r.Name, err)
		}
	}
	return r, nil
}

// rotationRow is a rotation as its row holds it.
func rotationRow(r roster.Rotation) (db.SetRotationParams, error) {
	row := db.SetRotationParams{Grp: r.Group, Name: r.Name, Zone: r.Zone, Start: r.Start, Every: r.Every, People: r.People}
	if row.People == nil {
		row.People = []string{}
	}
	if len(r.Shifts) == 0 {
		return row, nil
	}
	var err error
	row.Shifts, err = json.Marshal(r.Shifts)
	return row, err
}

// SetRotation keeps a rotation in place of the one with its group and name, if
// there is one, and who did it. Nothing is noted when it is the same.
func (s *Store) SetRotation(ctx context.Context, r roster.Rotation, by string) error {
	row, err := rotationRow(r)
	if err != nil {
		return fail("set a rotation", err)
	}
	return s.changeRota(ctx, "set a rotation", r.Group, r.Name, by, &r, func(q *db.Queries) error { return q.SetRotation(ctx, row) })
}

// RemoveRotation ends a rotation and keeps who did it. ErrNotFound when there is
// none.
func (s *Store) RemoveRotation(ctx context.Context, group, name, by string) error {
	return s.changeRota(ctx, "remove a rotation", group, name, by, nil, func(q *db.Queries) error {
		return q.RemoveRotation(ctx, db.RemoveRotationParams{Grp: group, Name: name})
	})
}

func (s *Store) changeRota(ctx context.Context, what, group, name, by string, after *roster.Rotation, change func(*db.Queries) error) error {
	return s.tx(ctx, what, func(q *db.Queries) error {
		if err := q.LockRota(ctx); err != nil {
			return err
		}
		changed, err := s.noteChange(ctx, q, group, name, by, after)
		if err != nil || !changed {
			return err
		}
		if err := change(q); err != nil {
			return err
		}
		return agentsChanged(ctx, q, 1)
	})
}

// noteChange keeps what a rotation was and becomes; after is nil when it is removed.
// changed is false when it stays as it is.
func (s *Store) noteChange(ctx context.Context, q *db.Queries, group, name, by string, after *roster.Rotation) (changed bool, err error) {
	change := db.AddRotaChangeParams{At: s.now(), ChangedBy: by, Grp: group, Name: name}
	row, err := q.Rotation(ctx, db.RotationParams{Grp: group, Name: name})
	switch {
	case err == nil:
		before, err := rotation(row)
		if err != nil {
			return false, err
		}
		if change.Before, err = json.Marshal(before); err != nil {
			return false, err
		}
	case !errors.Is(err, pgx.ErrNoRows) || after == nil:
		return false, err
	}
	if after != nil {
		r := *after
		r.Start, r.People = r.Start.UTC(), append([]string{}, r.People...)
		if change.After, err = json.Marshal(r); err != nil {
			return false, err
		}
	}
	if bytes.Equal(change.Before, change.After) {
		return false, nil
	}
	return true, q.AddRotaChange(ctx, change)
}

// RotaHistory returns what changed in the rotations, the last first, at most as
// many.
func (s *Store) RotaHistory(ctx context.Context, most int) ([]roster.Change, error) {
	rows, err := s.q.RotaChanges(ctx, most)
	if err != nil {
		return nil, fail("history of the rota", err)
	}
	list := make([]roster.Change, len(rows))
	for i, row := range rows {
		list[i] = roster.Change{ID: row.ID, At: row.At.UTC(), By: row.ChangedBy, Group: row.Grp, Name: row.Name}
		if list[i].Before, err = storedRotation(row.Before); err != nil {
			return nil, fail("history of the rota", err)
		}
		if list[i].After, err = storedRotation(row.After); err != nil {
			return nil, fail("history of the rota", err)
		}
	}
	return list, nil
}

func storedRotation(doc []byte) (r *roster.Rotation, err error) {
	if len(doc) > 0 {
		err = json.Unmarshal(doc, &r)
	}
	return r, err
}

// Feed returns the token under which a person's shifts are shown: the one there is,
// else the one given.
func (s *Store) Feed(ctx context.Context, person, token string) (string, error) {
	kept, err := s.q.KeepFeed(ctx, db.KeepFeedParams{Person: person, Token: token, CreatedAt: s.now()})
	return kept, fail("feed of "+person, err)
}

// RemoveFeed ends a person's feed; ErrNotFound when there is none.
func (s *Store) RemoveFeed(ctx context.Context, person string) error {
	rows, err := s.q.RemoveFeed(ctx, person)
	if err == nil && rows == 0 {
		err = pgx.ErrNoRows
	}
	return fail("remove the feed of "+person, err)
}

// FeedPerson returns whose shifts a token shows; ErrNotFound for one that is none.
func (s *Store) FeedPerson(ctx context.Context, token string) (string, error) {
	person, err := s.q.FeedPerson(ctx, token)
	return person, fail("feed", err)
}
