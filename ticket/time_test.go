package ticket

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestNobodyClaims(t *testing.T) {
	t.Parallel()
	s := simulate(t, desk(), opening())
	s.say(26*time.Minute, by(sam, Take, via("sms")))
	same(t, []string{
		"0s sms ann req_created",
		"15m0s sms dana page", "15m0s sms ann req_escalated",
		"20m0s sms dana page",
		"25m0s sms sam page",
		"26m0s sms sam take_ok", "26m0s sms ann req_claimed", "26m0s sms dana page_off",
	}, s.log)
	if !s.Holder("sam") || s.Reached != 2 {
		t.Errorf("%+v, reached %d", s.Position, s.Reached)
	}
}

func TestWholeChainSilent(t *testing.T) {
	t.Parallel()
	s := simulate(t, desk(), opening()).until(at(71 * time.Minute))
	same(t, []string{
		"15m0s sms dana page", "20m0s sms dana page",
		"25m0s sms sam page", "30m0s sms sam page", "35m0s sms sam page",
		"40m0s sms meg mgr_nobody",
		"45m0s sms dana page", "50m0s sms dana page",
		"55m0s sms sam page", "1h0m0s sms sam page", "1h5m0s sms sam page",
		"1h10m0s sms meg mgr_nobody",
	}, s.lines("page", "mgr_nobody"))
	same(t, []string{"15m0s sms ann req_escalated"}, s.lines("req_escalated"))
	s.say(72*time.Minute, by(bob, Take))
	same(t, []string{"1h12m0s sms dana page_off", "1h12m0s sms sam page_off", "1h12m0s sms meg page_off"}, s.lines("page_off"))
	if s.Reached != 3 {
		t.Errorf("reached %d", s.Reached)
	}
}

func TestShiftChangesWithinTheChain(t *testing.T) {
	t.Parallel()
	s := simulate(t, desk(), opening()).until(at(21 * time.Minute))
	s.chain = []Party{sam, dana}
	s.until(at(71 * time.Minute))
	same(t, []string{
		"15m0s sms dana page", "20m0s sms dana page",
		"25m0s sms sam page", "30m0s sms sam page", "35m0s sms sam page",
		"40m0s sms meg mgr_nobody",
		"45m0s sms sam page", "50m0s sms sam page",
		"55m0s sms dana page", "1h0m0s sms dana page", "1h5m0s sms dana page",
		"1h10m0s sms meg mgr_nobody",
	}, s.lines("page", "mgr_nobody"))
}

func TestWakingLate(t *testing.T) {
	t.Parallel()
	s := simulate(t, desk(), opening())
	s.now = at(50 * time.Minute) // the engine slept
	s.settle()
	s.until(at(80 * time.Minute))
	same(t, []string{
		"50m0s sms dana page", "55m0s sms dana page",
		"1h0m0s sms sam page", "1h5m0s sms sam page", "1h10m0s sms sam page",
		"1h15m0s sms meg mgr_nobody", "1h20m0s sms dana page",
	}, s.lines("page", "mgr_nobody"))
}

func TestChain(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		world *world
		until time.Duration
		want  []string
	}{
		"a hole is passed over at once": {&world{chain: []Party{dana}, managers: []Party{meg}}, 31 * time.Minute,
			[]string{"15m0s sms dana page", "20m0s sms dana page", "25m0s sms meg mgr_nobody", "30m0s sms dana page"}},
		"nobody on call": {&world{managers: []Party{meg}}, 21 * time.Minute,
			[]string{"15m0s sms meg mgr_nobody", "20m0s sms meg mgr_nobody"}},
		"nobody at all": {&world{}, time.Hour, nil},
		"a page fails": {&world{chain: []Party{dana, sam}, managers: []Party{meg}, broken: map[string]bool{"dana": true}}, 26 * time.Minute,
			[]string{"15m0s sms dana page", "15m0s sms sam page", "20m0s sms sam page", "25m0s sms sam page"}},
		"every page fails": {&world{chain: []Party{dana, sam}, managers: []Party{meg}, broken: map[string]bool{"dana": true, "sam": true, "meg": true}}, 20 * time.Minute,
			[]string{"15m0s sms dana page", "15m0s sms sam page", "15m0s sms meg mgr_nobody", "20m0s sms dana page", "20m0s sms sam page", "20m0s sms meg mgr_nobody"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, tt.world, opening()).until(at(tt.until))
			same(t, tt.want, s.lines("page", "mgr_nobody"))
		})
	}
}

// Both of a person's channels must fail before the next is called.
func TestPageOnTwoChannels(t *testing.T) {
	t.Parallel()
	w := desk()
	danaIM := Party{ID: "dana", Name: "Dana", Via: "im"}
	s := simulate(t, w, opening()).until(at(14 * time.Minute))
	s.now = at(15 * time.Minute)
	l, _ := s.Lookup(s.now)
	f := w.answer(l)
	f.Page = []Party{dana, danaIM}
	_ = s.apply(Found(l, f))
	lost := Command{Verb: LostPage, Actor: System, To: dana}
	s.say(16*time.Minute, lost)
	same(t, nil, s.lines("sam page"))
	lost.To = danaIM
	s.say(17*time.Minute, lost)
	same(t, []string{"17m0s sms sam page"}, s.lines("sam page"))
	s.say(18*time.Minute, by(bob, Take))
	same(t, []string{"18m0s sms sam page_off"}, s.lines("page_off"))
}

