package workflows

import (
	"time"

	"go.temporal.io/sdk/workflow"

	"deskbell/activities"
)

// Names of the nightly rehearsal.
const (
	RehearsalName = "Rehearsal"     // the workflow's type
	RehearsalID   = "rehearsal"     // its schedule; a run's id begins with it
	RehearsalHour = 19              // o'clock, in the office's zone: before the night, while holes can still be filled
	rehearseFor   = 5 * time.Minute // bounds one attempt, some seconds of work
)

// Rehearsal has the coming day rehearsed. Its result is how many holes the managers
// were told of.
func Rehearsal(ctx workflow.Context) (holes int, err error) {
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{StartToCloseTimeout: rehearseFor, Summary: "rehearse the coming day"})
	err = workflow.ExecuteActivity(ctx, (*activities.Tickets)(nil).Rehearse, workflow.Now(ctx)).Get(ctx, &holes)
	return holes, err
}
