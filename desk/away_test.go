package desk_test

import (
	"strings"
	"testing"
)

// Whoever is AWAY during their on-call shift hears that they are still called.
func TestAwayOnCall(t *testing.T) {
	w := open(t, "")
	turns(w) // Bob today
	for who, want := range map[string]string{"bob": "away_oncall: ", "eve": "away_ok: "} {
		if got := w.say(who, "away 30m lunch"); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q, want %s", who, got, want)
		}
	}
	view, err := w.desk.OnCall(t.Context())
	if must(t, err); view.People[0] != "bob" {
		t.Errorf("on call: %v", view.People)
	}
}
