package desk_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"deskbell/desk"
	"deskbell/gateway"
	"deskbell/roster"
	"deskbell/store"
)

// service is what the watch asks the engine.
type service struct {
	workflowservice.WorkflowServiceClient
	away    bool
	backlog map[string]time.Duration // age, by queue
	stuck   []string                 // workflows
}

func (s *service) DescribeTaskQueue(_ context.Context, r *workflowservice.DescribeTaskQueueRequest, _ ...grpc.CallOption) (*workflowservice.DescribeTaskQueueResponse, error) {
	if s.away {
		return nil, errors.New("away")
	}
	stats := &taskqueue.TaskQueueStats{}
	if age := s.backlog[r.TaskQueue.Name]; age > 0 && r.TaskQueueType == enums.TASK_QUEUE_TYPE_ACTIVITY {
		stats.ApproximateBacklogCount, stats.ApproximateBacklogAge = 7, durationpb.New(age)
	}
	return &workflowservice.DescribeTaskQueueResponse{Stats: stats}, nil
}

func (s *service) ListWorkflowExecutions(context.Context, *workflowservice.ListWorkflowExecutionsRequest, ...grpc.CallOption) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	list := &workflowservice.ListWorkflowExecutionsResponse{}
	for _, id := range s.stuck {
		list.Executions = append(list.Executions, &workflow.WorkflowExecutionInfo{Execution: &common.WorkflowExecution{WorkflowId: id}})
	}
	return list, nil
}

// guarded is a world in which all is well, with two managers: one can be called, the
// other chats only.
type guarded struct {
	*world
	service *service
	watch   interface{ Round(context.Context) error }
}

func guard(t *testing.T) *guarded {
	g := &guarded{world: open(t, ""), service: &service{backlog: map[string]time.Duration{}}}
	g.engine.service = g.service
	g.stop() // nobody works on anything
	manager := roster.Roles{roster.Manager}
	must(t, g.store.Import(t.Context(), roster.File{People: []roster.Person{
		{ID: "meg", Name: "Meg", Roles: manager, Phone: "+15550301", JID: "meg@desk.localhost"}, {ID: "max", Name: "Max", Roles: manager, JID: "max@desk.localhost"},
	}}))
	for _, channel := range []string{"sms", "im"} {
		g.link(channel, true)
	}
	g.watch = g.desk.NewWatch()
	return g
}

func (g *guarded) link(channel string, up bool) {
	g.t.Helper()
	_, ok, err := g.store.Acquire(g.t.Context(), channel, "test", time.Hour)
	must(g.t, err)
	if !ok {
		g.t.Fatal("no lease")
	}
	must(g.t, g.store.SetLink(g.t.Context(), channel, "test", up, nil))
}

// rounds looks so often, with the watch's pause between.
func (g *guarded) rounds(n int) {
	g.t.Helper()
	for range n {
		must(g.t, g.watch.Round(g.t.Context()))
		_, err := g.db.Exec(g.t.Context(), "UPDATE deliveries SET state = 'sent' WHERE reason LIKE 'mgr_%'")
		must(g.t, err)
		g.clock.pass(5 * time.Second)
	}
}

func (g *guarded) told() []string {
	return g.rows("SELECT person || ' ' || channel || ' ' || reason FROM deliveries WHERE reason LIKE 'mgr_%' ORDER BY id")
}

