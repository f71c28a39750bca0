package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// agentWords says everything once that an agent may say, and a requester's NO.
func agentWords(t *testing.T, desk *Desk) {
	sue, pat, bob, eve := desk.Person("sue"), desk.Person("pat"), desk.Person("bob"), desk.Person("eve")
	desk.Free("bob", "eve")
	sue.Phone().Allow("we have your request")
	pat.Phone().Allow("we have your request")
	offers := func() {
		bob.Phone().Allow("to take")
		eve.Phone().Allow("to take")
	}
	offers()
	phone := bob.Phone()

	for _, form := range []string{"%d", "take %d", "T%d"} {
		n := sue.Submit("Screen is dark", "P3")
		phone.Reply(fmt.Sprintf(form, n)).Expect(number(n) + " is yours")
		sue.Phone().Expect("Bob is on your request " + number(n))
		phone.Reply(fmt.Sprintf("take %d", n)).Expect(number(n) + " is already yours")
		eve.Phone().Reply(fmt.Sprintf("T%d", n)).Expect("Too late: Bob took " + number(n))
		phone.Reply(fmt.Sprintf("C%d", n)).Expect(number(n) + " closed")
		sue.Phone().Expect(number(n) + " is solved")
	}

	desk.Advance(time.Minute) // offers within a minute are bundled
	n := pat.Submit("Door does not open", "P3")
	id := number(n)
	phone.Expect(id, "to take").Reply(fmt.Sprintf("R%d", n)).Expect("OK, " + id + " goes to someone else")
	phone.Reply("list").Expect("1 waiting", id)
	phone.Reply(fmt.Sprintf("D%d", n)).Expect(id+" waiting", "Door does not open", "Pat")
	eve.Phone().Reply(fmt.Sprint(n)).Expect(id + " is yours")
	pat.Phone().Expect("Eve is on your request " + id)
	eve.Phone().Reply("mine").Expect("You hold 1", id)
	eve.Phone().Reply(fmt.Sprintf("note %d the lock is dry", n)).Expect("Noted on " + id)
	eve.Phone().Reply(fmt.Sprintf("release %d", n)).Expect(id + " is back in the queue")
	pat.Phone().Expect("Eve had to hand back " + id)
	eve.Phone().Reply("undo").Expect("Undone: " + id)
	pat.Phone().Expect("Eve is on your request " + id)
	eve.Phone().Reply("help").Expect("142 take")
	eve.Phone().Reply(fmt.Sprintf("done %d oiled it", n)).Expect(id + " closed")
	pat.Phone().Expect(id+" is solved (Eve)", "oiled it").Reply("NO").Expect(id + " is open again and Eve has been told")
	eve.Phone().Allow("Pat on " + id)
	desk.Await(n, "assigned", "eve")
	phone.Reply("9999").Expect("There is no ticket #9999")
	phone.Reply("who").Expect("Busy: Eve " + id)
}

// presence decides how each is asked: by chat who is there, by phone who is not.
// When one has claimed, those who were asked by chat hear it.
func presence(t *testing.T, desk *Desk) {
	ann, bob, eve, dan := desk.Person("ann"), desk.Person("bob"), desk.Person("eve"), desk.Person("dan")
	ann.Phone().Allow("we have your request").Allow("is on your request")
	bob.Chat()
	eve.Away()
	n := ann.Submit("Projector is upside down", "P3")
	bob.Chat().Expect("New "+number(n), "Projector is upside down", fmt.Sprintf("Reply %d to take it", n))
	eve.Chat().Expect("New " + number(n))
	dan.Phone().Expect(number(n), fmt.Sprintf("Reply %d to take", n)).Reply(fmt.Sprint(n)).Expect(number(n) + " is yours")
	bob.Chat().Expect(number(n) + " was taken by Dan")
	eve.Chat().Expect(number(n) + " was taken by Dan")
	eve.Chat().Reply(fmt.Sprintf("take %d", n)).Expect("Too late: Dan took " + number(n))
	bob.Leave()
	desk.Advance(time.Minute) // offers within a minute are bundled
	next := ann.Submit("Projector is too loud", "P3")
	bob.Phone().Expect(number(next), fmt.Sprintf("Reply %d to take", next))
	eve.Chat().Expect("New " + number(next))
	dan.Phone().Expect(number(next))
}

// strangers get one answer a day and no service, on both channels. Mallory has an
// account at the same server and is nobody to the desk.
func strangers(t *testing.T, desk *Desk) {
	ann := desk.Person("ann")
	ann.Phone().Allow("we have your request")
	n := ann.Submit("Not for strangers", "P3")
	aside(desk, "to take")
	stranger := desk.Stranger("+447700900999")
	stranger.Reply(fmt.Sprint(n)).Expect("I do not know this number")
	stranger.Reply("list").Reply(fmt.Sprintf("take %d", n))
	if _, err := desk.db.Exec(t.Context(), "DELETE FROM people WHERE id = 'mal'"); err != nil {
		t.Fatal(err)
	}
	mallory, err := login(desk.Ready, desk.Person("mal").JID, desk.Person("mal").password)
	if err != nil {
		t.Fatal(err)
	}
	defer mallory.leave()
	for _, text := range []string{fmt.Sprintf("take %d", n), "list"} {
		if err := mallory.say(text); err != nil {
			t.Fatal(err)
		}
	}
	if !eventually(Patience, func() bool { return mallory.arrived(t.Context(), desk.db, desk.Person("mal").JID) }) {
		t.Fatal("the desk has not heard Mallory")
	}
	desk.Settle()
	if err := mallory.ping(); err != nil {
		t.Error(err)
	}
	heard, _ := mallory.history()
	if heard = slices.DeleteFunc(heard, func(m Message) bool { return m.Own }); len(heard) != 1 || !strings.Contains(heard[0].Text, "I do not know this address") {
		t.Errorf("Mallory heard %v", heard)
	}
	if got := stranger.Count(); got != 1 {
		t.Errorf("the stranger got %d messages:\n%s", got, stranger.story())
	}
	if got := desk.Ticket(n); got.Status != "new" {
		t.Errorf("the stranger made it %s", got.Status)
	}
}