func TestStepsStartAgain(t *testing.T) {
	t.Parallel()
	paths := map[string][]Command{
		"release":                   {by(bob, Take), by(bob, Drop)},
		"undo of a take":            {by(bob, Take), by(bob, TakeBack)},
		"reopened without a holder": {by(bob, Done, yes), by(ann, Reopen)},
	}
	for name, commands := range paths {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, desk(), opening()).until(at(16 * time.Minute))
			for _, c := range commands {
				s.say(16*time.Minute, c)
			}
			s.until(at(32 * time.Minute))
			same(t, []string{"15m0s sms dana page", "31m0s sms dana page"}, s.lines("dana page"))
		})
	}
}

func TestWaves(t *testing.T) {
	t.Parallel()
	w := desk()
	fred, gus := Party{"fred", "Fred", "sms"}, Party{"gus", "Gus", "im"}
	w.duty = []Party{bob, eve, dan, fred, gus}
	s := simulate(t, w, opening())
	s.say(2*time.Minute, by(eve, Drop)) // one more at once
	s.until(at(14 * time.Minute))
	same(t, []string{
		"0s im bob offer", "0s im eve offer", "0s sms dan offer", "2m0s sms fred offer", "5m0s im gus offer",
		"10m0s im bob reminder", "10m0s sms dan reminder", "10m0s sms fred reminder",
	}, s.lines("offer", "reminder"))
	s.until(at(10 * time.Hour))
	same(t, []string{"10m0s im bob reminder", "10m0s sms dan reminder", "10m0s sms fred reminder", "15m0s im gus reminder"}, s.lines("reminder"))
	late := Party{"late", "Late", "sms"} // comes on duty: is asked, not reminded
	w.duty = append(w.duty, late)
	s.until(at(12 * time.Hour))
	if got := s.lines("late offer"); len(got) != 1 {
		t.Error(got)
	}
}

// Somebody else is asked at once in place of who cannot be reached; an offer whose wave
// is over, and one of a ticket that somebody has, is not missed.
func TestAnOfferThatDoesNotArrive(t *testing.T) {
	t.Parallel()
	fred, gus := Party{"fred", "Fred", "sms"}, Party{"gus", "Gus", "im"}
	lost := func(p Party) Command {
		return Command{ID: "lost " + p.ID, Verb: LostOffer, Actor: System, To: p, Text: "absent"}
	}
	w := desk()
	w.duty = []Party{bob, eve, dan, fred, gus}
	s := simulate(t, w, opening()).say(10*time.Second, lost(dan)).say(11*time.Second, lost(dan)).say(6*time.Minute, lost(fred))
	same(t, []string{"0s im bob offer", "0s im eve offer", "0s sms dan offer", "10s sms fred offer", "5m0s im gus offer"}, s.lines("offer"))
	s.until(at(11 * time.Minute))
	same(t, []string{"10m0s im bob reminder", "10m0s im eve reminder", "10m0s sms fred reminder"}, s.lines("reminder"))
	if version := s.say(12*time.Minute, by(bob, Take)).Version; s.say(13*time.Minute, lost(gus)).Version != version {
		t.Error("an offer of a ticket that somebody has is missed")
	}
}

func TestOfferLivesAsLongAsItsWave(t *testing.T) {
	t.Parallel()
	w := desk()
	w.duty = []Party{bob, eve, dan}
	s := simulate(t, w, opening())
	for _, o := range s.Offers {
		if !o.Until.Equal(at(5 * time.Minute)) {
			t.Error(o)
		}
	}
	s.say(12*time.Minute, by(sam, Take)) // the reminders of 5 min are gone as well
	same(t, nil, s.lines("offer_gone"))
}

// Nobody is on duty: the ticket looks again more and more seldom.
func TestNobodyOnDuty(t *testing.T) {
	t.Parallel()
	w := &world{}
	s := simulate(t, w, opening())
	empty := func() (n int) {
		for _, e := range s.events {
			if e.Kind == Offered {
				n++
			}
		}
		return n
	}
	s.until(at(24 * time.Hour))
	if n := empty(); n < 24 || n > 32 {
		t.Errorf("looked %d times in a day", n)
	}
	w.duty = []Party{bob}
	s.until(at(25 * time.Hour))
	if len(s.lines("im bob offer")) != 1 {
		t.Error("who came on duty is not asked within an hour")
	}
}

