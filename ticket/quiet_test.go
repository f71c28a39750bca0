package ticket

import "testing"

func TestQuietCommandsAreNotAnswered(t *testing.T) {
	t.Parallel()
	now := noon
	fresh, _ := Open(Opening{Number: 142, Subject: "Printer", Requester: Party{ID: "ann", Name: "Ann", Via: "sms"}, Priority: P3, CreatedAt: now}, now)
	bob := Party{ID: "bob", Name: "Bob", Via: "sms"}
	for _, quiet := range []bool{false, true} {
		taken, events, err := Apply(fresh, Command{ID: "1", Verb: Take, Actor: bob, Works: true, Channel: "sms", Quiet: quiet}, now)
		if err != nil {
			t.Fatal(err)
		}
		toBob := 0
		for _, n := range Notices(fresh, taken, events[0]) {
			if n.To.ID == "bob" {
				toBob++
			}
		}
		if want := map[bool]int{false: 1, true: 0}[quiet]; toBob != want {
			t.Errorf("quiet %v: Bob gets %d notices, want %d", quiet, toBob, want)
		}
	}
}
