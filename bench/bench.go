// Package bench measures a desk: whole lives of tickets over the real wires, and
// beside them, on the same server in the same run, a bare workflow that takes the
// same start, the same signals and as many activities that do nothing. It knows
// the desk by its API, its phones and its chats, and its tickets' workflows by
// their histories.
package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"golang.org/x/sync/errgroup"

	"deskbell/roster"
)

// Config is the desk to measure and how much of it.
type Config struct {
	API, Token string
	Phones     string // URL of the development SMSC
	XMPP       XMPP
	People     []roster.Person // agents and requesters; who has a JID gets a chat
	Present    string          // id of the agent who is there in IM; requesters are, too
	Engine     client.Client
	Parts      map[string]int // process ids of desk, engine, postgresql, prosody; what is elsewhere is left out
	Tickets    int            // whole lives in the measurement of throughput
	Rate       float64        // tickets per second in the measurement of latency
	Burst      int            // tickets at once
	Progress   func(what string, done, total int)
}

const (
	atOnce    = 16 // lives under way in the measurement of throughput
	blockSize = 40 // lives before the other kind has its turn
)

var errLost = errors.New("nothing came")

// Report is what came out. Times are milliseconds of the wall, CPU is
// milliseconds per ticket, and what is at the SMSC has the SMSC's stamp.
type Report struct {
	Lifecycles   float64   `json:"lifecycles_per_s"`
	Bare         float64   `json:"bare_per_s"`
	Ratio        float64   `json:"ratio"`
	SubmitToSMS  Quantiles `json:"submit_to_sms_ms"`
	SubmitToIM   Quantiles `json:"submit_to_im_ms"`
	ReplyTo      Quantiles `json:"reply_to_answer_ms"`
	Events       float64   `json:"events_per_ticket"`
	CPU          float64   `json:"cpu_ms_per_ticket"` // desk, engine and PostgreSQL
	Lost         int       `json:"lost"`
	Duplicated   int       `json:"duplicated"`
	DoubleClaims int       `json:"double_claims"`

	Rate       float64            `json:"rate_per_s"` // of the three latencies above
	Tickets    int                `json:"tickets"`    // in the throughput
	Signals    int                `json:"signals_per_ticket"`
	Activities float64            `json:"activities_per_ticket"`
	CPUOurs    map[string]float64 `json:"cpu_ms_of"` // by part
	CPUBare    map[string]float64 `json:"bare_cpu_ms_of"`
	Steps      []Step             `json:"cpu_ms_by_step"`
	Burst      Burst              `json:"burst"`
	Blocks     [][2]float64       `json:"blocks"` // per second: ours, bare
	Load       string             `json:"load_average_before"`
	History    []string           `json:"history"`
}

// Step is the CPU of one step of a life and of the bare workflow's.
type Step struct {
	Name string             `json:"name"`
	Ours map[string]float64 `json:"ours"`
	Bare map[string]float64 `json:"bare"`
}

// Burst is what many tickets at once come to.
type Burst struct {
	Tickets    int       `json:"tickets"`
	LastTexted float64   `json:"last_texted_s"` // since the first submission
	Texted     Quantiles `json:"submit_to_sms_ms"`
}

// run is one measurement under way.
type run struct {
	*desk
	bare   *bareRunner
	report Report
	shapes map[int]shape // by ticket
	done   []*life
	serial int
}

// Run measures. It returns an error when a step does not come to its end, or when
// the bare workflow did not do as much as ours.
func Run(ctx context.Context, c Config) (Report, error) {
	d := &desk{Config: c, mail: newMail(), chats: map[string]*chat{}, byID: map[string]roster.Person{}, engine: c.Engine}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 256
	d.phones = &phones{url: c.Phones, people: map[string]string{}, http: &http.Client{Transport: transport}, mail: d.mail, read: map[string]int{}}
	defer transport.CloseIdleConnections()
	for _, p := range c.People {
		d.byID[p.ID] = p
		if p.Phone != "" {
			d.phones.people[p.Phone] = p.ID
		}
		if p.Is(roster.Requester) {
			d.asking = append(d.asking, p)
		}
	}
	g, ctx := errgroup.WithContext(ctx)
	watching, stop := context.WithCancel(ctx)
	listening := make(chan struct{})
	var once sync.Once
	g.Go(func() error { return d.phones.watch(watching, func() { once.Do(func() { close(listening) }) }) })
	r := &run{desk: d, shapes: map[int]shape{}, report: Report{Load: load(), Rate: c.Rate, Tickets: c.Tickets}}
	g.Go(func() error {
		defer stop()
		select {
		case <-listening:
		case <-watching.Done():
			return watching.Err()
		}
		return r.measure(ctx)
	})
	err := g.Wait()
	return r.report, err
}