func TestLease(t *testing.T) {
	t.Parallel()
	claimed := func(t *testing.T) *sim { return simulate(t, desk(), opening()).say(0, by(bob, Take)) }
	t.Run("lapses after a quarter", func(t *testing.T) {
		t.Parallel()
		s := claimed(t).until(at(2*time.Hour + 45*time.Minute + 1))
		same(t, []string{"2h0m0s im bob stale", "2h30m0s im bob lease_over", "2h30m0s sms ann req_released", "2h45m0s sms dana page"},
			s.lines("stale", "lease_over", "req_released", "dana page"))
		if s.Status != New {
			t.Error(s.Status)
		}
	})
	t.Run("a short lease leaves ten minutes", func(t *testing.T) {
		t.Parallel()
		o := opening()
		o.Plan.Lease = 30 * time.Minute
		s := simulate(t, desk(), o).say(0, by(bob, Take)).until(at(time.Hour))
		same(t, []string{"30m0s im bob stale", "40m0s im bob lease_over"}, s.lines("stale", "lease_over"))
	})
	t.Run("OK asks again after the same time", func(t *testing.T) {
		t.Parallel()
		s := claimed(t).say(2*time.Hour+time.Minute, by(bob, Keep)).until(at(4*time.Hour + 2*time.Minute))
		same(t, []string{"2h0m0s im bob stale", "2h1m0s im bob stale_ok", "4h1m0s im bob stale"}, s.lines("stale", "stale_ok", "lease_over"))
	})
	t.Run("news count, other people's do not", func(t *testing.T) {
		t.Parallel()
		s := claimed(t).say(time.Hour, by(bob, Note)).say(90*time.Minute, by(meg, Note)).say(90*time.Minute, by(ann, Write)).until(at(3 * time.Hour))
		same(t, []string{"3h0m0s im bob stale"}, s.lines("stale"))
	})
	t.Run("stands still while pending", func(t *testing.T) {
		t.Parallel()
		s := claimed(t).say(time.Hour, by(bob, Snooze)).until(at(26 * time.Hour))
		same(t, []string{"24h0m0s im bob snooze_wake", "26h0m0s im bob stale"}, s.lines("stale", "snooze_wake"))
	})
	t.Run("waking days late asks first", func(t *testing.T) {
		t.Parallel()
		s := claimed(t)
		s.now = at(100 * time.Hour)
		s.settle()
		same(t, []string{"100h0m0s im bob stale"}, s.lines("stale", "lease_over"))
	})
}

// The requester hears what the holder promises, each later time, and once that it
// slipped; the lease runs besides.
func TestPromise(t *testing.T) {
	t.Parallel()
	take := func(after time.Duration) Command { return by(bob, Take, promising(at(after))) }
	const m = time.Minute
	for name, tt := range map[string]struct {
		do       func(s *sim)
		until    time.Duration
		want     []string // about the promise
		expected time.Time
	}{
		"solved in time": {func(s *sim) { s.say(15*m, by(bob, Done)) }, 3 * time.Hour, nil, time.Time{}},
		"news in time":   {func(s *sim) { s.say(15*m, by(bob, Tell)) }, 2*time.Hour + 15*m, []string{"2h15m0s im bob stale"}, time.Time{}},
		"a question":     {func(s *sim) { s.say(15*m, by(bob, Ask)) }, 3 * time.Hour, nil, time.Time{}},
		"the same time":  {func(s *sim) { _ = s.until(at(5 * m)).apply(take(20 * m)) }, 10 * m, nil, at(20 * m)},
		"moved later":    {func(s *sim) { s.say(15*m, take(40*m)) }, 40*m - 1, []string{"15m0s im bob promise_ok", "15m0s sms ann req_slower"}, at(40 * m)},
		"moved twice":    {func(s *sim) { s.say(5*m, take(30*m)).say(6*m, take(40*m)) }, 30 * m, []string{"5m0s im bob promise_ok", "5m0s sms ann req_slower", "6m0s im bob promise_ok", "6m0s sms ann req_slower"}, at(40 * m)},
		"moved earlier":  {func(s *sim) { s.say(5*m, take(10*m)) }, 10*m - 1, []string{"5m0s im bob promise_ok"}, at(10 * m)},
		"longer than the lease": {func(s *sim) { s.say(5*m, take(3*time.Hour)).say(126*m, by(bob, Keep)) }, 3 * time.Hour,
			[]string{"5m0s im bob promise_ok", "5m0s sms ann req_slower", "2h5m0s im bob stale", "3h0m0s im bob stale", "3h0m0s sms ann req_slipped"}, at(3 * time.Hour)},
		"slips while the holder is asked": {func(s *sim) { s.say(5*m, take(130*m)) }, 130 * m,
			[]string{"5m0s im bob promise_ok", "5m0s sms ann req_slower", "2h5m0s im bob stale", "2h10m0s sms ann req_slipped"}, at(130 * m)},
		"longer than the lease, never heard of again": {func(s *sim) { s.say(5*m, take(9*time.Hour)) }, 3 * time.Hour,
			[]string{"5m0s im bob promise_ok", "5m0s sms ann req_slower", "2h5m0s im bob stale", "2h35m0s im bob lease_over", "2h35m0s sms ann req_released"}, time.Time{}},
		"a note keeps none": {func(s *sim) { s.say(15*m, by(bob, Note)) }, 20 * m, []string{"20m0s im bob stale", "20m0s sms ann req_slipped"}, at(20 * m)},
		"slipped, told once": {func(s *sim) { s.say(21*m, by(bob, Keep)) }, 2*time.Hour + 30*m,
			[]string{"20m0s im bob stale", "20m0s sms ann req_slipped", "2h21m0s im bob stale"}, at(20 * m)},
		"slipped and moved": {func(s *sim) { s.say(21*m, take(40*m)) }, 40 * m,
			[]string{"20m0s im bob stale", "20m0s sms ann req_slipped", "21m0s im bob promise_ok", "21m0s sms ann req_slower", "40m0s im bob stale", "40m0s sms ann req_slipped"}, at(40 * m)},
		"lapsed":           {func(*sim) {}, 50 * m, []string{"20m0s im bob stale", "20m0s sms ann req_slipped", "50m0s im bob lease_over", "50m0s sms ann req_released"}, time.Time{}},
		"priority changed": {func(s *sim) { s.say(5*m, by(meg, Reprioritise)) }, 20 * m, []string{"20m0s im bob stale", "20m0s sms ann req_slipped"}, at(20 * m)},
		"passed on":        {func(s *sim) { s.say(5*m, by(bob, Pass, to(eve))).say(6*m, by(eve, Take, promising(at(30*m)))) }, 30*m - 1, nil, at(30 * m)},
		"release undone":   {func(s *sim) { s.say(5*m, by(bob, Drop)).say(6*m, by(bob, TakeBack)) }, 20*m - 1, []string{"5m0s sms ann req_released"}, at(20 * m)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, desk(), opening()).say(0, take(20*m))
			tt.do(s)
			s.until(at(tt.until))
			same(t, tt.want, s.lines("stale", "promise_ok", "req_slower", "req_slipped", "lease_over", "req_released"))
			if got := s.ExpectedAt(); !got.Equal(tt.expected) {
				t.Errorf("expected by %v, want %v", got, tt.expected)
			}
		})
	}
}

