package rehearsal_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/activities"
	"deskbell/policy"
	"deskbell/rehearsal"
	"deskbell/roster"
	"deskbell/ticket"
)

// life is a ticket that lives by a policy: what people do is given, the rest happens.
type life struct {
	tb
	tickets *activities.Tickets
	ticket  ticket.Ticket
	now     time.Time
	events  []ticket.Event
}

// tb is a test, or one try of a property.
type tb interface {
	Helper()
	Fatal(args ...any)
	Context() context.Context
}

func (l *life) note(t ticket.Ticket, events []ticket.Event) {
	l.ticket = t
	l.events = append(l.events, events...)
}

func (l *life) apply(c ticket.Command) {
	l.Helper()
	after, events, err := ticket.Apply(l.ticket, c, l.now)
	if err != nil {
		l.Fatal(err)
	}
	l.note(after, events)
}

// until lets time pass.
func (l *life) until(end time.Time) {
	l.Helper()
	for {
		l.apply(ticket.Tick())
		if found, ok := l.ticket.Lookup(l.now); ok {
			f, err := l.tickets.Prepare(l.Context(), activities.PrepareInput{Lookup: found, Now: l.now})
			if err != nil {
				l.Fatal(err)
			}
			l.apply(ticket.Found(found, f))
			continue
		}
		next, ok := l.ticket.Due()
		if !ok || next.At.After(end) {
			l.now = end
			return
		}
		l.now = next.At
	}
}

// deeds are what people did: minutes after the submission.
type deeds []struct {
	minute  float64
	command ticket.Command
}

func by(id string, v ticket.Verb) ticket.Command {
	return ticket.Command{Verb: v, Actor: ticket.Party{ID: id, Name: id, Via: "sms"}, Works: true, Manages: id == "meg", Channel: "sms"}
}

// live has a ticket of the group it live by a policy.
func live(t *testing.T, d *directory, p policy.Policy, priority ticket.Priority, deeds deeds) []ticket.Event {
	t.Helper()
	l := &life{tb: t, tickets: &activities.Tickets{Directory: d, Policy: p}, now: sunday}
	after, events := ticket.Open(ticket.Opening{Number: 142, Priority: priority, Group: "it", CreatedAt: sunday, Plan: p.Group("it").For(priority), Requester: ticket.Party{ID: "ann", Via: "sms"}}, sunday)
	l.note(after, events)
	for i, deed := range deeds {
		l.until(sunday.Add(time.Duration(deed.minute * float64(time.Minute))))
		deed.command.ID = fmt.Sprint(i)
		l.apply(deed.command)
	}
	return l.events
}

func load(t *testing.T, yaml string) policy.Policy {
	t.Helper()
	p, err := policy.Load([]byte(yaml))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

const quicker = `priorities: {P1: {respond: 5m, resolve: 1h, wave: {size: 3, every: 5m}, steps: [{after: 4m, to: oncall}, {after: 8m, to: next}, {after: 10m, to: manager}], repeat: 5m, hours: always, lease: 30m}}`

func TestBacktest(t *testing.T) {
	t.Parallel()
	bob, eve, dana, sam, meg := member("bob", roster.Agent), member("eve", roster.Agent), member("dana", roster.OnCallee), member("sam", roster.OnCallee), member("meg", roster.Manager)
	everybody := []roster.Member{bob, eve, dana, sam, meg}
	lost := by("", ticket.LostPage)
	lost.Actor, lost.To = ticket.System, ticket.Party{ID: "dana", Via: "sms"}
	unreached := lost
	unreached.Verb, unreached.To = ticket.LostOffer, ticket.Party{ID: "bob", Via: "sms"}
	for name, tt := range map[string]struct {
		deeds   deeds
		was     string // of the default policy
		another string
	}{
		"asked and took": {deeds{{3, by("bob", ticket.Take)}, {33.5, by("bob", ticket.Keep)}, {63, by("bob", ticket.Done)}},
			"2 messages, 0 calls, taken after 3m0s", "2 messages, 0 calls, taken after 3m0s, overdue"},
		"called and took": {deeds{{16, by("dana", ticket.Take)}, {20, by("dana", ticket.Done)}}, // a minute after she was called
			"5 messages, 1 calls, taken after 16m0s, late", "3 messages, 1 calls, taken after 5m0s"},
		"took it without being asked": {deeds{{2, by("meg", ticket.Take)}},
			"2 messages, 0 calls, taken after 2m0s", "2 messages, 0 calls, taken after 2m0s"},
		"declined": {deeds{{1, by("bob", ticket.Drop)}, {2, by("eve", ticket.Drop)}, {26, by("sam", ticket.Take)}},
			"6 messages, 3 calls, taken after 26m0s, late", "5 messages, 2 calls, taken after 9m0s, late"},
		"a call that did not arrive": {deeds{{15.5, lost}, {17, by("sam", ticket.Take)}},
			"6 messages, 2 calls, taken after 17m0s, late", "6 messages, 2 calls, taken after 6m0s, late"},
		"an offer that did not arrive": {deeds{{0.5, unreached}, {16, by("dana", ticket.Take)}},
			"4 messages, 1 calls, taken after 16m0s, late", "4 messages, 1 calls, taken after 5m0s"},
		"withdrawn": {deeds{{30, func() ticket.Command { c := by("ann", ticket.Withdraw); c.Works, c.Confirmed = false, true; return c }()}},
			"8 messages, 4 calls, not taken, late", "12 messages, 8 calls, not taken, late"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &directory{members: everybody}
			events := live(t, d, policy.Default(), ticket.P1, tt.deeds)
			for under, want := range map[string]string{"": tt.was, quicker: tt.another} {
				all, err := rehearsal.Backtest(t.Context(), d, load(t, under), [][]ticket.Event{events, nil, events[1:]})
				if err != nil || len(all) != 1 {
					t.Fatal(all, err)
				}
				if diff := cmp.Diff(tt.was, said(all[0].Was)); diff != "" {
					t.Errorf("was %s", diff)
				}
				if diff := cmp.Diff(want, said(all[0].New)); diff != "" {
					t.Errorf("under %q %s", under, diff)
				}
			}
		})
	}
}

