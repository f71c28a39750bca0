package rehearsal_test

import (
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/activities"
	"deskbell/policy"
	"deskbell/rehearsal"
	"deskbell/roster"
	"deskbell/ticket"
)

// elsewhere are the options whose effect is not a ticket's, with the tests of the
// desk and the store that show it.
var elsewhere = map[string]string{
	"held":                "TestLimit",
	"budget":              "TestBackOpensAStorm, TestBudgetOfOffers",
	"priorities.P3.quiet": "TestQuietHours",
}

// Every option of a policy changes what happens to a ticket: whom it asks and calls
// and when, its targets, or what becomes of it once somebody takes it.
func TestEveryOptionShows(t *testing.T) {
	t.Parallel()
	options := map[string]string{
		"priorities.P3.respond":        "priorities: {P3: {respond: 1h}}",
		"priorities.P3.resolve":        "priorities: {P3: {resolve: 1h}}",
		"priorities.P3.wave.size":      "priorities: {P3: {wave: {size: 1}}}",
		"priorities.P3.wave.every":     "priorities: {P3: {wave: {every: 1h}}}",
		"priorities.P3.steps[1].after": "priorities: {P3: {steps: [{after: 3h, to: oncall}, {after: 8h, to: manager}]}}",
		"priorities.P3.steps[1].to":    "priorities: {P3: {steps: [{after: 4h, to: manager}, {after: 8h, to: manager}]}}",
		"priorities.P3.repeat":         "priorities: {P3: {repeat: 1h}}",
		"priorities.P3.hours":          "priorities: {P3: {hours: always}}",
		"priorities.P3.lease":          "priorities: {P3: {lease: 1h}}",
		"priorities.P3.breach":         "priorities: {P3: {breach: none}}",
		"auto_close":                   "auto_close: 1h",
		"requester_silence":            "requester_silence: 1h",
		"office.zone":                  "office: {zone: America/New_York}",
		"office.days":                  "office: {days: mon-sat}",
		"office.from":                  "office: {from: '09:00'}",
		"office.to":                    "office: {to: '17:00'}",
		"office.holidays":              "office: {holidays: none}",
		"groups.it.priorities":         "groups: {it: {priorities: {P3: {lease: 1h}}}}",
		"groups.it.office":             "groups: {it: {office: {holidays: none}}}",
	}
	before := happens(t, "")
	for option, text := range options {
		t.Run(option, func(t *testing.T) {
			t.Parallel()
			if after := happens(t, text); cmp.Equal(before, after) {
				t.Errorf("%s changes nothing in\n%s", text, after)
			}
		})
	}
	// None is forgotten: a wrong key makes the policy name all that it knows.
	var known []string
	for _, path := range []string{"", "priorities.P3", "priorities.P3.wave", "priorities.P3.steps[1]", "office", "groups.it"} {
		var wrong string
		for i, part := range strings.Split(strings.TrimPrefix(path+".x", "."), ".") {
			part, list := strings.TrimSuffix(part, "[1]"), strings.HasSuffix(part, "[1]")
			wrong += "\n" + strings.Repeat("  ", i) + part + ":"
			if list {
				wrong += "\n" + strings.Repeat("  ", i) + "-"
			}
		}
		_, err := policy.Load([]byte(strings.Replace(wrong, "-\n      x:", "- x: 1", 1)))
		names := regexp.MustCompile(`no such key: use (.*)$`).FindStringSubmatch(fmt.Sprint(err))
		if names == nil {
			t.Fatalf("%q: %v", wrong, err)
		}
		for name := range strings.SplitSeq(names[1], ", ") {
			known = append(known, strings.TrimPrefix(path+"."+name, "."))
		}
	}
	for _, sections := range []string{"priorities", "office", "groups", "priorities.P3.wave", "priorities.P3.steps"} {
		known = slices.DeleteFunc(known, func(s string) bool { return s == sections })
	}
	slices.Sort(known)
	// And those that are shown elsewhere are.
	var sources strings.Builder
	for _, file := range []string{"../desk/storm_test.go", "../desk/inbound_test.go", "../store/outbox_test.go"} {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(source)
	}
	for option, tests := range elsewhere {
		for name := range strings.SplitSeq(tests, ", ") {
			if !strings.Contains(sources.String(), "func "+name+"(") {
				t.Errorf("no test %s shows %s", name, option)
			}
		}
	}
	tested := slices.Sorted(maps.Keys(options))
	tested = append(tested, slices.Collect(maps.Keys(elsewhere))...)
	slices.Sort(tested)
	if diff := cmp.Diff(known, tested); diff != "" {
		t.Errorf("options and their tests: %s", diff)
	}
}

// happens is what becomes of a ticket of the group it that comes in on the Thursday
// before Easter: of one that nobody takes, and then of one that Bob takes, asks about
// and solves.
func happens(t *testing.T, text string) string {
	t.Helper()
	p, err := policy.Load([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	d := &directory{members: []roster.Member{member("bob", roster.Agent), member("eve", roster.Agent), member("dana", roster.OnCallee), member("meg", roster.Manager)}}
	start := time.Date(2026, 4, 2, 13, 0, 0, 0, time.UTC)
	lines, err := rehearsal.Run(t.Context(), d, p, ticket.P3, "it", start, start.AddDate(0, 0, 6))
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, l := range lines {
		fmt.Fprintln(&b, l.At.Sub(start), l.To.ID, l.To.Via, l.Message, l.Hole)
	}
	now := start
	k, _ := ticket.Open(ticket.Opening{Number: 142, Priority: ticket.P3, Group: "it", CreatedAt: start, Plan: p.Group("it").For(ticket.P3)}, now)
	look := func() {
		l, ok := k.Lookup(now)
		if !ok {
			t.Fatal("nothing to look up")
		}
		f, err := (&activities.Tickets{Directory: d, Policy: p}).Prepare(t.Context(), activities.PrepareInput{Lookup: l, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if k, _, err = ticket.Apply(k, ticket.Found(l, f), now); err != nil {
			t.Fatal(err)
		}
	}
	look()
	fmt.Fprintln(&b, "targets", k.RespondBy.Sub(start), k.ResolveBy.Sub(start))
	for _, verb := range []ticket.Verb{ticket.Take, ticket.Ask, ticket.Done} {
		now = now.Add(time.Minute)
		var err error
		if k, _, err = ticket.Apply(k, ticket.Command{ID: string(verb), Verb: verb, Actor: ticket.Party{ID: "bob"}, Works: true, Text: "x"}, now); err != nil {
			t.Fatal(err)
		}
		for _, a := range k.Alarms {
			fmt.Fprintln(&b, verb, a.Kind, a.At.Sub(start))
		}
	}
	return b.String()
}
