package command

import "testing"

func TestSaidInARoom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		line, text string
		ours       bool
	}{
		{"take 142", "take 142", true},
		{"claim #142", "claim #142", true},
		{"T142", "T142", true},
		{"nehme 142", "nehme 142", true},
		{"je prends 142", "je prends 142", true},
		{"C 142 new toner", "C 142 new toner", true},
		{"note 142 called Ann", "note 142 called Ann", true},
		{"desk: 142", "142", true},
		{"@Desk, who", "who", true},
		{"desk list", "list", true},
		{"desk:", "", false},
		{"desks are full", "", false},
		{"142", "", false},
		{"yes", "", false},
		{"list", "", false},
		{"take 5 minutes", "", false},
		{"take 142 seats out of the room", "", false},
		{"close 2 windows", "", false},
		{"who takes the printer?", "", false},
		{"there are 142 of them", "", false},
		{"clsoe 142", "", false},
		{"", "", false},
	} {
		text, ours := Said(c.line, "desk")
		if ours != c.ours || ours && text != c.text {
			t.Errorf("%q: %q, %v", c.line, text, ours)
		}
	}
}