func (r *run) measure(ctx context.Context) (err error) {
	defer func() {
		for _, c := range r.chats {
			c.leave()
		}
	}()
	for _, p := range r.People {
		if p.JID == "" || p.Password == "" {
			continue
		}
		c, err := login(r.XMPP, p.JID, p.Password, p.ID, r.present(p), r.mail)
		if err != nil {
			return err
		}
		r.chats[p.ID] = c
		r.Progress("logging in", len(r.chats), len(r.People))
	}
	if err := r.awaitPresence(ctx); err != nil {
		return err
	}
	if r.bare, err = newBareRunner(r.engine); err != nil {
		return err
	}
	defer func() {
		numbers := make([]int, 0, len(r.shapes))
		for n := range r.shapes {
			numbers = append(numbers, n)
		}
		r.bare.stop(context.WithoutCancel(ctx), numbers)
	}()
	r.Parts["clients"] = os.Getpid()
	defer r.audit()
	for _, part := range []func(context.Context) error{r.warmUp, r.throughput, r.byStep, r.latency, r.burst} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}

// present tells whether a person shows in IM, and does not only write there.
func (r *run) present(p roster.Person) bool { return p.ID == r.Present || p.Is(roster.Requester) }

// awaitPresence waits until the desk knows which agents are in IM.
func (r *run) awaitPresence(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errLost)
	defer cancel()
	for {
		var agents []struct{ ID, Presence string }
		if err := call(ctx, r.phones.http, "GET", r.API+"/v1/agents", r.Token, "", nil, &agents); err != nil {
			return err
		}
		waiting := false
		for _, a := range agents {
			there := a.Presence == "available"
			waiting = waiting || there != (a.ID == r.Present)
		}
		if !waiting {
			return nil
		}
		if err := pause(ctx, true); err != nil {
			return fmt.Errorf("the desk does not see who is in IM: %w", err)
		}
	}
}

// each does something n times, atOnce at a time, and reports progress.
func (r *run) each(ctx context.Context, what string, n, limit int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(limit)
	var mu sync.Mutex
	done := 0
	for i := range n {
		g.Go(func() error {
			err := do(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			done++
			r.Progress(what, done, n)
			return err
		})
	}
	return g.Wait()
}

// lives lives n lives, atOnce at a time.
func (r *run) lives(ctx context.Context, what string, n int) ([]*life, error) {
	all := make([]*life, n)
	first := r.serial
	r.serial += n
	err := r.each(ctx, what, n, atOnce, func(ctx context.Context, i int) (err error) {
		all[i], err = r.live(ctx, first+i)
		return err
	})
	if err == nil {
		err = r.settle(ctx, all)
	}
	r.done = append(r.done, all...)
	return all, err
}

func (r *run) warmUp(ctx context.Context) error {
	all, err := r.lives(ctx, "warming up", atOnce)
	if err != nil {
		return err
	}
	if err := r.learn(ctx, all); err != nil {
		return err
	}
	one, err := events(ctx, r.engine, fmt.Sprintf("ticket-%d", all[len(all)-1].number))
	if err != nil {
		return err
	}
	r.report.History = describe(one)
	return r.mirror(ctx, "warming up the bare", all)
}

// learn reads what the tickets' workflows did.
func (r *run) learn(ctx context.Context, all []*life) error {
	for _, l := range all {
		history, err := events(ctx, r.engine, fmt.Sprintf("ticket-%d", l.number))
		if err != nil {
			return err
		}
		r.shapes[l.number] = shapeOf(history)
	}
	return nil
}

// mirror lives a bare life beside each ticket.
func (r *run) mirror(ctx context.Context, what string, all []*life) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*patience, errLost)
	defer cancel()
	return r.each(ctx, what, len(all), atOnce, func(ctx context.Context, i int) error {
		return r.bare.live(ctx, all[i].number, r.shapes[all[i].number])
	})
}

