package workers_test

import (
	"context"
	"net"
	"strings"
	"testing"

	"go.temporal.io/sdk/client"

	"deskbell/activities"
	"deskbell/workers"
	"deskbell/workflows"
)

// nobody is a client of an engine that is not there.
func nobody(t *testing.T) client.Client {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	c, err := client.NewLazyClient(client.Options{HostPort: address})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// Without an engine a worker says which queue is not served; whoever runs it
// tries again. What it does with one is tested with the workflows.
func TestNoEngine(t *testing.T) {
	t.Parallel()
	runs := map[string]func(context.Context, client.Client) error{
		workflows.Queue: func(ctx context.Context, c client.Client) error {
			return workers.RunTickets(ctx, c, &activities.Tickets{})
		},
		workflows.WebhookQueue: func(ctx context.Context, c client.Client) error {
			return workers.RunWebhooks(ctx, c, &activities.Webhooks{})
		},
		workflows.SMSQueue: func(ctx context.Context, c client.Client) error {
			return workers.RunNotices(ctx, c, workflows.SMSQueue, &activities.Notices{})
		},
	}
	for queue, run := range runs {
		t.Run(queue, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), nobody(t))
			if err == nil || !strings.Contains(err.Error(), "start the worker of "+queue+":") {
				t.Errorf("%v", err)
			}
		})
	}
}
