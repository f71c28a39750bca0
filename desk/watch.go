package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"

	"deskbell/gateway"
	"deskbell/notice"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/workflows"
)

// Times of the watch. Together they tell the managers within a minute of anything.
const (
	watchEvery = 5 * time.Second
	// outage is how long a link or the engine is away before it is news: a network
	// that reconnects, or another process that takes over, is none.
	outage = 30 * time.Second
	// waitLimit is how long something may wait that takes less than a second on a
	// good day.
	waitLimit = 30 * time.Second
	// silenceLimit is twice the time between two probes of the presence stream, and
	// some for their way.
	silenceLimit = 45 * time.Second
	// steadyRounds is how often in a row something must be seen: what is cleared up
	// from one round to the next is no trouble. So nothing is told twice that comes
	// and goes.
	steadyRounds = 2
	askEngine    = 2 * time.Second // bounds one question to the engine
)

// condition is one thing that may be wrong.
type condition struct {
	id         string
	told, over string        // the messages
	after      time.Duration // how long it must last beyond what finds it
	// explained are the ids of those that, on the same channel or on none, explain
	// this one: until they are over, which takes steadyRounds, it says nothing. So
	// what has waited for them gets the time to go.
	explained []string
	// other is set when the managers hear of it on the channel that it is not about.
	other bool
}

var conditions = []condition{
	{id: "engine", told: "mgr_engine", over: "mgr_engine_over", after: outage},
	{id: "link", told: "mgr_gateway", over: "mgr_back", after: outage, other: true},
	{id: "presence", told: "mgr_presence", over: "mgr_presence_over", explained: []string{"link"}, other: true},
	{id: "queue", told: "mgr_queue", over: "mgr_queue_over", explained: []string{"engine", "link"}},
	{id: "unstarted", told: "mgr_unstarted", over: "mgr_unstarted_over", explained: []string{"engine", "queue"}},
	{id: "inbox", told: "mgr_inbox", over: "mgr_inbox_over", explained: []string{"engine", "queue", "link"}, other: true},
	{id: "outbox", told: "mgr_outbox", over: "mgr_outbox_over", explained: []string{"link"}, other: true},
	{id: "stuck", told: "mgr_stuck", over: "mgr_stuck_over", explained: []string{"engine"}},
}

// explainedBy tells whether something else says why a condition holds, or keeps from
// knowing whether it does: then it is no news of its own.
func (c condition) explainedBy(channel string, found map[string]finding, known map[string]store.Trouble) bool {
	holds := func(name string) bool {
		_, now := found[name]
		_, before := known[name]
		return now || before
	}
	return slices.ContainsFunc(c.explained, func(id string) bool { return holds(id) || holds(nameOf(id, channel)) })
}

// finding is a condition that holds now.
type finding struct {
	since  time.Time // zero: since it was first found
	count  int
	ticket int
}

// nameOf is a condition and the channel that it is about, if any.
func nameOf(id, channel string) string { return strings.TrimSpace(id + " " + channel) }

// channels are what a finding may be about; empty for the whole desk.
var channels = []string{"", string(gateway.SMS), string(gateway.IM)}

// Watch looks after the desk itself. Of all processes one at a time runs it. It is not
// safe for concurrent use.
type Watch struct {
	desk *Desk
	// rounds counts by name how often in a row something was seen, or, of what the
	// managers know, not seen any more. What they know stands in the database.
	rounds map[string]int
}

// NewWatch returns a watch that has seen nothing yet.
func (d *Desk) NewWatch() *Watch { return &Watch{desk: d, rounds: map[string]int{}} }

// Run looks every few seconds, and forgets what is old once a day, until ctx ends;
// then it returns nil.
func (w *Watch) Run(ctx context.Context) error {
	var forgetting sync.WaitGroup
	defer forgetting.Wait()
	forgetting.Go(func() { _ = every(ctx, forgetEvery, w.desk.forget) })
	_ = every(ctx, watchEvery, func(ctx context.Context) {
		if err := w.Round(ctx); err != nil && ctx.Err() == nil {
			w.desk.Log.WarnContext(ctx, "cannot look after the desk", slog.Any("error", err))
		}
	})
	return nil
}