// throughput takes turns: a block of ours, the bare block beside it.
func (r *run) throughput(ctx context.Context) error {
	var ours, bare time.Duration
	oursUsed, bareUsed := map[string]time.Duration{}, map[string]time.Duration{}
	var all []*life
	for left := r.Tickets; left > 0; left -= blockSize {
		n := min(left, blockSize)
		var block []*life
		took, err := r.measured(oursUsed, func() (err error) {
			block, err = r.lives(ctx, "tickets", n)
			return err
		})
		if err != nil {
			return err
		}
		ours += took
		all = append(all, block...)
		if err := r.learn(ctx, block); err != nil {
			return err
		}
		bareTook, err := r.measured(bareUsed, func() error { return r.mirror(ctx, "bare workflows", block) })
		if err != nil {
			return err
		}
		bare += bareTook
		r.report.Blocks = append(r.report.Blocks, [2]float64{rounded(float64(n) / took.Seconds()), rounded(float64(n) / bareTook.Seconds())})
	}
	n := float64(r.Tickets)
	r.report.Lifecycles, r.report.Bare = rounded(n/ours.Seconds()), rounded(n/bare.Seconds())
	r.report.Ratio = float64(int(100*bare.Seconds()/ours.Seconds()+0.5)) / 100
	r.report.CPUOurs, r.report.CPUBare = spent(nil, oursUsed, r.Tickets), spent(nil, bareUsed, r.Tickets)
	r.report.CPU = rounded(r.report.CPUOurs["desk"] + r.report.CPUOurs["engine"] + r.report.CPUOurs["postgresql"])
	return r.compare(ctx, all)
}

// measured times something and adds the CPU that it took.
func (r *run) measured(used map[string]time.Duration, do func() error) (time.Duration, error) {
	before, began := usage(r.Parts), time.Now()
	err := do()
	took := time.Since(began)
	for part, after := range usage(r.Parts) {
		used[part] += after - before[part]
	}
	return took, err
}

// compare counts both kinds of histories.
func (r *run) compare(ctx context.Context, all []*life) error {
	var ours, bare, length int
	activities := 0
	for _, l := range all {
		own, err := events(ctx, r.engine, fmt.Sprintf("ticket-%d", l.number))
		if err != nil {
			return err
		}
		other, err := events(ctx, r.engine, bareID(l.number))
		if err != nil {
			return err
		}
		a, b := shapeOf(own), shapeOf(other)
		if a.signals() != b.signals() || a.activities() != b.activities() {
			return fmt.Errorf("ticket %d took %d signals and %d activities, the bare workflow %d and %d: the comparison is void",
				l.number, a.signals(), a.activities(), b.signals(), b.activities())
		}
		length += len(own)
		activities += a.activities()
		ours += a.signals()
		bare += b.signals()
	}
	r.report.Events = rounded(float64(length) / float64(len(all)))
	r.report.Activities = rounded(float64(activities) / float64(len(all)))
	r.report.Signals = ours / len(all)
	return nil
}

