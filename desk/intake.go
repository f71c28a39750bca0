package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"
	"unicode/utf8"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"deskbell/activities"
	"deskbell/notice"
	"deskbell/store"
	"deskbell/ticket"
	"deskbell/workflows"
)

// Limits of a submission (characters and bytes).
const (
	maxSubject = 300
	maxBody    = 64 << 10
	maxDetails = 4 << 10 // of the body, in the Temporal UI; the engine takes 20 kB
)

// startLate is how old a submission is when it counts as forgotten by whoever
// took it in.
const startLate = 2 * time.Second

// Submit keeps a new ticket and returns it with its number; repeat tells that the
// same submission came before. The ticket is safe once Submit returns, with or
// without a workflow engine: its workflow is started at once if possible, and as
// soon as possible otherwise.
func (d *Desk) Submit(ctx context.Context, s Submission) (t ticket.Ticket, repeat bool, err error) {
	if err := s.check(); err != nil {
		return t, false, err
	}
	requester, err := d.Store.Member(ctx, s.Requester)
	if errors.Is(err, store.ErrNotFound) {
		return t, false, &InvalidError{"requester", fmt.Sprintf("nobody here has the id %q", s.Requester)}
	}
	if err != nil {
		return t, false, outside(err)
	}
	opening := ticket.Opening{
		Subject: s.Subject, Body: s.Body, Requester: party(requester), Group: s.Group, Channel: s.Channel,
		Priority: s.Priority, CreatedAt: d.Clock.Now(), Plan: d.Policy.Group(s.Group).For(s.Priority), CommandID: s.Key,
	}
	t, repeat, err = d.Store.Submit(ctx, store.Submission{Opening: opening, Scope: s.Scope, Key: s.Key, Hash: s.Hash})
	if err != nil {
		return t, false, outside(err)
	}
	if !repeat {
		opening.Number, opening.CreatedAt = t.Number, t.CreatedAt
		select {
		case d.openings <- opening:
		default: // startUnstarted finds it
		}
		d.watchers.tell(Change{Kind: "ticket", Number: t.Number})
	}
	return t, repeat, nil
}

func (s *Submission) check() error {
	if s.Priority == "" {
		s.Priority = ticket.P3
	}
	switch s.Priority {
	case ticket.P1, ticket.P2, ticket.P3, ticket.P4:
	default:
		return &InvalidError{"priority", "want P1, P2, P3 or P4"}
	}
	switch n := utf8.RuneCountInString(s.Subject); {
	case strings.TrimSpace(s.Subject) == "":
		return &InvalidError{"subject", "say in a few words what it is about"}
	case n > maxSubject:
		return &InvalidError{"subject", fmt.Sprintf("%d characters are too many, %d are the most; put the rest into the body", n, maxSubject)}
	case len(s.Body) > maxBody:
		return &InvalidError{"body", fmt.Sprintf("%d bytes are too many, %d are the most", len(s.Body), maxBody)}
	}
	for field, text := range map[string]string{"subject": s.Subject, "body": s.Body} {
		if strings.ContainsRune(text, 0) || !utf8.ValidString(text) {
			return &InvalidError{field, "must be text: no NUL characters, valid UTF-8"}
		}
	}
	return nil
}

func (d *Desk) startOpenings(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case o := <-d.openings:
			d.start(ctx, o)
			d.promise(ctx, o.Number)
		}
	}
}

// startUnstarted starts what a crash or an absent engine left behind.
func (d *Desk) startUnstarted(ctx context.Context) {
	// Age is counted on the machine's clock through the rows' own times: a moved
	// clock moves both.
	late, err := d.Store.Unstarted(ctx, d.Clock.Now().Add(-startLate), 100)
	if err != nil {
		if ctx.Err() == nil {
			d.Log.WarnContext(ctx, "cannot look for tickets without a workflow", slog.Any("error", err))
		}
		return
	}
	for _, o := range late {
		if !d.start(ctx, o) {
			return
		}
	}
}

// start starts a ticket's workflow; an existing one is fine.
func (d *Desk) start(ctx context.Context, o ticket.Opening) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	t, found := d.firstLookup(ctx, o)
	in := d.input(workflows.Input{Opening: &o, Found: found})
	_, err := d.Engine.ExecuteWorkflow(ctx, d.options(t, enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE), workflows.TypeName, in)
	if _, exists := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err); exists {
		return true
	}
	if err != nil {
		d.Log.WarnContext(ctx, "the ticket's workflow waits for the engine", slog.Int("ticket", o.Number), slog.Any("error", err))
		return false
	}
	return true
}

// firstLookup makes the first lookup of a ticket, for which its workflow then needs
// no activity, and returns the ticket as it will be. Without it the workflow looks
// for itself.
func (d *Desk) firstLookup(ctx context.Context, o ticket.Opening) (ticket.Ticket, *workflows.Found) {
	now := d.Clock.Now()
	t, _ := ticket.Open(o, now)
	l, ok := t.Lookup(now)
	if !ok {
		return t, nil
	}
	f, err := d.tickets.Prepare(ctx, activities.PrepareInput{Lookup: l, Now: now})
	if err == nil {
		var after ticket.Ticket
		if after, _, err = ticket.Apply(t, ticket.Found(l, f), now); err == nil {
			return after, &workflows.Found{Lookup: l, Findings: f}
		}
	}
	d.Log.WarnContext(ctx, "the ticket looks for itself whom to ask", slog.Int("ticket", o.Number), slog.Any("error", err))
	return t, nil
}

// options are how a ticket's workflow starts.
func (d *Desk) options(t ticket.Ticket, reuse enums.WorkflowIdReusePolicy) client.StartWorkflowOptions {
	return client.StartWorkflowOptions{
		ID:                       workflows.ID(t.Number),
		TaskQueue:                workflows.Queue,
		WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
		WorkflowIDReusePolicy:    reuse,
		EnableEagerStart:         true,
		TypedSearchAttributes:    temporal.NewSearchAttributes(workflows.Attributes(t)...),
		StaticSummary:            notice.Summary(t.Number, t.Subject, t.Requester.Name, t.Priority),
		StaticDetails:            notice.Details(t.Body, d.page(t.Number), maxDetails),
	}
}

// input is how every run of a ticket starts.
func (d *Desk) input(in workflows.Input) workflows.Input {
	in.LocalLookups = true
	if d.TestClock != nil {
		offset := d.TestClock.Offset()
		in.TestClock = &offset
	}
	return in
}

// page is where people who work here see a ticket; empty when nobody said where the
// pages are.
func (d *Desk) page(number int) string {
	if d.URL == "" {
		return ""
	}
	return fmt.Sprintf("%s/tickets/%d", d.URL, number)
}
