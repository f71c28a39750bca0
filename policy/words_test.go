package policy

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestPolicyInWords(t *testing.T) {
	t.Parallel()
	const defaultP1 = `P1: its time counts around the clock
  to be taken within 15m and solved within 2h
  offered to 3 people on duty every 5m
  not taken after 15m: who is on call is called
  not taken after 25m: the next in the rota is called
  not taken after 40m: the manager is called
  whoever was called is called again every 5m, and after the last step all start again
  taken and not solved in time: the next of them is called to help
  taken and nothing heard for 30m: the holder is asked
`
	tests := map[string]struct{ text, want string }{
		"the default": {"", defaultP1},
		"hours":       {"priorities: {P1: {hours: office}}", "P1: its time counts in office hours\n"},
		"targets":     {"priorities: {P1: {respond: 90s, resolve: 1h30m}}", "  to be taken within 90s and solved within 1h30m\n"},
		"a wave of one": {"priorities: {P1: {wave: {size: 1, every: 1m}}}",
			"  offered to 1 person on duty every 1m\n"},
		"steps": {"priorities: {P1: {steps: [{after: 3m, to: manager}]}}",
			"every 5m\n  not taken after 3m: the manager is called\n  whoever"},
		"no steps":   {"priorities: {P1: {steps: []}}", "  not taken: nobody is called\n  taken"},
		"repeat":     {"priorities: {P1: {repeat: 7m}}", "called again every 7m"},
		"lease":      {"priorities: {P1: {lease: 3d}}", "  taken and nothing heard for 3d: the holder is asked\n"},
		"all":        {"{auto_close: 5d, requester_silence: 12h}", "Every ticket: closed 5d after it was solved; the holder hears when the requester does not answer for 12h\n"},
		"any held":   {"", "Every person: holds any number of tickets\n"},
		"held":       {"held: 1", "Every person: holds at most 1 ticket\n"},
		"office":     {"", "Office hours: mon, tue, wed, thu, fri 08:00 to 18:00 Europe/Berlin, not on holidays in de\n"},
		"a group":    {"groups: {water: {priorities: {P1: {lease: 3h}}, office: {holidays: none}}}", "Group water:\n  P1: its time counts around the clock\n    to be taken"},
		"its office": {"groups: {water: {office: {holidays: none}}}", "\n  Office hours: mon, tue, wed, thu, fri 08:00 to 18:00 Europe/Berlin\n"},
		"budget":     {"budget: 5", "Every person: gets at most 5 offers an hour, the rest in a bundle\n"},
		"quiet":      {"priorities: {P4: {quiet: '22:00 - 06:30'}}", "  not offered from 22:00 to 06:30: it waits for the morning\n"},
		"no office":  {"office: {days: sat-sun, zone: UTC, holidays: none, from: '00:00', to: '24:00'}", "Office hours: sat, sun 00:00 to 24:00 UTC\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := load(t, tt.text).String(); !strings.Contains(got, tt.want) {
				t.Errorf("%q is not in\n%s", tt.want, got)
			}
		})
	}
	for text, never := range map[string]string{"budget: 0": "an hour, the rest", "priorities: {P1: {breach: none}, P2: {breach: none}, P3: {breach: none}, P4: {breach: none}}": "called to help",
		"priorities: {P1: {steps: []}, P2: {steps: []}, P3: {steps: []}, P4: {steps: []}}": "called to help"} {
		if got := load(t, text).String(); strings.Contains(got, never) {
			t.Errorf("%s: %q is in\n%s", text, never, got)
		}
	}
	if got := (Hours{}).String(); got != "always" {
		t.Errorf("no hours: %q", got)
	}
}

// What is spelt can be written into a policy again.
func TestSpell(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{time.Second: "1s", time.Minute: "1m", 90 * time.Second: "90s", 2 * time.Minute: "2m",
		150 * time.Second: "2m30s", time.Hour: "1h", 90 * time.Minute: "1h30m", time.Hour + time.Second: "1h0m1s", 24 * time.Hour: "24h", 48 * time.Hour: "2d", 50 * time.Hour: "50h", 72 * time.Hour: "3d"} {
		if diff := cmp.Diff(want, Spell(d)); diff != "" {
			t.Error(diff)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(1, int64(maxDuration/time.Second)).Draw(t, "seconds")) * time.Second
		p, err := Load([]byte("auto_close: " + Spell(d)))
		if err != nil || p.For("P1").AutoClose != d {
			t.Fatalf("%v is spelt %q: %v", d, Spell(d), err)
		}
	})
}
