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
// ends when the lease is lost; the lease is given back after f has returned. While
// somebody else holds it this process stands by.
func Hold(ctx context.Context, leases Leases, name, holder string, log *slog.Logger, f func(context.Context) error) error {
	ticker := time.NewTicker(leaseRenew)
	defer ticker.Stop()
	for {
		fence, ok, err := leases.Acquire(ctx, name, holder, LeaseExpiry)
		if err != nil && ctx.Err() == nil {
			log.WarnContext(ctx, "cannot ask for the lease", slog.String("lease", name), slog.Any("error", err))
		}
		if ok {
			if err := whileHeld(ctx, leases, name, holder, fence, log, f); err != nil {
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

func whileHeld(ctx context.Context, leases Leases, name, holder string, fence int64, log *slog.Logger, f func(context.Context) error) error {
	held, lose := context.WithCancel(ctx)
	defer lose()
	done := make(chan error, 1)
	go func() { done <- f(held) }()
	ticker := time.NewTicker(leaseRenew)
	defer ticker.Stop()
	renewed := time.Now()
	for {
		select {
		case err := <-done:
			release, cancel := context.WithTimeout(context.WithoutCancel(ctx), LeaseExpiry)
			defer cancel()
			if err := leases.Release(release, name, holder, fence); err != nil {
				log.WarnContext(ctx, "the lease runs out by itself", slog.String("lease", name), slog.Any("error", err))
			}
			return err
		case <-ticker.C:
		}
		_, ok, err := leases.Acquire(ctx, name, holder, LeaseExpiry)
		switch {
		case err == nil && ok:
			renewed = time.Now()
		case err == nil, time.Since(renewed) > LeaseExpiry-leaseRenew:
			log.WarnContext(ctx, "lost the lease", slog.String("lease", name))
			lose()
		}
	}
}
