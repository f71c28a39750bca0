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

// driver holds a run's state. No handler yields once the ticket is there, so
// nothing here needs a lock.
type driver struct {
	State
	started   time.Time
	offset    time.Duration
	testClock bool
	commands  workflow.ReceiveChannel
	clock     workflow.ReceiveChannel
	loaded    bool // the ticket is there
	stirred   bool // something happened since the loop last ran
	cancelled bool // a cancellation from outside was carried out
	local     bool // lookups are made within the workflow task
	listed    row  // the search attributes as last written

	alarm   *armed
	lookups []looking
	telling []telling
	project *projecting
}

func newDriver(ctx workflow.Context, in Input) (*driver, error) {
	d := &driver{
		started:  workflow.Now(ctx),
		local:    in.LocalLookups,
		commands: workflow.GetSignalChannel(ctx, CommandSignal),
		clock:    workflow.GetSignalChannel(ctx, ClockSignal),
	}
	if in.TestClock != nil {
		d.testClock, d.offset = true, *in.TestClock
	}
	if err := workflow.SetQueryHandler(ctx, SnapshotQuery, func() (State, error) { return d.State, nil }); err != nil {
		return nil, err
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, CommandUpdate, d.update, workflow.UpdateHandlerOptions{
		Description: "somebody's command on this ticket", Validator: d.validate,
	}); err != nil {
		return nil, err
	}
	return d, d.begin(ctx, in)
}

func (d *driver) begin(ctx workflow.Context, in Input) error {
	switch {
	case in.State != nil:
		d.State = *in.State
		d.listed = columns(d.Ticket)
	case in.Opening != nil:
		if err := d.open(ctx, in); err != nil {
			return err
		}
	default:
		var p activities.Projection
		if err := workflow.ExecuteActivity(withOptions(ctx, "load the ticket"), (*activities.Tickets)(nil).Load, in.Number).Get(ctx, &p); err != nil {
			return err
		}
		d.Ticket, d.Commands = p.Ticket, p.Commands
	}
	d.loaded = true
	// Updates that waited for the ticket go before the loop finds that it is over.
	return workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) })
}

// freshFor is how long a lookup made before the start is good: who is there
// changes from minute to minute, and a workflow may wait for a worker for hours.
const freshFor = 10 * time.Second

// open opens the ticket, at the moment of its first lookup if that is fresh.
func (d *driver) open(ctx workflow.Context, in Input) error {
	at, fresh := d.now(ctx), false
	if in.Found != nil && at.Sub(in.Found.Lookup.At).Abs() <= freshFor {
		at, fresh = in.Found.Lookup.At, true
	}
	t, events := ticket.Open(*in.Opening, at)
	d.note(t, events)
	d.know(in.Opening.CommandID)
	if fresh {
		if err := d.change(ctx, ticket.Found(in.Found.Lookup, in.Found.Findings)); err != nil {
			return err
		}
	}
	if in.Found == nil || fresh { // else the start wrote what is no longer so
		d.listed = columns(d.Ticket)
	}
	return nil
}

func (d *driver) now(ctx workflow.Context) time.Time { return workflow.Now(ctx).UTC().Add(d.offset) }

// run is the loop: take what arrived, let time pass, hand out what is to be done,
// and park. Nothing between two parkings yields.
func (d *driver) run(ctx workflow.Context) (State, error) {
	// What was handed out goes on after a cancellation: people still hear of it.
	asked := func() bool { return ctx.Err() != nil && !d.cancelled }
	on, _ := workflow.NewDisconnectedContext(ctx)
	for {
		d.stirred = false
		d.drain(on)
		d.collect(on)
		if asked() {
			d.cancel(on)
		}
		d.tick(on)
		d.dispatch(on)
		if err := d.list(on); err != nil {
			return State{}, err
		}
		d.show(on)
		if d.over() {
			return d.State, nil
		}
		if d.long(on) {
			return State{}, d.continueAsNew(on)
		}
		if err := workflow.Await(on, func() bool { return asked() || d.ready() }); err != nil {
			return State{}, err
		}
	}
}

// ready tells whether there is anything to do. It must not receive from the
// command channel: whatever it took, a draining update handler would miss.
func (d *driver) ready() bool {
	return d.stirred || d.commands.Len() > 0 || d.clock.Len() > 0 ||
		d.alarm != nil && d.alarm.fired.IsReady() ||
		d.project != nil && d.project.done.IsReady() ||
		slices.ContainsFunc(d.lookups, func(l looking) bool { return l.found.IsReady() }) ||
		slices.ContainsFunc(d.telling, func(t telling) bool { return t.done.IsReady() })
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
			if workflow.GetVersion(ctx, "clock-disarms", workflow.DefaultVersion, 1) > workflow.DefaultVersion {
				d.disarm() // the timer was set for another present
			}
		}
	}
	for {
		var c ticket.Command
		if !d.commands.ReceiveAsync(&c) {
			return
		}
		err := d.apply(ctx, c)
		if _, refused := ticket.Refused(err); err != nil && !refused {
			workflow.GetLogger(ctx).Error("command not understood", "command", c.ID, "error", err)
		}
	}
}

