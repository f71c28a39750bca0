package e2e

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// commandLine submits, looks and speaks by the command line.
func commandLine(t *testing.T, desk *Desk) {
	ann, bob := desk.Person("ann"), desk.Person("bob")
	aside(desk, "to take", "we have your request")
	said := desk.run("submit", "Keyboard is wet", "--requester", "ann", "--body", "Coffee", "--priority", "P2")
	found := regexp.MustCompile(`^#(\d+) Keyboard is wet\n$`).FindStringSubmatch(said)
	if found == nil {
		t.Fatalf("submit says %q", said)
	}
	n, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	desk.mine = append(desk.mine, n)
	desk.Settle()
	if got := desk.run("list", "--status", "new"); !strings.Contains(got, number(n)) || !strings.Contains(got, "Keyboard is wet") {
		t.Errorf("list says %q", got)
	}
	if got := desk.run("say", "bob", fmt.Sprint(n)); !strings.Contains(got, number(n)+" is yours") {
		t.Errorf("say says %q", got)
	}
	bob.Phone().Expect(number(n) + " is yours")
	ann.Phone().Expect("Bob is on your request " + number(n))
	desk.Await(n, "assigned", "bob")
	got := desk.run("show", fmt.Sprint(n))
	for _, want := range []string{number(n) + " Keyboard is wet", "P2", "assigned", "bob", "Coffee", "taken"} {
		if !strings.Contains(got, want) {
			t.Errorf("show does not say %q: %s", want, got)
		}
	}
	for _, c := range []struct {
		line []string
		want string // a pattern
	}{
		{[]string{"announce", fmt.Sprint(n), "Keyboards", "are wet."}, fmt.Sprintf(`(?m)^#%d +\d+s +1 +Keyboards are wet\.$`, n)},
		{[]string{"join", fmt.Sprint(n)}, `2, you too +Keyboards are wet\.`},
		{[]string{"list", "--json"}, fmt.Sprintf(`"ticket":%d,.*"affected":2,"joined":true`, n)},
		{[]string{"withdraw", fmt.Sprint(n)}, `^$`},
		{nil, `^TICKET +SINCE +AFFECTED +TEXT\n$`},
	} {
		if got := desk.run(append([]string{"incidents"}, c.line...)...); !regexp.MustCompile(c.want).MatchString(got) {
			t.Errorf("incidents %q says %q, want %s", c.line, got, c.want)
		}
	}
	if got := desk.fails("incidents", "join", fmt.Sprint(n)); !strings.Contains(got, "not announced") {
		t.Errorf("joining what is not known says %q", got)
	}
	if got := desk.run("people"); !strings.Contains(got, ann.Number) {
		t.Errorf("people says %q", got)
	}
	desk.run("people", "add", "zoe", "--name", "Zoe", "--role", "requester", "--phone", "+4930987654")
	if got := desk.run("people", "change", "zoe", "--loc", "room 7", "--phone", ""); !strings.Contains(got, "requester") || strings.Contains(got, "+49") {
		t.Errorf("people change says %q", got)
	}
	if got := desk.run("people", "deactivate", "zoe"); !strings.Contains(got, "deactivated") {
		t.Errorf("people deactivate says %q", got)
	}
	if got := desk.run("rota"); !strings.Contains(got, "1. dana") {
		t.Errorf("rota says %q", got)
	}
}

// run runs the program as an operator of the desk does, and returns what it says.
func (d *Desk) run(args ...string) string {
	d.t.Helper()
	out, err := d.line(args...)
	if err != nil {
		d.t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return out
}

// fails is run that must not succeed.
func (d *Desk) fails(args ...string) string {
	d.t.Helper()
	out, err := d.line(args...)
	if err == nil {
		d.t.Fatalf("%v succeeds: %s", args, out)
	}
	return out
}

func (d *Desk) line(args ...string) (string, error) {
	d.t.Helper()
	command := exec.CommandContext(d.t.Context(), program(d.t), args...)
	command.Env = append(environment(), "DESKBELL_PUBLIC_URL="+d.HTTP, "DESKBELL_TOKEN="+d.Token, "DATABASE_URL="+d.DatabaseURL)
	out, err := command.CombinedOutput()
	return string(out), err
}
