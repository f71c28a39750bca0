package store

import (
	"context"
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
