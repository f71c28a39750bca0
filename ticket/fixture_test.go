package ticket

import (
	"fmt"
	"time"

	"pgregory.net/rapid"
)

var (
	noon = time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)

	ann  = Party{ID: "ann", Name: "Ann Lee", Via: "sms"}
	bob  = Party{ID: "bob", Name: "Bob", Via: "im"}
	eve  = Party{ID: "eve", Name: "Eve", Via: "im"}
	dan  = Party{ID: "dan", Name: "Dan", Via: "sms"}
	dana = Party{ID: "dana", Name: "Dana", Via: "sms"}
	sam  = Party{ID: "sam", Name: "Sam", Via: "sms"}
	meg  = Party{ID: "meg", Name: "Meg", Via: "sms"}
)

// urgent is P1 of the policy that the dialogues run under.
func urgent() Plan {
	return Plan{
		Wave:      Wave{Size: 3, Every: 5 * time.Minute},
		Steps:     []Step{{15 * time.Minute, "oncall"}, {25 * time.Minute, "next"}, {40 * time.Minute, "manager"}},
		Repeat:    5 * time.Minute,
		Lease:     2 * time.Hour,
		AutoClose: 72 * time.Hour,
		Silence:   48 * time.Hour,
		Respond:   15 * time.Minute,
		Resolve:   4 * time.Hour,
	}
}

func opening() Opening {
	return Opening{Number: 142, Subject: "Printer jams", Requester: ann, Channel: "rest", Priority: P1, CreatedAt: noon, Plan: urgent(), CommandID: "submit"}
}

// by is a command of somebody who may do what their place in the cast allows,
// typed into IM by the desk and into SMS by the requester.
func by(actor Party, verb Verb, change ...func(*Command)) Command {
	c := Command{ID: string(verb) + "-" + actor.ID, Verb: verb, Actor: actor, Channel: "im", Works: actor.ID != ann.ID, Manages: actor.ID == meg.ID, Text: "text"}
	switch verb {
	case Pass, Assign:
		c.To = dan
	case Snooze:
		c.Until = noon.Add(24 * time.Hour)
	case Merge:
		c.Number = 99
	case Reprioritise:
		plan := urgent()
		c.Priority, c.Plan = P2, &plan
	case Replan:
		plan := urgent()
		plan.Lease += time.Minute
		c.Plan = &plan
	}
	switch actor.ID {
	case ann.ID:
		c.Channel = "sms"
	case meg.ID:
		c.Channel = "rest"
	}
	for _, f := range change {
		f(&c)
	}
	return c
}

func promising(by time.Time) func(*Command) {
	return func(c *Command) { c.Until = by }
}

func yes(c *Command)                      { c.Confirmed = true }
func via(channel string) func(*Command)   { return func(c *Command) { c.Channel = channel } }
func to(p Party) func(*Command)           { return func(c *Command) { c.To = p } }
func onDuty(who ...Party) func(*Command)  { return func(c *Command) { c.Duty = who } }
func at(d time.Duration) time.Time        { return noon.Add(d) }
func minutes(n float64) time.Time         { return at(time.Duration(n * float64(time.Minute))) }
func plain(n Notice) string               { return fmt.Sprintf("%s %s %s", n.To.Via, n.To.ID, n.Message) }
func says(err error) (m Message, ok bool) { r, ok := Refused(err); return r.message(), ok }

func (r *Refusal) message() Message {
	if r == nil {
		return ""
	}
	return r.Message
}

// story plays commands on a ticket, each at its time.
type story struct {
	rapid.TB
	Ticket
	events []Event
	heard  []string
}

func tell(tb rapid.TB) *story {
	tb.Helper()
	s := &story{TB: tb}
	t, events := Open(opening(), noon)
	s.note(Ticket{}, t, events)
	return s
}

func (s *story) note(before, after Ticket, events []Event) {
	s.heard = nil
	for _, e := range events {
		next := Evolve(before, e)
		for _, n := range Notices(before, next, e) {
			s.heard = append(s.heard, plain(n))
		}
		before = next
	}
	s.Ticket, s.events = after, append(s.events, events...)
}

// try applies a command.
func (s *story) try(c Command, now time.Time) ([]Event, error) {
	before := s.Ticket
	after, events, err := Apply(before, c, now)
	s.note(before, after, events)
	return events, err
}

// do applies a command that must be accepted and change something.
func (s *story) do(c Command, now time.Time) *story {
	s.Helper()
	if events, err := s.try(c, now); err != nil || len(events) == 0 {
		s.Fatalf("%s by %s: %d events, %v", c.Verb, c.Actor.ID, len(events), err)
	}
	return s
}

// find answers what the ticket wants to know now.
func (s *story) find(now time.Time, f Findings) *story {
	s.Helper()
	l, ok := s.Lookup(now)
	if !ok {
		s.Fatal("nothing to look up")
	}
	f.Times = nil
	for _, span := range l.Spans {
		f.Times = append(f.Times, span.From.Add(span.After))
	}
	return s.do(Found(l, f), now)
}

// in tells the story up to a state as Bob sees it, before minute 10. Somebody of
// each kind waits to hear of a claim: Bob and Eve were asked by IM, Dan by SMS,
// and Dana was called.
func in(tb rapid.TB, c column) *story {
	tb.Helper()
	s := tell(tb).
		find(noon, Findings{Wave: []Party{bob, eve, dan}}).
		do(by(dan, Up, via("rest")), minutes(1)).
		find(minutes(1), Findings{Page: []Party{dana}})
	switch c {
	case isMine, isPending, isResolved, isClosed, isCancelled:
		s.do(by(bob, Take), minutes(3))
	case isOthers, isOfferedToMe:
		s.do(by(eve, Take), minutes(3))
	}
	switch c {
	case isOfferedToMe:
		s.do(by(eve, Pass, to(bob)), minutes(4))
	case isPending:
		s.do(by(bob, Ask), minutes(4))
	case isResolved:
		s.do(by(bob, Done), minutes(4))
	case isClosed:
		s.do(by(bob, Close), minutes(4))
	case isCancelled:
		s.do(by(ann, Withdraw, yes), minutes(4))
	}
	if got := seenBy(s.Ticket, bob); got != c {
		tb.Fatalf("the story of %s ends in %s", columnNames[c], columnNames[got])
	}
	s.heard = nil
	return s
}

// when is the moment at which the grid's commands arrive: offers of the first
// wave still live, every claim older than two minutes where there is one.
func when(c column) time.Time {
	if c == isNew {
		return minutes(3)
	}
	return minutes(6)
}