func TestPending(t *testing.T) {
	t.Parallel()
	asked := func(t *testing.T) *sim {
		return simulate(t, desk(), opening()).say(0, by(bob, Take)).say(time.Hour, by(bob, Ask))
	}
	t.Run("no answer", func(t *testing.T) {
		t.Parallel()
		s := asked(t).until(at(100 * time.Hour))
		same(t, []string{"49h0m0s im bob answer_none", "73h0m0s im bob answer_none", "97h0m0s im bob answer_none"}, s.lines("answer_none", "stale"))
	})
	t.Run("the resolve target stands still", func(t *testing.T) {
		t.Parallel()
		s := asked(t).say(3*time.Hour, by(ann, Write))
		if want := at(6 * time.Hour); s.Status != Assigned || !s.ResolveBy.Equal(want) || !s.DueAt().Equal(want) {
			t.Errorf("%s, resolve by %v, want %v", s.Status, s.ResolveBy, want)
		}
	})
	t.Run("a question taken back does not count twice", func(t *testing.T) {
		t.Parallel()
		s := asked(t).say(2*time.Hour, by(bob, Snooze)).say(2*time.Hour, by(bob, TakeBack)).say(3*time.Hour, by(ann, Write))
		if want := at(6 * time.Hour); !s.ResolveBy.Equal(want) {
			t.Errorf("resolve by %v, want %v", s.ResolveBy, want)
		}
	})
	t.Run("a snooze ends", func(t *testing.T) {
		t.Parallel()
		s := simulate(t, desk(), opening()).say(0, by(bob, Take)).say(time.Hour, by(bob, Snooze)).until(at(24 * time.Hour))
		same(t, []string{"24h0m0s im bob snooze_wake"}, s.lines("snooze_wake"))
		if !s.Holder("bob") || s.Status != Assigned {
			t.Error(s.Position)
		}
	})
	t.Run("a snooze of nobody's ticket ends in the queue", func(t *testing.T) {
		t.Parallel()
		w := desk()
		w.duty = []Party{bob}
		s := simulate(t, w, opening()).say(time.Minute, by(meg, Snooze)).until(at(24*time.Hour + 30*time.Minute))
		same(t, []string{"0s im bob offer", "24h0m0s im bob offer"}, s.lines("offer"))
		same(t, []string{"24h15m0s sms dana page", "24h20m0s sms dana page"}, s.lines("dana page"))
	})
}

