package im

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"deskbell/clock"
	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

func has(c xmpp.Chat, space, local string) bool {
	return slices.ContainsFunc(c.OtherElem, func(e xmpp.XMLElement) bool { return e.XMLName.Space == space && e.XMLName.Local == local })
}

// A reaction is an answer to the message it stands on: the last one counts, and
// taking it back says nothing.
func testReactions(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.run()
	react := func(emoji string) {
		alice.send("<message to='%s' type='chat'><reactions xmlns='urn:xmpp:reactions:0' id='offer-1'>%s</reactions><store xmlns='urn:xmpp:hints'/></message>", botJID, emoji)
	}
	react("<reaction>❤</reaction><reaction>👍</reaction>")
	if m := d.message("👍"); m.Quotes != "offer-1" || m.From != "alice@"+host {
		t.Errorf("%+v", m)
	}
	react("")
	alice.say("the end")
	d.message("the end")
	if got := d.texts(); !slices.Equal(got, []string{"👍", "the end"}) {
		t.Errorf("kept %q", got)
	}
}

// Whoever shows who is typing sees that the desk is, until the answer comes.
func testComposing(t *testing.T, p *server) {
	alice, bob := p.login("alice", "phone"), p.login("bob", "phone")
	d := newDesk(t, p, p.addr)
	d.run()
	alice.send("<message to='%s' type='chat' id='m1'><body>take 142</body><active xmlns='%s'/><request xmlns='urn:xmpp:receipts'/></message>", botJID, nsChatStates)
	alice.chat("composing with the receipt", func(c xmpp.Chat) bool {
		return has(c, nsChatStates, "composing") && has(c, nsReceipts, "received")
	})
	d.Send(t.Context(), gateway.Delivery{Key: "k", To: alice.jid, Text: "yours"})
	alice.chat("the end of it", func(c xmpp.Chat) bool {
		return c.Text == "yours" && has(c, nsChatStates, "active") && has(c, "urn:xmpp:styling:0", "unstyled")
	})

	bob.say("take 143")
	d.message("take 143")
	d.Send(t.Context(), gateway.Delivery{Key: "l", To: bob.jid, Text: "yours"})
	bob.chat("answer", func(c xmpp.Chat) bool { return c.Text == "yours" })
	bob.mu.Lock()
	defer bob.mu.Unlock()
	for _, c := range bob.chats {
		if has(c, nsChatStates, "composing") {
			t.Errorf("bob's client did not ask for %+v", c)
		}
	}
}

// A correction names the message that it takes the place of.
func testCorrectionOfOurOwn(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.run()
	d.Send(t.Context(), gateway.Delivery{Key: "gone", To: "alice@" + host, Text: "#142 was taken by Bob.", Replaces: "offer-1"})
	c := alice.chat("correction", func(c xmpp.Chat) bool { return strings.HasPrefix(c.Text, "#142") })
	i := slices.IndexFunc(c.OtherElem, func(e xmpp.XMLElement) bool { return e.XMLName.Space == nsCorrection })
	if i < 0 || attribute(c.OtherElem[i], "id") != "offer-1" {
		t.Errorf("%+v", c.OtherElem)
	}
}

// Whose messages come back counts as offline until a client of theirs is heard of.
func testBounceMarksTheAddress(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.run()
	d.awaitState("alice", "available/chat/")
	sent := d.Send(t.Context(), gateway.Delivery{Key: "k", To: "alice@" + host, Text: "hello"})
	alice.send("%s", p.bounce(d.resource(), sent.WireIDs[0], "service-unavailable"))
	d.awaitState("alice", "offline//"+returnedReason)
	alice.send("<presence/>")
	d.awaitState("alice", "available")
}

// A form that is submitted again is the same message; without what is required, or
// from a stranger, nothing is kept.
func testMenu(t *testing.T, p *server) {
	alice, eve := p.login("alice", "phone"), p.login("eve", "x")
	d := newDesk(t, p, p.addr)
	d.config.Menu = listAndTake()
	d.run()
	command := func(c *person, attributes, inner string) string {
		id := randomHex(4)
		c.send("<iq to='%s' type='set' id='%s'><command xmlns='%s' %s>%s</command></iq>", d.resource(), id, nsCommands, attributes, inner)
		a := c.iq(id)
		return a.Type + " " + string(a.Query)
	}
	form := func(number string) string {
		return "<x xmlns='jabber:x:data' type='submit'><field var='number'><value>" + number + "</value></field></x>"
	}
	for _, c := range []struct {
		who               *person
		attributes, inner string
		want              []string
	}{
		{alice, "node='take' action='execute'", "", []string{"result", `status="executing"`, "var='number'", "<required"}},
		{alice, "node='take' sessionid='s'", form(""), []string{"result", `status="executing"`}},
		{alice, "node='take' sessionid='s'", form("142\nCLOSE 143"), []string{"result", `status="completed"`, "sent"}},
		{alice, "node='take' sessionid='s'", form("142\nCLOSE 143"), []string{"result", `status="completed"`}},
		{alice, "node='take' sessionid='s' action='cancel'", form("144"), []string{"result", `status="canceled"`}},
		{alice, "node='list'", "", []string{"result", `status="completed"`}},
		{alice, "node='none'", "", []string{"error"}},
		{eve, "node='list'", "", []string{"error"}},
	} {
		got := command(c.who, c.attributes, c.inner)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%s %s: no %s in %s", c.attributes, c.inner, want, got)
			}
		}
	}
	if got := d.texts(); !slices.Equal(got, []string{"TAKE 142 CLOSE 143", "LIST"}) {
		t.Errorf("kept %q", got)
	}
	d.mu.Lock()
	d.failKeep = errors.New("no database")
	d.mu.Unlock()
	if got := command(alice, "node='list'", ""); !strings.HasPrefix(got, "error") {
		t.Errorf("without a database: %s", got)
	}
}