// update is the door for whoever waits.
func (d *driver) update(ctx workflow.Context, c ticket.Command) (Reply, error) {
	if err := workflow.Await(ctx, func() bool { return d.loaded }); err != nil {
		return Reply{}, err
	}
	// The engine runs an update before earlier signals; first come, first served.
	d.drain(ctx)
	if err := d.apply(ctx, c); err != nil {
		return Reply{}, failure(err)
	}
	return Reply{Ticket: d.Ticket.Facts()}, nil
}

// validate refuses for free what would be refused anyway: no event is written.
// Only the handler may decide when earlier signals wait.
func (d *driver) validate(ctx workflow.Context, c ticket.Command) error {
	if !d.loaded || d.commands.Len() > 0 || slices.Contains(d.Commands, c.ID) {
		return nil
	}
	_, _, err := ticket.Apply(d.Ticket, c, d.now(ctx))
	return failure(err)
}

// failure is an error as the caller of an update gets it.
func failure(err error) error {
	if refusal, ok := ticket.Refused(err); ok {
		return temporal.NewNonRetryableApplicationError(refusal.Error(), RefusedType, nil, *refusal)
	}
	if err != nil {
		return temporal.NewNonRetryableApplicationError(err.Error(), InvalidType, nil)
	}
	return nil
}

// apply runs somebody's command. The same command twice has no second effect.
func (d *driver) apply(ctx workflow.Context, c ticket.Command) error {
	if slices.Contains(d.Commands, c.ID) {
		return nil
	}
	d.know(c.ID)
	err := d.change(ctx, c)
	if refusal, ok := ticket.Refused(err); ok {
		d.Outbox = append(d.Outbox, ticket.Answer(d.Ticket, c, refusal)...)
		d.stirred = true
	}
	return err
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

// change hands a command to the ticket.
func (d *driver) change(ctx workflow.Context, c ticket.Command) error {
	after, events, err := ticket.Apply(d.Ticket, c, d.now(ctx))
	if err != nil {
		return err
	}
	d.note(after, events)
	return nil
}

// note takes what happened: events for the read model, notices for the people.
func (d *driver) note(after ticket.Ticket, events []ticket.Event) {
	before := d.Ticket
	for _, e := range events {
		next := ticket.Evolve(before, e)
		d.Outbox = append(d.Outbox, ticket.Notices(before, next, e)...)
		before = next
	}
	d.Ticket = after
	d.Unprojected = append(d.Unprojected, events...)
	d.stirred = d.stirred || len(events) > 0
}

// tick lets time pass in the ticket.
func (d *driver) tick(ctx workflow.Context) {
	if err := d.change(ctx, ticket.Tick()); err != nil {
		workflow.GetLogger(ctx).Error("time does not pass", "error", err)
	}
}

// cancel carries out a cancellation from outside, "Request Cancellation" in the
// Temporal UI: a manager cancels the ticket.
func (d *driver) cancel(ctx workflow.Context) {
	d.cancelled = true
	manager := ticket.Party{ID: "temporal", Name: "a manager"}
	id := "cancellation/" + workflow.GetInfo(ctx).WorkflowExecution.RunID
	if err := d.apply(ctx, ticket.Command{ID: id, Verb: ticket.Cancel, Actor: manager, Works: true, Manages: true}); err != nil {
		workflow.GetLogger(ctx).Info("nothing to cancel", "error", err)
	}
}

// over tells whether the ticket has ended and nobody waits for anything.
func (d *driver) over() bool {
	return !d.Ticket.Status.Open() && d.Ticket.Status != ticket.Resolved && d.quiet()
}

// quiet is a point at which a run may end: nothing is under way.
func (d *driver) quiet() bool {
	return len(d.Outbox) == 0 && len(d.Unprojected) == 0 && len(d.lookups) == 0 && len(d.telling) == 0 && d.project == nil
}

// long tells whether to go on in a new run: at a quiet point after a while, and
// anywhere when the engine says that it must be.
func (d *driver) long(ctx workflow.Context) bool {
	info := workflow.GetInfo(ctx)
	old := info.GetCurrentHistoryLength() > longRun || workflow.Now(ctx).Sub(d.started) > oldRun
	return old && d.quiet() || info.GetContinueAsNewSuggested()
}

// continueAsNew carries everything over. What is under way is handed out again by
// the next run, which does no harm: a lookup is asked for by the ticket's alarms,
// and a notice and an event are kept once, by their keys.
func (d *driver) continueAsNew(ctx workflow.Context) error {
	var outbox []ticket.Notice
	for _, t := range d.telling {
		outbox = append(outbox, t.notices...)
	}
	d.Outbox = append(outbox, d.Outbox...)
	if d.project != nil {
		d.Unprojected = append(d.project.events, d.Unprojected...)
	}
	in := Input{State: &d.State, LocalLookups: true}
	if d.testClock {
		in.TestClock = &d.offset
	}
	return workflow.NewContinueAsNewError(ctx, Ticket, in)
}

// show renders what a manager sees in the Temporal UI. It costs no events.
func (d *driver) show(ctx workflow.Context) {
	workflow.SetCurrentDetails(ctx, notice.Card(d.Ticket, d.now(ctx)))
}