// The clock of the resolve target stands still while a ticket is pending, however that
// ends and whatever is planned anew, and no pause counts twice.
func TestResolveTargetStandsStill(t *testing.T) {
	t.Parallel()
	const h = time.Hour
	ask, answer, undo := by(bob, Ask), by(ann, Write), by(bob, TakeBack)
	again := func(c Command) Command { c.ID += " again"; return c }
	for name, tt := range map[string]struct {
		do   func(s *sim)
		want time.Duration // beyond the policy's four hours
	}{
		"answered":                        {func(s *sim) { s.say(h, ask).say(3*h, answer) }, 2 * h},
		"twice":                           {func(s *sim) { s.say(h, ask).say(2*h, answer).say(3*h, again(ask)).say(5*h, again(answer)) }, 3 * h},
		"solved without an answer":        {func(s *sim) { s.say(h, ask).say(3*h, by(bob, Done)) }, 2 * h},
		"solved, and that taken back":     {func(s *sim) { s.say(h, ask).say(3*h, by(bob, Done)).say(3*h+6*time.Minute, undo).say(4*h, answer) }, 3 * h},
		"given back":                      {func(s *sim) { s.say(h, ask).say(3*h, by(bob, Drop)) }, 2 * h},
		"given back, and that taken back": {func(s *sim) { s.say(h, ask).say(3*h, by(bob, Drop)).say(3*h+6*time.Minute, undo).say(4*h, answer) }, 3 * h},
		"another priority afterwards":     {func(s *sim) { s.say(h, ask).say(3*h, answer).say(4*h, by(meg, Reprioritise)) }, 2 * h},
		"another priority meanwhile":      {func(s *sim) { s.say(h, ask).say(2*h, by(meg, Reprioritise)).say(3*h, answer) }, 2 * h},
		"another policy afterwards":       {func(s *sim) { s.say(h, ask).say(3*h, answer).say(4*h, by(meg, Replan)) }, 2 * h},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, desk(), opening()).say(0, by(bob, Take))
			tt.do(s)
			if want := at(4*h + tt.want); !s.ResolveBy.Equal(want) || s.Paused != tt.want {
				t.Errorf("resolve by %v, want %v; paused %v", s.ResolveBy, want, s.Paused)
			}
		})
	}
}

func TestPass(t *testing.T) {
	t.Parallel()
	passed := func(t *testing.T) *sim {
		return simulate(t, desk(), opening()).say(0, by(bob, Take)).say(time.Minute, by(bob, Pass))
	}
	t.Run("expires", func(t *testing.T) {
		t.Parallel()
		s := passed(t).until(at(time.Hour))
		same(t, []string{"11m0s im bob pass_refused"}, s.lines("pass_refused"))
		if !s.Holder("bob") || s.Pass != nil {
			t.Error(s.Position)
		}
	})
	t.Run("is not undone once it expired", func(t *testing.T) {
		t.Parallel()
		s := passed(t).say(5*time.Minute, by(bob, Ask)).until(at(12*time.Minute)).say(13*time.Minute, by(bob, TakeBack))
		if s.Pass != nil || !s.Holder("bob") {
			t.Error(s.Position)
		}
	})
	t.Run("closing cancels it", func(t *testing.T) {
		t.Parallel()
		s := simulate(t, desk(), opening()).say(0, by(bob, Take)).say(time.Minute, by(bob, Pass, to(eve))).say(2*time.Minute, by(bob, Done)).until(at(time.Hour))
		same(t, []string{"2m0s im eve offer_gone"}, s.lines("offer_gone", "pass_refused"))
	})
	t.Run("a second one replaces it", func(t *testing.T) {
		t.Parallel()
		s := passed(t).say(2*time.Minute, by(bob, Pass, to(eve))).until(at(time.Hour))
		same(t, []string{"2m0s sms dan pass_gone", "12m0s im bob pass_refused"}, s.lines("pass_gone", "pass_refused"))
	})
}

func TestAutoClose(t *testing.T) {
	t.Parallel()
	s := simulate(t, desk(), opening()).say(0, by(bob, Take)).say(time.Hour, by(bob, Done))
	heard := len(s.log)
	s.until(at(73*time.Hour - 1))
	if s.Status != Resolved {
		t.Error(s.Status)
	}
	s.until(at(1000 * time.Hour))
	if s.Status != Closed || len(s.Alarms) > 0 || len(s.log) != heard {
		t.Errorf("%s, alarms %v, heard %v", s.Status, s.Alarms, s.log[heard:])
	}
}

