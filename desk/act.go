package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"deskbell/activities"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
	"deskbell/workflows"
)

// actPatience is how long a caller waits for a ticket's answer. An update takes
// 20-60 ms on a working engine.
const actPatience = 10 * time.Second

// errUnstarted says that a ticket was just submitted, and its workflow is about
// to start; startSoon is how long that takes, at a guess.
var errUnstarted = fmt.Errorf("%w: its workflow has not started", ErrUndecided)

const startSoon = 20 * time.Millisecond

// Do has a verb done and returns the ticket. A *ticket.Refusal says why not.
func (d *Desk) Do(ctx context.Context, a Act) (ticket.Ticket, error) {
	t, err := d.do(ctx, a)
	if err != nil {
		return t, err
	}
	if a.By != "" && a.By != a.Person.ID {
		err := d.Store.Note(ctx, Audit{Actor: a.By, Channel: a.Channel, Act: "acted.for", Subject: "person " + a.Person.ID, Detail: fmt.Sprintf("%s ticket %d", a.Verb, a.Number)})
		if err != nil {
			return t, outside(err)
		}
	}
	// A body never changes; it is not worth a place in the history with every answer.
	kept, err := d.Store.Ticket(ctx, a.Number)
	t.Body = kept.Body
	return t, outside(err)
}

func (d *Desk) do(ctx context.Context, a Act) (ticket.Ticket, error) {
	c, err := d.command(ctx, a)
	if err != nil {
		return ticket.Ticket{}, err
	}
	if err := d.claim(ctx, c, a.Number); err != nil {
		return ticket.Ticket{}, err
	}
	t, err := d.update(ctx, c, a.Number)
	if _, refused := ticket.Refused(err); refused && claims(c.Verb) {
		return t, errors.Join(err, outside(d.unclaim(ctx, c.Actor.ID, a.Number)))
	}
	return t, err
}

// update has a command carried out by the ticket's workflow.
func (d *Desk) update(ctx context.Context, c ticket.Command, number int) (ticket.Ticket, error) {
	ctx, cancel := context.WithTimeout(ctx, actPatience)
	defer cancel()
	update := client.UpdateWorkflowOptions{
		WorkflowID: workflows.ID(number), UpdateID: c.ID, UpdateName: workflows.CommandUpdate,
		Args: []any{c}, WaitForStage: client.WorkflowUpdateStageCompleted,
	}
	for {
		handle, err := d.Engine.UpdateWorkflow(ctx, update)
		if _, absent := errors.AsType[*serviceerror.NotFound](err); !absent {
			return d.outcome(ctx, handle, err)
		}
		t, err := d.doAfterEnd(ctx, c, number, update)
		if !errors.Is(err, errUnstarted) || ctx.Err() != nil {
			return t, err
		}
		wait(ctx, nil, startSoon)
	}
}

func (d *Desk) outcome(ctx context.Context, handle client.WorkflowUpdateHandle, err error) (ticket.Ticket, error) {
	var reply workflows.Reply
	if err == nil {
		err = handle.Get(ctx, &reply)
	}
	if err == nil {
		return reply.Ticket, nil
	}
	if app, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		var refusal ticket.Refusal
		if app.Type() == workflows.RefusedType && app.Details(&refusal) == nil {
			return ticket.Ticket{}, &refusal
		}
		return ticket.Ticket{}, fmt.Errorf("the ticket failed: %w", err)
	}
	return ticket.Ticket{}, errors.Join(ErrUndecided, err)
}

// doAfterEnd is a command for a ticket whose workflow has ended: the last state
// decides. What it allows starts a new run.
func (d *Desk) doAfterEnd(ctx context.Context, c ticket.Command, number int, update client.UpdateWorkflowOptions) (ticket.Ticket, error) {
	t, known, err := d.afterEnd(ctx, c, number)
	if err != nil || known {
		return t.Facts(), err
	}
	start := d.Engine.NewWithStartWorkflowOperation(d.options(t, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE), workflows.TypeName, d.input(workflows.Input{Number: number}))
	update.WorkflowID = ""
	handle, err := d.Engine.UpdateWithStartWorkflow(ctx, client.UpdateWithStartWorkflowOptions{StartWorkflowOperation: start, UpdateOptions: update})
	return d.outcome(ctx, handle, err)
}

