package e2e

import (
	"fmt"
	"testing"
)

// What is new, taken and closed is told in the team's room, and can be taken and closed
// there; a requester's number stays out of it.
func teamRoom(t *testing.T, desk *Desk) {
	ann, bob, mal := desk.Person("ann"), desk.Person("bob"), desk.Person("mal")
	desk.Free("bob")
	room, strangers := bob.Join(), mal.Join()
	n := ann.Submit("Printer on 3rd floor jams", "P3")
	ann.Phone().Expect(number(n), "we have your request")
	bob.Chat().Expect("New "+number(n), "Ann Lee")
	room.Expect("New "+number(n)+" (normal): Printer on 3rd floor jams", fmt.Sprintf("TAKE %d", n))

	strangers.Reply(fmt.Sprintf("take %d", n)) // a requester
	room.Expect("Mallory: ", "Only helpdesk agents")
	room.Reply("who takes it?").Reply(fmt.Sprintf("I could take %d at ten", n)).Reply(fmt.Sprintf("take %d", n)).Expect(number(n) + " was taken by Bob.")
	bob.Chat().Expect(number(n)+" is yours", "Ann Lee", "+447700900201")
	ann.Phone().Expect("Bob is on your request " + number(n))
	desk.Await(n, "assigned", "bob")

	room.Reply(fmt.Sprintf("done %d new toner", n)).Expect(number(n) + " was closed by Bob.")
	bob.Chat().Expect(number(n) + " closed")
	ann.Phone().Expect(number(n)+" is solved", "new toner")
	desk.Await(n, "resolved", "bob")
	desk.Settle()
	for _, secret := range []string{"+447700900201", "room 312"} {
		if got := room.Count(secret); got != 0 {
			t.Errorf("the room was told %q %d times", secret, got)
		}
	}
	if got := room.Count(number(n)); got != 3 {
		t.Errorf("the room heard %d lines about %s:\n%s", got, number(n), room.story())
	}
}
