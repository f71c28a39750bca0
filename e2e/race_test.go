package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// rounds of dialogue d02; each has one winner.
const rounds = 100

// leads are by how much the claim with the longer way goes first: a chat's is
// through the archive, and REST's is the shortest. At zero the chat's goes second.
var leads = []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond, 50 * time.Millisecond, 90 * time.Millisecond}

// race has two agents claim a ticket at once, on different channels: both claims
// are on their way before either answer is read.
func race(t *testing.T, desk *Desk) {
	ann, bob, eve := desk.Person("ann"), desk.Person("bob"), desk.Person("eve")
	desk.Free("bob", "eve")
	bob.Phone().Allow("to take").Allow("waiting:")
	eve.Phone().Allow("to take").Allow("waiting:")
	eve.Chat().Allow("to take").Allow("waiting:").Allow("was taken by")
	ann.Phone().Allow("we have your request")

	claims := map[string]func(n int){
		"sms": func(n int) { bob.Phone().Reply(fmt.Sprint(n)) },
		"im":  func(n int) { eve.Chat().Reply(fmt.Sprintf("take %d", n)) },
	}
	won := map[string]int{}
	for i := range rounds {
		n := ann.Submit(fmt.Sprintf("Race %d", i), "P3")
		if lead := leads[i%len(leads)]; lead == 0 {
			claims["sms"](n)
			claims["im"](n)
		} else {
			claims["im"](n)
			<-time.After(lead)
			claims["sms"](n)
		}
		won[judge(desk, n, map[string]outcome{
			"sms": {bob, bob.Phone(), eve}, "im": {eve, eve.Chat().Wire, bob},
		})]++
	}
	t.Logf("%d races: %d won by SMS, %d by IM", rounds, won["sms"], won["im"])
	if won["sms"] == 0 || won["im"] == 0 {
		t.Errorf("one channel always wins: %v", won)
	}

	won = map[string]int{}
	for i := range 20 {
		n := ann.Submit(fmt.Sprintf("Race by REST %d", i), "P3")
		status, answered := 0, make(chan struct{})
		rest := func() {
			go func() {
				defer close(answered)
				status, _ = desk.TryAct(eve, "claim", n, nil)
			}()
		}
		if i%2 == 0 {
			claims["sms"](n)
			<-time.After(4 * leads[i/2%len(leads)])
			rest()
		} else {
			rest()
			claims["sms"](n)
		}
		<-answered
		winner := "sms"
		if status == http.StatusOK {
			winner = "rest"
			bob.Phone().Expect("Too late: Eve took " + number(n))
		} else if status == http.StatusConflict {
			bob.Phone().Expect(number(n) + " is yours")
		} else {
			t.Fatalf("claim by REST: %d", status)
		}
		won[winner]++
		holder := map[string]*Person{"sms": bob, "rest": eve}[winner]
		ann.Phone().Expect(holder.Name + " is on your request " + number(n))
		desk.Await(n, "assigned", holder.ID)
	}
	t.Logf("20 races: %d won by SMS, %d by REST", won["sms"], won["rest"])
	if won["sms"] == 0 || won["rest"] == 0 {
		t.Errorf("one way always wins: %v", won)
	}
	desk.Settle()
	for _, n := range desk.mine {
		if got := ann.Phone().Count("is on your request " + number(n)); got != 1 {
			t.Errorf("ticket %d: Ann was told %d times who comes", n, got)
		}
		if got := strings.Count(desk.Events(n), "taken"); got != 1 {
			t.Errorf("ticket %d: %s", n, desk.Events(n))
		}
	}
}

// outcome is what one side of a race may read.
type outcome struct {
	who   *Person
	wire  *Wire
	other *Person
}

// judge reads both answers and returns the winning channel.
func judge(desk *Desk, n int, sides map[string]outcome) string {
	desk.t.Helper()
	winner := ""
	for channel, side := range sides {
		if side.wire.ExpectOne(number(n)+" is yours", fmt.Sprintf("Too late: %s took %s", side.other.Name, number(n))) == 0 {
			if winner != "" {
				desk.t.Fatalf("ticket %d: both %s and %s were told that it is theirs", n, winner, channel)
			}
			winner = channel
		}
	}
	if winner == "" {
		desk.t.Fatalf("ticket %d: nobody won", n)
	}
	side := sides[winner]
	desk.Person("ann").Phone().Expect(side.who.Name + " is on your request " + number(n))
	desk.Await(n, "assigned", side.who.ID)
	return winner
}
