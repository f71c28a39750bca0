package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"deskbell/activities"
	"deskbell/notice"
	"deskbell/ticket"
)

// withOptions sets what every activity has in common: each takes well under a
// second and must happen in the end, so it is tried again without limit.
func withOptions(ctx workflow.Context, summary string, change ...func(*workflow.ActivityOptions)) workflow.Context {
	o := workflow.ActivityOptions{
		StartToCloseTimeout: 10 * time.Second,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 30 * time.Second},
		Summary:             summary,
	}
	for _, f := range change {
		f(&o)
	}
	return workflow.WithActivityOptions(ctx, o)
}

// noticesLost is when a batch of notices counts as lost and is handed over again.
// A worker that stops with its link may take a task with it; a batch takes 30 ms,
// on a machine in trouble a second, and what was done twice is posted once.
const noticesLost = 3 * time.Second

// looking is a lookup under way.
type looking struct {
	activities.PrepareInput
	found workflow.Future
	here  bool // within the workflow task
}

// serves tells whether the lookup was started for this alarm.
func (l looking) serves(a ticket.Alarm) bool {
	return slices.Contains(l.Lookup.Alarms, a.Kind) && !a.At.After(l.Lookup.At)
}

// lane is a way to people that keeps its order: one batch of it is under way at a
// time. Pages have lanes of their own, so that they wait behind nothing else.
type lane struct {
	via  string
	page bool
}

// lanes are all of them, with the task queue of each.
var lanes = [...]struct {
	lane
	queue string
}{{lane{"sms", true}, SMSQueue}, {lane{"im", true}, IMQueue}, {lane{"sms", false}, SMSQueue}, {lane{"im", false}, IMQueue}}

// telling is a batch of notices under way.
type telling struct {
	lane
	notices []ticket.Notice
	done    workflow.Future
}

// projecting is the projection under way.
type projecting struct {
	events []ticket.Event
	done   workflow.Future
}

// armed is the one timer.
type armed struct {
	ticket.Alarm
	fired  workflow.Future
	cancel workflow.CancelFunc
}

// dispatch starts what is to be done in the world. Lookups, a projection and
// notices may be under way at once; none holds up another, except that what a
// submission brings with it waits for the first lookup: then one batch and one
// projection do for both.
func (d *driver) dispatch(ctx workflow.Context) {
	d.look(ctx)
	if opening := d.Ticket.Version == 1 && len(d.lookups) > 0; !opening {
		d.tell(ctx)
		d.projectOnce(ctx)
	}
	d.arm(ctx)
}

// tell hands the outbox over, in one batch per lane. What nobody needs any more
// is dropped, so that the outbox stays short while a channel is away.
func (d *driver) tell(ctx workflow.Context) {
	now := d.now(ctx)
	d.Outbox = slices.DeleteFunc(d.Outbox, func(n ticket.Notice) bool {
		return !d.Ticket.Wanted(n) || !n.Expires.IsZero() && n.Expires.Before(now)
	})
	for _, l := range lanes {
		if slices.ContainsFunc(d.telling, func(t telling) bool { return t.lane == l.lane }) {
			continue
		}
		var batch, rest []ticket.Notice
		for _, n := range d.Outbox {
			if (lane{n.To.Via, n.Page}) == l.lane {
				batch = append(batch, n)
			} else {
				rest = append(rest, n)
			}
		}
		if len(batch) == 0 {
			continue
		}
		d.Outbox = rest
		o := withOptions(ctx, notice.Activity(batch), func(o *workflow.ActivityOptions) {
			o.TaskQueue, o.StartToCloseTimeout = l.queue, noticesLost
			if l.page {
				o.Priority = temporal.Priority{PriorityKey: 1}
			}
		})
		in := activities.NotifyInput{Ticket: d.Ticket.Facts(), Notices: batch, Now: now}
		d.telling = append(d.telling, telling{l.lane, batch, workflow.ExecuteActivity(o, (*activities.Notices)(nil).Notify, in)})
	}
}

// look asks the world what the ticket needs to know now.
func (d *driver) look(ctx workflow.Context) {
	now := d.now(ctx)
	l, ok := d.unserved().Lookup(now)
	if !ok {
		return
	}
	in := activities.PrepareInput{Lookup: l, Now: now}
	if d.local {
		d.lookups = append(d.lookups, lookHere(ctx, in))
	} else {
		d.lookups = append(d.lookups, lookThere(ctx, in))
	}
}

// lookupWithin bounds a lookup that is made within a workflow task: so long do the
// ticket's other commands wait when the database is away. A lookup takes 10 ms.
const lookupWithin = time.Second

