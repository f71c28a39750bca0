package ticket

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// world is who there is while a ticket's time passes.
type world struct {
	duty     []Party // agents, in the order in which they are asked
	chain    []Party // on call
	managers []Party
	broken   map[string]bool // ids whose pages fail as soon as they are sent
}

// desk is the dialogues' cast: nobody on duty, two on call, one manager.
func desk() *world {
	return &world{chain: []Party{dana, sam}, managers: []Party{meg}}
}

func (w *world) answer(l Lookup) Findings {
	var f Findings
	for _, span := range l.Spans {
		f.Times = append(f.Times, span.From.Add(span.After))
	}
	if l.Wave > 0 {
		f.Wave, f.Reminder = w.wave(l)
	}
	switch l.Page {
	case "oncall", "next":
		if i := slices.IndexFunc(w.chain, func(p Party) bool {
			return p.ID != l.Holder && (l.Page == "oncall" || !slices.Contains(l.Called, p.ID))
		}); i >= 0 {
			f.Page = w.chain[i : i+1]
		}
	case "again":
		for _, p := range slices.Concat(w.chain, w.managers) {
			if p.ID == l.Paged {
				f.Page = []Party{p}
			}
		}
	case "manager":
		f.Page = w.managers
	}
	return f
}

func (w *world) wave(l Lookup) (wave []Party, reminder bool) {
	var again []Party
	for _, p := range w.duty {
		asked, declined := 0, false
		for _, o := range l.Offers {
			if o.To.ID == p.ID {
				asked, declined = asked+1, declined || o.Declined
			}
		}
		switch {
		case asked == 0:
			wave = append(wave, p)
		case asked == 1 && !declined:
			again = append(again, p)
		}
	}
	if len(wave) == 0 {
		wave, reminder = again, len(again) > 0
	}
	return wave[:min(len(wave), l.Wave)], reminder
}

// sim lets time pass in a ticket: it does what a workflow does, without one.
type sim struct {
	*story
	*world
	now     time.Time
	log     []string // "15m0s sms dana page"
	events  []Event
	lookups int
}

func simulate(tb rapid.TB, w *world, o Opening) *sim {
	tb.Helper()
	s := &sim{story: &story{TB: tb}, world: w, now: noon}
	t, events := Open(o, noon)
	s.take(Ticket{}, t, events)
	s.settle()
	return s
}

func (s *sim) take(before, after Ticket, events []Event) {
	s.note(before, after, events)
	for _, h := range s.heard {
		s.log = append(s.log, fmt.Sprintf("%v %s", s.now.Sub(noon), h))
	}
	s.events = append(s.events, events...)
}

func (s *sim) apply(c Command) error {
	before := s.Ticket
	after, events, err := Apply(before, c, s.now)
	s.take(before, after, events)
	for _, e := range events {
		for _, p := range e.To {
			if (e.Kind == Escalated || e.Kind == PagedAgain) && s.broken[p.ID] {
				_ = s.apply(Command{Verb: LostPage, Actor: System, To: p})
			}
		}
	}
	return err
}

// settle does all that is due now.
func (s *sim) settle() {
	for range 100 {
		if err := s.apply(Tick()); err != nil {
			s.Fatal(err)
		}
		l, ok := s.Lookup(s.now)
		if !ok {
			return
		}
		s.lookups++
		if err := s.apply(Found(l, s.answer(l))); err != nil {
			s.Fatal(err)
		}
	}
	s.Fatalf("never settles at %v: %+v", s.now, s.Alarms)
}

// until lets time pass, alarm by alarm.
func (s *sim) until(end time.Time) *sim {
	s.Helper()
	for {
		a, ok := s.Due()
		if !ok || a.At.After(end) {
			break
		}
		if a.At.After(s.now) {
			s.now = a.At
		}
		s.settle()
	}
	s.now = end
	return s
}

// say is a command at a time.
func (s *sim) say(after time.Duration, c Command) *sim {
	s.Helper()
	s.until(at(after))
	if err := s.apply(c); err != nil {
		s.Fatal(err)
	}
	s.settle()
	return s
}

// lines are the log's lines that name one of the words.
func (s *sim) lines(words ...string) (out []string) {
	for _, line := range s.log {
		if slices.ContainsFunc(words, func(w string) bool { return strings.HasSuffix(line, w) }) {
			out = append(out, line)
		}
	}
	return out
}

func same(tb rapid.TB, want, got []string) {
	tb.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		tb.Errorf("-want +got\n%s", diff)
	}
}
