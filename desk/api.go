package desk

import "context"

// BeginRequest starts a request that may come twice. stored tells that it was
// answered before.
func (d *Desk) BeginRequest(ctx context.Context, scope, key, hash string) (status int, body []byte, stored bool, err error) {
	r, err := d.Store.BeginRequest(ctx, scope, key, hash)
	if err != nil || r == nil {
		return 0, nil, false, outside(err)
	}
	return r.Status, r.Body, true, nil
}

// ClaimRequest starts a request that must not be done twice at once; ErrBusy while it
// is under way.
func (d *Desk) ClaimRequest(ctx context.Context, scope, key, hash string) (status int, body []byte, stored bool, err error) {
	r, mine, err := d.Store.ClaimRequest(ctx, scope, key, hash)
	switch {
	case err != nil:
		return 0, nil, false, outside(err)
	case r != nil:
		return r.Status, r.Body, true, nil
	case !mine:
		return 0, nil, false, ErrBusy
	}
	return 0, nil, false, nil
}

// DropRequest forgets a request that changed nothing: its key is free again.
func (d *Desk) DropRequest(ctx context.Context, scope, key string) error {
	return outside(d.Store.DropRequest(ctx, scope, key))
}

// FinishRequest stores the answer for the next time.
func (d *Desk) FinishRequest(ctx context.Context, scope, key string, status int, body []byte) error {
	return outside(d.Store.FinishRequest(ctx, scope, key, status, body))
}
