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

// Limits of one run.
const (
	// commandMemory is how many command ids a ticket remembers. A repeat comes
	// within seconds; 200 commands on one ticket are more than a bad week.
	commandMemory = 200
	// longRun is when a run is continued as new: replays stay at a few milliseconds
	// (60 events replay in 1.3-3 ms).
	longRun = 500
	// oldRun keeps old code paths short-lived.
	oldRun = 30 * 24 * time.Hour
)

// Ticket is the life of one ticket, from its submission until it is closed and
// everybody was told. Its result is the final state.
func Ticket(ctx workflow.Context, in Input) (State, error) {
	d, err := newDriver(ctx, in)
	if err != nil {
		return State{}, err
	}
	return d.run(ctx)
}

// driver holds a run's state. Handlers never yield, so nothing here needs a lock.
type driver struct {
	State
	started   time.Time
	offset    time.Duration
	testClock bool
	commands  workflow.ReceiveChannel
	clock     workflow.ReceiveChannel
	listed    row // the search attributes as last written

	alarm   *armed
	lookup  *looking
	project workflow.Future
	telling []workflow.Future
	aborted bool
}

// armed is the one timer.
type armed struct {
	ticket.Alarm
	fired  workflow.Future
	cancel workflow.CancelFunc
}

// looking is the lookup under way.
type looking struct {
	ticket.Lookup
	found workflow.Future
}

func newDriver(ctx workflow.Context, in Input) (*driver, error) {
	d := &driver{
		started:  workflow.Now(ctx),
		commands: workflow.GetSignalChannel(ctx, CommandSignal),
		clock:    workflow.GetSignalChannel(ctx, ClockSignal),
	}
	if in.TestClock != nil {
		d.testClock, d.offset = true, *in.TestClock
	}
	if err := d.begin(ctx, in); err != nil {
		return nil, err
	}
	if err := workflow.SetQueryHandler(ctx, SnapshotQuery, func() (State, error) { return d.State, nil }); err != nil {
		return nil, err
	}
	err := workflow.SetUpdateHandlerWithOptions(ctx, CommandUpdate,
		func(ctx workflow.Context, c ticket.Command) (Reply, error) {
			// The engine runs an update before earlier signals; first come, first served.
			d.drain(ctx)
			return d.apply(ctx, c)
		},
		workflow.UpdateHandlerOptions{Description: "somebody's command on this ticket", Validator: func(ctx workflow.Context, c ticket.Command) error { return d.validate(ctx, c) }})
	return d, err
}

func (d *driver) begin(ctx workflow.Context, in Input) error {
	switch {
	case in.State != nil:
		d.State = *in.State
		d.listed = columns(d.Ticket)
	case in.Opening != nil:
		var events []ticket.Event
		d.Ticket, events = ticket.Open(*in.Opening, d.now(ctx))
		d.note(ticket.Ticket{}, events)
		d.know(in.Opening.CommandID)
		d.listed = columns(d.Ticket)
	default:
		var p activities.Projection
		if err := workflow.ExecuteActivity(withOptions(ctx, "load the ticket"), (*activities.Tickets)(nil).Load, in.Number).Get(ctx, &p); err != nil {
			return err
		}
		d.Ticket, d.Commands = p.Ticket, p.Commands
	}
	return nil
}

func (d *driver) now(ctx workflow.Context) time.Time { return workflow.Now(ctx).UTC().Add(d.offset) }

func (d *driver) run(ctx workflow.Context) (State, error) {
	for {
		d.drain(ctx)
		d.tick(ctx)
		d.dispatch(ctx)
		if err := d.list(ctx); err != nil {
			return State{}, err
		}
		d.show(ctx)
		if d.over() {
			break
		}
		if d.long(ctx) && d.quiet() {
			return State{}, d.continueAsNew(ctx)
		}
		if err := workflow.Await(ctx, func() bool { return d.ready(ctx) }); err != nil {
			// Cancelled in the Temporal UI: a manager's cancellation.
			ctx, _ = workflow.NewDisconnectedContext(ctx)
			d.alarm = nil
			d.cancel(ctx)
		}
		d.collect(ctx)
	}
	d.disarm()
	return d.State, nil
}

// ready tells whether there is anything to do. It must not receive from the
// command channel: whatever it took, a draining update handler would miss.
func (d *driver) ready(ctx workflow.Context) bool {
	return d.commands.Len() > 0 || d.clock.Len() > 0 || d.stirred() ||
		d.alarm != nil && d.alarm.fired.IsReady() ||
		d.lookup != nil && d.lookup.found.IsReady() ||
		d.project != nil && d.project.IsReady() ||
		slices.ContainsFunc(d.telling, workflow.Future.IsReady) ||
		ctx.Err() != nil && !d.aborted
}

