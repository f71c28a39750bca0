package desk_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"

	common "go.temporal.io/api/common/v1"
	workflow "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"

	"deskbell/desk"
	"deskbell/roster"
	"deskbell/ticket"
)

// histories is an engine with two runs of every workflow that it is asked for.
type histories struct {
	workflowservice.WorkflowServiceClient
	deleted []string
	away    bool
}

func (h *histories) ListWorkflowExecutions(_ context.Context, r *workflowservice.ListWorkflowExecutionsRequest, _ ...grpc.CallOption) (*workflowservice.ListWorkflowExecutionsResponse, error) {
	if h.away {
		return nil, errAway
	}
	id := strings.Trim(strings.TrimPrefix(r.Query, "WorkflowId = "), "'")
	run := func(n string) []*workflow.WorkflowExecutionInfo {
		return []*workflow.WorkflowExecutionInfo{{Execution: &common.WorkflowExecution{WorkflowId: id, RunId: n}}}
	}
	if r.NextPageToken == nil {
		return &workflowservice.ListWorkflowExecutionsResponse{Executions: run("1"), NextPageToken: []byte("2")}, nil
	}
	return &workflowservice.ListWorkflowExecutionsResponse{Executions: run("2")}, nil
}

func (h *histories) DeleteWorkflowExecution(_ context.Context, r *workflowservice.DeleteWorkflowExecutionRequest, _ ...grpc.CallOption) (*workflowservice.DeleteWorkflowExecutionResponse, error) {
	if h.away {
		return nil, errAway
	}
	h.deleted = append(h.deleted, r.WorkflowExecution.WorkflowId+"/"+r.WorkflowExecution.RunId)
	return nil, nil
}

// everything is the whole database as text.
func (w *world) everything() string {
	w.t.Helper()
	var out strings.Builder
	for _, table := range w.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1") {
		for _, row := range w.rows(fmt.Sprintf("SELECT row_to_json(t)::text FROM %s t", table)) {
			fmt.Fprintf(&out, "%s: %s\n", table, row)
		}
	}
	return out.String()
}

// known is in everything that is about them.
var known = regexp.MustCompile(`(?i)qzq|49155500`)

// mentions are the lines that know somebody, around the place.
func mentions(dump string) (lines []string) {
	for line := range strings.Lines(dump) {
		if at := known.FindStringIndex(line); at != nil {
			lines = append(lines, line[:strings.Index(line, ":")]+" ..."+line[max(0, at[0]-80):min(len(line), at[1]+80)])
		}
	}
	return lines
}

