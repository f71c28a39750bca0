// Package workers says which process runs which task queue, with which limits.
// A gateway's worker lives exactly as long as its bind or login: what cannot be
// sent waits in its queue, where managers see it.
package workers

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"deskbell/activities"
	"deskbell/workflows"
)

// stickyTickets is how many tickets a worker keeps in memory. One that is not
// kept is replayed: a few milliseconds.
const stickyTickets = 2000

// decisionPollers wait for tickets' decisions, at least. Left to itself an idle worker
// waits with one, and each decision of a burst waits for the one before: twenty in one
// instant took two cores 0.6 to 0.9 s, with ten or twenty pollers 0.3 to 0.5.
const decisionPollers = 10

// RunTickets runs the tickets' workflows and lookups, and the nightly rehearsal, until ctx ends; then the
// error is nil. It returns an error when the engine cannot be reached at the start
// or refuses the worker for good, and may then be called again.
func RunTickets(ctx context.Context, c client.Client, a *activities.Tickets) error {
	worker.SetStickyWorkflowCacheSize(stickyTickets)
	return run(ctx, c, workflows.Queue, worker.Options{
		// Two pollers, the default, starve new workflows at 64 at once.
		WorkflowTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{
			InitialNumberOfPollers: decisionPollers, MinimumNumberOfPollers: decisionPollers,
		}),
		ActivityTaskPollerBehavior: worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{}),
	}, func(w worker.Worker) {
		w.RegisterWorkflowWithOptions(workflows.Ticket, workflow.RegisterOptions{Name: workflows.TypeName})
		w.RegisterWorkflowWithOptions(workflows.Rehearsal, workflow.RegisterOptions{Name: workflows.RehearsalName})
		w.RegisterActivity(a)
	})
}

// noticesAtOnce is how many batches of notices are worded side by side. Each takes
// a few milliseconds of PostgreSQL; the network is waited for elsewhere.
const noticesAtOnce = 20

// RunNotices runs the notices of one channel's queue until ctx ends. Its errors are
// those of RunTickets.
func RunNotices(ctx context.Context, c client.Client, queue string, a *activities.Notices) error {
	return run(ctx, c, queue, worker.Options{DisableWorkflowWorker: true, MaxConcurrentActivityExecutionSize: noticesAtOnce},
		func(w worker.Worker) { w.RegisterActivity(a) })
}

// webhooksAtOnce is how many receivers are told side by side; one that does not answer
// has a place for 15 s.
const webhooksAtOnce = 16

// RunWebhooks runs the webhooks' queue until ctx ends. Its errors are those of
// RunTickets.
func RunWebhooks(ctx context.Context, c client.Client, a *activities.Webhooks) error {
	return run(ctx, c, workflows.WebhookQueue, worker.Options{MaxConcurrentActivityExecutionSize: webhooksAtOnce}, func(w worker.Worker) {
		w.RegisterWorkflowWithOptions(workflows.Webhook, workflow.RegisterOptions{Name: workflows.WebhookType})
		w.RegisterActivity(a)
	})
}

// stopTimeout is how long a stopping worker waits for what it has begun, each of it
// some milliseconds of work.
const stopTimeout = 5 * time.Second

func run(ctx context.Context, c client.Client, queue string, o worker.Options, register func(worker.Worker)) error {
	fatal := make(chan error, 1)
	o.WorkerStopTimeout = stopTimeout
	o.OnFatalError = func(err error) {
		select {
		case fatal <- err:
		default:
		}
	}
	w := worker.New(c, queue, o)
	register(w)
	if err := w.Start(); err != nil {
		return fmt.Errorf("start the worker of %s: %w", queue, err)
	}
	defer w.Stop()
	select {
	case <-ctx.Done():
		return nil
	case err := <-fatal:
		return fmt.Errorf("the worker of %s: %w", queue, err)
	}
}
