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

// FinishRequest stores the answer for the next time.
func (d *Desk) FinishRequest(ctx context.Context, scope, key string, status int, body []byte) error {
	return outside(d.Store.FinishRequest(ctx, scope, key, status, body))
}
