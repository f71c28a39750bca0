package workflows_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"testing"
	"time"

	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/testsuite"

	"deskbell/activities"
	"deskbell/workflows"
)

// receiver is away for some tries.
type receiver struct{ away, tries, givenUp int }

func (r *receiver) Deliver(context.Context, int64) error {
	if r.tries++; r.tries <= r.away {
		return errors.New("away")
	}
	return nil
}

func (r *receiver) GiveUp(context.Context, int64) error { r.givenUp++; return nil }

// A receiver that is away is tried again, more and more seldom, and in the end given up.
func TestWebhookIsTriedAgain(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name        string
		receiver    receiver
		tries       int
		givenUp     int
		least, most time.Duration
	}{
		{"taken at once", receiver{}, 1, 0, 0, time.Second},
		{"away for minutes", receiver{away: 5}, 6, 0, 2 * time.Minute, 3 * time.Minute},  // 5 + 10 + 20 + 40 + 80 s
		{"away for good", receiver{away: 1000}, 10, 1, 40 * time.Minute, 25 * time.Hour}, // the test environment tries ten times at most
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var suite testsuite.WorkflowTestSuite
			suite.SetLogger(log.NewStructuredLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))
			env := suite.NewTestWorkflowEnvironment()
			env.RegisterActivity(&activities.Webhooks{Sender: &c.receiver})
			begin := env.Now()
			env.ExecuteWorkflow(workflows.Webhook, int64(7))
			if err := env.GetWorkflowError(); err != nil {
				t.Error(err)
			}
			took := env.Now().Sub(begin)
			if c.receiver.tries != c.tries || c.receiver.givenUp != c.givenUp || took < c.least || took > c.most {
				t.Errorf("%d tries, given up %d times, after %s", c.receiver.tries, c.receiver.givenUp, took)
			}
		})
	}
}
