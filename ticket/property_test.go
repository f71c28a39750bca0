package ticket

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

var cast = []Party{ann, bob, eve, dan, dana, sam, meg}

// verbs is every verb a command can have, and one that none has.
func verbs() []Verb {
	v := []Verb{TakeBack, LostPage, LostOffer, tick, "dance"}
	for _, r := range rules {
		v = append(v, r.Verb)
	}
	return v
}

func genPlan(t *rapid.T) Plan {
	span := func(name string, low, high time.Duration) time.Duration {
		return time.Duration(rapid.Int64Range(int64(low/time.Second), int64(high/time.Second)).Draw(t, name)) * time.Second
	}
	p := Plan{
		Wave:      Wave{rapid.IntRange(1, 3).Draw(t, "wave"), span("every", 10*time.Minute, time.Hour)},
		Repeat:    span("repeat", 15*time.Minute, 4*time.Hour),
		Lease:     span("lease", time.Minute, 8*time.Hour),
		AutoClose: span("auto close", time.Hour, 72*time.Hour),
		Silence:   span("silence", time.Hour, 48*time.Hour),
		Respond:   span("respond", 0, time.Hour),
		Resolve:   span("resolve", 0, 8*time.Hour),
		Breach:    rapid.Bool().Draw(t, "breach"),
		StandDown: rapid.Bool().Draw(t, "stand down"),
	}
	var after time.Duration
	who := rapid.SliceOfN(rapid.SampledFrom([]string{"oncall", "next", "manager"}), 0, 4).Draw(t, "steps")
	for _, who := range slices.Insert(who, rapid.IntRange(0, len(who)).Draw(t, "manager"), "manager") {
		after += span("after", time.Minute, 4*time.Hour)
		p.Steps = append(p.Steps, Step{after, who})
	}
	return p
}

func genWorld(t *rapid.T) *world {
	some := func(name string, of ...Party) []Party {
		return slices.DeleteFunc(of, func(p Party) bool { return rapid.Bool().Draw(t, name+" without "+p.ID) })
	}
	w := &world{duty: some("duty", bob, eve, dan), chain: some("chain", dana, sam), managers: []Party{meg}, broken: map[string]bool{}}
	for _, p := range some("broken", dana, sam, meg) {
		w.broken[p.ID] = true
	}
	return w
}

// genCommand is any command by anybody, more often by who would give it.
func genCommand(t *rapid.T, tk Ticket, now time.Time) Command {
	verb := rapid.SampledFrom(verbs()).Draw(t, "verb")
	likely := []Party{ann, bob, meg}
	if i := slices.IndexFunc(rules, func(r rule) bool { return r.Verb == verb }); i >= 0 {
		likely = map[clearance][]Party{workers: {bob}, managers: {meg}, requester: {ann}, requesterOrWork: {ann, bob}}[rules[i].By]
		if tk.Assignee.ID != "" && rules[i].By == workers {
			likely = []Party{tk.Assignee}
		}
	}
	who := rapid.SampledFrom(slices.Concat(cast, likely, likely, likely, likely, likely, likely))
	c := Command{
		Verb:      verb,
		Actor:     who.Draw(t, "actor"),
		Channel:   rapid.SampledFrom([]string{"sms", "im", "rest", "web", ""}).Draw(t, "channel"),
		Text:      rapid.SampledFrom([]string{"", "text"}).Draw(t, "text"),
		To:        rapid.SampledFrom(append([]Party{{}}, cast...)).Draw(t, "to"),
		Confirmed: rapid.Bool().Draw(t, "confirmed"),
		Number:    rapid.SampledFrom([]int{0, 99}).Draw(t, "number"),
		Priority:  rapid.SampledFrom([]Priority{"", P1, P4}).Draw(t, "priority"),
	}
	c.ID = fmt.Sprint(c.Verb, now.UnixNano())
	c.Works, c.Manages = c.Actor != ann, c.Actor == meg
	if rapid.Bool().Draw(t, "until") {
		c.Until = now.Add(time.Duration(rapid.IntRange(-1, 48).Draw(t, "hours")) * time.Hour)
	}
	if rapid.Bool().Draw(t, "duty") {
		c.Duty = []Party{bob, eve}
	}
	if c.Verb == Replan || c.Verb == Reprioritise && rapid.Bool().Draw(t, "plan") {
		p := genPlan(t)
		c.Plan = &p
	}
	return c
}

// equal compares tickets; an empty list is as good as none.
func equal(a, b any) string { return cmp.Diff(a, b, cmpopts.EquateEmpty()) }