// forgetEvery is often enough for ages that count in days.
const forgetEvery = 24 * time.Hour

// forget deletes what is over and older than Keep.
func (d *Desk) forget(ctx context.Context) {
	if d.Keep == 0 {
		return
	}
	gone, err := d.Store.Forget(ctx, d.Clock.Now().Add(-d.Keep))
	if len(gone) > 0 {
		d.Log.InfoContext(ctx, "forgot what is old", slog.Any("rows", gone))
	}
	if err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "cannot forget what is old", slog.Any("error", err))
	}
}

// Round looks once, keeps what is wrong, and tells the managers what is news: each
// trouble once, and once that it is over. A round that failed may be repeated.
func (w *Watch) Round(ctx context.Context) error {
	found, err := w.desk.findings(ctx)
	if err != nil {
		return err
	}
	troubles, err := w.desk.Store.Troubles(ctx)
	if err != nil {
		return err
	}
	known := map[string]store.Trouble{}
	for _, t := range troubles {
		known[t.Name] = t
	}
	for _, c := range conditions {
		for _, channel := range channels {
			name := nameOf(c.id, channel)
			f, wrong := found[name]
			t, before := known[name]
			switch {
			case !c.explainedBy(channel, found, known) && (wrong || before):
				err = errors.Join(err, w.consider(ctx, c, channel, f, wrong, t))
			default:
				delete(w.rounds, name)
			}
		}
	}
	return err
}

// consider compares what is found now with what is known, t, of a condition.
func (w *Watch) consider(ctx context.Context, c condition, channel string, f finding, wrong bool, t store.Trouble) error {
	d, now := w.desk, w.desk.Clock.Now()
	name := nameOf(c.id, channel)
	if told := !t.ToldAt.IsZero(); told == wrong { // as it was
		delete(w.rounds, name)
		if !wrong {
			return d.Store.DropTrouble(ctx, name)
		}
		if t.Count == f.count && t.Ticket == f.ticket {
			return nil
		}
		t.Count, t.Ticket = f.count, f.ticket
		return d.Store.SetTrouble(ctx, t)
	}
	w.rounds[name]++
	if wrong {
		if t.Name == "" {
			t = store.Trouble{Name: name, Since: cmp.Or(f.since, now).Truncate(time.Millisecond)} // as in the keys
		}
		t.Count, t.Ticket = f.count, f.ticket
		// First of all it is kept, since when: that is part of the messages' keys, so
		// that they are written once whatever happens between.
		if err := d.Store.SetTrouble(ctx, t); err != nil {
			return err
		}
		if w.rounds[name] < steadyRounds || now.Sub(t.Since) < c.after {
			return nil
		}
		if err := d.tellManagers(ctx, c, channel, c.told, t); err != nil {
			return err
		}
		d.Log.WarnContext(ctx, "trouble", slog.String("trouble", name), slog.Int("count", t.Count))
		delete(w.rounds, name)
		t.ToldAt = now
		return d.Store.SetTrouble(ctx, t)
	}
	if w.rounds[name] < steadyRounds {
		return nil
	}
	if err := d.tellManagers(ctx, c, channel, c.over, t); err != nil {
		return err
	}
	d.Log.WarnContext(ctx, "trouble over", slog.String("trouble", name), slog.Duration("after", now.Sub(t.Since)))
	delete(w.rounds, name)
	return d.Store.DropTrouble(ctx, name)
}

// tellManagers tells each of them: on the other channel what is about a channel, else
// on the one that reaches them.
func (d *Desk) tellManagers(ctx context.Context, c condition, channel, message string, t store.Trouble) error {
	members, err := d.Store.Members(ctx)
	if err != nil {
		return err
	}
	now := d.Clock.Now()
	for _, m := range members {
		if !m.Is(roster.Manager) {
			continue
		}
		via, reached := roster.Reach(m)
		if c.other && channel != "" {
			via, reached = string(gateway.IM), m.JID != ""
			if channel == string(gateway.IM) {
				via, reached = string(gateway.SMS), m.Phone != "" && !m.Stopped
			}
		}
		if !reached {
			continue
		}
		values := map[string]string{
			"word": cmp.Or(strings.ToUpper(channel), workflows.Queue), "count": strconv.Itoa(t.Count), "n": strconv.Itoa(t.Ticket),
			"time": notice.Clock(t.Since, now, d.Zone, m.Language), "age": notice.Age(now.Sub(t.Since), m.Language),
		}
		key := fmt.Sprintf("%s/%s/%d/%s", message, channel, t.Since.UnixMilli(), m.ID)
		if err := d.tell(ctx, m.Person, gateway.Channel(via), message, values, key); err != nil {
			return err
		}
	}
	return nil
}

