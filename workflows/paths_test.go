package workflows

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/policy"
	"deskbell/roster"
	"deskbell/ticket"
)

// Every way in which a ticket goes on by itself, as its workflow does it in skipped
// time: what happened, and when. Noon in UTC is 13:00 on a Tuesday in the office, which
// is open from 8:00 to 18:00.
func TestPaths(t *testing.T) {
	t.Parallel()
	const m, h, d = time.Minute, time.Hour, 24 * time.Hour
	type said struct {
		at time.Duration
		ticket.Command
	}
	again := func(c ticket.Command, n int) ticket.Command { c.ID += fmt.Sprint(" ", n); return c }
	take, drop, done := by("bob", ticket.Take), by("bob", ticket.Drop), by("bob", ticket.Done)
	promising := func(at time.Duration) ticket.Command { return by("bob", ticket.Take, until(at)) }
	lost := func(who string) ticket.Command {
		return ticket.Command{ID: "lost " + who, Verb: ticket.LostPage, Actor: ticket.System, Works: true, Manages: true, To: party(who)}
	}
	keep := func(every, end time.Duration) (all []said) {
		for at := every; at < end; at += every {
			all = append(all, said{at, by("bob", ticket.Keep, func(c *ticket.Command) { c.ID = fmt.Sprint("keep ", at) })})
		}
		return all
	}
	replan := func(priority ticket.Priority) ticket.Command {
		return by("meg", ticket.Replan, func(c *ticket.Command) { c.Plan = new(policy.Default().For(priority)) })
	}
	for name, tt := range map[string]struct {
		priority ticket.Priority
		desk     func(*roster.Member) // changes each of the cast
		said     []said
		lives    time.Duration
		kinds    []ticket.Kind // those to tell
		want     []string
	}{
		"silence through the waves": {ticket.P1, nil, nil, 14 * m, []ticket.Kind{ticket.Offered},
			[]string{"0s offered eve bob", "5m0s offered eve bob", "10m0s offered"}},
		"the whole chain, and again": {ticket.P1, nil, nil, 71 * m, []ticket.Kind{ticket.Escalated},
			[]string{"15m0s escalated dana", "25m0s escalated sam", "40m0s escalated meg", "45m0s escalated dana", "55m0s escalated sam", "1h10m0s escalated meg"}},
		"a month of silence in office hours": {ticket.P4, nil, nil, 37 * d, []ticket.Kind{ticket.Escalated}, // the clocks go forward, and Easter is free
			[]string{"52h0m0s escalated meg", "166h0m0s escalated meg", "218h0m0s escalated meg", "332h0m0s escalated meg", "384h0m0s escalated meg", "484h0m0s escalated meg", "550h0m0s escalated meg", "649h0m0s escalated meg", "715h0m0s escalated meg", "863h0m0s escalated meg"}},
		"solved, and nobody objects for a month": {ticket.P3, nil, []said{{m, take}, {h, done}}, 31 * d, []ticket.Kind{ticket.Solved, ticket.Shut},
			[]string{"1h0m0s resolved", "73h0m0s closed"}},
		"a call that does not arrive": {ticket.P1, nil, []said{{16 * m, lost("dana")}, {17 * m, lost("sam")}}, 30 * m, []ticket.Kind{ticket.Escalated, ticket.PageFailed},
			[]string{"15m0s escalated dana", "16m0s page failed dana", "16m0s escalated sam", "17m0s page failed sam", "17m0s escalated meg", "22m0s escalated dana"}},
		"stopped numbers": {ticket.P1, func(m *roster.Member) { m.Stopped = m.ID == "dana" || m.ID == "bob" }, nil, 41 * m, []ticket.Kind{ticket.Escalated},
			[]string{"15m0s escalated sam", "25m0s escalated", "25m0s escalated meg", "30m0s escalated sam", "40m0s escalated", "40m0s escalated meg"}},
		"declined": {ticket.P3, nil, []said{{m, drop}, {2 * m, by("eve", ticket.Decline)}}, 16 * m, []ticket.Kind{ticket.Offered, ticket.Declined},
			[]string{"0s offered eve bob", "1m0s declined", "1m0s offered eve", "2m0s declined", "2m0s offered", "15m0s offered"}},
		"raised by hand": {ticket.P1, nil, []said{{2 * m, by("bob", ticket.Up)}, {3 * m, again(by("bob", ticket.Up), 2)}}, 41 * m, []ticket.Kind{ticket.Raised, ticket.Escalated},
			[]string{"2m0s raised", "2m0s escalated dana", "3m0s raised", "3m0s escalated sam", "40m0s escalated meg"}},
		"the lease runs out": {ticket.P1, nil, []said{{m, take}}, 57 * m, []ticket.Kind{ticket.Taken, ticket.WentStale, ticket.Lapsed, ticket.Escalated},
			[]string{"1m0s taken", "31m0s went stale", "41m0s lapsed", "56m0s escalated dana"}},
		"the resolve target passes, once": {ticket.P1, nil, append(keep(20*m, 5*h), said{0, take}), 5 * h, []ticket.Kind{ticket.Breached, ticket.Escalated, ticket.Lapsed},
			[]string{"2h0m0s breached", "2h0m0s escalated dana"}},
		"a promise is moved, and slips": {ticket.P1, nil, []said{{m, promising(10 * m)}, {5 * m, again(promising(20*m), 2)}}, 31 * m, []ticket.Kind{ticket.Promised, ticket.Slipped, ticket.Lapsed},
			[]string{"5m0s promised", "20m0s slipped", "30m0s lapsed"}},
		"asked and never answered": {ticket.P3, nil, []said{{m, take}, {2 * m, by("bob", ticket.Ask)}}, 5 * d, []ticket.Kind{ticket.Asked, ticket.Unanswered},
			[]string{"2m0s asked", "48h2m0s unanswered", "72h2m0s unanswered", "96h2m0s unanswered"}},
		"snoozed over the weekend, and forgotten": {ticket.P3, nil, []said{{m, take}, {2 * m, by("bob", ticket.Snooze, until(6*d))}}, 7*d + h, []ticket.Kind{ticket.Snoozed, ticket.Woken, ticket.WentStale, ticket.Lapsed, ticket.Escalated},
			[]string{"2m0s snoozed", "144h0m0s woken", "146h0m0s went stale", "146h30m0s lapsed", "164h30m0s escalated dana", "168h30m0s escalated meg"}},
		"offered to a colleague who does not answer": {ticket.P3, nil, []said{{m, take}, {2 * m, by("bob", ticket.Pass, func(c *ticket.Command) { c.To = party("eve") })}}, h, []ticket.Kind{ticket.PassOffered, ticket.PassRefused},
			[]string{"2m0s pass offered eve", "12m0s pass refused"}},
		"reopened and nobody there": {ticket.P1, nil, []said{{m, take}, {2 * m, done}, {h, by("ann", ticket.Reopen)}}, 76 * m, []ticket.Kind{ticket.Solved, ticket.Reopened, ticket.Escalated},
			[]string{"2m0s resolved", "1h0m0s reopened", "1h15m0s escalated dana"}},
		"another policy for a running ticket": {ticket.P3, nil, []said{{10 * m, replan(ticket.P1)}}, 26 * m, []ticket.Kind{ticket.Replanned, ticket.Escalated},
			[]string{"10m0s replanned", "15m0s escalated dana", "25m0s escalated sam"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, policy.Default())
			people := cast()
			for i := range people {
				if tt.desk != nil {
					tt.desk(&people[i])
				}
			}
			w.tickets.Directory = people
			for _, s := range tt.said {
				w.signal(s.at, s.Command)
			}
			w.on(tt.lives, func() { w.SignalWorkflow(CommandSignal, by("meg", ticket.Cancel)) })
			w.complete(w.live(opening(policy.Default(), tt.priority)))
			var happened []string
			for _, p := range w.projections {
				for _, e := range p.Events {
					if !slices.Contains(tt.kinds, e.Kind) || e.At.Sub(noon) >= tt.lives {
						continue
					}
					line := fmt.Sprintf("%v %s", e.At.Sub(noon).Truncate(time.Second), e.Kind)
					for _, to := range e.To {
						line += " " + to.ID
					}
					happened = append(happened, line)
				}
			}
			if diff := cmp.Diff(tt.want, happened); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func until(after time.Duration) func(*ticket.Command) {
	return func(c *ticket.Command) { c.Until = noon.Add(after) }
}