func TestEraseForgets(t *testing.T) {
	w := open(t, "")
	engine := &histories{}
	w.engine.service = engine
	must(t, w.store.Import(t.Context(), roster.File{People: []roster.Person{
		{ID: "qzqann", Name: "Qzqanna Vogel", Roles: roster.Roles{roster.Requester}, Phone: "+49155500001", JID: "qzqann@desk.localhost", Loc: "Qzqroom 7"},
		{ID: "qzqbob", Name: "Qzqbobby", Roles: roster.Roles{roster.Agent}, Phone: "+49155500002", PIN: "1357"},
	}}))
	const ann, bob = "+49155500001", "+49155500002"
	qzqann := desk.Caller{Person: roster.Person{ID: "qzqann", Roles: roster.Roles{roster.Requester}}, Channel: "web"}
	first, _, err := w.desk.Submit(t.Context(), desk.Submission{Subject: "Qzqprinter", Body: "qzqbody", Requester: "qzqann", Channel: "rest", Scope: "qzqann", Key: "k", Hash: "h"})
	must(t, err)
	w.until("the ticket is open", func() bool { return w.ticket(first.Number).Version > 0 })
	// An agent's deeds on it, and a list that names it to another.
	w.say("eve", "list")
	w.say(bob, "100")
	w.say(bob, "note 100 qzqnote")
	w.say(bob, "ask 100 qzqwhich floor?")
	w.say(ann, "qzqfloor 3")
	_, err = w.desk.Attach(t.Context(), qzqann, first.Number, "qzq.txt", []byte("qzqfile"))
	must(t, err)
	// The same agent on somebody else's.
	other := w.submit("Scanner", "bob")
	w.say(bob, "101")
	w.say(bob, "note 101 qzqnote too")
	_, err = w.desk.Announce(t.Context(), desk.Caller{Person: roster.Person{ID: "qzqbob"}, Channel: "web"}, other, "Qzqscanners are down")
	must(t, err)
	_, err = w.desk.JoinIncident(t.Context(), qzqann, other)
	must(t, err)
	must(t, w.desk.AskLink("qzqann", ""))
	w.until("a link was sent", func() bool { return len(w.rows("SELECT text FROM deliveries WHERE reason = 'sign_in'")) == 1 })
	_, err = w.store.CreateSession(t.Context(), "qzqann", "link")
	must(t, err)
	_, _, err = w.desk.CreateToken(t.Context(), qzqann, desk.Token{Name: "qzqscreen"})
	must(t, err)

	r, err := w.desk.Record(t.Context(), "qzqann")
	must(t, err)
	data, err := json.Marshal(r)
	must(t, err)
	for _, word := range []string{"Qzqroom 7", "Qzqprinter", "qzqbody", "qzqwhich floor?", "qzqfloor 3", "qzqscreen", "session.started", `"affected":[101]`} {
		if !strings.Contains(string(data), word) {
			t.Errorf("the record has no %s", word)
		}
	}

	erase := func(id string) (string, error) { return w.desk.Erase(t.Context(), root, id) }
	for _, id := range []string{"qzqann", "qzqbob"} {
		if _, err := erase(id); err == nil || !strings.Contains(err.Error(), "not closed") {
			t.Errorf("%s with an open ticket: %v", id, err)
		}
	}
	shut := func(n int) {
		t.Helper()
		_, err := w.desk.Do(t.Context(), desk.Act{ID: fmt.Sprint("close", n), Person: roster.Person{ID: "qzqbob", Roles: roster.Roles{roster.Agent}}, Channel: "rest", Number: n, Verb: ticket.Close, Text: "qzqrepaired"})
		must(t, err)
	}
	shut(first.Number)
	shut(other)
	engine.away = true
	if _, err := erase("qzqann"); !errors.Is(err, desk.ErrUnavailable) || w.ticket(first.Number).Subject != "Qzqprinter" {
		t.Errorf("without an engine: %v", err)
	}
	engine.away = false
	name, err := erase("qzqann")
	must(t, err)
	if got := strings.Join(engine.deleted, " "); got != "ticket-100/ ticket-100/1 ticket-100/2" {
		t.Errorf("deleted %s", got)
	}
	tk := w.ticket(first.Number)
	if tk.Requester.ID != name || tk.Subject != "" || tk.Status != ticket.Closed || tk.Assignee.ID != "qzqbob" {
		t.Errorf("the ticket is %+v", tk)
	}
	if _, err := erase("qzqann"); !errors.Is(err, desk.ErrNotFound) {
		t.Errorf("erased twice: %v", err)
	}
	for _, line := range mentions(w.everything()) {
		if !strings.Contains(strings.ToLower(line), "qzqbob") && !strings.Contains(line, "+49155500002") && !strings.Contains(line, "qzqnote too") && !strings.Contains(line, "qzqrepaired") && !strings.Contains(line, "Qzqscanners") {
			t.Errorf("after Ann: %s", line)
		}
	}
	_, err = erase("qzqbob")
	must(t, err)
	for _, line := range mentions(w.everything()) {
		t.Errorf("after Bob: %s", line)
	}
	if tk := w.ticket(other); tk.Subject != "Scanner" || !strings.HasPrefix(tk.Assignee.ID, "erased-") || tk.Assignee.Name != "Erased" {
		t.Errorf("the other's ticket is %+v", tk)
	}
	events, err := w.desk.Timeline(t.Context(), other)
	if must(t, err); len(events) < 3 {
		t.Errorf("its story: %+v", events)
	}
	acts, _, err := w.desk.Audit(t.Context(), desk.AuditFilter{Act: "person.erased"})
	if must(t, err); len(acts) != 2 || acts[0].Actor != "eve" {
		t.Errorf("audit: %+v", acts)
	}
}

func TestWhoIsOnTheRotaStays(t *testing.T) {
	w := open(t, "")
	w.engine.service = &histories{}
	must(t, w.store.Import(t.Context(), roster.File{People: []roster.Person{{ID: "zoe", Name: "Zoe", Roles: roster.Roles{roster.OnCallee}}},
		Rota: []roster.Rotation{{Name: "night", Start: morning, Every: "week", People: []string{"zoe"}}}}))
	if _, err := w.desk.Erase(t.Context(), root, "zoe"); err == nil || !strings.Contains(err.Error(), "rotation") {
		t.Error(err)
	}
}
