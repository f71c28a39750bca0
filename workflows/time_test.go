package workflows

import (
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"

	"deskbell/activities"
	"deskbell/policy"
	"deskbell/ticket"
)

// maxRun bounds the events of one run: what one more round of everything costs
// beyond longRun.
const maxRun = longRun + 60

// Nobody answers for a long time. Pages come at the minutes of the policy, never
// twice, and no run grows without bound.
func TestNobodyAnswers(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	tests := []struct {
		name     string
		policy   policy.Policy
		priority ticket.Priority
		for_     time.Duration
		pages    []time.Duration // the first ones
		pageTo   []string
		least    int // pages in all
	}{
		{"P1", policy.Default(), ticket.P1, day, minutes(15, 20, 25, 30, 35, 40, 45),
			[]string{"dana", "dana", "sam", "sam", "sam", "meg", "dana"}, 250},
		{"P2", policy.Default(), ticket.P2, 4 * day, minutes(30, 45, 60, 75, 90, 105),
			[]string{"dana", "dana", "sam", "sam", "meg", "dana"}, 300},
		// Noon in UTC is 13:00 in the office, which closes at 18:00 and opens at 08:00.
		{"P3", policy.Default(), ticket.P3, 30 * day, minutes(4*60, 4*60+18*60),
			[]string{"dana", "meg"}, 40},
		{"P4", policy.Default(), ticket.P4, 30 * day, nil, []string{"meg"}, 8},
		{"development", policy.Development(), ticket.P3, 3 * time.Hour, minutes(1, 1.5, 2, 2.5, 3),
			[]string{"dana", "sam", "meg", "dana", "sam"}, 300},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, test.policy)
			w.on(test.for_, func() { w.SignalWorkflow(CommandSignal, by("meg", ticket.Cancel)) })
			began := time.Now()
			final := w.live(opening(test.policy, test.priority))
			w.complete(final)
			var at []time.Duration
			var to []string
			for _, n := range w.heard {
				if n.Page {
					at, to = append(at, n.at.Sub(noon)), append(to, n.To.ID)
				}
			}
			if n := len(test.pages); len(at) < n || !slices.Equal(at[:n], test.pages) {
				t.Errorf("paged after %v, want %v", at[:min(len(at), n)], test.pages)
			}
			if n := len(test.pageTo); len(to) < n || !slices.Equal(to[:n], test.pageTo) {
				t.Errorf("paged %v, want %v", to[:min(len(to), n)], test.pageTo)
			}
			if len(at) < test.least {
				t.Errorf("%d pages", len(at))
			}
			if most := slices.Max(w.runs); most > maxRun {
				t.Errorf("a run of %d events", most)
			}
			t.Logf("%d pages, %d timers, %d runs of at most %d events, %v", len(at), len(w.timers), len(w.runs), slices.Max(w.runs), time.Since(began).Round(time.Millisecond))
		})
	}
}

func minutes(ns ...float64) (out []time.Duration) {
	for _, n := range ns {
		out = append(out, time.Duration(n*float64(time.Minute)))
	}
	return out
}

// Who was called to help by a missed target stands down when the ticket is solved;
// on one that opened before there was that, nobody hears of it.
func TestHelpersStandDown(t *testing.T) {
	t.Parallel()
	for name, older := range map[string]bool{"now": false, "an older ticket": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := policy.Default()
			o := opening(p, ticket.P1)
			o.Opening.Plan.StandDown, o.Opening.Plan.Lease = !older, 8*time.Hour
			w := newWorld(t, p)
			w.signal(time.Minute, by("bob", ticket.Take))
			w.signal(2*time.Hour+5*time.Minute, by("bob", ticket.Done))
			w.signal(3*time.Hour, by("meg", ticket.Close))
			w.complete(w.live(o))
			if got := w.messages("page_help", "dana"); !slices.Equal(got, minutes(120)) {
				t.Fatalf("called to help after %v", got)
			}
			want := minutes(125)
			if older {
				want = nil
			}
			if got := w.messages("help_off", "dana"); !slices.Equal(got, want) {
				t.Errorf("stood down after %v, want %v", got, want)
			}
		})
	}
}

