package e2e

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Terminal is profanity, a chat client that is not ours, in a terminal that tmux keeps.
type Terminal struct {
	t      testing.TB
	socket string
}

// Terminal logs a person in, and returns when the desk knows that they are there. The
// chat with the desk is in front.
func (p *Person) Terminal() *Terminal {
	t := p.desk.t
	t.Helper()
	for _, program := range []string{"profanity", "tmux"} {
		if _, err := exec.LookPath(program); err != nil {
			if os.Getenv("CI") != "" {
				t.Fatal(err)
			}
			t.Skipf("%v; apt-get install profanity-light tmux", err)
		}
	}
	home := t.TempDir()
	host, port, _ := net.SplitHostPort(p.desk.XMPP)
	accounts := filepath.Join(home, ".local", "share", "profanity", "accounts")
	if err := os.MkdirAll(filepath.Dir(accounts), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(accounts, fmt.Appendf(nil, "[%[1]s]\nenabled=true\njid=%[1]s\nserver=%[2]s\nport=%[3]s\npassword=%[4]s\nresource=terminal\ntls.policy=trust\n",
		p.JID, host, port, p.password), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &Terminal{t: t, socket: filepath.Join(home, "tmux")}
	s.tmux("-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "50", "env", "HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_DATA_HOME="+filepath.Join(home, ".local", "share"),
		"LC_ALL=C.UTF-8", "profanity", "-a", p.JID)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", s.socket, "kill-server").Run() }) // it goes with its last terminal
	p.desk.presence(p, "available")
	s.Type("/msg " + p.desk.Ready.Desk)
	return s
}

func (s *Terminal) tmux(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %s: %v: %s", args, err, out)
	}
	return string(out)
}

// Type types a line.
func (s *Terminal) Type(line string) *Terminal {
	s.t.Helper()
	s.tmux("send-keys", "-l", line)
	s.tmux("send-keys", "Enter")
	return s
}

// Expect waits until the screen shows all parts.
func (s *Terminal) Expect(parts ...string) *Terminal {
	s.t.Helper()
	screen := ""
	if !eventually(Patience, func() bool {
		screen = strings.Join(strings.Fields(s.tmux("capture-pane", "-p", "-J")), " ") // however it is wrapped
		return contains(screen, parts)
	}) {
		s.t.Fatalf("the terminal does not show %q:\n%s", parts, s.tmux("capture-pane", "-p"))
	}
	return s
}

// An agent in a terminal: the offer comes there, its number takes it, and the answer is
// read there.
func terminal(_ *testing.T, desk *Desk) {
	ann, bob := desk.Person("ann"), desk.Person("bob")
	desk.Free("bob")
	screen := bob.Terminal()
	n := ann.Submit("Printer on 3rd floor jams", "P3")
	ann.Phone().Expect(number(n), "we have your request")
	screen.Expect("New "+number(n), "Printer on 3rd floor jams").Type(fmt.Sprint(n)).Expect(number(n)+" is yours", "Ann Lee", "room 312")
	ann.Phone().Expect("Bob is on your request " + number(n))
	desk.Await(n, "assigned", "bob")
	screen.Type(fmt.Sprintf("done %d new toner", n)).Expect(number(n) + " closed")
	ann.Phone().Expect(number(n)+" is solved", "new toner")
	desk.Await(n, "resolved", "bob")
	screen.Type("/quit")
	desk.presence(bob, "offline")
}
