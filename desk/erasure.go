package desk

import (
	"context"
	"errors"
	"fmt"

	common "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/workflowservice/v1"

	"deskbell/store"
	"deskbell/workflows"
)

// Record is everything that is kept about a person.
type Record = store.Record

// Record returns everything that is kept about a person, or ErrNotFound.
func (d *Desk) Record(ctx context.Context, person string) (Record, error) {
	r, err := d.Store.Record(ctx, person)
	return r, outside(err)
}

// Erase forgets a person and returns who they are from now on: their data, messages and
// files, the words of their tickets, and those tickets' histories in the engine. Where
// else they are named, as in tickets that they worked on, somebody unknown is. It may be
// repeated after an error. An *InvalidError says what keeps them here.
//
// What stays, and how long, is in docs/adr/0009.
func (d *Desk) Erase(ctx context.Context, by Caller, person string) (name string, err error) {
	numbers, err := d.Store.NumbersOf(ctx, person)
	if err != nil {
		return "", staying(err)
	}
	for _, n := range numbers {
		if err := d.forgetHistories(ctx, n); err != nil {
			return "", err
		}
	}
	name, files, err := d.Store.Erase(ctx, person, Audit{Actor: by.Person.ID, Channel: by.Channel})
	if err != nil {
		return "", staying(err)
	}
	for _, id := range files {
		d.dropFile(ctx, id)
	}
	d.watchers.tell(Change{Kind: "agent"})
	return name, nil
}

// staying words what keeps a person here.
func staying(err error) error {
	if open, ok := errors.AsType[*store.OpenTicketsError](err); ok {
		return &InvalidError{"id", fmt.Sprintf("is known to tickets that are not closed: %v", open.Numbers)}
	}
	if errors.Is(err, store.ErrOnRota) {
		return &InvalidError{"id", "is in a rotation: take them out first"}
	}
	return outside(err)
}

// forgetHistories has the engine delete all runs of a ticket's workflow: the last by
// its id, because it may have ended a moment ago and not be listed yet, and those before
// it as they are listed.
func (d *Desk) forgetHistories(ctx context.Context, number int) error {
	service, id := d.Engine.WorkflowService(), workflows.ID(number)
	forget := func(run string) error {
		_, err := service.DeleteWorkflowExecution(ctx, &workflowservice.DeleteWorkflowExecutionRequest{Namespace: d.Namespace,
			WorkflowExecution: &common.WorkflowExecution{WorkflowId: id, RunId: run}})
		if _, gone := errors.AsType[*serviceerror.NotFound](err); err != nil && !gone {
			return fmt.Errorf("delete a run of %s: %w: %w", id, ErrUnavailable, err)
		}
		return nil
	}
	if err := forget(""); err != nil {
		return err
	}
	var page []byte
	for {
		runs, err := service.ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: d.Namespace, Query: fmt.Sprintf("WorkflowId = '%s'", id), NextPageToken: page})
		if err != nil {
			return fmt.Errorf("list the runs of %s: %w: %w", id, ErrUnavailable, err)
		}
		for _, run := range runs.Executions {
			if err := forget(run.GetExecution().GetRunId()); err != nil {
				return err
			}
		}
		if page = runs.NextPageToken; len(page) == 0 {
			return nil
		}
	}
}
