package rehearsal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"deskbell/activities"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/ticket"
)

// genPolicy is any policy whose chain has the manager in it, as a file says it.
func genPolicy(t *rapid.T) policy.Policy {
	pick := func(what string, of ...string) string { return rapid.SampledFrom(of).Draw(t, what) }
	span := func(what string) string { return pick(what, "5m", "20m", "90m", "7h", "2d") }
	section := func() string {
		var plans []string
		for _, p := range []ticket.Priority{ticket.P1, ticket.P3} {
			who := rapid.SliceOfN(rapid.SampledFrom([]string{policy.ToOnCall, policy.ToNext, policy.ToManager}), 0, 3).Draw(t, "steps")
			var steps []string
			after := 0
			for _, to := range append(who, policy.ToManager) {
				after += rapid.IntRange(1, 400).Draw(t, "after")
				steps = append(steps, fmt.Sprintf("{after: %dm, to: %s}", after, to))
			}
			plans = append(plans, fmt.Sprintf("%s: {steps: [%s], repeat: %s, lease: %s, resolve: %s, hours: %s, wave: {size: %d, every: %s}, breach: %s}", p, strings.Join(steps, ", "),
				span("repeat"), span("lease"), span("resolve"), pick("hours", "always", "office"), rapid.IntRange(1, 3).Draw(t, "size"), span("every"), pick("breach", "escalate", "none")))
		}
		return fmt.Sprintf("priorities: {%s}, office: {zone: %s, days: %s, from: %q, to: %q, holidays: %s}", strings.Join(plans, ", "), pick("zone", "Europe/Berlin", "America/St_Johns", "Asia/Kolkata"),
			pick("days", "mon-fri", "sun", "sun-sat"), pick("from", "00:00", "08:00"), pick("to", "08:30", "24:00"), pick("holidays", "de", "none"))
	}
	p, err := policy.Load([]byte("{" + section() + ", groups: {it: {" + section() + "}}}"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// genDesk is any desk with a manager who can be called.
func genDesk(t *rapid.T, at time.Time) *directory {
	d := &directory{members: []roster.Member{member("meg", roster.Manager)}}
	for _, m := range []roster.Member{member("bob", roster.Agent), member("eve", roster.Agent, roster.OnCallee), member("dana", roster.OnCallee), member("sam", roster.OnCallee)} {
		m.Stopped = rapid.Bool().Draw(t, m.ID+" stopped")
		if rapid.Bool().Draw(t, m.ID+" away") {
			m.AwayUntil = at.Add(time.Duration(rapid.IntRange(0, 100).Draw(t, "hours")) * time.Hour)
		}
		if rapid.Bool().Draw(t, m.ID+" in chat") {
			m.JID, m.Presence.State = m.ID+"@desk", rapid.SampledFrom([]roster.PresenceState{roster.Available, roster.Busy, roster.Offline}).Draw(t, "presence")
		}
		if rapid.Bool().Draw(t, m.ID) {
			d.members = append(d.members, m)
		}
	}
	turns := rapid.SliceOfN(rapid.SampledFrom([]string{"bob", "eve", "dana", "sam", "meg", "zoe"}), 0, 4).Draw(t, "turns")
	if len(turns) > 0 {
		d.rota = []roster.Rotation{{Name: "turns", Zone: "Europe/Berlin", Start: at.Add(time.Duration(rapid.IntRange(-200, 20).Draw(t, "start")) * time.Hour),
			Every: rapid.SampledFrom([]string{"day", "5h", "mon 08:00, fri 17:00"}).Draw(t, "cadence"), People: turns}}
		d.overrides = []roster.Override{{Person: "sam", Instead: turns[0], From: at, Until: at.Add(24 * time.Hour)}}
	}
	return d
}

// Under any policy and at any desk with a manager who can be called, at any time of
// the year and after whatever was done to a ticket: if nobody answers from then on, the
// manager is called within the sum of the policy's times, counted in its hours.
func TestTheManagerIsReached(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := genPolicy(t)
		opened := time.Date(2026, 1, 1, 0, rapid.IntRange(0, 360*24*60).Draw(t, "minute"), 0, 0, time.UTC)
		group := rapid.SampledFrom([]string{"", "it"}).Draw(t, "group")
		priority := rapid.SampledFrom([]ticket.Priority{ticket.P1, ticket.P3}).Draw(t, "priority")
		l := &life{tb: t, tickets: &activities.Tickets{Directory: genDesk(t, opened), Policy: p}, now: opened}
		after, events := ticket.Open(ticket.Opening{Number: 142, Priority: priority, Group: group, CreatedAt: opened, Plan: p.Group(group).For(priority), Requester: ticket.Party{ID: "ann", Via: "sms"}}, opened)
		l.note(after, events)
		l.until(opened)
		for i := range rapid.IntRange(0, 6).Draw(t, "deeds") {
			verb := rapid.SampledFrom([]ticket.Verb{ticket.Take, ticket.Take, ticket.Drop, ticket.Note, ticket.Keep, ticket.Tell, ticket.Ask, ticket.Write, ticket.Snooze, ticket.Pass,
				ticket.Up, ticket.Done, ticket.Reopen, ticket.TakeBack, ticket.Reprioritise, ticket.LostPage}).Draw(t, "verb")
			c := by(rapid.SampledFrom([]string{"bob", "bob", "dana", "meg"}).Draw(t, "who"), verb)
			c.ID, c.Confirmed, c.Until = fmt.Sprint(i), true, l.now.Add(time.Duration(rapid.IntRange(1, 24*60).Draw(t, "until"))*time.Minute)
			switch verb {
			case ticket.Write, ticket.Reopen:
				c.Actor, c.Works = ticket.Party{ID: "ann", Via: "sms"}, false
			case ticket.Pass:
				c.To = ticket.Party{ID: "eve", Name: "eve", Via: "sms"}
			case ticket.Reprioritise:
				c.Priority = rapid.SampledFrom([]ticket.Priority{ticket.P1, ticket.P3}).Draw(t, "another")
				c.Plan = new(p.Group(group).For(c.Priority))
			case ticket.LostPage:
				c.Actor, c.To = ticket.System, ticket.Party{ID: rapid.SampledFrom([]string{"dana", "sam", "meg"}).Draw(t, "lost"), Via: "sms"}
			}
			after, events, err := ticket.Apply(l.ticket, c, l.now)
			if err == nil {
				l.note(after, events)
			} else if _, refused := ticket.Refused(err); !refused {
				t.Fatal(err)
			}
			l.until(l.now.Add(time.Duration(rapid.IntRange(0, 3000).Draw(t, "minutes")) * time.Minute))
		}
		k := l.ticket
		if !k.Status.Open() || k.WaitingFor() == "requester" {
			return // over, or its holder is reminded daily
		}
		last, free := k.Plan.Steps[len(k.Plan.Steps)-1].After, l.now
		if k.Status == ticket.New {
			last *= 2 // it is in the middle of its chain
		} else {
			if k.Status == ticket.Pending {
				free = k.Until
			}
			free = free.Add(k.Plan.Lease + max(k.Plan.Lease/4, 10*time.Minute))
		}
		before := len(l.events)
		l.until(p.Group(group).After(k.Plan.Office, free, last+k.Plan.Repeat))
		if !slices.ContainsFunc(l.events[before:], func(e ticket.Event) bool {
			return e.Kind == ticket.Escalated && slices.ContainsFunc(e.To, func(p ticket.Party) bool { return p.ID == "meg" })
		}) {
			var story strings.Builder
			for _, e := range l.events {
				fmt.Fprintln(&story, e.At, e.Kind, e.Actor.ID, e.To)
			}
			t.Fatalf("from %s of %s on nobody called the manager until %s:\n%s%+v", free, k.Status, l.now, &story, k.Plan)
		}
	})
}
