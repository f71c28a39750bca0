package im_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"deskbell/gateway"
	"deskbell/gateway/im"
	"deskbell/gateway/im/xmppbench"
)

// counting is an inbox that counts what it keeps.
type counting struct {
	mu     sync.Mutex
	kept   int
	cursor string
	stamp  time.Time
}

func (c *counting) Keep(_ context.Context, messages []gateway.Message) ([]gateway.Kept, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.kept += len(messages)
	return make([]gateway.Kept, len(messages)), nil
}

func (c *counting) Confirm(context.Context, gateway.Channel, []string) error { return nil }

func (c *counting) Cursor(context.Context, string) (string, time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cursor, c.stamp, nil
}

func (c *counting) Advance(_ context.Context, _, cursor string, stamp time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cursor, c.stamp = cursor, stamp
	return nil
}

// Every path of the benchmark answers every message.
func TestEveryPathIsMeasured(t *testing.T) {
	t.Parallel()
	addr, ca, domain, password := im.StartServer(t)
	account := func(name string) xmppbench.Account {
		return xmppbench.Account{JID: name + "@" + domain, Password: password}
	}
	kept := &counting{}
	rows, err := xmppbench.Run(t.Context(), xmppbench.Server{Addr: addr, CAFile: ca, Desk: account("desk"), Bot: account("alice"), Person: account("bob")}, kept, 150*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, row := range rows {
		paths = append(paths, row.Path)
		if row.PerSecond <= 0 || row.P50 <= 0 || row.P99 < row.P50 {
			t.Errorf("%+v", row)
		}
	}
	if want := []string{"bare", "gateway", "inbox"}; !slices.Equal(paths, slices.Repeat(want, len(xmppbench.Windows))) {
		t.Errorf("measured %q", paths)
	}
	if kept.kept < 10 {
		t.Errorf("kept %d", kept.kept)
	}
}