func TestRaise(t *testing.T) {
	t.Parallel()
	t.Run("New: the next step now", func(t *testing.T) {
		t.Parallel()
		s := simulate(t, desk(), opening()).say(2*time.Minute, by(bob, Up)).until(at(21 * time.Minute))
		same(t, []string{"2m0s sms dana page", "2m0s im bob up_ok", "7m0s sms dana page", "12m0s sms dana page", "17m0s sms dana page"}, s.lines("page", "up_ok"))
		s.until(at(25 * time.Minute))
		same(t, []string{"25m0s sms sam page"}, s.lines("sam page"))
	})
	t.Run("twice keeps the distance to the third", func(t *testing.T) {
		t.Parallel()
		s := simulate(t, desk(), opening()).say(30*time.Minute, by(bob, Up)).until(at(45 * time.Minute))
		same(t, []string{"30m0s sms meg mgr_nobody"}, s.lines("mgr_nobody"))
	})
	t.Run("Assigned: somebody is asked to help, then the next", func(t *testing.T) {
		t.Parallel()
		up := by(bob, Up)
		up.ID = "up again"
		s := simulate(t, desk(), opening()).say(0, by(bob, Take)).say(time.Minute, by(bob, Up)).say(2*time.Minute, up).until(at(time.Hour))
		same(t, []string{"1m0s sms dana page_help", "1m0s im bob up_ok", "2m0s sms sam page_help", "2m0s im bob up_ok"}, s.lines("page_help", "up_ok", "page", "mgr_nobody"))
		if !s.Holder("bob") {
			t.Error(s.Position)
		}
	})
	t.Run("Assigned: a hole is passed over", func(t *testing.T) {
		t.Parallel()
		s := simulate(t, &world{managers: []Party{meg}}, opening()).say(0, by(bob, Take)).say(time.Minute, by(bob, Up))
		same(t, []string{"1m0s sms meg page_help", "1m0s im bob up_ok"}, s.lines("page_help", "up_ok", "up_nobody", "up_top"))
	})
	t.Run("nobody to call", func(t *testing.T) {
		t.Parallel()
		s := simulate(t, &world{}, opening()).say(time.Minute, by(bob, Up))
		same(t, []string{"1m0s im bob up_nobody"}, s.lines("up_ok", "up_nobody", "up_top"))
	})
	t.Run("a plan without steps", func(t *testing.T) {
		t.Parallel()
		o := opening()
		o.Plan.Steps = nil
		s := simulate(t, desk(), o).say(time.Minute, by(bob, Up)).until(at(time.Hour))
		same(t, []string{"1m0s im bob up_nobody"}, s.lines("up_ok", "up_nobody", "up_top", "page"))
	})
	t.Run("survives what re-arms the alarms", func(t *testing.T) {
		t.Parallel()
		s := in(t, isPending).do(by(bob, Up), minutes(5)).do(by(meg, Reprioritise), minutes(5.5)).do(by(ann, Write), minutes(6))
		if l, ok := s.Lookup(minutes(6)); !ok || l.Page != "oncall" {
			t.Errorf("%+v", s.Alarms)
		}
	})
	t.Run("overtaken by a claim", func(t *testing.T) {
		t.Parallel()
		s := in(t, isNew).do(by(bob, Up), minutes(3)).do(by(eve, Take), minutes(3.5))
		if !slices.Contains(s.heard, "im bob owned") {
			t.Error(s.heard)
		}
	})
}

// Who has not solved a ticket by its target hears so, and the next of the chain is
// called to help, once; a pause puts it off.
func TestBreach(t *testing.T) {
	t.Parallel()
	const h, m = time.Hour, time.Minute
	take, keep := by(bob, Take), by(bob, Keep)
	kept := func(s *sim, from time.Duration) {
		for ; from < 8*h; from += h {
			again := keep
			again.ID = fmt.Sprint(from)
			_ = s.until(at(from)).apply(again)
		}
	}
	called := []string{"4h0m0s im bob target_missed", "4h0m0s sms dana page_help"}
	for name, tt := range map[string]struct {
		do     func(s *sim)
		change func(*Opening, *world)
		want   []string
	}{
		"held":            {func(s *sim) { s.say(0, take); kept(s, h) }, nil, called},
		"solved in time":  {func(s *sim) { s.say(0, take); s.say(h, by(bob, Done)) }, nil, nil},
		"nobody has it":   {func(s *sim) { s.say(7*h, take); kept(s, 7*h) }, nil, nil},
		"an older ticket": {func(s *sim) { s.say(0, take); kept(s, h) }, func(o *Opening, _ *world) { o.Plan.Breach = false }, nil},
		"no target":       {func(s *sim) { s.say(0, take); kept(s, h) }, func(o *Opening, _ *world) { o.Plan.Resolve = 0 }, nil},
		"asked, and answered": {func(s *sim) { s.say(0, take).say(h, by(bob, Ask)).say(2*h, by(ann, Write)); kept(s, 3*h) }, nil,
			[]string{"5h0m0s im bob target_missed", "5h0m0s sms dana page_help"}},
		"asked when it was late already": {func(s *sim) {
			s.say(0, take).say(2*h, keep).say(4*h, by(bob, Ask)).say(5*h, by(ann, Write))
			kept(s, 6*h)
		}, nil, called},
		"another priority": {func(s *sim) {
			s.say(0, take).say(h, by(meg, Reprioritise, func(c *Command) { c.Plan.Breach, c.Plan.Resolve = true, 6*h }))
			kept(s, 2*h)
		}, nil, []string{"6h0m0s im bob target_missed", "6h0m0s sms dana page_help"}},
		"the person on call has it": {func(s *sim) {
			s.say(0, by(dana, Take)).say(2*h-m, by(dana, Keep)).until(at(4 * h))
		}, nil, []string{"4h0m0s sms dana target_missed", "4h0m0s sms sam page_help"}},
		"a call that does not arrive": {func(s *sim) { s.say(0, take); kept(s, h) }, func(_ *Opening, w *world) { w.broken = map[string]bool{"dana": true} },
			append(slices.Clone(called), "4h0m0s sms sam page_help")},
		"nobody on call":              {func(s *sim) { s.say(0, take); kept(s, h) }, func(_ *Opening, w *world) { w.chain = nil }, []string{"4h0m0s im bob target_missed", "4h0m0s sms meg page_help"}},
		"help was called for already": {func(s *sim) { s.say(0, take).say(h, by(bob, Up)); kept(s, 2*h) }, nil, []string{"1h0m0s sms dana page_help", "4h0m0s im bob target_missed", "4h0m0s sms sam page_help"}},
		"a manager stopped the calls": {func(s *sim) { s.say(0, take).say(h, by(meg, Hush)); kept(s, 2*h) }, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, w := opening(), desk()
			o.Plan.Breach = true
			if tt.change != nil {
				tt.change(&o, w)
			}
			s := simulate(t, w, o)
			tt.do(s)
			s.until(at(8*h - 1))
			same(t, tt.want, s.lines("target_missed", "page_help"))
		})
	}
}

