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

// foreign is an SMSC on somebody else's library: an opinion about SMPP that is not
// ours. Where its library is missing its tests are skipped, and fail in CI.
type foreign struct {
	name    string
	find    func() error
	command []string
	dir     string
	edit    func(*sms.Config)
}

var foreigners = []foreign{
	{"npm smpp", nodeModules, []string{"node", "smsc.js"}, nodeDir, func(c *sms.Config) { c.GSMAsIA5, c.ReceiptIDs = true, "hex" }},
	{"Net::SMPP", perlModule, []string{"perl", "perl-smsc.pl"}, "testdata", func(c *sms.Config) {}},
}

// node is one that runs.
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

// perlModule tells whether Debian's libnet-smpp-perl is there.
var perlModule = sync.OnceValue(func() error {
	if out, err := exec.Command("perl", "-MNet::SMPP", "-MJSON::PP", "-e", "1").CombinedOutput(); err != nil {
		return fmt.Errorf("perl: %w: %s", err, out)
	}
	return nil
})

func (f foreign) start(t *testing.T) *node {
	t.Helper()
	if err := f.find(); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is required where CI is set: %v", f.name, err)
		}
		t.Skipf("SKIPPED: no %s as an independent SMSC: %v", f.name, err)
	}
	n := &node{t: t}
	cmd := exec.Command(f.command[0], f.command[1:]...)
	cmd.Dir, cmd.Stderr = f.dir, t.Output()
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
	eventually(t, f.name+" listens", func() bool { n.mu.Lock(); defer n.mu.Unlock(); return n.port != 0 })
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

// withForeigners runs a test on every foreign SMSC.
func withForeigners(t *testing.T, test func(t *testing.T, n *node, d *desk)) {
	t.Parallel()
	for _, f := range foreigners {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			n := f.start(t)
			d := &desk{t: t, clock: &clock.Movable{}}
			d.bind(fmt.Sprintf("127.0.0.1:%d", n.port), func(c *sms.Config) {
				c.StampTag, c.ResponseTimeout = 0, time.Second
				f.edit(c)
			})
			test(t, n, d)
		})
	}
}

func TestForeignOut(t *testing.T) {
	withForeigners(t, func(t *testing.T, n *node, d *desk) {
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
	})
}

func TestForeignIn(t *testing.T) {
	withForeigners(t, func(t *testing.T, n *node, d *desk) {
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
			{"deliver_sm", map[string]any{"short_message": "the default coding is GSM: €"}},
			{"deliver_sm", map[string]any{"short_message": "UCS-2: 👍🏽 łódź", "data_coding": 8}},
			{"deliver_sm", map[string]any{"short_message": "Latin: naïve", "data_coding": 3}},
			{"deliver_sm", map[string]any{"message_payload": strings.Repeat("long ", 1000), "short_message": "", "data_coding": 8}},
			{"data_sm", map[string]any{"message_payload": "by data_sm", "data_coding": 0}},
		} {
			n.do(map[string]any{"do": "send", "command": c.command, "pdu": with(c.pdu)})
		}
		eventually(t, "all kept", func() bool { return len(d.inbox.messages()) == 5 })
		want := []string{"the default coding is GSM: €", "UCS-2: 👍🏽 łódź", "Latin: naïve", strings.Repeat("long ", 1000), "by data_sm"}
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
	})
}

func TestForeignFaults(t *testing.T) {
	withForeigners(t, func(t *testing.T, n *node, d *desk) {
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
	})
}
