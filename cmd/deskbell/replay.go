package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"go.temporal.io/api/workflowservice/v1"
	temporallog "go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"deskbell/config"
	"deskbell/workflows"
)

// replayCmd replays the histories of the open tickets with this program, which is
// what its workers would do after an upgrade.
type replayCmd struct {
	Limit int `default:"1000" help:"How many open tickets at most, the newest first."`
}

func (c replayCmd) Run(ctx context.Context, log *slog.Logger) error {
	env, err := config.Load(os.Getenv, nil)
	if err != nil {
		return err
	}
	e, err := newEngine(ctx, env, log)
	if err != nil {
		return err
	}
	defer e.Close()
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(workflows.Ticket, workflow.RegisterOptions{Name: workflows.TypeName})
	quiet := temporallog.NewStructuredLogger(slog.New(slog.DiscardHandler))
	replayed, failed := 0, 0
	for page := []byte(nil); ; {
		list, err := e.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Namespace: e.namespace, NextPageToken: page, Query: fmt.Sprintf("WorkflowType = %q AND ExecutionStatus = 'Running'", workflows.TypeName),
		})
		if err != nil {
			return fmt.Errorf("temporal at %s: %w", e.address, err)
		}
		for _, w := range list.Executions {
			if replayed == c.Limit {
				break
			}
			replayed++
			execution := workflow.Execution{ID: w.Execution.WorkflowId, RunID: w.Execution.RunId}
			if err := replayer.ReplayWorkflowExecution(ctx, e.WorkflowService(), quiet, e.namespace, execution); err != nil {
				failed++
				fmt.Fprintf(os.Stderr, "%s: %v\n", execution.ID, err)
			}
		}
		if page = list.NextPageToken; len(page) == 0 || replayed == c.Limit {
			break
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d open tickets do not replay: do not roll this version out", failed, replayed)
	}
	fmt.Printf("%d open tickets replay\n", replayed)
	return nil
}
