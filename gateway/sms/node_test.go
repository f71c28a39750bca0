package sms_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"deskbell/clock"
	"deskbell/gateway"
	"deskbell/gateway/sms"

	"github.com/google/go-cmp/cmp"
)

const nodeDir = "testdata/node"

// node is an SMSC on npm's smpp: an opinion about SMPP that is not ours.
type node struct {
	t      *testing.T
	stdin  io.Writer
	port   int
	mu     sync.Mutex
	events []nodeEvent
	done   int
}

type nodeEvent struct {
	Event, ID, From, To, Text, UDH, Validity, Command string
	Port, Coding, Priority, Status                    int
}

// nodeModules installs the locked packages once.
var nodeModules = sync.OnceValue(func() error {
	if _, err := exec.LookPath("node"); err != nil {
		return err
	}
	if _, err := os.Stat(nodeDir + "/node_modules/smpp"); err == nil {
		return nil
	}
	install := exec.Command("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
	install.Dir = nodeDir
	if out, err := install.CombinedOutput(); err != nil {
		return fmt.Errorf("npm ci: %w: %s", err, out)
	}
	return nil
})

func startNode(t *testing.T) *node {
	t.Helper()
	if err := nodeModules(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("npm's smpp is required where CI is set: %v", err)
		}
		t.Skipf("SKIPPED: no npm smpp as an independent SMSC: %v", err)
	}
	n := &node{t: t}
	cmd := exec.Command("node", "smsc.js")
	cmd.Dir, cmd.Stderr = nodeDir, t.Output()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	n.stdin = stdin
	var read sync.WaitGroup
	read.Go(func() { n.read(stdout) })
	t.Cleanup(func() {
		stdin.Close() // it ends with its input
		read.Wait()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "node listens", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return n.port != 0 })
	return n
}

func (n *node) read(r io.Reader) {
	for lines := bufio.NewScanner(r); lines.Scan(); {
		var e nodeEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			n.t.Errorf("%s: %v", lines.Text(), err)
			continue
		}
		n.mu.Lock()
		switch e.Event {
		case "listening":
			n.port = e.Port
		case "done":
			n.done++
		default:
			n.events = append(n.events, e)
		}
		n.mu.Unlock()
	}
}

// do runs a command and waits until node has taken it.
func (n *node) do(command map[string]any) {
	n.t.Helper()
	n.mu.Lock()
	want := n.done + 1
	n.mu.Unlock()
	if err := json.NewEncoder(n.stdin).Encode(command); err != nil {
		n.t.Fatal(err)
	}
	eventually(n.t, "node took the command", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return n.done >= want })
}

func (n *node) seen(event string) []nodeEvent {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []nodeEvent
	for _, e := range n.events {
		if e.Event == event {
			all = append(all, e)
		}
	}
	return all
}

// wait returns the events of a kind once there are so many.
func (n *node) wait(event string, count int) []nodeEvent {
	n.t.Helper()
	eventually(n.t, event+" was told", func() bool { return len(n.seen(event)) >= count })
	return n.seen(event)
}

func nodeDesk(t *testing.T) (*node, *desk) {
	n := startNode(t)
	d := &desk{t: t, clock: &clock.Movable{}}
	d.bind(fmt.Sprintf("127.0.0.1:%d", n.port), func(c *sms.Config) {
		c.GSMAsIA5, c.ReceiptIDs, c.StampTag, c.ResponseTimeout = true, "hex", 0, 500*time.Millisecond
	})
	return n, d
}

func TestNodeOut(t *testing.T) {
	t.Parallel()
	n, d := nodeDesk(t)
	o := d.gateway.Send(t.Context(), gateway.Delivery{
		Key: "k", To: bob, Text: "#142 costs 5 € {really}", Urgent: true, Expires: d.clock.Now().Add(90*time.Minute + 500*time.Millisecond),
	})
	if o.State != gateway.Sent {
		t.Fatalf("outcome %+v", o)
	}
	got := n.wait("submit", 1)[0]
	want := nodeEvent{Event: "submit", ID: "4096", From: helpdesk[1:], To: bob[1:], Text: "#142 costs 5 € {really}", Priority: 1}
	got.Validity = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	eventually(t, "receipt", func() bool { r, ok := d.receipts.of(o.WireIDs[0]); return ok && r.State == gateway.Delivered })

	long := strings.Repeat("Straße {5} € ", 30) + "👩‍👩‍👧‍👦"
	o = d.send(eve, long)
	if o.State != gateway.Sent || len(o.WireIDs) < 3 {
		t.Fatalf("outcome %+v", o)
	}
	var parts []string
	for i, e := range n.wait("submit", 1+len(o.WireIDs))[1:] {
		udh, err := hex.DecodeString(e.UDH)
		if err != nil || e.Coding != 8 || len(udh) < 3 || int(udh[len(udh)-1]) != i+1 || int(udh[len(udh)-2]) != len(o.WireIDs) {
			t.Errorf("part %d: coding %d, udh %s", i+1, e.Coding, e.UDH)
		}
		parts = append(parts, e.Text)
	}
	if got := strings.Join(parts, ""); got != long {
		t.Errorf("arrived %q", got)
	}
}