// Whoever is heard of in any number of names has everybody looked at, and no more
// remembered.
func TestPresencesAreBounded(t *testing.T) {
	t.Parallel()
	p := newPresences(nil, nil, clock.System{}, slog.New(slog.DiscardHandler))
	p.settle()
	p.take()
	for i := range maxPeople + 1 {
		p.hear(xmpp.Presence{From: fmt.Sprintf("%d@elsewhere.test", i), Type: "unavailable"})
	}
	if people, everybody := p.take(); len(people) != maxPeople || !everybody {
		t.Errorf("%d people, everybody %v", len(people), everybody)
	}
}

// The desk has a name and a picture in people's clients, stored once.
func testCard(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.config.Card = Card{Name: "Helpdesk", About: "Write HELP.", Photo: []byte("\x89PNG")}
	shown := func() string {
		id := randomHex(4)
		alice.send("<iq to='%s' type='get' id='%s'><vCard xmlns='vcard-temp'/></iq>", botJID, id)
		return string(alice.iq(id).Query)
	}
	d.run()
	d.await("card", func() bool { return strings.Contains(shown(), "iVBORw") })
	if got := shown(); !strings.Contains(got, "<FN>Helpdesk</FN>") {
		t.Errorf("%s", got)
	}
	d.await("the log", func() bool { return strings.Contains(d.sink.String(), "card stored") })
	d.stop()
	d.run()
	alice.say("hello")
	d.message("hello")
	d.stop() // waits for what the login does
	if n := strings.Count(d.sink.String(), "card stored"); n != 1 {
		t.Errorf("stored %d times", n)
	}
}

// Who leaves the directory is no longer seen and no longer sees the desk, and who joins
// it is asked; nobody else is touched.
func testRosterFollowsTheDirectory(t *testing.T, p *server) {
	bob, carol := p.login("bob", "phone"), p.login("carol", "phone")
	d := newDesk(t, p, p.addr)
	d.timing.poll = 100 * time.Millisecond
	d.people = []string{"alice@" + host, "bob@" + host}
	d.run()
	d.awaitState("bob", "available/chat/")
	find(bob, &bob.said, "the desk", func(s xmpp.Presence) bool { return bare(s.From) == botJID && s.Type == "" })
	d.mu.Lock()
	d.people = []string{"alice@" + host, "carol@" + host}
	d.mu.Unlock()
	for _, word := range []string{"unsubscribe", "unsubscribed", "unavailable"} {
		find(bob, &bob.said, word, func(s xmpp.Presence) bool { return bare(s.From) == botJID && s.Type == word })
	}
	find(carol, &carol.said, "a request", func(s xmpp.Presence) bool { return bare(s.From) == botJID && s.Type == "subscribe" })
	found, err := Check(t.Context(), d.config)
	if err != nil || !slices.Equal(found.Contacts, []string{"alice@" + host}) {
		t.Errorf("%+v, %v", found, err)
	}
	// By a mistake nobody is left: nobody is removed.
	d.mu.Lock()
	d.people = nil
	d.mu.Unlock()
	looks := func() (n int) { d.mu.Lock(); defer d.mu.Unlock(); return d.looks }
	before := looks()
	d.await("the directory is looked at", func() bool { return looks() > before+4 })
	if found, err := Check(t.Context(), d.config); err != nil || len(found.Contacts) != 1 {
		t.Errorf("%+v, %v", found, err)
	}
}

// What doctor asks: the login, the archive, who is in the roster, and how the room is.
func testCheck(t *testing.T, p *server) {
	c := Config{Addr: p.addr, JID: botJID, Password: password, CAFile: p.ca, Room: Room{JID: roomJID}}
	check := func(want RoomFound) {
		t.Helper()
		found, err := Check(t.Context(), c)
		slices.Sort(found.Contacts)
		if err != nil || !slices.Equal(found.Contacts, []string{"alice@" + host, "bob@" + host}) || found.Room != want {
			t.Errorf("%+v, %v", found, err)
		}
	}
	check(RoomFound{})
	alice := p.login("alice", "phone")
	alice.join("alice")
	alice.furnish("moderators")
	check(RoomFound{There: true, Archive: true})
	alice.furnish("anyone")
	check(RoomFound{There: true, Open: true, Archive: true})
	alice.setUp(p.archive, "0")
	check(RoomFound{There: true, Open: true})
	c.Room.JID = ""
	check(RoomFound{})
}

func TestCheckWithoutAnArchive(t *testing.T) {
	t.Parallel()
	p := startProsodyWith(t, "time")
	if _, err := Check(t.Context(), Config{Addr: p.addr, JID: botJID, Password: password, CAFile: p.ca}); !errors.Is(err, ErrNoArchive) {
		t.Errorf("%v", err)
	}
}
