package devstack

import (
	"net/http"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	taskqueuepb "go.temporal.io/api/taskqueue/v1"
	"go.temporal.io/api/workflowservice/v1"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
)

func TestTemporal(t *testing.T) {
	t.Parallel()
	binary := temporalBinary(t)
	postgres := startPostgres(t, PostgresConfig{Dir: t.TempDir(), Test: true})
	config := TemporalConfig{Binary: binary, Dir: t.TempDir(), Postgres: postgres.URL("postgres"), TimeSkipping: true}

	began := time.Now()
	server, err := StartTemporal(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stopServer(t, server.Server) })
	t.Logf("cold start %v", time.Since(began).Round(time.Millisecond))

	startTicket(t, server.Address(), "ticket-1")
	if err := startSkipping(t, server.Address()); err != nil {
		t.Errorf("time skipping: %v", err)
	}
	response, err := http.Get(server.UIURL() + "/namespaces/default/workflows")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		t.Fatalf("the UI answers %s", response.Status)
	}

	began = time.Now()
	stopServer(t, server.Server)
	t.Logf("stop %v", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("warm start %v", time.Since(began).Round(time.Millisecond))
	if err := server.Kill(); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	if err := server.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("start after kill %v", time.Since(began).Round(time.Millisecond))
	startTicket(t, server.Address(), "ticket-2")
	if got := openTickets(t, server.Address()); got != 2 {
		t.Errorf("%d open workflows after a kill, want 2", got)
	}

	if err := postgres.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := postgres.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	began = time.Now()
	c := dial(t, server.Address())
	if !eventually(t, func() bool { _, err := c.DescribeWorkflowExecution(t.Context(), "ticket-1", ""); return err == nil }) {
		t.Error("the engine does not recover from a crash of its database")
	}
	t.Logf("recovery from a crash of the database %v", time.Since(began).Round(time.Millisecond))
}

var (
	ticketStatus   = temporal.NewSearchAttributeKeyKeyword("TicketStatus")
	ticketPriority = temporal.NewSearchAttributeKeyInt64("TicketPriority")
	ticketDue      = temporal.NewSearchAttributeKeyTime("TicketDue")
)

func dial(t *testing.T, address string) client.Client {
	t.Helper()
	c, err := client.Dial(client.Options{HostPort: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func startTicket(t *testing.T, address, id string) {
	t.Helper()
	_, err := dial(t, address).ExecuteWorkflow(t.Context(), client.StartWorkflowOptions{
		ID: id, TaskQueue: "deskbell",
		TypedSearchAttributes: temporal.NewSearchAttributes(
			ticketStatus.ValueSet("new"), ticketPriority.ValueSet(1), ticketDue.ValueSet(time.Now())),
	}, "Ticket")
	if err != nil {
		t.Fatal(err)
	}
}

// startSkipping starts a workflow in which the server may skip time.
func startSkipping(t *testing.T, address string) error {
	t.Helper()
	_, err := dial(t, address).WorkflowService().StartWorkflowExecution(t.Context(), &workflowservice.StartWorkflowExecutionRequest{
		Namespace: "default", WorkflowId: "skipping", RequestId: "skipping",
		WorkflowType:       &commonpb.WorkflowType{Name: "Ticket"},
		TaskQueue:          &taskqueuepb.TaskQueue{Name: "deskbell"},
		TimeSkippingConfig: &commonpb.TimeSkippingConfig{Enabled: true},
	})
	return err
}

// openTickets counts through visibility, which follows the workflows a little later.
func openTickets(t *testing.T, address string) int64 {
	t.Helper()
	c := dial(t, address)
	var count int64
	eventually(t, func() bool {
		response, err := c.CountWorkflow(t.Context(), &workflowservice.CountWorkflowExecutionsRequest{
			Namespace: "default", Query: `TicketStatus = "new" AND TicketPriority = 1 AND ExecutionStatus = "Running"`})
		if err != nil {
			t.Fatal(err)
		}
		count = response.Count
		return count == 2
	})
	return count
}