func TestNodeIn(t *testing.T) {
	t.Parallel()
	n, d := nodeDesk(t)
	from := map[string]any{"source_addr": bob, "destination_addr": helpdesk}
	with := func(extra map[string]any) map[string]any {
		pdu := map[string]any{}
		for _, m := range []map[string]any{from, extra} {
			for k, v := range m {
				pdu[k] = v
			}
		}
		return pdu
	}
	for _, c := range []struct {
		command string
		pdu     map[string]any
	}{
		{"deliver_sm", map[string]any{"short_message": "coding 1 is GSM here: €"}},
		{"deliver_sm", map[string]any{"short_message": "UCS-2: 👍🏽 łódź", "data_coding": 8}},
		{"deliver_sm", map[string]any{"short_message": "Latin: naïve", "data_coding": 3}},
		{"deliver_sm", map[string]any{"message_payload": strings.Repeat("long ", 1000), "short_message": "", "data_coding": 8}},
		{"data_sm", map[string]any{"message_payload": "by data_sm", "data_coding": 0}},
	} {
		n.do(map[string]any{"do": "send", "command": c.command, "pdu": with(c.pdu)})
	}
	eventually(t, "all kept", func() bool { return len(d.inbox.messages()) == 5 })
	want := []string{"coding 1 is GSM here: €", "UCS-2: 👍🏽 łódź", "Latin: naïve", strings.Repeat("long ", 1000), "by data_sm"}
	if diff := cmp.Diff(want, d.inbox.texts()); diff != "" {
		t.Error(diff)
	}
	for _, udh := range []string{"0804abcd0202", "0804abcd0201"} {
		n.do(map[string]any{"do": "send", "command": "deliver_sm", "pdu": with(map[string]any{"short_message": "part " + udh[11:], "udh": fmt.Sprintf("%02x%s", len(udh)/2, udh)})})
	}
	for i := range 2 {
		n.do(map[string]any{"do": "send", "command": "deliver_sm", "pdu": with(map[string]any{
			"short_message": fmt.Sprintf("sar %d", i+1), "sar_msg_ref_num": 513, "sar_total_segments": 2, "sar_segment_seqnum": i + 1,
		})})
	}
	eventually(t, "parts kept", func() bool { return len(d.inbox.messages()) == 9 })
	var groups = map[string][]gateway.Part{}
	for _, m := range d.inbox.messages()[5:] {
		groups[m.Part.Group] = append(groups[m.Part.Group], *m.Part)
	}
	var joined []string
	for _, parts := range groups {
		text, err := sms.Join(parts)
		if err != nil {
			t.Error(err)
		}
		joined = append(joined, text)
	}
	if len(joined) != 2 || joined[0]+joined[1] != "part 1part 2sar 1sar 2" && joined[0]+joined[1] != "sar 1sar 2part 1part 2" {
		t.Errorf("joined %q", joined)
	}
	for _, e := range n.wait("answer", 9) {
		if e.Status != 0 {
			t.Errorf("answer %+v", e)
		}
	}
}

func TestNodeFaults(t *testing.T) {
	t.Parallel()
	n, d := nodeDesk(t)
	n.do(map[string]any{"do": "throttle", "n": 1})
	if o := d.send(bob, "x"); o.State != gateway.Due || o.RetryIn <= 0 {
		t.Errorf("throttled: %+v", o)
	}
	d.clock.Set(time.Minute)
	n.do(map[string]any{"do": "silent", "on": true})
	if o := d.send(bob, "y"); o.State != gateway.Unknown {
		t.Errorf("silent: %+v", o)
	}
	n.do(map[string]any{"do": "silent", "on": false})
	n.do(map[string]any{"do": "drop"})
	if o := d.sendUntilDone(gateway.Delivery{Key: "z", To: bob, Text: "z"}); o.State != gateway.Sent && o.State != gateway.Unknown {
		t.Errorf("after a drop: %+v", o)
	}
	eventually(t, "bound again", d.gateway.Bound)
	if o := d.send(bob, "last"); o.State != gateway.Sent {
		t.Errorf("after the rebind: %+v", o)
	}
	d.stop()
	n.wait("unbind", 1)
}
