package store

import (
	"context"
	"time"

	"deskbell/store/internal/db"
)

// StoredResponse is the response that a request got.
type StoredResponse struct {
	Status int
	Body   []byte
}

// BeginRequest notes a request under its key. It returns the response when there
// is one; none means: go on, the request is new or has no response yet. Another
// request under the same key gives ErrKeyReused.
func (s *Store) BeginRequest(ctx context.Context, scope, key, hash string) (stored *StoredResponse, err error) {
	err = s.tx(ctx, "begin request", func(q *db.Queries) error {
		fresh, err := q.ClaimKey(ctx, db.ClaimKeyParams{Scope: scope, Key: key, Hash: hash, CreatedAt: s.now()})
		if err != nil || fresh > 0 {
			return err
		}
		row, err := q.Key(ctx, db.KeyParams{Scope: scope, Key: key})
		if err != nil {
			return err
		}
		if row.Hash != hash {
			return ErrKeyReused
		}
		if row.Status != nil {
			stored = &StoredResponse{Status: *row.Status, Body: row.Body}
		}
		return nil
	})
	return stored, err
}

// requestLife is how long a request may take that was begun under a key. Of one that
// was not heard of for as long its process died, and it may be done again.
const requestLife = time.Minute

// ClaimRequest is BeginRequest for what must not be done twice at once: mine is false
// while another request under the key is under way.
func (s *Store) ClaimRequest(ctx context.Context, scope, key, hash string) (stored *StoredResponse, mine bool, err error) {
	err = s.tx(ctx, "claim request", func(q *db.Queries) error {
		stored = nil
		now := s.now()
		fresh, err := q.ClaimKey(ctx, db.ClaimKeyParams{Scope: scope, Key: key, Hash: hash, CreatedAt: now})
		if mine = fresh > 0; err != nil || mine {
			return err
		}
		row, err := q.Key(ctx, db.KeyParams{Scope: scope, Key: key})
		if err != nil {
			return err
		}
		if row.Hash != hash {
			return ErrKeyReused
		}
		if row.Status != nil {
			stored = &StoredResponse{Status: *row.Status, Body: row.Body}
			return nil
		}
		taken, err := q.TakeKey(ctx, db.TakeKeyParams{Now: now, Scope: scope, Key: key, Hash: hash, Before: now.Add(-requestLife)})
		mine = taken > 0
		return err
	})
	return stored, mine, err
}

// DropRequest forgets a request that was begun and changed nothing: its key is free.
func (s *Store) DropRequest(ctx context.Context, scope, key string) error {
	return fail("drop request", s.q.DropKey(ctx, db.DropKeyParams{Scope: scope, Key: key}))
}

// FinishRequest keeps the response of a request that was begun.
func (s *Store) FinishRequest(ctx context.Context, scope, key string, status int, body []byte) error {
	rows, err := s.q.SetKeyResponse(ctx, db.SetKeyResponseParams{Status: &status, Body: body, Scope: scope, Key: key})
	if err == nil && rows == 0 {
		err = ErrNotFound
	}
	return fail("finish request", err)
}
