package gateway

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// row is the lease in a database that can be away.
type row struct {
	mu      sync.Mutex
	holder  string
	fence   int64
	expires time.Time
	hangs   bool // answers nothing
}

func (r *row) Acquire(ctx context.Context, _, holder string, ttl time.Duration) (int64, bool, error) {
	r.mu.Lock()
	hangs := r.hangs
	r.mu.Unlock()
	if hangs {
		<-ctx.Done()
		return 0, false, ctx.Err()
	}
	if ctx.Err() != nil {
		return 0, false, ctx.Err()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	valid := r.expires.After(time.Now())
	if valid && r.holder != holder {
		return 0, false, nil
	}
	if !valid || r.holder != holder {
		r.fence++
	}
	r.holder, r.expires = holder, time.Now().Add(ttl)
	return r.fence, true, nil
}

func (r *row) Release(_ context.Context, _, holder string, fence int64) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.holder == holder && r.fence == fence {
		r.expires = time.Time{}
	}
	return nil
}

func (r *row) set(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// stage records who is at work, and that never two are.
type stage struct {
	t     *testing.T
	mu    sync.Mutex
	on    string
	begun int
}

func (s *stage) play(name string, leave time.Duration) func(context.Context) error {
	return func(ctx context.Context) error {
		s.mu.Lock()
		if s.on != "" {
			s.t.Errorf("%s begins while %s is at work", name, s.on)
		}
		s.on = name
		s.begun++
		s.mu.Unlock()
		<-ctx.Done()
		time.Sleep(leave)
		s.mu.Lock()
		s.on = ""
		s.mu.Unlock()
		return ctx.Err()
	}
}

func (s *stage) who() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.on
}

func hold(ctx context.Context, leases Leases, name string, s *stage, leave time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- Hold(ctx, leases, "sms", name, slog.New(slog.DiscardHandler), s.play(name, leave))
	}()
	return done
}

func TestHoldHandsOver(t *testing.T) {
	t.Parallel()
	for _, leave := range []time.Duration{0, 8 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			leases, s := &row{}, &stage{t: t}
			first, stop := context.WithCancel(t.Context())
			a := hold(first, leases, "a", s, leave)
			synctest.Wait()
			ctx, end := context.WithCancel(t.Context())
			b := hold(ctx, leases, "b", s, 0)
			time.Sleep(time.Minute)
			if s.who() != "a" {
				t.Fatalf("%q holds it", s.who())
			}
			stop()
			if err := <-a; err != nil { // and renews for as long as it takes to end in order
				t.Errorf("%v", err)
			}
			time.Sleep(leaseRenew)
			synctest.Wait()
			if s.who() != "b" {
				t.Errorf("%q holds it after the hand-over", s.who())
			}
			end()
			if err := <-b; err != nil {
				t.Errorf("%v", err)
			}
		})
	}
}

// A holder whose database does not answer stops before another may begin, and the
// process goes on: it stands by.
func TestHoldLosesInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		leases, s := &row{}, &stage{t: t}
		ctx, end := context.WithCancel(t.Context())
		done := hold(ctx, leases, "a", s, 0)
		time.Sleep(10 * time.Second)
		leases.set(func() { leases.hangs = true })
		time.Sleep(LeaseExpiry - leaseRenew/2)
		synctest.Wait()
		if s.who() != "" {
			t.Error("still at work when its lease ends")
		}
		leases.set(func() { leases.hangs = false })
		time.Sleep(LeaseExpiry + 2*leaseRenew)
		synctest.Wait()
		if s.who() != "a" {
			t.Error("does not come back")
		}
		end()
		if err := <-done; err != nil {
			t.Errorf("%v", err)
		}
	})
}

// The same holder, but somebody else held it in between.
func TestHoldKnowsItsFence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		leases, s := &row{}, &stage{t: t}
		ctx, end := context.WithCancel(t.Context())
		done := hold(ctx, leases, "a", s, 0)
		time.Sleep(3 * leaseRenew / 2)
		leases.set(func() { leases.fence++ })
		time.Sleep(2 * leaseRenew)
		synctest.Wait()
		if s.begun != 2 {
			t.Errorf("began %d times, want anew under the new fence", s.begun)
		}
		end()
		<-done
	})
}

func TestHoldFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		leases, broken := &row{}, errors.New("broken")
		err := Hold(t.Context(), leases, "sms", "a", slog.New(slog.DiscardHandler), func(context.Context) error { return broken })
		if !errors.Is(err, broken) || leases.expires.After(time.Now()) {
			t.Errorf("%v, lease until %v", err, leases.expires)
		}
	})
}