// Who was called to help the holder hears when that is over, except whoever ended it
// and whoever could not be reached; on a ticket that opened before, nobody does.
func TestHelpersStandDown(t *testing.T) {
	t.Parallel()
	const h = time.Hour
	up := func(s *sim) *sim { return s.say(0, by(bob, Take)).say(h, by(bob, Up)) }
	twice := func(s *sim) *sim { return up(s).say(h, by(bob, Up, func(c *Command) { c.ID = "again" })) }
	for name, tt := range map[string]struct {
		do     func(s *sim)
		change func(*Opening, *world)
		want   []string
	}{
		"solved":                         {func(s *sim) { up(s).say(2*h, by(bob, Done)) }, nil, []string{"2h0m0s sms dana help_off"}},
		"closed in one":                  {func(s *sim) { up(s).say(2*h, by(bob, Close)) }, nil, []string{"2h0m0s sms dana help_off"}},
		"a helper takes over and closes": {func(s *sim) { up(s).say(2*h, by(dana, Takeover)).say(2*h, by(dana, Close)) }, nil, nil},
		"two helpers":                    {func(s *sim) { twice(s).say(2*h, by(bob, Done)) }, nil, []string{"2h0m0s sms dana help_off", "2h0m0s sms sam help_off"}},
		"taken over by one":              {func(s *sim) { twice(s).say(2*h, by(sam, Takeover)) }, nil, []string{"2h0m0s sms dana page_off"}},
		"passed on":                      {func(s *sim) { up(s).say(h, by(bob, Pass, to(eve))).say(h, by(eve, Take)) }, nil, []string{"1h0m0s sms dana page_off"}},
		"waits for an answer":            {func(s *sim) { up(s).say(2*h, by(bob, Ask)).say(3*h, by(ann, Write)).say(3*h, by(bob, Done)) }, nil, []string{"2h0m0s sms dana help_off"}},
		"snoozed":                        {func(s *sim) { up(s).say(2*h, by(bob, Snooze)) }, nil, []string{"2h0m0s sms dana help_off"}},
		"withdrawn":                      {func(s *sim) { up(s).say(2*h, by(ann, Withdraw, yes)) }, nil, nil},
		"a call that did not arrive": {func(s *sim) { up(s).say(2*h, by(bob, Done)) }, func(_ *Opening, w *world) { w.broken = map[string]bool{"dana": true} },
			[]string{"2h0m0s sms sam help_off"}},
		"nobody was called": {func(s *sim) { s.say(0, by(bob, Take)).say(h, by(bob, Done)) }, nil, nil},
		"an older ticket":   {func(s *sim) { up(s).say(2*h, by(bob, Done)) }, func(o *Opening, _ *world) { o.Plan.StandDown = false }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o, w := opening(), desk()
			o.Plan.StandDown, o.Plan.Breach, o.Plan.Lease = true, true, 24*h
			if tt.change != nil {
				tt.change(&o, w)
			}
			s := simulate(t, w, o)
			tt.do(s)
			same(t, tt.want, s.lines("help_off", "page_off"))
		})
	}
}

func TestHush(t *testing.T) {
	t.Parallel()
	s := simulate(t, desk(), opening()).say(16*time.Minute, by(meg, Hush))
	_ = s.apply(Command{Verb: LostPage, Actor: System, To: dana})
	s.say(17*time.Minute, by(meg, Reprioritise)).until(at(10 * time.Hour))
	same(t, []string{"15m0s sms dana page"}, s.lines("page", "mgr_nobody"))
	s.say(10*time.Hour, by(bob, Take)).say(10*time.Hour, by(bob, Drop)).until(at(10*time.Hour + 16*time.Minute))
	same(t, []string{"15m0s sms dana page", "10h15m0s sms dana page"}, s.lines("dana page"))
}

// A step on time moves no other; one that comes late keeps the next at its distance.
func TestLateStep(t *testing.T) {
	t.Parallel()
	s := simulate(t, desk(), opening()).until(at(14 * time.Minute))
	for late, next := range map[time.Duration]time.Duration{
		0: 25 * time.Minute, 999 * time.Millisecond: 25 * time.Minute, onTime: 25 * time.Minute,
		onTime + time.Millisecond: 25*time.Minute + onTime + time.Millisecond,
		3 * time.Minute:           28 * time.Minute, time.Hour: 85 * time.Minute,
	} {
		l, ok := s.Ticket.Lookup(at(15*time.Minute + late))
		if got := l.times(s.answer(l)).Step; !ok || l.Page != "oncall" || !got.Equal(at(next)) {
			t.Errorf("%s late: asks for %q, then the next at %s, want %s", late, l.Page, got, at(next))
		}
	}
}

