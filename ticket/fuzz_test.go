package ticket

import (
	"testing"
	"time"
)

// script plays bytes as a ticket's life: three bytes are a command, who gives it,
// and how long later. It is total.
func script(t *testing.T, data []byte) {
	all, w := verbs(), desk()
	w.duty = []Party{bob, eve, dan}
	s := &story{TB: t}
	s.Ticket, s.events = Open(opening(), noon)
	now := noon
	for ; len(data) >= 3; data = data[3:] {
		verb, actor := all[int(data[0])%len(all)], cast[int(data[1])%len(cast)]
		now = now.Add(time.Duration(data[2]) * time.Duration(data[2]) * 7 * time.Second) // up to 5 days
		if data[1]&0x80 == 0 {
			if l, ok := s.Lookup(now); ok {
				_, _ = s.try(Found(l, w.answer(l)), now)
			}
		}
		c := by(actor, verb, to(cast[int(data[1]>>3)%len(cast)]), onDuty(bob))
		c.Confirmed = data[0]&0x80 != 0
		_, _ = s.try(c, now)
		_, _ = s.try(Tick(), now)
		holds(t, s.Ticket)
	}
	var replayed Ticket
	for i, e := range s.events {
		if e.Seq != i+1 {
			t.Fatalf("event %d is number %d", i, e.Seq)
		}
		replayed = Evolve(replayed, e)
	}
	if frozen(t, replayed) != frozen(t, s.Ticket) {
		t.Fatal("the events give another ticket")
	}
}

func FuzzApply(f *testing.F) {
	f.Fuzz(script)
}