// afterEnd decides a command on the last state of a ticket without a running
// workflow. known tells that the command was decided before.
func (d *Desk) afterEnd(ctx context.Context, c ticket.Command, number int) (t ticket.Ticket, known bool, err error) {
	t, commands, err := d.Store.Snapshot(ctx, number)
	if err != nil {
		return t, false, outside(err)
	}
	if t.Version == 0 {
		return t, false, errUnstarted
	}
	for _, id := range commands {
		if id == c.ID {
			return t, true, nil
		}
	}
	_, _, err = ticket.Apply(t, c, d.Clock.Now())
	return t, false, err
}

// command fills in what the ticket must know about the actor and the others.
func (d *Desk) command(ctx context.Context, a Act) (ticket.Command, error) {
	actor, err := d.Store.Member(ctx, a.Person.ID)
	if err != nil {
		return ticket.Command{}, outside(err)
	}
	c := ticket.Command{
		ID: a.ID, Verb: a.Verb, Actor: party(actor), Works: a.Person.Works(), Manages: a.Person.Is(roster.Manager) || a.Person.Is(roster.Admin),
		Channel: a.Channel, Text: a.Text, Until: a.Until, Priority: a.Priority, Quiet: a.Quiet, Version: a.Version,
	}
	switch a.Verb {
	case ticket.Withdraw:
		c.Confirmed = a.Channel == "rest" || a.Channel == "web" // a route of its own is an explicit wish
	case ticket.Pass, ticket.Assign:
		c.To, err = d.colleague(ctx, a.To)
	case ticket.Merge:
		c.Number, err = strconv.Atoi(a.To)
		if err != nil || c.Number == a.Number {
			err = &InvalidError{"to", "want the number of the ticket that this one goes into"}
		}
	case ticket.Snooze, ticket.Take:
		if (a.Verb == ticket.Snooze || !a.Until.IsZero()) && !a.Until.After(d.Clock.Now()) {
			err = &InvalidError{"until", "want a time in the future, such as 2026-03-03T15:00:00Z"}
		}
	case ticket.Note, ticket.Ask, ticket.Tell, ticket.Write:
		if strings.TrimSpace(a.Text) == "" {
			err = &InvalidError{"text", "say something"}
		}
	case ticket.Reprioritise:
		c.Plan, err = d.plan(ctx, a.Number, a.Priority)
		if a.Priority == "" {
			err = &InvalidError{"priority", "want P1, P2, P3 or P4"}
		}
	case ticket.Replan:
		c.Plan, err = d.plan(ctx, a.Number, "")
	case ticket.Reopen:
		c.Duty, err = d.duty(ctx)
	}
	return c, err
}

// plan is the policy's plan for a ticket, at its own priority when none is given.
func (d *Desk) plan(ctx context.Context, number int, priority ticket.Priority) (*ticket.Plan, error) {
	t, err := d.Store.Ticket(ctx, number)
	if err != nil {
		return nil, outside(err)
	}
	return new(d.Policy.Group(t.Group).For(cmp.Or(priority, t.Priority))), nil
}

func (d *Desk) colleague(ctx context.Context, id string) (ticket.Party, error) {
	m, err := d.Store.Member(ctx, id)
	if errors.Is(err, store.ErrNotFound) || err == nil && !m.Works() {
		return ticket.Party{}, &InvalidError{"to", fmt.Sprintf("nobody with the id %q works on tickets", id)}
	}
	return party(m), outside(err)
}

// duty is everybody who is on duty now.
func (d *Desk) duty(ctx context.Context) ([]ticket.Party, error) {
	c, err := d.crew(ctx)
	if err != nil {
		return nil, err
	}
	var on []ticket.Party
	for _, m := range c.members {
		if roster.OnDuty(m, c.rota, c.overrides, d.Clock.Now()) {
			on = append(on, party(m))
		}
	}
	return on, nil
}

// signal hands a command over for whoever does not wait. decided tells that the
// ticket's workflow has ended and the last state refused; the answer is posted.
func (d *Desk) signal(ctx context.Context, c ticket.Command, number int) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	err := d.Engine.SignalWorkflow(ctx, workflows.ID(number), "", workflows.CommandSignal, c)
	if _, ended := errors.AsType[*serviceerror.NotFound](err); !ended {
		return err
	}
	t, known, err := d.afterEnd(ctx, c, number)
	if refusal, ok := ticket.Refused(err); ok {
		_, err := d.words.Notify(ctx, activities.NotifyInput{Ticket: t.Facts(), Notices: ticket.Answer(t, c, refusal), Now: d.Clock.Now()})
		return err
	}
	if err != nil || known {
		return err
	}
	_, err = d.Engine.SignalWithStartWorkflow(ctx, workflows.ID(number), workflows.CommandSignal, c,
		d.options(t, enums.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE), workflows.TypeName, d.input(workflows.Input{Number: number}))
	return err
}
