package gateway

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"deskbell/clock"
)

// Outbox is where deliveries wait. Implementations are safe for concurrent use.
type Outbox interface {
	// Take marks due rows as sending and returns them, urgent ones first: of each
	// recipient the first due row at most, and none while an earlier one of that
	// recipient is being sent, so that the order per recipient holds.
	Take(ctx context.Context, channel Channel, limit int) ([]Delivery, error)
	// Settle stores what an attempt came to. Due puts the row back, for RetryIn.
	Settle(ctx context.Context, id int64, o Outcome) error
	// Recover settles the rows that a dead holder left as sending: their outcome is
	// unknown.
	Recover(ctx context.Context, channel Channel) error
}

const (
	pumpPoll     = 250 * time.Millisecond // how late a row may be noticed without a Kick
	pumpBound    = 32                     // deliveries on their way at once
	sendDeadline = 30 * time.Second       // for one attempt
	settleFirst  = 50 * time.Millisecond  // between attempts to settle, doubled
	settleMost   = 2 * time.Second
	// What is on its way when Run's context ends has sendGrace to be answered and
	// settleGrace to be stored; a process has 15 s to stop.
	sendGrace   = 5 * time.Second
	settleGrace = 8 * time.Second
)

// Pump sends what is due on one channel. Exactly one pump per channel may run at
// a time, the one of the channel's holder.
type Pump struct {
	channel Channel
	outbox  Outbox
	sender  Sender
	bound   int
	clock   clock.Clock
	log     *slog.Logger
	kick    chan struct{}
}

// NewPump prepares a pump that has at most bound deliveries on their way at once (32 if
// zero, and never more): what it has taken can be neither overtaken nor cancelled.
// Nothing moves before Run.
func NewPump(channel Channel, outbox Outbox, sender Sender, bound int, c clock.Clock, log *slog.Logger) *Pump {
	if bound == 0 {
		bound = pumpBound
	}
	return &Pump{
		channel: channel, outbox: outbox, sender: sender, bound: min(bound, pumpBound), clock: c, log: log.With(slog.String("channel", string(channel))),
		kick: make(chan struct{}, 1),
	}
}

// Kick says that something may be due. It never blocks.
func (p *Pump) Kick() {
	select {
	case p.kick <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends; then it takes nothing more, waits for what is on its
// way and returns nil. It returns an error only if what a dead holder left
// behind could not be settled before ctx ended.
func (p *Pump) Run(ctx context.Context) error {
	if err := p.retry(ctx, func() error { return p.outbox.Recover(ctx, p.channel) }); err != nil {
		return fmt.Errorf("recover the outbox: %w", err)
	}
	var flying sync.WaitGroup
	defer flying.Wait()
	room := make(chan struct{}, p.bound)
	poll := time.NewTicker(pumpPoll)
	defer poll.Stop()
	for ctx.Err() == nil {
		for _, d := range p.take(ctx, cap(room)-len(room)) {
			room <- struct{}{}
			flying.Go(func() {
				p.deliver(ctx, d)
				<-room
				p.Kick() // its recipient's next row may go
			})
		}
		select {
		case <-ctx.Done():
		case <-p.kick:
		case <-poll.C:
		}
	}
	return nil
}

func (p *Pump) take(ctx context.Context, limit int) []Delivery {
	if limit == 0 {
		return nil
	}
	rows, err := p.outbox.Take(ctx, p.channel, limit)
	if err != nil && ctx.Err() == nil {
		p.log.Warn("outbox cannot be read", slog.Any("error", err))
	}
	return rows
}

func (p *Pump) deliver(ctx context.Context, d Delivery) {
	began := p.clock.Now()
	lingering, cancel := linger(ctx, sendGrace)
	defer cancel()
	send, cancel := context.WithTimeout(lingering, sendDeadline)
	defer cancel()
	o := p.sender.Send(send, d)
	level := slog.LevelDebug
	if o.State == Failed || o.State == Unknown {
		level = slog.LevelWarn
	}
	p.log.Log(ctx, level, "delivery", slog.Int64("delivery", d.ID), slog.String("state", string(o.State)),
		slog.String("reason", o.Reason), slog.Int("attempt", d.Attempt), slog.Duration("took", p.clock.Now().Sub(began)))
	p.settle(ctx, d.ID, o)
}

// settle stores an outcome, however long the store is away. If the process ends
// before, the row stays as sending, and the next holder finds it so.
func (p *Pump) settle(ctx context.Context, id int64, o Outcome) {
	ctx, cancel := linger(ctx, settleGrace)
	defer cancel()
	if err := p.retry(ctx, func() error { return p.outbox.Settle(ctx, id, o) }); err != nil {
		p.log.Error("outcome not stored", slog.Int64("delivery", id), slog.String("state", string(o.State)), slog.Any("error", err))
	}
}

// retry repeats what failed until it works or ctx ends.
func (p *Pump) retry(ctx context.Context, do func() error) error {
	for pause := settleFirst; ; pause = min(2*pause, settleMost) {
		err := do()
		if err == nil {
			return nil
		}
		p.log.Warn("store is away", slog.Any("error", err), slog.Duration("again_in", pause))
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		case <-time.After(pause):
		}
	}
}

// linger returns a context that outlives ctx by d.
func linger(ctx context.Context, d time.Duration) (context.Context, context.CancelFunc) {
	lingering, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-timer.C:
			cancel(context.Cause(ctx))
		case <-lingering.Done():
		}
	})
	return lingering, func() {
		stop()
		cancel(nil)
	}
}