// byStep takes a block of lives through each step together, and the bare ones
// too, to see what CPU a step costs.
func (r *run) byStep(ctx context.Context) error {
	n := min(r.Tickets, blockSize)
	all := make([]*life, n)
	first := r.serial
	r.serial += n
	r.done = append(r.done, all...)
	do := []func(ctx context.Context, i int) error{
		func(ctx context.Context, i int) (err error) { all[i], err = r.submit(ctx, first+i); return err },
		func(ctx context.Context, i int) error { return r.claim(ctx, all[i]) },
		func(ctx context.Context, i int) error { return r.finish(ctx, all[i]) },
	}
	for i, name := range []string{"submit and offer", "claim", "done"} {
		used := map[string]time.Duration{}
		if _, err := r.measured(used, func() error {
			if err := r.each(ctx, "step: "+name, n, atOnce, do[i]); err != nil {
				return err
			}
			return r.settle(ctx, all)
		}); err != nil {
			return err
		}
		r.report.Steps = append(r.report.Steps, Step{Name: name, Ours: spent(nil, used, n)})
	}
	copy(r.done[len(r.done)-n:], all)
	if err := r.learn(ctx, all); err != nil {
		return err
	}
	for step := range r.report.Steps {
		used := map[string]time.Duration{}
		if _, err := r.measured(used, func() error {
			return r.each(ctx, "bare step", n, atOnce, func(ctx context.Context, i int) error {
				s := r.shapes[all[i].number]
				switch {
				case step == 0:
					return r.bare.start(ctx, all[i].number, s)
				case step <= s.signals():
					return r.bare.signal(ctx, all[i].number, s, step)
				}
				return nil
			})
		}); err != nil {
			return err
		}
		r.report.Steps[step].Bare = spent(nil, used, n)
	}
	return nil
}

// latency submits at a steady rate.
func (r *run) latency(ctx context.Context) error {
	n := max(r.Tickets/2, 50)
	all := make([]*life, n)
	first := r.serial
	r.serial += n
	g, gctx := errgroup.WithContext(ctx)
	ticker := time.NewTicker(time.Duration(float64(time.Second) / r.Rate))
	defer ticker.Stop()
	for i := range n {
		select {
		case <-ticker.C:
		case <-gctx.Done():
			return g.Wait()
		}
		r.Progress(fmt.Sprintf("%g a second", r.Rate), i+1, n)
		g.Go(func() (err error) {
			all[i], err = r.live(gctx, first+i)
			return err
		})
	}
	err := g.Wait()
	r.done = append(r.done, all...)
	if err != nil {
		return err
	}
	var sms, im, reply []time.Duration
	for _, l := range all {
		sms = append(sms, l.texted.Sub(l.submitted))
		if !l.chatted.IsZero() {
			im = append(im, l.chatted.Sub(l.submitted))
		}
		reply = append(reply, l.answered.Sub(l.typed))
	}
	r.report.SubmitToSMS, r.report.SubmitToIM, r.report.ReplyTo = quantiles(sms), quantiles(im), quantiles(reply)
	return r.settle(ctx, all)
}

// burst submits many tickets at once; then they are worked on.
func (r *run) burst(ctx context.Context) error {
	all := make([]*life, r.Burst)
	first := r.serial
	r.serial += r.Burst
	if err := r.each(ctx, "at once", r.Burst, r.Burst, func(ctx context.Context, i int) (err error) {
		all[i], err = r.submit(ctx, first+i)
		return err
	}); err != nil {
		return err
	}
	began, last := all[0].submitted, time.Time{}
	var sms []time.Duration
	for _, l := range all {
		if l.submitted.Before(began) {
			began = l.submitted
		}
		if l.texted.After(last) {
			last = l.texted
		}
		sms = append(sms, l.texted.Sub(l.submitted))
	}
	r.report.Burst = Burst{Tickets: r.Burst, LastTexted: rounded(last.Sub(began).Seconds()), Texted: quantiles(sms)}
	err := r.each(ctx, "working through them", r.Burst, atOnce, func(ctx context.Context, i int) error {
		if err := r.claim(ctx, all[i]); err != nil {
			return err
		}
		return r.finish(ctx, all[i])
	})
	r.done = append(r.done, all...)
	if err != nil {
		return err
	}
	return r.settle(ctx, all)
}

// audit counts over all lives, also those that did not come to their end.
func (r *run) audit() {
	for _, l := range r.done {
		if l == nil {
			continue
		}
		lost, duplicated, double := l.audit(r.mail.about(l.number))
		r.report.Lost += lost
		r.report.Duplicated += duplicated
		r.report.DoubleClaims += double
	}
}
