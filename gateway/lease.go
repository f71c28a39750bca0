package gateway

import (
	"context"
	"log/slog"
	"time"
)

// Times of a lease. The expiry is what a dead holder costs; a holder that renews
// every second survives a database that stalls for four.
const (
	LeaseExpiry = 5 * time.Second
	leaseRenew  = time.Second
)

// Leases decides, by a fenced row, which process holds a channel.
type Leases interface {
	// Acquire takes or renews a lease; ok is false while somebody else has it.
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (fence int64, ok bool, err error)
	Release(ctx context.Context, name, holder string, fence int64) error
}

// Hold runs f whenever this process holds the lease, until ctx ends. f's context
// ends when the lease is lost or ctx ends; the lease is renewed until f has
// returned, and then given back. While somebody else holds it this process stands
// by. Hold returns f's error if it came while the lease was held, and nil when ctx
// has ended.
func Hold(ctx context.Context, leases Leases, name, holder string, log *slog.Logger, f func(context.Context) error) error {
	log = log.With(slog.String("lease", name))
	ticker := time.NewTicker(leaseRenew)
	defer ticker.Stop()
	for {
		asked := time.Now()
		asking, cancel := context.WithTimeout(ctx, LeaseExpiry)
		fence, ok, err := leases.Acquire(asking, name, holder, LeaseExpiry)
		cancel()
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "cannot ask for the lease", slog.Any("error", err))
		}
		if err == nil && ok {
			log.InfoContext(ctx, "took the lease", slog.Int64("fence", fence))
			t := tenure{leases: leases, name: name, holder: holder, fence: fence, log: log, renewed: asked}
			if err := t.run(ctx, f); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// tenure is one time of holding a lease.
type tenure struct {
	leases       Leases
	name, holder string
	fence        int64
	log          *slog.Logger
	renewed      time.Time // when the last successful renewal was asked for
}

func (t *tenure) run(ctx context.Context, f func(context.Context) error) error {
	held, lose := context.WithCancel(ctx)
	defer lose()
	done := make(chan error, 1)
	go func() { done <- f(held) }()
	ticker := time.NewTicker(leaseRenew)
	defer ticker.Stop()
	for {
		select {
		case err := <-done:
			t.release(ctx)
			if held.Err() != nil {
				return nil
			}
			return err
		case <-ticker.C:
			// f may take its time to end in order, and is the holder until then.
			if !t.renew(context.WithoutCancel(ctx)) {
				lose()
				<-done
				return nil
			}
		}
	}
}

// renew tells whether this process may go on. It knows so in time: one renewal
// before somebody else can take the lease.
func (t *tenure) renew(ctx context.Context) bool {
	asked := time.Now()
	ctx, cancel := context.WithDeadline(ctx, t.renewed.Add(LeaseExpiry-leaseRenew))
	defer cancel()
	fence, ok, err := t.leases.Acquire(ctx, t.name, t.holder, LeaseExpiry)
	switch {
	case err == nil && ok && fence == t.fence:
		t.renewed = asked
		return true
	case err == nil:
		t.log.WarnContext(ctx, "lost the lease to another process")
		return false
	case ctx.Err() != nil:
		t.log.WarnContext(ctx, "lost the lease, it could not be renewed", slog.Any("error", err))
		return false
	}
	t.log.WarnContext(ctx, "cannot renew the lease", slog.Any("error", err))
	return true
}

func (t *tenure) release(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaseRenew)
	defer cancel()
	if err := t.leases.Release(ctx, t.name, t.holder, t.fence); err != nil {
		t.log.WarnContext(ctx, "the lease runs out by itself", slog.Any("error", err))
	}
}