// lookHere makes a lookup within the workflow task that needs it, once. A step then
// costs the engine 16 events; with an activity it is 22.
func lookHere(ctx workflow.Context, in activities.PrepareInput) looking {
	o := workflow.WithLocalActivityOptions(ctx, workflow.LocalActivityOptions{
		ScheduleToCloseTimeout: lookupWithin, RetryPolicy: &temporal.RetryPolicy{MaximumAttempts: 1}, Summary: notice.Lookup(in.Lookup),
	})
	return looking{in, workflow.ExecuteLocalActivity(o, (*activities.Tickets)(nil).Prepare, in), true}
}

// lookThere makes a lookup as an activity, which is tried until it succeeds.
func lookThere(ctx workflow.Context, in activities.PrepareInput) looking {
	o := withOptions(ctx, notice.Lookup(in.Lookup))
	return looking{in, workflow.ExecuteActivity(o, (*activities.Tickets)(nil).Prepare, in), false}
}

// unserved is the ticket without the alarms for which a lookup is under way.
func (d *driver) unserved() ticket.Ticket {
	t := d.Ticket
	t.Alarms = slices.DeleteFunc(slices.Clone(t.Alarms), func(a ticket.Alarm) bool {
		return slices.ContainsFunc(d.lookups, func(l looking) bool { return l.serves(a) })
	})
	return t
}

// projectOnce writes the read model unless that is under way; then what happens
// meanwhile goes into the next one.
func (d *driver) projectOnce(ctx workflow.Context) {
	if d.project != nil || len(d.Unprojected) == 0 {
		return
	}
	in := activities.Projection{Ticket: d.Ticket, Events: d.Unprojected, Commands: d.Commands}
	d.project = &projecting{in.Events, workflow.ExecuteActivity(withOptions(ctx, "write the read model"), (*activities.Tickets)(nil).Project, in)}
	d.Unprojected = nil
}

// arm keeps one timer, for the ticket's next alarm. What is being looked up is
// not waited for, unless it is there before the workflow task ends.
func (d *driver) arm(ctx workflow.Context) {
	if slices.ContainsFunc(d.lookups, func(l looking) bool { return l.here }) {
		return
	}
	next, ok := d.unserved().Due()
	if d.alarm != nil {
		if ok && d.alarm.Alarm == next {
			return
		}
		d.disarm()
	}
	if !ok {
		return
	}
	timerCtx, cancel := workflow.WithCancel(ctx)
	wait := max(next.At.Sub(d.now(ctx)), time.Millisecond)
	d.alarm = &armed{next, workflow.NewTimerWithOptions(timerCtx, wait, workflow.TimerOptions{Summary: notice.Timer(next)}), cancel}
}

func (d *driver) disarm() {
	if d.alarm != nil {
		d.alarm.cancel()
		d.alarm = nil
	}
}

// collect takes the results that are there. An activity is tried until it
// succeeds, so an error is a defect, or an operator's hand in the Temporal UI.
func (d *driver) collect(ctx workflow.Context) {
	failed := func(what string, err error) {
		if err != nil {
			workflow.GetLogger(ctx).Error(what+" failed", "error", err)
		}
	}
	if d.alarm != nil && d.alarm.fired.IsReady() {
		d.alarm = nil
	}
	for i, l := range d.lookups {
		if l.here && l.found.IsReady() && l.found.Get(ctx, nil) != nil {
			d.lookups[i] = lookThere(ctx, l.PrepareInput)
		}
	}
	d.lookups = slices.DeleteFunc(d.lookups, func(l looking) bool {
		if !l.found.IsReady() {
			return false
		}
		var f ticket.Findings
		err := l.found.Get(ctx, &f)
		if err == nil {
			err = d.change(ctx, ticket.Found(l.Lookup, f))
		}
		failed("lookup", err)
		return true
	})
	if d.project != nil && d.project.done.IsReady() {
		if err := d.project.done.Get(ctx, nil); err != nil {
			failed("projection", err)
			d.Unprojected = append(d.project.events, d.Unprojected...) // the next one brings them
		}
		d.project = nil
	}
	d.telling = slices.DeleteFunc(d.telling, func(t telling) bool {
		if !t.done.IsReady() {
			return false
		}
		failed("notice", t.done.Get(ctx, nil))
		return true
	})
}

// list writes the search attributes when one of them changed: one event per
// transition at most. The first ones came with the start.
func (d *driver) list(ctx workflow.Context) error {
	listed := columns(d.Ticket)
	if listed == d.listed {
		return nil
	}
	d.listed = listed
	return workflow.UpsertTypedSearchAttributes(ctx, Attributes(d.Ticket)...)
}

// row is a ticket's line in the list of workflows.
type row struct {
	status, assignee, group string
	priority                ticket.Priority
	escalation              int
	due                     int64
}

func columns(t ticket.Ticket) row {
	return row{string(t.Status), t.Assignee.ID, t.Group, t.Priority, t.Reached, t.DueAt().Unix()}
}
