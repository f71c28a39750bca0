package workflows_test

import (
	"compress/gzip"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	sdk "go.temporal.io/api/sdk/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"deskbell/ticket"
	"deskbell/workflows"
)

// generate writes histories of this release from a real server:
//
//	go test ./workflows -run Histories -generate v0.2
//
// Histories of earlier releases stay as they are: tickets of those days are open.
var generate = flag.String("generate", "", "release to write histories for")

// Every committed history replays: tickets that are open when a new release
// starts go on.
func TestReplay(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.json.gz")
	if err != nil || len(files) < 6 {
		t.Fatalf("%d histories: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json.gz"), func(t *testing.T) {
			t.Parallel()
			if err := replay(t, read(t, file)); err != nil {
				t.Error(err)
			}
		})
	}
}

// The replay itself: it must notice another order.
func TestReplayNotices(t *testing.T) {
	t.Parallel()
	h := read(t, "testdata/v0.1-simple.json.gz")
	var scheduled []*history.HistoryEvent
	for _, e := range h.Events {
		if e.GetEventType() == enums.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED {
			scheduled = append(scheduled, e)
		}
	}
	a, b := scheduled[1].GetActivityTaskScheduledEventAttributes(), scheduled[2].GetActivityTaskScheduledEventAttributes()
	a.ActivityType, b.ActivityType = b.ActivityType, a.ActivityType
	if err := replay(t, h); err == nil {
		t.Error("two activities in another order replay")
	}
}

func replay(t *testing.T, h *history.History) error {
	t.Helper()
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterWorkflowWithOptions(workflows.Ticket, workflow.RegisterOptions{Name: workflows.TypeName})
	return replayer.ReplayWorkflowHistory(silent(), h)
}