// Each condition is told once on the right channel within a minute, not when it is
// gone sooner, once more when it is over, and through restarts of the watch.
func TestWatch(t *testing.T) {
	sql := func(g *guarded, statement string) {
		_, err := g.db.Exec(g.t.Context(), statement, g.clock.Now())
		must(g.t, err)
	}
	byReach := []string{"meg sms ", "max im "}
	for name, tt := range map[string]struct {
		cause, end func(*guarded)
		told, over []string
	}{
		"no bind": {
			cause: func(g *guarded) { g.link("sms", false) }, end: func(g *guarded) { g.link("sms", true) },
			told: []string{"meg im mgr_gateway", "max im mgr_gateway"}, over: []string{"meg im mgr_back", "max im mgr_back"},
		},
		"nobody holds the chat": {
			cause: func(g *guarded) {
				sql(g, "UPDATE leases SET expires = '-infinity' WHERE name = 'im' AND $1::timestamptz IS NOT NULL")
			},
			end:  func(g *guarded) { g.link("im", true) },
			told: []string{"meg sms mgr_gateway"}, over: []string{"meg sms mgr_back"},
		},
		"no presence": {
			cause: func(g *guarded) {
				sql(g, "UPDATE leases SET heard_at = clock_timestamp() - interval '46 s' WHERE name = 'im' AND $1::timestamptz IS NOT NULL")
			},
			end:  func(g *guarded) { must(g.t, g.store.Heard(g.t.Context(), "im", "test")) },
			told: []string{"meg sms mgr_presence"}, over: []string{"meg sms mgr_presence_over"},
		},
		"an inbox that nobody works on": {
			cause: func(g *guarded) {
				sql(g, `INSERT INTO inbox (channel, key, hash, ordinal, sender, reply_to, text, quotes, part_number, part_total, part_coding, kept_at, state)
					VALUES ('sms', $1::timestamptz::text, $1::timestamptz::text, 1, '+1', '+1', 'x', '', 0, 0, 0, $1::timestamptz, 'handed over')`)
			},
			end:  func(g *guarded) { sql(g, "UPDATE inbox SET state = 'finished' WHERE kept_at <= $1") },
			told: []string{"meg im mgr_inbox", "max im mgr_inbox"}, over: []string{"meg im mgr_inbox_over", "max im mgr_inbox_over"},
		},
		"an outbox that does not move": {
			cause: func(g *guarded) {
				_, err := g.store.Write(g.t.Context(), store.Write{Outgoing: []store.Outgoing{{Key: g.clock.Now().String(), Channel: gateway.IM, Address: "x@y", Reason: "help", Text: "x"}}})
				must(g.t, err)
			},
			end: func(g *guarded) {
				sql(g, "UPDATE deliveries SET state = 'sent' WHERE reason = 'help' AND created_at <= $1")
			},
			told: []string{"meg sms mgr_outbox"}, over: []string{"meg sms mgr_outbox_over"},
		},
		"tickets that do not start": {
			cause: func(g *guarded) {
				_, _, err := g.desk.Submit(g.t.Context(), desk.Submission{Subject: "x", Requester: "ann", Channel: "rest"})
				must(g.t, err)
			},
			end:  func(g *guarded) { sql(g, "UPDATE tickets SET version = 1 WHERE created_at <= $1") },
			told: []string{byReach[0] + "mgr_unstarted", byReach[1] + "mgr_unstarted"}, over: []string{byReach[0] + "mgr_unstarted_over", byReach[1] + "mgr_unstarted_over"},
		},
		"the engine is away, which explains the rest": {
			cause: func(g *guarded) { g.service.away, g.service.stuck = true, []string{"ticket-7"} }, end: func(g *guarded) { g.service.away, g.service.stuck = false, nil },
			told: []string{byReach[0] + "mgr_engine", byReach[1] + "mgr_engine"}, over: []string{byReach[0] + "mgr_engine_over", byReach[1] + "mgr_engine_over"},
		},
		"a queue that grows": {
			cause: func(g *guarded) { g.service.backlog["deskbell"] = 31 * time.Second }, end: func(g *guarded) { clear(g.service.backlog) },
			told: []string{byReach[0] + "mgr_queue", byReach[1] + "mgr_queue"}, over: []string{byReach[0] + "mgr_queue_over", byReach[1] + "mgr_queue_over"},
		},
		"a ticket that stands still": {
			cause: func(g *guarded) { g.service.stuck = []string{"ticket-9", "ticket-7"} }, end: func(g *guarded) { g.service.stuck = nil },
			told: []string{byReach[0] + "mgr_stuck", byReach[1] + "mgr_stuck"}, over: []string{byReach[0] + "mgr_stuck_over", byReach[1] + "mgr_stuck_over"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t)
			g.rounds(2)
			tt.cause(g)
			g.rounds(1)
			tt.end(g)
			g.rounds(3)
			if got := g.told(); len(got) > 0 {
				t.Fatalf("told of what was gone at once: %q", got)
			}
			tt.cause(g)
			g.rounds(11) // within a minute
			if got := g.told(); !slices.Equal(got, tt.told) {
				t.Fatalf("told %q, want %q", got, tt.told)
			}
			if troubles, err := g.store.Troubles(t.Context()); err != nil || len(troubles) != 1 || troubles[0].ToldAt.IsZero() {
				t.Errorf("%+v, %v", troubles, err)
			}
			g.watch = g.desk.NewWatch() // in another process
			g.rounds(20)
			tt.end(g)
			g.rounds(1)
			if got := g.told(); !slices.Equal(got, tt.told) {
				t.Errorf("told %q", got[len(tt.told):])
			}
			g.rounds(3)
			if got := g.told(); !slices.Equal(got, slices.Concat(tt.told, tt.over)) {
				t.Errorf("told %q, then want %q", got, tt.over)
			}
			if troubles, err := g.store.Troubles(t.Context()); err != nil || len(troubles) > 0 {
				t.Errorf("%+v, %v", troubles, err)
			}
		})
	}
}

