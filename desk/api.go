package desk

import (
	"context"
	"errors"

	"deskbell/store"
)

// Authenticate returns who speaks with a token; ErrUnknownToken otherwise.
func (d *Desk) Authenticate(ctx context.Context, secret string) (Caller, error) {
	id, scopes, err := d.Store.Token(ctx, secret)
	if errors.Is(err, store.ErrNotFound) {
		return Caller{}, ErrUnknownToken
	}
	if err != nil {
		return Caller{}, outside(err)
	}
	person, err := d.Store.Person(ctx, id)
	return Caller{Person: person, Scopes: scopes}, outside(err)
}

// BeginRequest starts a request that may come twice. stored tells that it was
// answered before.
func (d *Desk) BeginRequest(ctx context.Context, scope, key, hash string) (status int, body []byte, stored bool, err error) {
	r, err := d.Store.BeginRequest(ctx, scope, key, hash)
	if err != nil || r == nil {
		return 0, nil, false, outside(err)
	}
	return r.Status, r.Body, true, nil
}

// FinishRequest stores the answer for the next time.
func (d *Desk) FinishRequest(ctx context.Context, scope, key string, status int, body []byte) error {
	return outside(d.Store.FinishRequest(ctx, scope, key, status, body))
}
