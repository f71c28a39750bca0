// Package workers says which process runs which task queue, with which limits.
// A gateway's worker lives exactly as long as its bind or login: what cannot be
// sent waits in its queue, where managers see it.
package workers

import (
	"context"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"deskbell/activities"
	"deskbell/workflows"
)

// stickyTickets is how many tickets a worker keeps in memory. One that is not
// kept is replayed: a few milliseconds.
const stickyTickets = 2000

// RunTickets runs the tickets' workflows and lookups until ctx ends.
func RunTickets(ctx context.Context, c client.Client, a *activities.Tickets) error {
	worker.SetStickyWorkflowCacheSize(stickyTickets)
	w := worker.New(c, workflows.Queue, worker.Options{
		// Two pollers, the default, starve new workflows at 64 at once.
		WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
		ActivityTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
	})
	w.RegisterWorkflowWithOptions(workflows.Ticket, workflow.RegisterOptions{Name: workflows.TypeName})
	w.RegisterActivity(a)
	return run(ctx, w, workflows.Queue)
}

// noticesAtOnce is how many batches of notices are worded side by side. Each takes
// a few milliseconds of PostgreSQL; the network is waited for elsewhere.
const noticesAtOnce = 20

// RunNotices runs the notices of one channel's queue until ctx ends.
func RunNotices(ctx context.Context, c client.Client, queue string, a *activities.Notices) error {
	w := worker.New(c, queue, worker.Options{DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: noticesAtOnce})
	w.RegisterActivity(a)
	return run(ctx, w, queue)
}

func run(ctx context.Context, w worker.Worker, queue string) error {
	if err := w.Start(); err != nil {
		return fmt.Errorf("start the worker of %s: %w", queue, err)
	}
	<-ctx.Done()
	w.Stop()
	return nil
}