func TestReprioritise(t *testing.T) {
	t.Parallel()
	slow := opening()
	slow.Priority = P3
	slow.Plan.Steps = []Step{{4 * time.Hour, "oncall"}, {8 * time.Hour, "manager"}}
	slow.Plan.Repeat = 4 * time.Hour
	slow.Plan.Resolve = 0
	t.Run("up: the steps of the new plan count from the same start", func(t *testing.T) {
		t.Parallel()
		s := simulate(t, desk(), slow).say(10*time.Minute, by(meg, Reprioritise)).until(at(16 * time.Minute))
		same(t, []string{"15m0s sms dana page"}, s.lines("page"))
		if s.Priority != P2 || !s.ResolveBy.Equal(at(4*time.Hour)) || !s.RespondBy.Equal(at(15*time.Minute)) {
			t.Errorf("%s, %v, %v", s.Priority, s.RespondBy, s.ResolveBy)
		}
	})
	t.Run("late: one step at once, the next at its distance", func(t *testing.T) {
		t.Parallel()
		s := simulate(t, desk(), slow).say(3*time.Hour, by(meg, Reprioritise)).until(at(3*time.Hour + 11*time.Minute))
		same(t, []string{"3h0m0s sms dana page", "3h5m0s sms dana page", "3h10m0s sms sam page"}, s.lines("page"))
	})
	t.Run("just after a page: the distance is kept", func(t *testing.T) {
		t.Parallel()
		s := simulate(t, desk(), slow).say(4*time.Hour+time.Minute, by(meg, Reprioritise)).until(at(4*time.Hour + 11*time.Minute))
		same(t, []string{"4h0m0s sms dana page", "4h10m0s sms sam page"}, s.lines("page"))
	})
	t.Run("a question keeps waiting", func(t *testing.T) {
		t.Parallel()
		s := simulate(t, desk(), slow).say(0, by(bob, Take)).say(0, by(bob, Ask)).say(time.Hour, by(meg, Reprioritise)).until(at(49 * time.Hour))
		if len(s.lines("answer_none")) != 1 || s.Status != Pending {
			t.Error(s.log)
		}
	})
}

// A running ticket takes over another policy: its steps and targets count from the
// same start, and its priority stays. The policy that it has changes nothing.
func TestReplan(t *testing.T) {
	t.Parallel()
	slow := opening()
	slow.Plan.Steps = []Step{{4 * time.Hour, "oncall"}, {8 * time.Hour, "manager"}}
	slow.Plan.Resolve = 0
	s := simulate(t, desk(), slow).say(10*time.Minute, by(meg, Replan)).until(at(16 * time.Minute))
	same(t, []string{"15m0s sms dana page"}, s.lines("page"))
	if s.Priority != slow.Priority || !s.ResolveBy.Equal(at(4*time.Hour)) || s.Plan.Lease != by(meg, Replan).Plan.Lease {
		t.Errorf("%s, %v, %+v", s.Priority, s.ResolveBy, s.Plan)
	}
	version := s.Version
	if s.say(17*time.Minute, by(meg, Replan, func(c *Command) { c.ID = "again" })); s.Version != version {
		t.Errorf("the same policy made version %d of %d", s.Version, version)
	}
	s = simulate(t, desk(), slow).say(0, by(bob, Take)).say(time.Minute, by(meg, Replan)).until(at(2*time.Hour + 3*time.Minute))
	if len(s.lines("stale")) != 1 {
		t.Errorf("the lease of the new plan: %v", s.log)
	}
}

// An answer to a question that the ticket no longer asks is dropped.
func TestStaleFindings(t *testing.T) {
	t.Parallel()
	w := desk()
	w.duty = []Party{bob, eve}
	tests := map[string][]Command{
		"taken":              {by(bob, Take)},
		"taken and released": {by(bob, Take), by(bob, Drop)},
		"hushed":             {by(meg, Hush)},
		"escalated by hand":  {by(bob, Up)},
		"other priority":     {by(meg, Reprioritise)},
	}
	for name, commands := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := simulate(t, w, opening()).until(at(14 * time.Minute))
			s.now = at(15 * time.Minute)
			l, ok := s.Lookup(s.now)
			if !ok || l.Page != "oncall" {
				t.Fatalf("%+v", l)
			}
			s.now = s.now.Add(time.Second)
			for _, c := range commands {
				if err := s.apply(c); err != nil {
					t.Fatal(err)
				}
			}
			before := s.Ticket
			_ = s.apply(Found(l, w.answer(l)))
			if len(s.lines("page")) > 0 {
				t.Errorf("called after %s: %v", name, s.log)
			}
			if name != "hushed" && name != "escalated by hand" {
				if diff := cmp.Diff(before, s.Ticket); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}
