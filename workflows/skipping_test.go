package workflows_test

import (
	"strings"
	"testing"
	"time"

	"go.temporal.io/api/common/v1"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/taskqueue/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"deskbell/ticket"
	"deskbell/workflows"
)

// Nobody claims: on call, again, the next on call, who claims; the first is told
// to stand down. The server skips the time, so its timers, and not our clock,
// bring the pages.
func TestEscalationInSkippedTime(t *testing.T) {
	d := newDesk(t)
	o := d.opening(ticket.P1)
	input, err := converter.GetDefaultDataConverter().ToPayloads(workflows.Input{Opening: &o})
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := d.client.WorkflowService().StartWorkflowExecution(t.Context(), &workflowservice.StartWorkflowExecutionRequest{
		Namespace: "default", WorkflowId: workflows.ID(o.Number), RequestId: "skipping",
		WorkflowType: &common.WorkflowType{Name: workflows.TypeName}, TaskQueue: &taskqueue.TaskQueue{Name: workflows.Queue}, Input: input,
		TimeSkippingConfig: fastForward("to-26", 26*time.Minute),
	}); err != nil {
		t.Fatal(err)
	}
	d.told(o.Number, "page", "sam")
	if card := d.card(o.Number); !strings.Contains(card, "Called: dana by sms") {
		t.Errorf("the card:\n%s", card)
	}
	d.signal(o.Number, by("sam", ticket.Take))
	d.told(o.Number, "page_off", "dana")
	d.told(o.Number, "req_claimed", "ann")
	at := func(m ticket.Message, to string) (out []time.Duration) {
		d.mu.Lock()
		defer d.mu.Unlock()
		for _, p := range d.posts[o.Number] {
			if p.Notice.Message == m && p.Notice.To.ID == to {
				out = append(out, p.Notice.At.Sub(o.CreatedAt).Round(10*time.Second))
			}
		}
		return out
	}
	if got := at("page", "dana"); len(got) != 2 || got[0] != 15*time.Minute || got[1] != 20*time.Minute {
		t.Errorf("dana was called after %v", got)
	}
	if got := at("page", "sam"); len(got) != 1 || got[0] != 25*time.Minute {
		t.Errorf("sam was called after %v", got)
	}
	if _, err := d.update(t.Context(), o.Number, by("sam", ticket.Done, func(c *ticket.Command) { c.Channel = "rest" })); err != nil {
		t.Fatal(err)
	}
	d.is(o.Number, ticket.Resolved)
	if _, err := d.client.WorkflowService().UpdateWorkflowExecutionOptions(t.Context(), &workflowservice.UpdateWorkflowExecutionOptionsRequest{
		Namespace: "default", WorkflowExecution: &common.WorkflowExecution{WorkflowId: workflows.ID(o.Number)},
		WorkflowExecutionOptions: &workflowpb.WorkflowExecutionOptions{TimeSkippingConfig: fastForward("to-the-end", 80*time.Hour)},
		UpdateMask:               &fieldmaskpb.FieldMask{Paths: []string{"time_skipping_config"}},
	}); err != nil {
		t.Fatal(err)
	}
	d.is(o.Number, ticket.Closed)
	h := d.history(o.Number, "", true)
	if last := h.Events[len(h.Events)-1]; last.GetEventType() != enums.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED {
		t.Errorf("ends with %v", last.GetEventType())
	}
	t.Logf("three days in %v, %d events", time.Since(began).Round(time.Millisecond), len(h.Events))
}

func fastForward(id string, by time.Duration) *common.TimeSkippingConfig {
	return &common.TimeSkippingConfig{Enabled: true, FastForwardConfig: &common.FastForwardConfig{Id: id, Duration: durationpb.New(by)}}
}
