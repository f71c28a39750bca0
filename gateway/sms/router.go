package sms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"deskbell/clock"
	"deskbell/gateway"
)

// Router keeps several SMSCs bound, takes what any of them delivers, and sends
// each message through the one that fits. It is safe for concurrent use.
type Router struct {
	gateways []*Gateway
	log      *slog.Logger
	changed  chan struct{}
}

var _ gateway.Sender = (*Router)(nil)

// NewRouter checks the configurations, at least one. Nothing moves before Run.
func NewRouter(configs []Config, inbox gateway.Inbox, receipts gateway.Receipts, c clock.Clock, log *slog.Logger) (*Router, error) {
	if len(configs) == 0 {
		return nil, errors.New("sms: no SMSC")
	}
	r := &Router{log: cmp.Or(log, slog.Default()), changed: make(chan struct{}, 1)}
	for _, config := range configs {
		g, err := New(config, inbox, receipts, c, log)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", config.Addr, err)
		}
		g.changed = r.changed
		r.gateways = append(r.gateways, g)
	}
	return r, nil
}

// Bound reports whether messages can be sent now, by any SMSC.
func (r *Router) Bound() bool { return slices.ContainsFunc(r.gateways, (*Gateway).Bound) }

// aheadFor is how long a page may wait for what was handed over before it, at the
// agreed rates: what is sent next is decided in the outbox, not in a queue for the rate.
const aheadFor = 3 * time.Second

// Ahead returns how many messages to hand over at once, or 0 for any number, where an
// SMSC takes them at any rate.
func (r *Router) Ahead() int {
	var perSecond float64
	for _, g := range r.gateways {
		if g.config.Rate == 0 {
			return 0
		}
		perSecond += g.config.Rate
	}
	return max(1, int(perSecond*aheadFor.Seconds()))
}

// workAgain is the pause before work that failed is begun again.
const workAgain = time.Second

// Run keeps the SMSCs bound until ctx ends. While at least one is bound it runs
// work, in a context that ends when none is any more, or with ctx; work that fails
// is begun again. The binds are given up when work has returned.
func (r *Router) Run(ctx context.Context, work func(context.Context) error) {
	binds, leave := context.WithCancel(context.WithoutCancel(ctx))
	var kept sync.WaitGroup
	defer kept.Wait()
	defer leave()
	for _, g := range r.gateways {
		kept.Go(func() { g.Run(binds) })
	}
	for r.await(ctx, true) {
		if err := r.whileBound(ctx, work); err != nil {
			r.log.WarnContext(ctx, "the work of the binds failed", slog.Any("error", err), slog.Duration("again_in", workAgain))
			select {
			case <-time.After(workAgain):
			case <-ctx.Done():
			}
		}
	}
}

// whileBound returns when work has.
func (r *Router) whileBound(ctx context.Context, work func(context.Context) error) error {
	working, stop := context.WithCancel(ctx)
	defer stop()
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop()
	watching.Go(func() {
		r.await(working, false)
		stop()
	})
	if err := work(working); working.Err() == nil {
		return err
	}
	return nil
}

// await waits until some SMSC is bound, or none; it is false when ctx ends first.
func (r *Router) await(ctx context.Context, bound bool) bool {
	for r.Bound() != bound {
		select {
		case <-r.changed:
		case <-ctx.Done():
			return false
		}
	}
	return ctx.Err() == nil
}

// Send submits a message through the first SMSC that takes it: those whose prefix
// of its number is longest, and of equals those that answered lately, in the order
// of their configuration. One that is not bound, that asked for a pause or refuses
// is passed over; after an unknown outcome nobody else is asked, because the
// message may be on its way. When nobody takes it a pause counts most, because it
// passes, then a refusal; an SMSC that is gone may stay away.
func (r *Router) Send(ctx context.Context, d gateway.Delivery) gateway.Outcome {
	const absent, refused, pausing = 1, 2, 3
	outcome, weight := failed("no SMSC takes this number"), 0
	for _, g := range r.fitting(d) {
		o := g.Send(ctx, d)
		w := absent
		switch {
		case o.State == gateway.Failed:
			w = refused
		case o.State != gateway.Due:
			return o
		case g.Bound():
			w = pausing
		}
		if w > weight {
			outcome, weight = o, w
		}
	}
	return outcome
}

// fitting returns the SMSCs that take a number, the best first. A message of which
// one has sent a part stays with it while that is bound.
func (r *Router) fitting(d gateway.Delivery) []*Gateway {
	type candidate struct {
		g       *Gateway
		unclear int // 1 when a submit was not answered lately
		prefix  int
	}
	var all []candidate
	for _, g := range r.gateways {
		if g.Bound() && g.begun(d.Key) {
			return []*Gateway{g}
		}
		if n := g.prefix(d.To); n >= 0 {
			all = append(all, candidate{g, g.isUnclear(), n})
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		return cmp.Or(cmp.Compare(a.unclear, b.unclear), cmp.Compare(b.prefix, a.prefix))
	})
	var out []*Gateway
	for _, c := range all {
		out = append(out, c.g)
	}
	return out
}

// prefix returns the length of the longest prefix of a number that this SMSC
// names, 0 when it names none at all, and -1 when it names others.
func (g *Gateway) prefix(number string) int {
	if len(g.config.Prefixes) == 0 {
		return 0
	}
	longest := -1
	for _, p := range g.config.Prefixes {
		if strings.HasPrefix(number, p) {
			longest = max(longest, len(p))
		}
	}
	return longest
}

func (g *Gateway) begun(key string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.partial[key]) > 0
}

func (g *Gateway) isUnclear() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.clock.Now().Before(g.unclear) {
		return 1
	}
	return 0
}