// findings are what is wrong now, by name.
func (d *Desk) findings(ctx context.Context) (map[string]finding, error) {
	found := map[string]finding{}
	views, err := d.Gateways(ctx)
	if err != nil {
		return nil, err
	}
	for _, v := range views {
		if !v.Up {
			found[nameOf("link", v.Channel)] = finding{count: v.Backlog}
		}
	}
	silences, err := d.Store.Silences(ctx)
	if err != nil {
		return nil, err
	}
	if silence := silences[string(gateway.IM)]; silence > silenceLimit {
		found[nameOf("presence", string(gateway.IM))] = finding{since: d.Clock.Now().Add(-silence)}
	}
	overdue, err := d.Store.Overdue(ctx, waitLimit)
	if err != nil {
		return nil, err
	}
	for _, o := range overdue {
		found[nameOf(o.What, o.Channel)] = finding{since: o.Oldest, count: o.Count}
	}
	return found, d.engineFindings(ctx, found)
}

// engineFindings adds what is wrong in the engine.
func (d *Desk) engineFindings(ctx context.Context, found map[string]finding) error {
	asking, cancel := context.WithTimeout(ctx, askEngine)
	defer cancel()
	if err := d.askEngine(asking, found); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		d.Log.DebugContext(ctx, "the engine does not answer", slog.Any("error", err))
		found["engine"] = finding{}
	}
	return nil
}

// queues are the engine's, by the channel that they belong to.
var queues = map[string]string{"": workflows.Queue, string(gateway.SMS): workflows.SMSQueue, string(gateway.IM): workflows.IMQueue}

func (d *Desk) askEngine(ctx context.Context, found map[string]finding) error {
	service, now := d.Engine.WorkflowService(), d.Clock.Now()
	for _, channel := range channels {
		for _, kind := range []enums.TaskQueueType{enums.TASK_QUEUE_TYPE_WORKFLOW, enums.TASK_QUEUE_TYPE_ACTIVITY} {
			q, err := service.DescribeTaskQueue(ctx, &workflowservice.DescribeTaskQueueRequest{
				Namespace: d.Namespace, TaskQueue: &taskqueue.TaskQueue{Name: queues[channel]}, TaskQueueType: kind, ReportStats: true,
			})
			if err != nil {
				return err
			}
			age := q.GetStats().GetApproximateBacklogAge().AsDuration()
			if age > waitLimit {
				name := nameOf("queue", channel)
				found[name] = finding{since: now.Add(-age), count: found[name].count + int(q.GetStats().GetApproximateBacklogCount())}
			}
		}
	}
	list, err := service.ListWorkflowExecutions(ctx, &workflowservice.ListWorkflowExecutionsRequest{Namespace: d.Namespace, PageSize: mostStuck, Query: stuckQuery})
	if _, old := errors.AsType[*serviceerror.InvalidArgument](err); old {
		return nil // an engine that does not report problems
	}
	if err != nil {
		return err
	}
	if n := len(list.Executions); n > 0 {
		number, _ := strconv.Atoi(strings.TrimPrefix(list.Executions[n-1].GetExecution().GetWorkflowId(), "ticket-")) // our own ids
		found["stuck"] = finding{count: n, ticket: number}
	}
	return nil
}

// stuckQuery finds the tickets whose workflow fails again and again at the same place:
// the engine marks them after three failures in a row as it is set up by us, in half a
// minute, by default after five.
var stuckQuery = fmt.Sprintf("WorkflowType = '%s' AND ExecutionStatus = 'Running' AND TemporalReportedProblems IN ('category=WorkflowTaskFailed', 'category=WorkflowTaskTimedOut')", workflows.TypeName)

// mostStuck is how many of them are counted.
const mostStuck = 100
