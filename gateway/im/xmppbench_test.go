package im_test

import (
	"slices"
	"testing"
	"time"

	"deskbell/gateway/im"
	"deskbell/gateway/im/xmppbench"
)

// Both paths of the benchmark that need no desk answer every message, and the gateway is
// measured beside the bare bot.
func TestPathsAreMeasured(t *testing.T) {
	t.Parallel()
	addr, ca, domain, password := im.StartServer(t)
	account := func(name string) xmppbench.Account {
		return xmppbench.Account{JID: name + "@" + domain, Password: password}
	}
	server := xmppbench.Server{Addr: addr, CAFile: ca, People: []xmppbench.Account{account("bob"), account("carol")}}
	quiet, err := xmppbench.Echo(server, account("alice"))
	if err != nil {
		t.Fatal(err)
	}
	defer quiet()
	stop, err := xmppbench.Gateway(t.Context(), server, account("desk"))
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	rows, err := xmppbench.Run(t.Context(), server, []xmppbench.Path{
		{Name: "bare", JID: account("alice").JID}, {Name: "gateway", JID: account("desk").JID},
	}, xmppbench.Config{Rounds: 2, Turn: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, row := range rows {
		paths = append(paths, row.Path)
		if row.PerSecond <= 0 || row.P50 <= 0 || row.P99 < row.P50 || row.Ratio <= 0 || row.Path == "bare" && row.Ratio != 1 {
			t.Errorf("%+v", row)
		}
	}
	if want := slices.Repeat([]string{"bare", "gateway"}, len(xmppbench.AtOnce)); !slices.Equal(paths, want) {
		t.Errorf("measured %q", paths)
	}
}