// stirred tells whether a handler changed the ticket since the loop last ran.
func (d *driver) stirred() bool {
	return len(d.Outbox) > 0 || len(d.Unprojected) > 0 && d.project == nil
}

// drain applies the signals that have arrived.
func (d *driver) drain(ctx workflow.Context) {
	for {
		var offset time.Duration
		if !d.clock.ReceiveAsync(&offset) {
			break
		}
		if d.testClock {
			d.offset = offset
		}
	}
	for {
		var c ticket.Command
		if !d.commands.ReceiveAsync(&c) {
			return
		}
		if _, err := d.apply(ctx, c); err != nil {
			if _, refused := ticket.Refused(err); !refused && !temporal.IsApplicationError(err) {
				workflow.GetLogger(ctx).Error("command not understood", "command", c.ID, "error", err)
			}
		}
	}
}

// apply runs one command. The same command twice has no second effect.
func (d *driver) apply(ctx workflow.Context, c ticket.Command) (Reply, error) {
	if slices.Contains(d.Commands, c.ID) {
		return Reply{Ticket: d.Ticket.Facts()}, nil
	}
	before := d.Ticket
	after, events, err := ticket.Apply(before, c, d.now(ctx))
	d.know(c.ID)
	if refusal, ok := ticket.Refused(err); ok {
		d.Outbox = append(d.Outbox, ticket.Answer(before, c, refusal)...)
		return Reply{}, refused(refusal)
	}
	if err != nil {
		return Reply{}, temporal.NewNonRetryableApplicationError("not a command", "invalid", err)
	}
	d.Ticket = after
	d.note(before, events)
	return Reply{Ticket: after.Facts()}, nil
}

// validate refuses for free what would be refused anyway: no event is written.
// Only the handler may decide when earlier signals wait.
func (d *driver) validate(ctx workflow.Context, c ticket.Command) error {
	if d.commands.Len() > 0 || slices.Contains(d.Commands, c.ID) {
		return nil
	}
	_, _, err := ticket.Apply(d.Ticket, c, d.now(ctx))
	if refusal, ok := ticket.Refused(err); ok {
		return refused(refusal)
	}
	return err
}

func refused(r *ticket.Refusal) error {
	return temporal.NewNonRetryableApplicationError(r.Error(), RefusedType, nil, r)
}

func (d *driver) know(command string) {
	if command == "" {
		return
	}
	d.Commands = append(d.Commands, command)
	if n := len(d.Commands); n > commandMemory {
		d.Commands = slices.Clone(d.Commands[n-commandMemory:])
	}
}

// note takes what happened: events for the read model, notices for the people.
func (d *driver) note(before ticket.Ticket, events []ticket.Event) {
	d.Unprojected = append(d.Unprojected, events...)
	for _, e := range events {
		after := ticket.Evolve(before, e)
		d.Outbox = append(d.Outbox, ticket.Notices(before, after, e)...)
		before = after
	}
}

// tick lets time pass in the ticket.
func (d *driver) tick(ctx workflow.Context) {
	before := d.Ticket
	after, events, err := ticket.Apply(before, ticket.Tick(), d.now(ctx))
	if err != nil {
		workflow.GetLogger(ctx).Error("time does not pass", "error", err)
		return
	}
	d.Ticket = after
	d.note(before, events)
}

// cancel ends the ticket after a cancellation from outside.
func (d *driver) cancel(ctx workflow.Context) {
	if d.aborted {
		return
	}
	d.aborted = true
	manager := ticket.Party{ID: "temporal", Name: "a manager"}
	_, err := d.apply(ctx, ticket.Command{ID: "cancellation", Verb: ticket.Cancel, Actor: manager, Works: true, Manages: true})
	if err != nil {
		workflow.GetLogger(ctx).Info("nothing to cancel", "error", err)
	}
}

// over tells whether the ticket has ended and nobody waits for anything.
func (d *driver) over() bool {
	return !d.Ticket.Status.Open() && d.Ticket.Status != ticket.Resolved && d.quiet()
}

// quiet is a point at which a run may end: nothing is under way.
func (d *driver) quiet() bool {
	return d.commands.Len() == 0 && len(d.Outbox) == 0 && len(d.Unprojected) == 0 &&
		d.lookup == nil && d.project == nil && len(d.telling) == 0
}

func (d *driver) long(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	return info.GetContinueAsNewSuggested() || info.GetCurrentHistoryLength() > longRun || workflow.Now(ctx).Sub(d.started) > oldRun
}

func (d *driver) continueAsNew(ctx workflow.Context) error {
	d.disarm()
	in := Input{State: &d.State}
	if d.testClock {
		in.TestClock = &d.offset
	}
	return workflow.NewContinueAsNewError(ctx, Ticket, in)
}

// show renders what a manager sees in the Temporal UI. It costs no events.
func (d *driver) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, notice.Card(d.Ticket, d.now(ctx)))
}
