// Package rehearsal plays through what happens to a ticket that nobody takes: the
// ticket's own decisions and the lookups of its workflow, under a clock that jumps
// from alarm to alarm, over the people, rota and policy that it is given. It sends
// nothing and writes nothing.
package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"deskbell/activities"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/ticket"
)

// Line is somebody who would be asked or called, or a hole.
type Line struct {
	At      time.Time
	To      ticket.Party   // with the channel; zero in a hole
	Message ticket.Message // offer, reminder, page or mgr_nobody; empty in a hole
	Hole    string         // who is missing: one of the holes
}

// The holes.
const (
	HoleDuty    = "nobody on duty can be asked"
	HoleOnCall  = "nobody on call can be called"
	HoleNext    = "nobody is next on call"
	HoleManager = "no manager can be called"
	HoleAgain   = "who was called cannot be called again"
)

// settleLimit is more turns than a ticket takes at one moment: each serves at
// least one alarm of its five kinds, and a chain has a handful of steps.
const settleLimit = 1000

// Run returns what would happen to a ticket of a priority and group that is
// submitted at a time, until another. People are taken as they stand now: their
// presence, AWAY and stopped texts, and what they hold.
func Run(ctx context.Context, d activities.Directory, p policy.Policy, priority ticket.Priority, group string, at, until time.Time) ([]Line, error) {
	people, err := freeze(ctx, d)
	if err != nil {
		return nil, fmt.Errorf("rehearse: %w", err)
	}
	r := &run{tickets: &activities.Tickets{Directory: people, Policy: p}, now: at.UTC()}
	t, events := ticket.Open(ticket.Opening{Priority: priority, Group: group, CreatedAt: r.now, Plan: p.Group(group).For(priority)}, r.now)
	r.note(t, events)
	for {
		if err := r.settle(ctx); err != nil {
			return nil, fmt.Errorf("rehearse %s: %w", r.now.Format(time.RFC3339), err)
		}
		next, ok := r.ticket.Due()
		if !ok || next.At.After(until) {
			return r.lines, nil
		}
		r.now = next.At
	}
}

type run struct {
	tickets *activities.Tickets
	ticket  ticket.Ticket
	now     time.Time
	lines   []Line
}

// settle does all that is due now.
func (r *run) settle(ctx context.Context) error {
	for range settleLimit {
		if err := r.apply(ticket.Tick()); err != nil {
			return err
		}
		l, ok := r.ticket.Lookup(r.now)
		if !ok {
			return nil
		}
		f, err := r.tickets.Prepare(ctx, activities.PrepareInput{Lookup: l, Now: r.now})
		if err != nil {
			return err
		}
		if err := r.apply(ticket.Found(l, f)); err != nil {
			return err
		}
	}
	return errors.New("the ticket never settles")
}

func (r *run) apply(c ticket.Command) error {
	after, events, err := ticket.Apply(r.ticket, c, r.now)
	if err != nil {
		return err
	}
	r.note(after, events)
	return nil
}

func (r *run) note(after ticket.Ticket, events []ticket.Event) {
	before := r.ticket
	for _, e := range events {
		next := ticket.Evolve(before, e)
		for _, n := range ticket.Notices(before, next, e) {
			if n.Alert || n.Page {
				r.lines = append(r.lines, Line{At: r.now, To: n.To, Message: n.Message})
			}
		}
		if hole := missing(next, e); hole != "" {
			r.lines = append(r.lines, Line{At: r.now, Hole: hole})
		}
		before = next
	}
	r.ticket = after
}

// missing names the hole that an event found. That nobody is left after everybody
// was asked is none.
func missing(after ticket.Ticket, e ticket.Event) string {
	if len(e.To) > 0 {
		return ""
	}
	switch e.Kind {
	case ticket.Offered:
		if len(after.Offers) == 0 && after.Empty == 1 {
			return HoleDuty
		}
	case ticket.Escalated:
		return map[string]string{policy.ToOnCall: HoleOnCall, policy.ToNext: HoleNext, policy.ToManager: HoleManager}[e.Text]
	case ticket.PagedAgain:
		return HoleAgain
	}
	return ""
}

// frozen are the people of one moment. Who was asked is noted here only.
type frozen struct {
	people    []roster.Person
	members   []roster.Member
	rota      []roster.Rotation
	overrides []roster.Override
}

func freeze(ctx context.Context, d activities.Directory) (f *frozen, err error) {
	f = &frozen{}
	if f.people, err = d.People(ctx); err != nil {
		return nil, err
	}
	if f.members, err = d.Members(ctx); err != nil {
		return nil, err
	}
	f.members = slices.Clone(f.members)
	f.rota, f.overrides, err = d.Rota(ctx)
	return f, err
}

func (f *frozen) People(context.Context) ([]roster.Person, error)  { return f.people, nil }
func (f *frozen) Members(context.Context) ([]roster.Member, error) { return f.members, nil }
func (f *frozen) Rota(context.Context) ([]roster.Rotation, []roster.Override, error) {
	return f.rota, f.overrides, nil
}

func (f *frozen) MarkAsked(_ context.Context, ids []string, at time.Time) error {
	for i := range f.members {
		if slices.Contains(ids, f.members[i].ID) {
			f.members[i].LastAsked = at
		}
	}
	return nil
}
