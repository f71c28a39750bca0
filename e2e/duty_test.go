package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// onDuty tells who is called when the rota changes while a ticket climbs: Dana's
// shift of the next hour is Sam's by a swap that Sam agrees to, as both calendars say
// at once; and who stands in the rotation when a step comes is called, whoever stood
// there when the ticket came in.
func onDuty(t *testing.T, desk *Desk) {
	ann, bob, dana, sam, meg := desk.Person("ann"), desk.Person("bob"), desk.Person("dana"), desk.Person("sam"), desk.Person("meg")
	desk.Free()
	began := time.Now().Add(desk.offset - 50*time.Minute).UTC().Truncate(time.Second)
	set := func(people ...string) {
		desk.run(append([]string{"rota", "set", "--start", began.Format(time.RFC3339), "--every", "1h", "hours"}, people...)...)
	}
	set("sam", "dana")
	defer desk.run("rota", "remove", "hours")
	shift := "DTSTART:" + began.Add(time.Hour).Format("20060102T150405Z") // Dana's, in ten minutes
	feeds := map[*Person]string{dana: desk.feed("dana"), sam: desk.feed("sam")}
	on := func(who, other *Person) {
		t.Helper()
		if mine, theirs := desk.calendar(feeds[who]), desk.calendar(feeds[other]); !strings.Contains(mine, shift) || strings.Contains(theirs, shift) {
			t.Errorf("the next shift is not %s's alone:\n%s\n%s", who.Name, mine, theirs)
		}
	}
	on(dana, sam)
	dana.Phone().Reply("swap sam").Expect("Asked Sam: your shift")
	sam.Phone().Expect("Dana asks: take on call").Reply("swap yes").Expect("Swapped: you are on call")
	dana.Phone().Expect("Swapped: Sam takes your shift")
	meg.Phone().Expect("On call: Sam takes", "from Dana")
	on(sam, dana)

	n := ann.Submit("No network on the third floor", "P1")
	ann.Phone().Expect(number(n))
	desk.Settle()
	desk.Advance(15 * time.Minute)
	sam.Phone().Expect("ON CALL " + number(n))
	ann.Phone().Expect("Nobody was free for " + number(n))
	desk.Settle()
	set("bob")
	desk.Advance(5 * time.Minute)
	sam.Phone().Expect("ON CALL " + number(n)) // again
	desk.Settle()
	desk.Advance(5 * time.Minute)
	bob.Phone().Expect("ON CALL " + number(n)).Reply(fmt.Sprint(n)).Expect(number(n) + " is yours")
	sam.Phone().Expect(number(n) + " was taken by Bob. You can stand down.")
	ann.Phone().Expect("Bob is on your request " + number(n))
	desk.Await(n, "assigned", "bob")
	if got := dana.Phone().Count("ON CALL"); got != 0 {
		t.Errorf("Dana was called %d times", got)
	}
}

// feed is the address of a person's shifts.
func (d *Desk) feed(id string) string {
	d.t.Helper()
	var feed struct{ URL string }
	d.read("PUT", "/v1/rota/feeds/"+id, &feed)
	return feed.URL
}

// calendar is what anybody who has its address reads of a feed.
func (d *Desk) calendar(address string) string {
	d.t.Helper()
	response, err := http.Get(address)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/calendar") {
		d.t.Fatalf("%s: %s %v %s", address, response.Status, err, body)
	}
	return string(body)
}
