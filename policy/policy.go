// Package policy is how long everything about a ticket may take: how many people
// are asked and how often, whom to call and when, the targets, and the office
// hours that some of it is counted in. A policy is built in or read from YAML,
// and is valid once it exists. It knows no ticket's state, no person and no
// clock, and must stay out of workflow code: holidays and time zones change
// between releases, and a replay would not.
package policy

import (
	"maps"
	"slices"
	"time"
	_ "time/tzdata" // the built-in default names a zone; a machine may have none

	"deskbell/clock"
	"deskbell/ticket"
)

// Policy is one helpdesk's times. It is immutable and safe for concurrent use.
// Default, Development and Load make one.
type Policy struct {
	plans  map[ticket.Priority]ticket.Plan
	office Hours
	held   int
	budget int
	groups map[string]Policy // what differs from the rest, whole
}

// Group returns the policy of a group's tickets: that of all when it has none of its
// own.
func (p Policy) Group(name string) Policy {
	if own, ok := p.groups[name]; ok {
		return own
	}
	return p
}

// Groups returns the names of the groups that have a policy of their own, sorted.
func (p Policy) Groups() []string { return slices.Sorted(maps.Keys(p.groups)) }

// For returns the plan of a priority; a word that is none gets P3's, the
// priority of a ticket that names none.
func (p Policy) For(priority ticket.Priority) ticket.Plan {
	plan, ok := p.plans[priority]
	if !ok {
		plan = p.plans[ticket.P3]
	}
	plan.Steps = slices.Clone(plan.Steps)
	return plan
}

// Held is how many tickets one person may hold; 0 is no limit.
func (p Policy) Held() int { return p.held }

// Budget is how many offers one person gets within an hour, bundles counted as one;
// 0 is no limit. What comes beyond waits in a bundle until the hour is over.
func (p Policy) Budget() int { return p.budget }

// Awake returns when an offer under a plan may leave that would leave at a time: the
// end of the plan's quiet hours, or that time.
func (p Policy) Awake(plan ticket.Plan, at time.Time) time.Time {
	q := plan.Quiet
	if q.From == q.Until {
		return at
	}
	zone := p.office.zone
	if zone == nil {
		zone = time.UTC
	}
	local := at.In(zone)
	wall := func(days, minutes int) time.Time {
		return clock.Wall(time.Date(local.Year(), local.Month(), local.Day()+days, 0, minutes, 0, 0, time.UTC), zone)
	}
	// The night that began yesterday, and the one that begins today.
	for _, day := range []int{-1, 0} {
		until := wall(day, q.Until)
		if q.Until < q.From {
			until = wall(day+1, q.Until)
		}
		if !at.Before(wall(day, q.From)) && at.Before(until) {
			return until.UTC()
		}
	}
	return at
}

// Office returns the office hours.
func (p Policy) Office() Hours { return p.office }

// After returns the time at which d has passed since from, in UTC. With office
// it counts office hours only.
func (p Policy) After(office bool, from time.Time, d time.Duration) time.Time {
	if office {
		return p.office.add(from, d)
	}
	return from.Add(d).UTC()
}

// Deadlines are a plan's times made absolute, in UTC.
type Deadlines struct {
	Steps   []time.Time // one per step of the plan, never earlier than the one before
	Respond time.Time   // zero when the plan has no such target
	Resolve time.Time
}

// Deadlines counts a plan's steps and targets from a time, in the plan's hours.
func (p Policy) Deadlines(plan ticket.Plan, from time.Time) Deadlines {
	var d Deadlines
	for _, step := range plan.Steps {
		d.Steps = append(d.Steps, p.After(plan.Office, from, step.After))
	}
	if plan.Respond > 0 {
		d.Respond = p.After(plan.Office, from, plan.Respond)
	}
	if plan.Resolve > 0 {
		d.Resolve = p.After(plan.Office, from, plan.Resolve)
	}
	return d
}

// The words of Step.To.
const (
	ToOnCall  = "oncall"
	ToNext    = "next"
	ToManager = "manager"
)

// Default is the built-in policy. The respond targets are the first steps: who
// is on call hears of a ticket when its target is missed.
func Default() Policy {
	const day = 24 * time.Hour
	plan := func(p ticket.Plan) ticket.Plan {
		p.AutoClose, p.Silence, p.Breach, p.StandDown = 72*time.Hour, 48*time.Hour, true, true
		return p
	}
	return Policy{
		plans: map[ticket.Priority]ticket.Plan{
			ticket.P1: plan(ticket.Plan{
				Wave: ticket.Wave{Size: 3, Every: 5 * time.Minute},
				Steps: []ticket.Step{
					{After: 15 * time.Minute, To: ToOnCall},
					{After: 25 * time.Minute, To: ToNext},
					{After: 40 * time.Minute, To: ToManager},
				},
				Repeat: 5 * time.Minute, Lease: 30 * time.Minute,
				Respond: 15 * time.Minute, Resolve: 2 * time.Hour,
			}),
			ticket.P2: plan(ticket.Plan{
				Wave: ticket.Wave{Size: 3, Every: 10 * time.Minute},
				Steps: []ticket.Step{
					{After: 30 * time.Minute, To: ToOnCall},
					{After: 60 * time.Minute, To: ToNext},
					{After: 90 * time.Minute, To: ToManager},
				},
				Repeat: 15 * time.Minute, Lease: time.Hour,
				Respond: 30 * time.Minute, Resolve: 8 * time.Hour,
			}),
			ticket.P3: plan(ticket.Plan{
				Wave: ticket.Wave{Size: 2, Every: 15 * time.Minute},
				Steps: []ticket.Step{
					{After: 4 * time.Hour, To: ToOnCall},
					{After: 8 * time.Hour, To: ToManager},
				},
				Repeat: 4 * time.Hour, Lease: 2 * time.Hour, Office: true,
				Respond: 4 * time.Hour, Resolve: 20 * time.Hour, // two office days
			}),
			ticket.P4: plan(ticket.Plan{
				Wave:   ticket.Wave{Size: 1, Every: time.Hour},
				Steps:  []ticket.Step{{After: day, To: ToManager}},
				Repeat: day, Lease: 8 * time.Hour, Office: true,
				Respond: day, Resolve: 50 * time.Hour, // five office days
			}),
		},
		office: defaultOffice(),
		budget: 30, // one every two minutes, for an hour: nobody reads faster than that and works
	}
}

// Development is a policy to watch: whatever the priority and the hour, an
// unclaimed ticket climbs to the manager within two minutes.
func Development() Policy {
	p := Default()
	p.budget = 0
	for _, priority := range priorities() {
		p.plans[priority] = ticket.Plan{
			Wave: ticket.Wave{Size: 2, Every: 20 * time.Second},
			Steps: []ticket.Step{
				{After: 60 * time.Second, To: ToOnCall},
				{After: 90 * time.Second, To: ToNext},
				{After: 120 * time.Second, To: ToManager},
			},
			Repeat: 30 * time.Second, Lease: 30 * time.Minute,
			AutoClose: 10 * time.Minute, Silence: 10 * time.Minute,
			Respond: 60 * time.Second, Resolve: 30 * time.Minute, Breach: true, StandDown: true,
		}
	}
	return p
}

func priorities() []ticket.Priority {
	return []ticket.Priority{ticket.P1, ticket.P2, ticket.P3, ticket.P4}
}
