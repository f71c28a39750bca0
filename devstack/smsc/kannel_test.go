package smsc_test

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"deskbell/devstack/smsc"

	"github.com/google/go-cmp/cmp"
)

// kannelConfig is bearerbox with one SMPP bind, and smsbox with a service that
// answers every text.
const kannelConfig = `
group = core
admin-port = %[1]d
admin-password = secret
admin-allow-ip = 127.0.0.1
smsbox-port = %[2]d
box-allow-ip = 127.0.0.1
dlr-storage = internal

group = smsc
smsc = smpp
smsc-id = deskbell
host = 127.0.0.1
port = %[3]s
transceiver-mode = true
smsc-username = desk
smsc-password = secret
system-type = ""
source-addr-ton = 1
source-addr-npi = 1
dest-addr-ton = 1
dest-addr-npi = 1
reconnect-delay = 1
enquire-link-interval = 1

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = %[4]d
sendsms-interface = 127.0.0.1

group = sendsms-user
username = test
password = secret
concatenation = true
max-messages = 10

group = sms-service
keyword = default
text = "Kannel got: %%a"
max-messages = 10
concatenation = true
`

// Kannel is an ESME that was written by others: what our SMSC says it understands,
// and the reverse. Where it is missing the test is skipped, and fails in CI.
func TestKannel(t *testing.T) {
	t.Parallel()
	bearerbox, smsbox := program(t, "bearerbox"), program(t, "smsbox")
	b := setup(t, nil)
	_, port, err := net.SplitHostPort(b.smsc.SMPPAddr())
	if err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 3)
	config := filepath.Join(t.TempDir(), "kannel.conf")
	if err := os.WriteFile(config, fmt.Appendf(nil, kannelConfig, ports[0], ports[1], port, ports[2]), 0o600); err != nil {
		t.Fatal(err)
	}
	start(t, bearerbox, config)
	eventually(t, "bearerbox listens", func() bool { return listens(ports[1]) })
	start(t, smsbox, config)
	eventually(t, "bound", func() bool { return strings.Contains(b.links(), "transceiver") })
	eventually(t, "smsbox listens", func() bool { return listens(ports[2]) })

	// In: one segment and a concatenated text; each is answered.
	for i, text := range []string{"hello {you} @home", strings.Repeat("0123456789", 20)} {
		b.write(bob, text)
		want := "Kannel got: " + url.QueryEscape(text) // as it writes %a
		eventually(t, want, func() bool {
			shown := b.shown(bob)
			last := shown[len(shown)-1]
			return len(shown) == 2*(i+1) && last.Text == want && last.Receipt == "delivered"
		})
	}

	// Out, with a receipt that Kannel asks for and acknowledges.
	query := url.Values{
		"username": {"test"}, "password": {"secret"}, "from": {helpdesk}, "to": {eve}, "charset": {"UTF-8"}, "coding": {"2"},
		"text": {strings.Repeat("Ünïcode 🙂 ", 10)}, "dlr-mask": {"3"}, "dlr-url": {"http://127.0.0.1:1/"},
	}
	res, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/cgi-bin/sendsms?%s", ports[2], query.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	eventually(t, "a text in two segments", func() bool {
		shown := b.shown(eve)
		return len(shown) == 1 && shown[0].Segments == 2 && shown[0].Receipt == "delivered"
	})
	if diff := cmp.Diff(query.Get("text"), b.shown(eve)[0].Text); diff != "" {
		t.Error(diff)
	}
	eventually(t, "its receipt is acknowledged", func() bool {
		acknowledged := 0
		for _, row := range b.ledger() {
			if row.Phone == eve && row.Receipted {
				acknowledged++
			}
		}
		return acknowledged == 1 // Kannel asks for that of the last segment
	})

	// A link that is cut is bound again, and what was typed meanwhile is brought.
	b.fault(`{"drop": true}`)
	b.write(eve, "after the drop")
	eventually(t, "answered after the drop", func() bool {
		shown := b.shown(eve)
		return shown[len(shown)-1].Text == "Kannel got: after+the+drop"
	})
}

func (b *bundle) links() string {
	b.t.Helper()
	var links struct{ Binds []string }
	b.call("GET", "/api/links", "", &links)
	return strings.Join(links.Binds, " ")
}

func (b *bundle) ledger() (rows []smsc.LedgerRow) {
	b.t.Helper()
	b.call("GET", "/api/ledger", "", &rows)
	return rows
}

func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path, err = exec.LookPath("/usr/sbin/" + name)
	}
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("Kannel is required where CI is set: %v", err)
		}
		t.Skipf("SKIPPED: no Kannel as an independent ESME: %v", err)
	}
	return path
}

// start runs a program of Kannel until the test ends.
func start(t *testing.T, name, config string) {
	t.Helper()
	cmd := exec.Command(name, "-v", "1", config)
	cmd.Dir, cmd.Stdout, cmd.Stderr = t.TempDir(), t.Output(), t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGKILL) // it takes ten seconds to end in order
		_ = cmd.Wait()
	})
}

func freePorts(t *testing.T, n int) (ports []int) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func listens(port int) bool {
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
