package smppbench

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"deskbell/gateway"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inbox keeps nothing and says it did.
type inbox struct{ gateway.Inbox }

func (inbox) Keep(_ context.Context, messages []gateway.Message) ([]gateway.Kept, error) {
	return make([]gateway.Kept, len(messages)), nil
}

func (inbox) Confirm(context.Context, gateway.Channel, []string) error { return nil }

func TestEveryPathIsMeasured(t *testing.T) {
	t.Parallel()
	rows, err := Run(t.Context(), inbox{}, 100*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, row := range rows {
		seen[fmt.Sprint(row.Path, row.Window, row.Procs)] = true
		if row.PerSecond <= 0 || row.P50 <= 0 || row.P99 < row.P50 || (row.OfCodec == 0) != (strings.HasSuffix(row.Path, ", codec") || strings.HasSuffix(row.Path, ", inbox")) {
			t.Errorf("%+v", row)
		}
	}
	if len(seen) != (5*len(procs())+1)*len(Windows) {
		t.Errorf("%d rows: %v", len(seen), seen)
	}
}
