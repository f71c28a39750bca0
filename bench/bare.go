package bench

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"deskbell/ticket"
	"deskbell/workflows"
)

const (
	bareSuffix   = "-bench" // of the bare queues, one beside each of ours
	bareQueue    = workflows.Queue + bareSuffix
	bareWorkflow = "Bare"
	bareActivity = "Nothing"
)

// shape is what a ticket's workflow did: before the first signal, and after each,
// the batches of activities that it scheduled at once, each by its task queue.
type shape [][]batch

type batch []string

func (s shape) activities() (n int) {
	for _, phase := range s {
		for _, b := range phase {
			n += len(b)
		}
	}
	return n
}

func (s shape) signals() int { return len(s) - 1 }

// shapeOf reads a shape from a history.
func shapeOf(events []*history.HistoryEvent) shape {
	s := shape{nil}
	task := int64(0)
	for _, e := range events {
		switch e.EventType {
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			s, task = append(s, nil), 0
		case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			phase, scheduled := &s[len(s)-1], e.GetActivityTaskScheduledEventAttributes()
			if by := scheduled.WorkflowTaskCompletedEventId; by != task {
				*phase, task = append(*phase, nil), by
			}
			last := &(*phase)[len(*phase)-1]
			*last = append(*last, scheduled.TaskQueue.Name)
		}
	}
	return s
}

// bareInput starts the bare workflow: what a ticket starts with, and what to do.
type bareInput struct {
	Opening ticket.Opening `json:"opening"`
	Shape   shape          `json:"shape"`
}

// bare is the workflow that does nothing as often as a ticket does something. It
// stays open, as a solved ticket does.
func bare(ctx workflow.Context, in bareInput) error {
	signals := workflow.GetSignalChannel(ctx, workflows.CommandSignal)
	id := workflow.GetInfo(ctx).WorkflowExecution.ID
	for i, phase := range in.Shape {
		if i > 0 {
			var c ticket.Command
			signals.Receive(ctx, &c)
		}
		for _, b := range phase {
			var under []workflow.Future
			for _, queue := range b {
				o := workflow.ActivityOptions{StartToCloseTimeout: 10 * time.Second, TaskQueue: strings.TrimSuffix(queue, bareSuffix) + bareSuffix}
				under = append(under, workflow.ExecuteActivity(workflow.WithActivityOptions(ctx, o), bareActivity, id))
			}
			for _, f := range under {
				if err := f.Get(ctx, nil); err != nil {
					return err
				}
			}
		}
	}
	signals.Receive(ctx, nil)
	return nil
}

// bareRunner drives bare workflows.
type bareRunner struct {
	engine  client.Client
	workers []worker.Worker

	mu      sync.Mutex
	done    map[string]int // activities that ran, by workflow
	changed map[string]chan struct{}
}

func newBareRunner(engine client.Client) (*bareRunner, error) {
	b := &bareRunner{engine: engine, done: map[string]int{}, changed: map[string]chan struct{}{}}
	for _, queue := range []string{workflows.Queue, workflows.SMSQueue, workflows.IMQueue} {
		// As workers runs them.
		o := worker.Options{DisableWorkflowWorker: true}
		if queue == workflows.Queue {
			poll := worker.NewPollerBehaviorAutoscaling(worker.PollerBehaviorAutoscalingOptions{})
			o = worker.Options{WorkflowTaskPollerBehavior: poll, ActivityTaskPollerBehavior: poll}
		}
		w := worker.New(engine, queue+bareSuffix, o)
		if queue == workflows.Queue {
			w.RegisterWorkflowWithOptions(bare, workflow.RegisterOptions{Name: bareWorkflow})
		}
		w.RegisterActivityWithOptions(b.nothing, activity.RegisterOptions{Name: bareActivity})
		if err := w.Start(); err != nil {
			return nil, fmt.Errorf("start the bare worker: %w", err)
		}
		b.workers = append(b.workers, w)
	}
	return b, nil
}

func (b *bareRunner) nothing(_ context.Context, id string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done[id]++
	if c, ok := b.changed[id]; ok {
		close(c)
		delete(b.changed, id)
	}
	return nil
}

