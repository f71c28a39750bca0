package desk

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"deskbell/activities"
	"deskbell/clock"
	"deskbell/gateway"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// Config is what a desk works with.
type Config struct {
	Store  *store.Store
	Engine client.Client // may be lazy: the desk starts without an engine
	// Namespace is the engine's.
	Namespace string
	Policy    policy.Policy
	Clock     clock.Clock
	// TestClock is Clock when a test may move it; nil otherwise.
	TestClock *clock.Movable
	Log       *slog.Logger
	Zone      *time.Location // in which times are told and typed
	URL       string         // of the pages, told to people
	Org       string         // the organisation's name, told to strangers
	Own       []string       // the desk's own addresses: numbers in E.164, bare JID
	Room      string         // bare JID of the team's room; empty for none
	Wait      WaitMethod     // guesses waits; SamePlace when it is zero
	Key       string         // encrypts what is kept secret and must be read again; none: no webhooks
	// WebhookNetworks are networks that webhooks may go to beside the Internet.
	WebhookNetworks []netip.Prefix
	// Files is the folder of tickets' files, the same for every process; empty: there
	// are none. Scanner is the command that looks at each; empty: nobody does.
	Files   string
	Scanner []string
	// Keep is how long what is over is kept; 0: for ever.
	Keep time.Duration
	// Join decodes the parts of a concatenated message.
	Join func([]gateway.Part) (string, error)
}

// Desk is the door. It is safe for concurrent use.
type Desk struct {
	Config
	words   *activities.Notices
	tickets *activities.Tickets

	estimator estimator
	charts    charts

	openings chan ticket.Opening
	asked    chan linkRequest
	watchers watchers

	mu       sync.Mutex
	answered map[string]chan struct{} // by inbox key: closed when the answer is posted
	kicks    map[gateway.Channel]map[chan struct{}]bool
}

// New returns a desk. Run must be called for it to start what it takes in.
func New(c Config) *Desk {
	d := &Desk{
		Config:   c,
		openings: make(chan ticket.Opening, 1024),
		asked:    make(chan linkRequest, 64),
		answered: map[string]chan struct{}{},
		kicks:    map[gateway.Channel]map[chan struct{}]bool{},
	}
	d.tickets = &activities.Tickets{Directory: c.Store, ReadModel: readModel{d}, Policy: c.Policy, Rehearser: d}
	d.words = &activities.Notices{Addresses: d, Waiting: c.Store, Links: c.Store, Outbox: d, Zone: c.Zone, URL: c.URL, Log: c.Log}
	c.Store.Bundle = func(b store.Bundle) (string, error) { return bundled(b, d.common(nil)) }
	return d
}

// Run starts workflows for new tickets, reports pages that did not arrive, has
// people back from an absence, ends requests to swap that nobody answered, sends
// links to sign in with, counts for the charts, and passes changes on to watchers, until
// ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for range 4 {
		g.Go(func() error { return d.startOpenings(ctx) })
	}
	g.Go(func() error { return every(ctx, time.Second, d.startUnstarted) })
	g.Go(func() error { return every(ctx, time.Second, d.reportFailures) })
	g.Go(func() error { return every(ctx, time.Second, d.startWebhooks) })
	g.Go(func() error { return every(ctx, time.Second, d.textUnread) })
	g.Go(func() error { return every(ctx, time.Second, d.welcomeBack) })
	g.Go(func() error { return d.sendLinks(ctx) })
	g.Go(func() error { return every(ctx, time.Second, d.expireSwaps) })
	g.Go(func() error { return every(ctx, countEvery, d.countDays) })
	g.Go(func() error { return d.listen(ctx) })
	err := g.Wait()
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// every calls f at once and then at intervals until ctx ends. What f could not
// do it finds again the next time.
func every(ctx context.Context, interval time.Duration, f func(context.Context)) error {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		f(ctx)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// NoticeActivities are the activities of a channel's queue.
func (d *Desk) NoticeActivities() *activities.Notices { return d.words }

// TicketActivities are the activities of the tickets' queue.
func (d *Desk) TicketActivities() *activities.Tickets { return d.tickets }

type readModel struct{ desk *Desk }

func (r readModel) Project(ctx context.Context, p activities.Projection) error {
	news, err := r.desk.news(p)
	if err != nil {
		return err
	}
	if err := r.desk.Store.Project(ctx, store.Projection{Ticket: p.Ticket, Events: p.Events, Commands: p.Commands, News: news}); err != nil {
		return err
	}
	return r.desk.afterwards(ctx, p)
}

func (r readModel) Load(ctx context.Context, number int) (activities.Projection, error) {
	t, commands, err := r.desk.Store.Snapshot(ctx, number)
	return activities.Projection{Ticket: t, Commands: commands}, err
}

// party is a person as tickets remember one, with the channel that reaches them.
func party(m roster.Member) ticket.Party {
	via, _ := roster.Reach(m)
	return ticket.Party{ID: m.ID, Name: m.Name, Via: via}
}

// outside names an error that means the database is away.
func outside(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrNotFound):
		return ErrNotFound
	case errors.Is(err, store.ErrCursor):
		return &InvalidError{"cursor", "want the one that the page before named"}
	case errors.Is(err, store.ErrKeyReused):
		return ErrKeyReused
	case errors.Is(err, store.ErrChanged):
		return ErrChanged
	case errors.Is(err, store.ErrNoText):
		return &InvalidError{"input", "contains a NUL character, or is not valid Unicode"}
	case errors.Is(err, store.ErrUnavailable):
		return errors.Join(ErrUnavailable, err)
	}
	if taken, ok := errors.AsType[*store.TakenError](err); ok {
		return &InvalidError{taken.Field, "somebody else has it"}
	}
	return err
}
