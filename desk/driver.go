package desk

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"
	"time"

	"deskbell/gateway"
	"deskbell/store"
)

const (
	// answerPatience is how long a sender's next message waits for the answer to
	// the one before.
	answerPatience = 5 * time.Second
	// overdue is when a message without an answer is driven again.
	overdue = 5 * time.Second
	// failurePause is how long what could not be handed over rests.
	failurePause = time.Second
	// busyAfter is when a sender is told that the message is kept.
	busyAfter = 10 * time.Second
	// sendersAtOnce bounds the conversations that are driven side by side.
	sendersAtOnce = 200
)

// Serve drives what comes in on a channel until ctx ends. Whoever holds the channel runs it.
func (d *Desk) Serve(ctx context.Context, channel gateway.Channel) error {
	kicked := make(chan struct{}, 1)
	defer d.onKick(channel, kicked)()
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	driver := &driver{desk: d, channel: channel, began: d.Clock.Now(), busy: map[string]bool{}, served: map[string]int{}, again: map[int64]repeat{}, done: kicked}
	defer driver.wg.Wait()
	for {
		if err := driver.drive(ctx); err != nil && ctx.Err() == nil {
			d.Log.WarnContext(ctx, "cannot read the inbox", slog.String("channel", string(channel)), slog.Any("error", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-kicked:
		case <-ticker.C:
		}
	}
}

// Kick tells the channel's driver that the inbox has something new.
func (d *Desk) Kick(channel gateway.Channel) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for kicked := range d.kicks[channel] {
		select {
		case kicked <- struct{}{}:
		default:
		}
	}
}

// onKick has Kick fill kicked, which has room for one, until stop.
func (d *Desk) onKick(channel gateway.Channel, kicked chan struct{}) (stop func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kicks[channel] == nil {
		d.kicks[channel] = map[chan struct{}]bool{}
	}
	d.kicks[channel][kicked] = true
	return func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.kicks[channel], kicked)
	}
}

// driver works through a channel's inbox: many senders at once, each sender's
// messages one after the other.
type driver struct {
	desk    *Desk
	channel gateway.Channel
	began   time.Time
	wg      sync.WaitGroup
	mu      sync.Mutex
	busy    map[string]bool  // senders being served
	round   int              // readings of the inbox
	served  map[string]int   // senders served, by the round of the end
	again   map[int64]repeat // rows that were handed over and have no answer yet
	done    chan struct{}    // rung when a sender was served
}

// repeat is when a row is driven again: each time costs an event in its ticket's
// history, so the pauses double.
type repeat struct {
	at     time.Time
	pause  time.Duration
	failed bool // it was not taken; what its sender wrote after it waits
}

// maxRepeat bounds the pause between two drives of a row.
const maxRepeat = 5 * time.Minute

// patient leaves out the rows that were driven lately and wait for their answer, those
// of senders who are being served, and those after one that was not taken.
func (r *driver) patient(rows []store.Inbound, round int) []store.Inbound {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.desk.Clock.Now()
	again := map[int64]repeat{}
	failed := map[string]bool{} // by sender
	var out []store.Inbound
	for _, row := range rows {
		next, known := r.again[row.ID]
		if failed[row.From] {
			if known {
				again[row.ID] = next
			}
			continue
		}
		if row.State != store.HandedOver {
			out = append(out, row)
			continue
		}
		if !known {
			next = repeat{at: row.KeptAt.Add(overdue), pause: overdue}
			if row.KeptAt.Before(r.began) {
				next.at = now // whoever held the channel before may not have handed it over
			}
		}
		if !now.Before(next.at) && r.free(row.From, round) {
			out = append(out, row)
			next = repeat{at: now.Add(2 * next.pause), pause: min(2*next.pause, maxRepeat)}
		} else {
			failed[row.From] = next.failed
		}
		again[row.ID] = next
	}
	r.again = again
	return out
}

func (r *driver) drive(ctx context.Context) error {
	round := r.begin()
	rows, err := r.desk.Store.Unfinished(ctx, r.channel, 500)
	if err != nil {
		return err
	}
	var order []string
	bySender := map[string][]store.Inbound{}
	for _, row := range r.patient(rows, round) {
		if _, ok := bySender[row.From]; !ok {
			order = append(order, row.From)
		}
		bySender[row.From] = append(bySender[row.From], row)
	}
	for _, sender := range order {
		if !r.claim(sender, round) {
			continue
		}
		r.wg.Go(func() {
			defer r.release(sender)
			if waits := r.desk.converse(ctx, bySender[sender]); waits != 0 {
				r.retry(waits)
			}
		})
	}
	return nil
}