// A change of the priority brings the plan that the other policy has for the ticket's
// group, and its hours; a ticket that took over another policy is measured by that of
// the backtest alone, and so is one that paused.
func TestBacktestByTheGroup(t *testing.T) {
	t.Parallel()
	everybody := []roster.Member{member("bob", roster.Agent), member("dana", roster.OnCallee), member("sam", roster.OnCallee), member("meg", roster.Manager)}
	to := func(v ticket.Verb, p ticket.Priority) ticket.Command {
		c := by("meg", v)
		c.Priority, c.Plan = p, new(policy.Default().For(p))
		return c
	}
	replan := to(ticket.Replan, ticket.P2)
	replan.Plan.Resolve = 24 * time.Hour
	answer := by("ann", ticket.Write)
	answer.Works = false
	raised := deeds{{2, to(ticket.Reprioritise, ticket.P1)}, {39, by("dana", ticket.Take)}, {65, by("dana", ticket.Done)}}
	for name, tt := range map[string]struct {
		deeds      deeds
		another    string
		was, would string
	}{
		"raised, by the policy of all": {raised, "priorities: {P1: {resolve: 30m}}", "7 messages, 5 calls, taken after 39m0s, late", "7 messages, 5 calls, taken after 39m0s, late, overdue"},
		"raised, by the group's": {raised, "priorities: {P1: {resolve: 30m, steps: [{after: 3m, to: oncall}]}}\ngroups: {it: {priorities: {P1: {resolve: 3h, steps: [{after: 30m, to: oncall}], repeat: 30m}}}}",
			"7 messages, 5 calls, taken after 39m0s, late", "3 messages, 1 calls, taken after 54m0s, late"},
		"raised once it was taken": {deeds{{1, by("bob", ticket.Take)}, {2, to(ticket.Reprioritise, ticket.P1)}, {40, by("bob", ticket.Done)}}, "priorities: {P1: {resolve: 30m}, P2: {resolve: 30m}}\ngroups: {it: {priorities: {P1: {resolve: 2h}}}}",
			"1 messages, 0 calls, taken after 1m0s", "1 messages, 0 calls, taken after 1m0s"},
		"took over another policy": {deeds{{1, by("bob", ticket.Take)}, {2, replan}, {70, by("bob", ticket.Done)}}, "priorities: {P2: {resolve: 1h}}",
			"1 messages, 0 calls, taken after 1m0s", "1 messages, 0 calls, taken after 1m0s, overdue"},
		"took over another policy, and paused": {deeds{{1, by("bob", ticket.Take)}, {2, replan}, {3, by("bob", ticket.Ask)}, {83, answer}, {100, by("bob", ticket.Done)}}, "priorities: {P2: {resolve: 21m}}",
			"1 messages, 0 calls, taken after 1m0s", "1 messages, 0 calls, taken after 1m0s"},
		"the group's office": {deeds{{1, by("bob", ticket.Take)}, {30, by("bob", ticket.Done)}}, "priorities: {P2: {hours: office, resolve: 20m}}\ngroups: {it: {office: {days: sun-sat, from: '00:00', to: '24:00', holidays: none}}}",
			"1 messages, 0 calls, taken after 1m0s", "1 messages, 0 calls, taken after 1m0s, overdue"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := &directory{members: everybody}
			all, err := rehearsal.Backtest(t.Context(), d, load(t, tt.another), [][]ticket.Event{live(t, d, policy.Default(), ticket.P2, tt.deeds)})
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			if diff := cmp.Diff([]string{tt.was, tt.would}, []string{said(all[0].Was), said(all[0].New)}); diff != "" {
				t.Errorf("was and would be: %s", diff)
			}
		})
	}
}