func read(t *testing.T, file string) *history.History {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	h, err := client.HistoryFromJSON(unzipped, client.HistoryJSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (d *desk) write(name string, h *history.History) {
	d.Helper()
	json, err := temporalproto.CustomJSONMarshalOptions{}.Marshal(h)
	if err != nil {
		d.Fatal(err)
	}
	f, err := os.Create(filepath.Join("testdata", *generate+"-"+name+".json.gz"))
	if err != nil {
		d.Fatal(err)
	}
	zipped, _ := gzip.NewWriterLevel(f, gzip.BestCompression)
	if _, err := zipped.Write(json); err != nil {
		d.Fatal(err)
	}
	if err := zipped.Close(); err != nil {
		d.Fatal(err)
	}
	if err := f.Close(); err != nil {
		d.Fatal(err)
	}
	d.Logf("%s: %d events", f.Name(), len(h.Events))
}

// TestHistories plays the stories whose histories are kept, replays each as it
// is now, and writes it with -generate.
func TestHistories(t *testing.T) {
	d := newDesk(t)
	rest := func(c *ticket.Command) { c.Channel = "rest" }
	do := func(n int, c ticket.Command) {
		t.Helper()
		c.Channel = "rest"
		if _, err := d.update(t.Context(), n, c); err != nil {
			t.Fatalf("%s by %s: %v", c.Verb, c.Actor.ID, err)
		}
	}
	stories := map[string]func() (number int, run string){
		"simple": func() (int, string) {
			n := d.submit(d.opening(ticket.P3))
			d.told(n, "offer", "bob")
			d.signal(n, by("bob", ticket.Take))
			d.told(n, "req_claimed", "ann")
			d.signal(n, by("bob", ticket.Done))
			d.told(n, "req_done", "ann")
			d.clock(n, 73*time.Hour)
			return n, ""
		},
		"escalation": func() (int, string) {
			n := d.submit(d.opening(ticket.P1))
			d.told(n, "offer", "bob")
			d.clock(n, 16*time.Minute)
			d.told(n, "page", "dana")
			d.clock(n, 27*time.Minute)
			d.told(n, "page", "sam")
			d.signal(n, by("sam", ticket.Take))
			d.told(n, "page_off", "dana")
			do(n, by("sam", ticket.Close, rest))
			return n, ""
		},
		"reopened-by-requester": func() (int, string) {
			n := d.submit(d.opening(ticket.P3))
			do(n, by("bob", ticket.Take))
			do(n, by("bob", ticket.Done))
			d.signal(n, by("ann", ticket.Reopen, func(c *ticket.Command) { c.Duty = []ticket.Party{party("bob")} }))
			d.told(n, "req_reopened", "ann")
			do(n, by("bob", ticket.Close))
			return n, ""
		},
		"pass-snooze-undo": func() (int, string) {
			n := d.submit(d.opening(ticket.P2))
			d.told(n, "offer", "bob")
			do(n, by("bob", ticket.Take))
			do(n, by("bob", ticket.Pass, func(c *ticket.Command) { c.To = party("eve") }))
			d.told(n, "pass_offer", "eve")
			d.signal(n, by("eve", ticket.Take))
			d.told(n, "pass_done", "bob")
			do(n, by("eve", ticket.Snooze, func(c *ticket.Command) { c.Until = time.Now().Add(5 * time.Hour) }))
			d.is(n, ticket.Pending)
			d.signal(n, by("eve", ticket.TakeBack))
			d.told(n, "undo_ok", "eve")
			do(n, by("eve", ticket.Close))
			return n, ""
		},
		"breach-and-losses": func() (int, string) {
			lost := func(verb ticket.Verb, who string) ticket.Command {
				return ticket.Command{ID: string(verb) + "-" + who, Verb: verb, Actor: ticket.System, Works: true, Manages: true, To: party(who)}
			}
			n := d.submit(d.opening(ticket.P1))
			d.told(n, "offer", "eve")
			d.signal(n, lost(ticket.LostOffer, "eve"))
			d.told(n, "reminder", "bob")
			do(n, by("bob", ticket.Take))
			d.told(n, "req_claimed", "ann")
			d.clock(n, 2*time.Hour+time.Minute)
			d.told(n, "target_missed", "bob")
			d.told(n, "page_help", "dana")
			d.signal(n, lost(ticket.LostPage, "dana"))
			d.told(n, "page_help", "sam")
			do(n, by("bob", ticket.Close))
			d.told(n, "help_off", "sam")
			return n, ""
		},
		"cancellation": func() (int, string) {
			n := d.submit(d.opening(ticket.P3))
			d.told(n, "offer", "bob")
			if err := d.client.CancelWorkflow(t.Context(), workflows.ID(n), ""); err != nil {
				t.Fatal(err)
			}
			d.told(n, "req_cancelled", "ann")
			return n, ""
		},
		"reopening-run": func() (int, string) {
			n := d.submit(d.opening(ticket.P3))
			do(n, by("bob", ticket.Take))
			do(n, by("bob", ticket.Close))
			d.is(n, ticket.Closed)
			d.history(n, "", true)
			again := d.client.NewWithStartWorkflowOperation(options(d.snapshots[n].Ticket), workflows.TypeName, workflows.Input{Number: n, LocalLookups: true})
			update := updateOptions(n, by("eve", ticket.Reopen, rest))
			update.WorkflowID = ""
			handle, err := d.client.UpdateWithStartWorkflow(t.Context(), client.UpdateWithStartWorkflowOptions{StartWorkflowOperation: again, UpdateOptions: update})
			var reply workflows.Reply
			if err == nil {
				err = handle.Get(t.Context(), &reply)
			}
			if err != nil || reply.Ticket.Assignee.ID != "eve" {
				t.Fatalf("%+v, %v", reply, err)
			}
			do(n, by("eve", ticket.Close))
			return n, ""
		},
		"continue-as-new": func() (int, string) {
			n := d.submit(d.opening(ticket.P3))
			do(n, by("bob", ticket.Take))
			first, err := d.client.DescribeWorkflowExecution(t.Context(), workflows.ID(n), "")
			if err != nil {
				t.Fatal(err)
			}
			run := first.GetWorkflowExecutionInfo().GetExecution().GetRunId()
			for i := range 130 {
				do(n, by("bob", ticket.Note, func(c *ticket.Command) { c.ID = fmt.Sprintf("note-%d", i) }))
			}
			d.history(n, run, true) // a run ends at a quiet point, and notes in a row may leave none
			// The engine keeps the summary of the first run only; the card names the ticket.
			if card := d.card(n); !strings.Contains(card, "Printer jams") || !strings.Contains(card, "bob") {
				t.Errorf("the new run's card is %q", card)
			}
			do(n, by("bob", ticket.Close))
			last := d.history(n, "", true)
			if last.Events[0].GetWorkflowExecutionStartedEventAttributes().GetContinuedExecutionRunId() == "" {
				t.Error("does not continue as new")
			}
			d.carriesAttributes(last)
			if noted := d.count(n, ticket.Noted); noted != 130 {
				t.Errorf("%d of 130 notes", noted)
			}
			return n, run
		},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			number, run := story()
			h := d.history(number, run, true)
			if err := replay(t, h); err != nil {
				t.Error(err)
			}
			if *generate != "" {
				d.write(name, h)
			}
		})
	}
}

// carriesAttributes fails when a search would miss a ticket after its run went on
// in a new one.
func (d *desk) carriesAttributes(next *history.History) {
	d.Helper()
	attributes := next.Events[0].GetWorkflowExecutionStartedEventAttributes().GetSearchAttributes().GetIndexedFields()
	for _, name := range []string{"TicketStatus", "TicketPriority", "TicketAssignee", "TicketDue"} {
		if attributes[name] == nil {
			d.Errorf("the search attribute %s is lost", name)
		}
	}
}

// card is what managers read in the Temporal UI.
func (d *desk) card(number int) string {
	d.Helper()
	value, err := d.client.QueryWorkflow(d.Context(), workflows.ID(number), "", "__temporal_workflow_metadata")
	var metadata sdk.WorkflowMetadata
	if err == nil {
		err = value.Get(&metadata)
	}
	if err != nil {
		d.Fatal(err)
	}
	return metadata.GetCurrentDetails()
}