// Whatever the world does, a claim is decided at once and pages come in time.
func TestNothingWaitsForTheWorld(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	broken := fmt.Errorf("broken")
	tests := map[string]func(*world){
		"healthy": func(*world) {},
		"projection hangs": func(w *world) {
			w.beforeProject = func(activities.Projection) error { return activity.ErrResultPending }
		},
		"projection fails":       func(w *world) { w.beforeProject = func(activities.Projection) error { return broken } },
		"offers' lookups hang":   func(w *world) { w.beforePrepare = onlyPages(activity.ErrResultPending) },
		"offers' lookups fail":   func(w *world) { w.beforePrepare = onlyPages(broken) },
		"ordinary notices hang":  func(w *world) { w.beforeNotify = onlyPaging(activity.ErrResultPending) },
		"ordinary notices fail":  func(w *world) { w.beforeNotify = onlyPaging(broken) },
		"the IM gateway is away": func(w *world) { w.beforeNotify = only("sms", activity.ErrResultPending) },
	}
	life := func(spoil func(*world), local bool) func(*testing.T) {
		return func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, p)
			spoil(w)
			claim := by("sam", ticket.Take)
			claim.Channel = "rest"
			o := w.update(26*time.Minute, claim)
			var took time.Duration
			w.on(26*time.Minute+time.Millisecond, func() {
				took = w.Now().Sub(noon)
				if !o.done || o.err != nil || o.reply.Ticket.Assignee.ID != "sam" {
					t.Errorf("the claim: %+v", o)
				}
				w.recover()
			})
			// What hangs for ever ends with the run that a suggestion forces.
			w.on(27*time.Minute, w.suggest)
			w.signal(27*time.Minute, by("sam", ticket.Note)) // wakes the loop
			w.signal(28*time.Minute, by("meg", ticket.Cancel))
			in := opening(p, ticket.P1)
			in.LocalLookups = local
			final := w.live(in)
			w.complete(final)
			for i, want := range minutes(15, 20) {
				if got := w.messages("page", "dana"); len(got) != 2 || got[i] != want {
					t.Fatalf("dana was called after %v; %v", got, took)
				}
			}
			if got := w.messages("page", "sam"); len(got) != 1 || got[0] != 25*time.Minute {
				t.Errorf("sam was called after %v", got)
			}
			if got := w.messages("req_claimed", "ann"); len(got) != 1 {
				t.Errorf("ann heard who comes at %v", got)
			}
		}
	}
	for name, spoil := range tests {
		t.Run(name, life(spoil, true))
		t.Run(name+", an older ticket", life(spoil, false))
	}
}

func onlyPages(err error) func(ticket.Lookup) error {
	return func(l ticket.Lookup) error {
		if l.Wave > 0 && l.Page == "" && !slices.Contains(l.Alarms, ticket.PlanAlarm) {
			return err
		}
		return nil
	}
}

func onlyPaging(err error) func(activities.NotifyInput) error {
	return func(in activities.NotifyInput) error {
		if !in.Notices[0].Page {
			return err
		}
		return nil
	}
}

func only(via string, err error) func(activities.NotifyInput) error {
	return func(in activities.NotifyInput) error {
		if in.Notices[0].To.Via != via {
			return err
		}
		return nil
	}
}

// While a channel's gateway is away for a week and nobody answers, runs and
// outbox stay short, and nothing is lost or said twice when it comes back.
func TestChannelAwayForAWeek(t *testing.T) {
	t.Parallel()
	const week = 7 * 24 * time.Hour
	p := policy.Default()
	w := newWorld(t, p)
	w.beforeNotify = func(activities.NotifyInput) error { return activity.ErrResultPending }
	w.on(week, func() { w.recover(); w.suggest() })
	w.signal(week+time.Hour, by("meg", ticket.Cancel))
	final := w.live(opening(p, ticket.P2))
	w.complete(final)
	if got := w.messages("req_created", "ann"); len(got) != 1 {
		t.Errorf("ann heard of her ticket at %v", got)
	}
	if most := slices.Max(w.runs); most > suggestAt+100 {
		t.Errorf("a run of %d events", most)
	}
	if len(w.carried) < 2 {
		t.Errorf("%d runs", len(w.runs))
	}
	for i, s := range w.carried {
		if len(s.Outbox) > 20 {
			t.Errorf("run %d leaves %d notices", i, len(s.Outbox))
		}
	}
	if len(w.messages("page", "")) == 0 {
		t.Error("nobody was called after all")
	}
	t.Logf("%d runs of at most %d events, %d notices", len(w.runs), slices.Max(w.runs), len(w.heard))
}

// Versions reach the read model one at a time and in order; what happens
// meanwhile goes together.
func TestProjectionCoalesces(t *testing.T) {
	t.Parallel()
	p := policy.Default()
	w := newWorld(t, p)
	var slow atomic.Bool
	var attempts atomic.Int64
	w.beforeProject = func(activities.Projection) error {
		if slow.Load() {
			attempts.Add(1)
			return fmt.Errorf("away")
		}
		return nil
	}
	w.on(time.Minute, func() { slow.Store(true) })
	w.signal(61*time.Second, by("bob", ticket.Take))
	for i := range 20 {
		w.signal(62*time.Second+time.Duration(i)*time.Second, by("bob", ticket.Note, func(c *ticket.Command) { c.ID = fmt.Sprintf("note-%d", i) }))
	}
	w.on(2*time.Minute, func() { slow.Store(false) })
	before := 0
	w.on(time.Minute, func() { before = len(w.projections) })
	w.signal(10*time.Minute, by("meg", ticket.Cancel))
	final := w.live(opening(p, ticket.P3))
	w.complete(final)
	if got := len(w.projections) - before; got != 3 { // the claim, the notes, the cancellation
		t.Errorf("%d projections", got)
	}
	if n := attempts.Load(); n > 10 {
		t.Errorf("%d attempts", n)
	}
	if last := w.projections[len(w.projections)-1]; !slices.Contains(last.Commands, "note-19") {
		t.Errorf("commands: %s", strings.Join(last.Commands, " "))
	}
}
