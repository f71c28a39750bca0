package workflows

import (
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

// dispatch starts what is to be done in the world: one lookup, one projection
// and any number of notices may be under way at once. None holds up another.
func (d *driver) dispatch(ctx workflow.Context) {
	d.tell(ctx)
	d.look(ctx)
	d.projectOnce(ctx)
	d.arm(ctx)
}

// tell hands the outbox over, one activity per channel.
func (d *driver) tell(ctx workflow.Context) {
	outbox := d.Outbox
	d.Outbox = nil
	for _, channel := range []struct{ via, queue string }{{"sms", SMSQueue}, {"im", IMQueue}} {
		var batch []ticket.Notice
		urgent := false
		for _, n := range outbox {
			if n.To.Via == channel.via && d.Ticket.Wanted(n) {
				batch = append(batch, n)
				urgent = urgent || n.Page
			}
		}
		if len(batch) == 0 {
			continue
		}
		o := withOptions(ctx, notice.Activity(batch), func(o *workflow.ActivityOptions) {
			o.TaskQueue = channel.queue
			if urgent {
				o.Priority = temporal.Priority{PriorityKey: 1}
			}
		})
		in := activities.NotifyInput{Ticket: d.Ticket.Facts(), Notices: batch, Now: d.now(ctx)}
		d.telling = append(d.telling, workflow.ExecuteActivity(o, (*activities.Notices)(nil).Notify, in))
	}
}

// look asks the world what the ticket needs to know now.
func (d *driver) look(ctx workflow.Context) {
	if d.lookup != nil {
		return
	}
	now := d.now(ctx)
	l, ok := d.Ticket.Lookup(now)
	if !ok {
		return
	}
	o := withOptions(ctx, notice.Lookup(l))
	d.lookup = &looking{l, workflow.ExecuteActivity(o, (*activities.Tickets)(nil).Prepare, activities.PrepareInput{Lookup: l, Now: now})}
}

// projectOnce writes the read model unless that is under way; then what happens
// meanwhile goes into the next one.
func (d *driver) projectOnce(ctx workflow.Context) {
	if d.project != nil || len(d.Unprojected) == 0 {
		return
	}
	in := activities.Projection{Ticket: d.Ticket, Events: d.Unprojected, Commands: d.Commands}
	d.Unprojected = nil
	d.project = workflow.ExecuteActivity(withOptions(ctx, "write the read model"), (*activities.Tickets)(nil).Project, in)
}

// arm keeps one timer, for the ticket's next alarm. What is being looked up is
// not waited for.
func (d *driver) arm(ctx workflow.Context) {
	next, ok := d.next()
	if d.alarm != nil && (!ok || d.alarm.Alarm != next || d.alarm.fired.IsReady()) {
		d.disarm()
	}
	if !ok || d.alarm != nil {
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

// next is the earliest alarm that is not being looked up already.
func (d *driver) next() (ticket.Alarm, bool) {
	t := d.Ticket
	if d.lookup != nil {
		t = t.Without(d.lookup.Alarms)
	}
	return t.Due()
}

// collect takes the results that are there.
func (d *driver) collect(ctx workflow.Context) {
	if d.alarm != nil && d.alarm.fired.IsReady() {
		d.alarm = nil
	}
	if d.lookup != nil && d.lookup.found.IsReady() {
		var found ticket.Findings
		err := d.lookup.found.Get(ctx, &found)
		l := d.lookup.Lookup
		d.lookup = nil
		if err != nil {
			workflow.GetLogger(ctx).Error("lookup failed", "error", err)
		} else {
			before := d.Ticket
			after, events, _ := ticket.Apply(before, ticket.Found(l, found), d.now(ctx))
			d.Ticket = after
			d.note(before, events)
		}
	}
	if d.project != nil && d.project.IsReady() {
		if err := d.project.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Error("projection failed", "error", err)
		}
		d.project = nil
	}
	under := d.telling[:0]
	for _, f := range d.telling {
		if !f.IsReady() {
			under = append(under, f)
			continue
		}
		if err := f.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Error("notice failed", "error", err)
		}
	}
	d.telling = under
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