// frozen is a ticket's state, whatever happens to its slices later.
func frozen(t rapid.TB, in Ticket) string {
	data, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func clone(t rapid.TB, in Ticket) (out Ticket) {
	if err := json.Unmarshal([]byte(frozen(t, in)), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// holds checks what is true of every ticket.
func holds(t rapid.TB, tk Ticket) {
	fail := func(format string, args ...any) {
		t.Helper()
		t.Fatalf("%s: "+format+"\n%+v", append(append([]any{tk.Status}, args...), tk)...)
	}
	seen := map[AlarmKind]bool{}
	for _, a := range tk.Alarms {
		if seen[a.Kind] {
			fail("two alarms of %s", a.Kind)
		}
		if a.At.IsZero() {
			fail("alarm %s without a time", a.Kind)
		}
		seen[a.Kind] = true
	}
	allowed := map[Status][]AlarmKind{
		New:       {PlanAlarm, WaveAlarm, ReplaceAlarm, StepAlarm, RepeatAlarm},
		Assigned:  {PlanAlarm, StepAlarm, PromiseAlarm, BreachAlarm, StaleAlarm, LapseAlarm, PassAlarm},
		Pending:   {PlanAlarm, StepAlarm, AnswerAlarm, WakeAlarm, PassAlarm},
		Resolved:  {CloseAlarm},
		Closed:    nil,
		Cancelled: nil,
	}
	for k := range seen {
		if !slices.Contains(allowed[tk.Status], k) {
			fail("alarm %s", k)
		}
	}
	switch tk.Status {
	case New:
		if tk.Assignee.ID != "" || !seen[WaveAlarm] || tk.Announced != "" {
			fail("a waiting ticket has a holder, an announced name or no search")
		}
	case Assigned:
		if tk.Assignee.ID == "" || tk.ClaimedAt.IsZero() || seen[StaleAlarm] == seen[LapseAlarm] {
			fail("a claimed ticket has no holder or not one lease")
		}
	case Pending:
		if (tk.Waits == waitsAnswer) != seen[AnswerAlarm] || (tk.Waits == waitsTime) != seen[WakeAlarm] || tk.PendingSince.IsZero() {
			fail("waits for %q", tk.Waits)
		}
	case Resolved:
		if tk.Assignee.ID == "" || tk.ResolvedAt.IsZero() || !seen[CloseAlarm] {
			fail("solved by nobody, or for ever")
		}
	case Closed, Cancelled:
		if tk.ClosedAt.IsZero() {
			fail("no end")
		}
	default:
		fail("no such state")
	}
	if tk.Status != Pending && (tk.Waits != "" || tk.Question != "" || !tk.PendingSince.IsZero() || !tk.Until.IsZero()) {
		fail("waits although it is not pending")
	}
	if tk.Status != New && len(tk.Offers) > 0 {
		fail("offers of a ticket that does not wait")
	}
	if (tk.Promise != nil && !tk.Promise.Slipped) != seen[PromiseAlarm] {
		fail("a promise and its alarm differ")
	}
	if (tk.Pass != nil) != seen[PassAlarm] {
		fail("a pass and its alarm differ")
	}
	if tk.Raised != nil && !seen[StepAlarm] {
		fail("an escalation by hand that never comes")
	}
	if n := max(1, len(tk.Plan.Steps)); tk.Step < 0 || tk.Step >= n {
		fail("step %d of %d", tk.Step, n)
	}
}

// Whatever people write and however time passes: the events give the ticket, the
// input is left alone, what is refused changes nothing, and JSON loses nothing.
func TestLife(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		o := opening()
		o.Plan = genPlan(t)
		w := genWorld(t)
		now := noon
		tk, all := Open(o, now)
		var pending []Command // findings on their way
		apply := func(c Command) {
			input := frozen(t, tk)
			after, events, err := Apply(tk, c, now)
			if left := frozen(t, tk); left != input {
				t.Fatalf("%s changed its input\n%s\n%s", c.Verb, input, left)
			}
			if err != nil && len(events) > 0 {
				t.Fatalf("%s: refused with events", c.Verb)
			}
			if len(events) == 0 && frozen(t, after) != input {
				t.Fatalf("%s: changed without events", c.Verb)
			}
			r, refused := Refused(err)
			if refused {
				if again, events, _ := Apply(after, c, now); len(events) > 0 || frozen(t, again) != input {
					t.Fatalf("%s: refused first, accepted then", c.Verb)
				}
				Answer(tk, c, r)
			}
			before, keys := tk, map[string]bool{}
			for i, e := range events {
				if e.Seq != before.Version+1 {
					t.Fatalf("event %d after %d", e.Seq, before.Version)
				}
				next := Evolve(before, e)
				for _, n := range Notices(before, next, e) {
					if keys[n.Key] || n.To.Via == "" || n.To.ID == "" || n.Message == "" {
						t.Fatalf("notice %+v", n)
					}
					keys[n.Key] = true
					next.Wanted(n)
				}
				if e.More != (c.Verb != tick && c.Verb != foundVerb && i+1 < len(events)) {
					t.Fatalf("event %d of %d: more %v", i, len(events), e.More)
				}
				before = next
			}
			tk, all = after, append(all, events...)
			holds(t, tk)
		}
		t.Repeat(map[string]func(*rapid.T){
			"command":  func(t *rapid.T) { apply(genCommand(t, tk, now)) },
			"one more": func(t *rapid.T) { apply(genCommand(t, tk, now)) },
			"and more": func(t *rapid.T) { apply(genCommand(t, tk, now)) },
			"time": func(t *rapid.T) {
				now = now.Add(time.Duration(rapid.Int64Range(0, int64(10*time.Hour)).Draw(t, "sleep")))
				apply(Tick())
			},
			"alarm": func(t *rapid.T) {
				if a, ok := tk.Due(); ok && a.At.After(now) {
					now = a.At
				}
				apply(Tick())
			},
			"lookup": func(t *rapid.T) {
				if l, ok := tk.Lookup(now); ok {
					pending = append(pending, Found(l, w.answer(l)))
				}
			},
			"found": func(t *rapid.T) {
				if n := len(pending); n > 0 {
					i := rapid.IntRange(0, n-1).Draw(t, "which") // late, twice, out of order
					apply(pending[i])
				}
			},
			"page lost": func(t *rapid.T) {
				if n := len(tk.Pages); n > 0 {
					p := tk.Pages[rapid.IntRange(0, n-1).Draw(t, "page")]
					apply(Command{Verb: LostPage, Actor: System, To: p.To})
				}
			},
		})
		var replayed Ticket
		for _, e := range all {
			replayed = Evolve(replayed, e)
		}
		if diff := equal(tk, replayed); diff != "" {
			t.Fatalf("the events give another ticket\n%s", diff)
		}
		if diff := equal(tk, clone(t, tk)); diff != "" {
			t.Fatalf("JSON loses something\n%s", diff)
		}
		for _, e := range all {
			data, _ := json.Marshal(e)
			var back Event
			if err := json.Unmarshal(data, &back); err != nil || equal(e, back) != "" {
				t.Fatalf("JSON loses something of %s: %v\n%s", e.Kind, err, equal(e, back))
			}
		}
	})
}

// From any open state, when nobody ever answers, the manager is called within
// the sum of the policy's times, again and again, and no alarm runs hot: whatever was
// said and promised before, whichever plan the ticket was brought to, and whoever's
// calls do not arrive. Left out is what people decided: a chain that a manager
// stopped, and a question to the requester, of which the holder is reminded daily.
func TestNothingIsDropped(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		o := opening()
		o.Plan = genPlan(rt)
		s := simulate(rt, genWorld(rt), o)
		// Something happens first.
		for range rapid.IntRange(0, 6).Draw(rt, "commands") {
			c := genCommand(rt, s.Ticket, s.now)
			if !c.Until.IsZero() && c.Until.After(s.now.Add(24*time.Hour)) {
				c.Until = s.now.Add(24 * time.Hour)
			}
			_ = s.apply(c)
			s.settle()
			s.until(s.now.Add(time.Duration(rapid.IntRange(0, 60).Draw(rt, "minutes")) * time.Minute))
		}
		if !s.Status.Open() || s.Hushed || s.Status == Pending && s.Waits == waitsAnswer {
			return
		}
		start, seen := s.now, len(s.log)
		plan := s.Plan
		limit := plan.Repeat
		switch s.Status { // first it must come back to the queue
		case Assigned:
			limit += plan.Lease + max(plan.Lease/4, minLapse)
		case Pending:
			limit += 24*time.Hour + plan.Lease + max(plan.Lease/4, minLapse)
		}
		limit += plan.Steps[len(plan.Steps)-1].After
		if s.Status == New {
			limit += plan.Steps[len(plan.Steps)-1].After // in the middle of a chain
		}
		s.until(start.Add(limit))
		if !slices.ContainsFunc(s.log[seen:], func(line string) bool { return strings.HasSuffix(line, "mgr_nobody") }) {
			rt.Fatalf("no manager within %v of %v: %v", limit, start.Sub(noon), s.log)
		}
		lookups := s.lookups
		s.until(s.now.Add(24 * time.Hour))
		day := 24 * time.Hour
		rounds := int(day/plan.Repeat) + 2
		if most := 24 + int(day/plan.Wave.Every)/8 + 20 + rounds*(len(plan.Steps)+2); s.lookups-lookups > most {
			rt.Fatalf("%d lookups in a day, at most %d expected", s.lookups-lookups, most)
		}
	})
}

// Three days without anybody: the ticket's state stays small.
func TestSilenceStaysSmall(t *testing.T) {
	t.Parallel()
	w := desk()
	w.duty = []Party{bob, eve, dan}
	s := simulate(t, w, opening()).until(at(3 * 24 * time.Hour))
	data, err := json.Marshal(s.Ticket)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 8<<10 {
		t.Errorf("%d bytes after three days", len(data))
	}
}
