package desk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"deskbell/notice"
	"deskbell/rehearsal"
	"deskbell/roster"
	"deskbell/ticket"
	"deskbell/workflows"
)

// Rehearse plays through what would happen to a ticket that is submitted at a time and
// that nobody takes, until the policy's last step.
func (d *Desk) Rehearse(ctx context.Context, p ticket.Priority, group string, at time.Time) (RehearsalView, error) {
	at = at.UTC()
	view := RehearsalView{Priority: p, Group: group, At: at, Until: rehearsal.Until(d.Policy.Group(group), p, at), Lines: []RehearsedLine{}}
	lines, err := rehearsal.Run(ctx, d.Store, d.Policy, p, group, at, view.Until)
	if err != nil {
		return view, outside(err)
	}
	for _, l := range lines {
		if l.Hole != "" {
			view.Holes++
		}
		view.Lines = append(view.Lines, RehearsedLine{At: l.At, Person: l.To.ID, Name: l.To.Name, Channel: l.To.Via, Message: string(l.Message), Hole: l.Hole})
	}
	return view, nil
}

const day = 24 * time.Hour

// RehearseDay rehearses the day from a time on and tells the managers of its holes,
// once for the same time.
func (d *Desk) RehearseDay(ctx context.Context, from time.Time) (holes int, err error) {
	missing, err := rehearsal.Ahead(ctx, d.Store, d.Policy, from, from.Add(day))
	if err != nil || len(missing) == 0 {
		return 0, err
	}
	first := missing[0]
	return len(missing), d.tellOtherManagers(ctx, fmt.Sprintf("mgr_holes/%d", from.Unix()), nil, func(m roster.Person) (string, map[string]string) {
		return "mgr_holes", map[string]string{
			"count": fmt.Sprint(len(missing)), "time": notice.Clock(first.At, from, d.Zone, m.Language), "word": string(first.Priority), "text": first.Hole,
		}
	})
}

// scheduleRetry is the pause before the engine is asked again for the schedule.
const scheduleRetry = 10 * time.Second

// ScheduleRehearsal sees to it that the engine has the nightly rehearsal's schedule, as
// this version wants it, and returns then or when ctx ends. Several processes may do so
// at once. A schedule that somebody paused stays paused.
func (d *Desk) ScheduleRehearsal(ctx context.Context) error {
	for {
		err := d.schedule(ctx)
		if err == nil || ctx.Err() != nil {
			return nil
		}
		d.Log.WarnContext(ctx, "no schedule for the rehearsal yet", slog.Any("error", err))
		wait(ctx, nil, scheduleRetry)
	}
}

func (d *Desk) schedule(ctx context.Context) error {
	spec := client.ScheduleSpec{
		Calendars:    []client.ScheduleCalendarSpec{{Hour: []client.ScheduleRange{{Start: workflows.RehearsalHour}}, Comment: "every evening"}},
		TimeZoneName: d.Policy.Office().Zone().String(),
	}
	action := &client.ScheduleWorkflowAction{ID: workflows.RehearsalID, Workflow: workflows.RehearsalName, TaskQueue: workflows.Queue, StaticSummary: "rehearse the coming day"}
	schedules := d.Engine.ScheduleClient()
	_, err := schedules.Create(ctx, client.ScheduleOptions{ID: workflows.RehearsalID, Spec: spec, Action: action, CatchupWindow: time.Hour})
	if !errors.Is(err, temporal.ErrScheduleAlreadyRunning) {
		return err
	}
	return schedules.GetHandle(ctx, workflows.RehearsalID).Update(ctx, client.ScheduleUpdateOptions{
		DoUpdate: func(in client.ScheduleUpdateInput) (*client.ScheduleUpdate, error) {
			s := in.Description.Schedule
			s.Spec, s.Action = &spec, action
			return &client.ScheduleUpdate{Schedule: &s}, nil
		},
	})
}