// await waits until a workflow has run n activities.
func (b *bareRunner) await(ctx context.Context, id string, n int) error {
	for {
		b.mu.Lock()
		have := b.done[id]
		c, ok := b.changed[id]
		if !ok {
			c = make(chan struct{})
			b.changed[id] = c
		}
		b.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-c:
		case <-ctx.Done():
			return fmt.Errorf("%s: %d of %d activities: %w", id, have, n, context.Cause(ctx))
		}
	}
}

// bareID is the id of the bare workflow beside a ticket.
func bareID(number int) string { return fmt.Sprintf("bare-%d", number) }

// start starts the bare workflow beside a ticket as a ticket is started, and
// returns when its activities before the first signal are done.
func (b *bareRunner) start(ctx context.Context, number int, s shape) error {
	o := ticket.Opening{
		Number: number, Subject: subject(number), Body: body, Priority: ticket.P3, Channel: "rest", CreatedAt: time.Now(),
		Requester: ticket.Party{ID: "req-1", Name: "Requester 1", Via: "sms"}, CommandID: bareID(number),
	}
	t, _ := ticket.Open(o, o.CreatedAt)
	_, err := b.engine.ExecuteWorkflow(ctx, client.StartWorkflowOptions{
		ID: bareID(number), TaskQueue: bareQueue, StaticSummary: o.Subject, StaticDetails: o.Body,
		TypedSearchAttributes: temporal.NewSearchAttributes(workflows.Attributes(t)...),
	}, bareWorkflow, bareInput{o, s})
	if err != nil {
		return fmt.Errorf("start %s: %w", bareID(number), err)
	}
	return b.await(ctx, bareID(number), s[:1].activities())
}

// signal sends signal i, from 1, and returns when what it leads to is done.
func (b *bareRunner) signal(ctx context.Context, number int, s shape, i int) error {
	c := ticket.Command{ID: fmt.Sprintf("%s/%d", bareID(number), i), Verb: ticket.Take, Actor: ticket.Party{ID: "agent-1", Name: "Agent 1", Via: "sms"}, Works: true, Channel: "sms", Text: fmt.Sprint(number)}
	if err := b.engine.SignalWorkflow(ctx, bareID(number), "", workflows.CommandSignal, c); err != nil {
		return fmt.Errorf("signal %s: %w", bareID(number), err)
	}
	return b.await(ctx, bareID(number), s[:i+1].activities())
}

// live is a whole bare life.
func (b *bareRunner) live(ctx context.Context, number int, s shape) error {
	if err := b.start(ctx, number, s); err != nil {
		return err
	}
	for i := 1; i <= s.signals(); i++ {
		if err := b.signal(ctx, number, s, i); err != nil {
			return err
		}
	}
	return nil
}

// stop ends the worker and the workflows.
func (b *bareRunner) stop(ctx context.Context, numbers []int) {
	for _, n := range numbers {
		_ = b.engine.TerminateWorkflow(ctx, bareID(n), "", "the measurement is over")
	}
	for _, w := range b.workers {
		w.Stop()
	}
}

// events reads a workflow's history.
func events(ctx context.Context, engine client.Client, id string) (all []*history.HistoryEvent, err error) {
	iterator := engine.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iterator.HasNext() {
		e, err := iterator.Next()
		if err != nil {
			return nil, fmt.Errorf("history of %s: %w", id, err)
		}
		all = append(all, e)
	}
	return all, nil
}

// describe is one history as lines: number, event, and what it was about.
func describe(all []*history.HistoryEvent) []string {
	lines := make([]string, len(all))
	for i, e := range all {
		what := ""
		switch e.EventType {
		case enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
			what = e.GetActivityTaskScheduledEventAttributes().ActivityType.Name + " on " + e.GetActivityTaskScheduledEventAttributes().TaskQueue.Name
		case enums.EVENT_TYPE_TIMER_STARTED:
			what = e.GetTimerStartedEventAttributes().StartToFireTimeout.AsDuration().String()
		case enums.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
			what = e.GetWorkflowExecutionSignaledEventAttributes().SignalName
		}
		if m := e.UserMetadata; m != nil && what != "" {
			what += " " + strings.TrimSpace(string(m.GetSummary().GetData()))
		}
		lines[i] = strings.TrimSpace(fmt.Sprintf("%3d %-38s %s", e.EventId, e.EventType.String(), what))
	}
	return lines
}