// What explains another trouble is told alone; and a process that ends between
// keeping and telling tells once.
func TestWatchTellsTheCause(t *testing.T) {
	g := guard(t)
	g.link("sms", false)
	g.service.backlog["deskbell-sms"] = time.Hour
	_, err := g.store.Write(t.Context(), store.Write{Outgoing: []store.Outgoing{{Key: "k", Channel: gateway.SMS, Address: "+1", Reason: "help", Text: "x"}}})
	must(t, err)
	g.rounds(20)
	want := []string{"meg im mgr_gateway", "max im mgr_gateway"}
	if got := g.told(); !slices.Equal(got, want) {
		t.Errorf("told %q", got)
	}
	_, err = g.db.Exec(t.Context(), "UPDATE troubles SET told_at = NULL")
	must(t, err)
	g.rounds(3)
	if got := g.told(); !slices.Equal(got, want) {
		t.Errorf("told again: %q", got)
	}
	g.link("sms", true)
	g.rounds(3) // what waited is on its way
	want = append(want, "meg im mgr_back", "max im mgr_back")
	if got := g.told(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
	g.rounds(2) // and does not move
	want = append(want, "meg sms mgr_queue", "max im mgr_queue", "meg im mgr_outbox", "max im mgr_outbox")
	if got := g.told(); !slices.Equal(got, want) {
		t.Errorf("told %q, want %q", got, want)
	}
}

func TestWatchForgets(t *testing.T) {
	g := guard(t)
	g.desk.Keep = 400 * 24 * time.Hour
	for _, days := range []int{401, 399} {
		_, err := g.db.Exec(t.Context(), `INSERT INTO audit (at, actor, channel, act, subject) VALUES ($1, '', 'cli', 'acted', $2)`, g.clock.Now().AddDate(0, 0, -days), fmt.Sprint(days, " days ago"))
		must(t, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var watching sync.WaitGroup
	defer watching.Wait()
	defer cancel()
	watching.Go(func() { _ = g.desk.NewWatch().Run(ctx) })
	left := func() []string { return g.rows("SELECT subject FROM audit WHERE act = 'acted'") }
	g.until("what is old is forgotten", func() bool { return slices.Equal(left(), []string{"399 days ago"}) })
}