// retry has a row that could not be handed over driven again soon.
func (r *driver) retry(row int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.again[row] = repeat{at: r.desk.Clock.Now().Add(failurePause), pause: overdue, failed: true}
}

// begin counts the rounds, and forgets who was served before this one.
func (r *driver) begin() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.round++
	maps.DeleteFunc(r.served, func(_ string, round int) bool { return round < r.round })
	return r.round
}

// free is false for a sender who is being served, or was since the round began:
// what it read of theirs may be finished. r.mu is held.
func (r *driver) free(sender string, round int) bool {
	return !r.busy[sender] && r.served[sender] < round
}

func (r *driver) claim(sender string, round int) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.free(sender, round) || len(r.busy) >= sendersAtOnce {
		return false
	}
	r.busy[sender] = true
	return true
}

func (r *driver) release(sender string) {
	r.mu.Lock()
	delete(r.busy, sender)
	r.served[sender] = r.round
	r.mu.Unlock()
	select {
	case r.done <- struct{}{}:
	default:
	}
}

// converse takes one sender's messages in order. It stops at the first that
// cannot be handled now, and returns its id: what comes after must not overtake it.
func (d *Desk) converse(ctx context.Context, rows []store.Inbound) (waits int64) {
	for _, row := range rows {
		answered := d.watchAnswer(row.Key)
		heard, err := d.hear(ctx, row)
		if heard {
			wait(ctx, answered, answerPatience)
		}
		d.forgetAnswer(row.Key)
		if errors.Is(err, errOccupied) {
			return row.ID
		}
		if err != nil {
			d.trouble(ctx, row, err)
			return row.ID
		}
	}
	return 0
}

// errOccupied says that another process serves the sender.
var errOccupied = errors.New("another process serves the sender")

// hear takes one message under the sender's lock. It is false for a message whose
// other parts are still on their way. The answer is awaited without the lock: it
// is a connection to the database, and many may wait at once.
func (d *Desk) hear(ctx context.Context, row store.Inbound) (bool, error) {
	unlock, ok, err := d.Store.Lock(ctx, row.From)
	if err != nil {
		return false, err
	}
	if !ok {
		return false, errOccupied
	}
	defer unlock()
	message := arrived{Inbound: row}
	if row.Part != nil {
		whole, ok, err := d.joined(ctx, row)
		if err != nil || !ok {
			return false, err
		}
		message = whole
	}
	if err := d.take(ctx, message); err != nil {
		return false, err
	}
	return true, nil
}

// trouble notes that a message waits, and tells its sender once.
func (d *Desk) trouble(ctx context.Context, row store.Inbound, err error) {
	if ctx.Err() != nil {
		return
	}
	d.Log.WarnContext(ctx, "a message waits", slog.String("channel", string(row.Channel)), slog.Int64("message_id", row.ID), slog.Any("error", err))
	if d.Clock.Now().Sub(row.KeptAt) < busyAfter || row.Person == "" || row.Told {
		return
	}
	person, err := d.Store.Person(ctx, row.Person)
	if err != nil {
		return
	}
	if err := d.say(ctx, row, person, "err_busy", nil, reply{key: "busy/" + row.Key}); err != nil {
		d.Log.WarnContext(ctx, "cannot tell a sender that their message is kept", slog.Int64("message_id", row.ID), slog.Any("error", err))
	}
}

// watchAnswer returns a channel that is closed when the message's answer has been
// posted by this process.
func (d *Desk) watchAnswer(key string) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	c, ok := d.answered[key]
	if !ok {
		c = make(chan struct{})
		d.answered[key] = c
	}
	return c
}

func (d *Desk) forgetAnswer(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.answered, key)
}

// finished closes what watchAnswer returned.
func (d *Desk) finished(key string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if c, ok := d.answered[key]; ok {
		select {
		case <-c:
		default:
			close(c)
		}
	}
}

func wait(ctx context.Context, done <-chan struct{}, patience time.Duration) {
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-done:
	case <-timer.C:
	}
}
