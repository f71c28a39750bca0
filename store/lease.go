package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"deskbell/store/internal/db"
)

// Acquire takes a lease for ttl, or renews the holder's own. It is not ok while
// another holds it. The fence grows with every new tenure, also when the holder
// comes back after its own lease ran out. Leases go by the database's time, which
// is the same for all processes.
func (s *Store) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (fence int64, ok bool, err error) {
	fence, err = s.q.AcquireLease(ctx, db.AcquireLeaseParams{Name: name, Holder: holder, Ttl: ttl})
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, false, nil
	}
	return fence, err == nil, fail("acquire lease "+name, err)
}

// Release ends a tenure. It is without effect when that is over.
func (s *Store) Release(ctx context.Context, name, holder string, fence int64) error {
	return fail("release lease "+name, s.q.ReleaseLease(ctx, db.ReleaseLeaseParams{Name: name, Holder: holder, Fence: fence}))
}

// Tenure is a lease that somebody holds now.
type Tenure struct {
	Name   string
	Holder string
	// UpSince is when the holder's link came up, zero while it is down.
	UpSince time.Time
	Links   Links
}

// Links are what a link consists of, where that is several, by name: since when each
// stands, nil while it does not.
type Links map[string]*time.Time

// SetLink notes whether the link of a lease's holder stands, and which of several do,
// and tells those who listen. It is without effect when the tenure is over.
func (s *Store) SetLink(ctx context.Context, name, holder string, up bool, links Links) error {
	if links == nil {
		links = Links{}
	}
	doc, err := json.Marshal(links)
	if err != nil {
		return fail("set link "+name, err)
	}
	return s.tx(ctx, "set link "+name, func(q *db.Queries) error {
		if err := q.SetLink(ctx, db.SetLinkParams{Name: name, Holder: holder, Up: up, Links: doc}); err != nil {
			return err
		}
		return q.Notify(ctx, db.NotifyParams{Channel: changes, Payload: "gateway"})
	})
}

// Tenures returns the leases that are held now, by name.
func (s *Store) Tenures(ctx context.Context) ([]Tenure, error) {
	rows, err := s.q.Leases(ctx)
	if err != nil {
		return nil, fail("leases", err)
	}
	tenures := make([]Tenure, len(rows))
	for i, row := range rows {
		tenures[i] = Tenure{Name: row.Name, Holder: row.Holder, UpSince: moment(row.UpSince)}
		if err := json.Unmarshal(row.Links, &tenures[i].Links); err != nil {
			return nil, fail("leases", err)
		}
	}
	return tenures, nil
}