func said(c rehearsal.Course) string {
	words := []string{fmt.Sprintf("%d messages, %d calls", c.Messages, c.Calls), "not taken"}
	if c.Taken {
		words[1] = fmt.Sprintf("taken after %v", c.Wait)
	}
	if c.Late {
		words = append(words, "late")
	}
	if c.Overdue {
		words = append(words, "overdue")
	}
	return strings.Join(words, ", ")
}

// Whom a ticket saw away then is away then, whoever is away now.
func TestBacktestSeesWhoWasThere(t *testing.T) {
	t.Parallel()
	bob, eve, meg := member("bob", roster.Agent), member("eve", roster.Agent), member("meg", roster.Manager)
	away := eve
	away.AwayUntil = sunday.Add(time.Hour)
	events := live(t, &directory{members: []roster.Member{bob, away, meg}}, policy.Default(), ticket.P1, deeds{{3, by("bob", ticket.Take)}})
	bob.AwayUntil = sunday.Add(1000 * time.Hour)
	all, err := rehearsal.Backtest(t.Context(), &directory{members: []roster.Member{bob, eve, meg}}, policy.Default(), [][]ticket.Event{events})
	if err != nil || len(all) != 1 || all[0].New != all[0].Was || all[0].Was.Messages != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	all := []rehearsal.Compared{
		{Number: 1, Priority: ticket.P1, Was: rehearsal.Course{Messages: 5, Calls: 2, Taken: true, Wait: 16 * time.Minute, Late: true}, New: rehearsal.Course{Messages: 3, Calls: 1, Taken: true, Wait: 5 * time.Minute}},
		{Number: 2, Priority: ticket.P1, Was: rehearsal.Course{Messages: 2, Taken: true, Wait: time.Minute, Overdue: true}, New: rehearsal.Course{Messages: 2, Taken: true, Wait: time.Minute}},
		{Number: 3, Priority: ticket.P3, Was: rehearsal.Course{Messages: 9, Calls: 4}, New: rehearsal.Course{Messages: 1, Taken: true, Wait: 30 * 24 * time.Hour}},
	}
	var terminal, page strings.Builder
	if err := errors.Join(rehearsal.Write(&terminal, all), rehearsal.WriteHTML(&page, "<b>", all)); err != nil {
		t.Fatal(err)
	}
	plain := strings.Join(strings.Fields(terminal.String()), " ")
	for _, words := range []string{
		"P1: 2 tickets messages to ask and call 7 5 of them calls 2 1 half taken within 1m0s 1m0s 9 of 10 taken within 16m0s 5m0s not taken 0 0 respond target missed 1 0 resolve target missed 1 0",
		"P3: 1 tickets messages to ask and call 9 1", "all: 3 tickets messages to ask and call 16 6",
		"30 min was 1 " + strings.Repeat("█", 40) + " new 0", "longer was 0 new 1", "not taken was 1", "What is assumed",
	} {
		if !strings.Contains(plain, words) {
			t.Errorf("no %q in\n%s", words, &terminal)
		}
	}
	var ten []rehearsal.Compared
	for i := range 10 {
		ten = append(ten, rehearsal.Compared{Priority: ticket.P2, Was: rehearsal.Course{Taken: true, Wait: time.Duration(10-i) * time.Minute}})
	}
	sum := rehearsal.Sums(ten)[0]
	if half, most, all, none := sum.Was.Wait(50), sum.Was.Wait(90), sum.Was.Wait(100), sum.New.Wait(50); half != 5*time.Minute || most != 9*time.Minute || all != 10*time.Minute || none != 0 {
		t.Errorf("5 of 10 within %v, 9 within %v, all within %v, of none %v", half, most, all, none)
	}
	for _, words := range []string{"<h1>&lt;b&gt;</h1>", "<title>was: 1 within 30 min</title>", "<td>of them calls</td><td>6</td><td>1</td>", "What is assumed"} {
		if !strings.Contains(page.String(), words) {
			t.Errorf("no %q in the page", words)
		}
	}
}
