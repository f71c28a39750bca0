package e2e

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestLife is a desk under the development policy, in real time: what escalates,
// dies in the middle of it, and goes on.
func TestLife(t *testing.T) {
	t.Parallel()
	state := filepath.Join(shared(t), "state")
	desk := Start(t, Options{State: state})
	ann, bob, dana, sam := desk.Person("ann"), desk.Person("bob"), desk.Person("dana"), desk.Person("sam")
	for _, r := range desk.People {
		desk.Person(r.ID).Phone() // watched from the start
	}

	began := time.Now()
	claimed, climbing := ann.Submit("Claimed in time", "P3"), ann.Submit("Climbs to the top", "P3")
	declined(t, desk, claimed)
	bob.Phone().Reply(fmt.Sprint(claimed)).Expect(number(claimed) + " is yours")
	secondDesk(t, desk)

	dana.Phone().ExpectWithin(65*time.Second-time.Since(began), "ON CALL "+number(climbing))
	if took := time.Since(began); took < 50*time.Second {
		t.Errorf("on call after %s, want a minute", took)
	}
	ann.Phone().Expect("Nobody was free for " + number(climbing))
	desk.Settle()
	before := desk.Events(climbing)

	children := descendants(desk.command.Process.Pid)
	desk.Kill()
	if names := left(children, 20*time.Second); len(names) > 0 {
		t.Errorf("left running after kill -9: %s", strings.Join(names, "; "))
	}
	again := Start(t, Options{State: state})
	for _, p := range []*Person{ann, dana, sam} { // the phones keep what they had
		seen := p.Phone()
		p.desk = again
		seen.history = again.wire(p.Name, p.Number).history
		seen.write = again.wire(p.Name, p.Number).write
	}
	if got := again.Ticket(claimed); got.Status != "assigned" || got.Assignee != "bob" {
		t.Errorf("after the restart %+v", got)
	}
	if got := again.Events(climbing); !strings.HasPrefix(got, before) {
		t.Errorf("after the restart the story is %q, before it was %q", got, before)
	}
	sam.Phone().ExpectWithin(60*time.Second, "ON CALL "+number(climbing)).Reply(fmt.Sprint(climbing)).Expect(number(climbing) + " is yours")
	dana.Phone().Expect(number(climbing) + " was taken by Sam. You can stand down.")
	ann.Phone().Expect("Sam is on your request " + number(climbing))
	again.Settle()
	if got := ann.Phone().Count("Nobody was free"); got != 1 {
		t.Errorf("Ann heard %d times that nobody was free", got)
	}
	if got := again.Await(climbing, "assigned", "sam"); got.Escalation != 2 {
		t.Errorf("escalation %d, want 2", got.Escalation)
	}
	for _, n := range []int{claimed, climbing} {
		if got := strings.Count(again.Events(n), "taken"); got != 1 {
			t.Errorf("ticket %d: %s", n, again.Events(n))
		}
	}
	engineAway(t, again)
	again.Stop()
}

// declined has one of the two who were asked decline, whereupon the third is asked
// long before the next wave.
func declined(t *testing.T, desk *Desk, n int) {
	offer := fmt.Sprintf("Reply %d to take", n)
	var asked, others []*Person
	if !eventually(Patience, func() bool {
		asked, others = nil, nil
		for _, id := range []string{"bob", "eve", "dan"} {
			p := desk.Person(id)
			if p.Phone().Count(offer) > 0 {
				asked = append(asked, p)
			} else {
				others = append(others, p)
			}
		}
		return len(asked) == 2
	}) {
		t.Fatalf("asked %v, want two people", asked)
	}
	asked[0].Phone().Reply(fmt.Sprintf("R%d", n)).Expect("OK, " + number(n) + " goes to someone else")
	others[0].Phone().Expect(offer)
}

// engineAway kills the engine: submission does not need it.
func engineAway(t *testing.T, desk *Desk) {
	var engine int
	for _, p := range descendants(desk.command.Process.Pid) {
		if strings.Contains(p.command, "deskbell-temporal") {
			engine = p.pid
		}
	}
	if engine == 0 {
		t.Fatal("no engine runs")
	}
	if err := syscall.Kill(engine, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	ann := desk.Person("ann")
	began := time.Now()
	n := ann.Submit("The engine is away", "P3")
	if took := time.Since(began); took > time.Second {
		t.Errorf("a submission without the engine took %s", took)
	}
	ann.Phone().ExpectWithin(45*time.Second, "we have your request "+number(n))
}

// secondDesk starts another desk where one runs, and others that cannot start.
func secondDesk(t *testing.T, desk *Desk) {
	t.Helper()
	path := program(t)
	line := refuses(t, path, nil, "dev", "--state", desk.State, "--ports", "auto")
	oneLine(t, line, "in use", strconv.Itoa(desk.command.Process.Pid))

	_, port, err := net.SplitHostPort(strings.TrimPrefix(desk.HTTP, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	oneLine(t, refuses(t, path, nil, "dev", "--state", filepath.Join(shared(t), "state"), "--ports", port), port, "--ports")

	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	oneLine(t, refuses(t, path, nil, "dev", "--state", file), file)

	lonely := filepath.Join(t.TempDir(), "deskbell")
	if err := os.Link(path, lonely); err != nil {
		t.Fatal(err)
	}
	oneLine(t, refuses(t, lonely, nil, "dev", "--state", filepath.Join(shared(t), "state"), "--ports", "auto"), "deskbell-temporal", "make build")
	oneLine(t, refuses(t, path, nil, "migrate"), "DATABASE_URL")
}
