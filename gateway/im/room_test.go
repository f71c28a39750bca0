package im

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

const roomJID = "team@rooms." + host

// inRoom makes the desk one that has the room, where every line after "desk: " is its.
func (d *desk) inRoom() {
	d.room.Room = Room{JID: roomJID, Hello: "I am the desk.", Said: func(line, name string) (string, bool) { return strings.CutPrefix(line, name+": ") }}
	d.room.jid, d.room.archive.of = roomJID, roomJID
}

func (d *desk) awaitSeat() {
	d.t.Helper()
	d.await("a seat in the room", func() bool { return d.room.sits() == settled })
}

// join takes a seat for a person, and waits for it.
func (c *person) join(nick string) {
	c.t.Helper()
	c.send("<presence to='%s/%s'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>", roomJID, nick)
	find(c, &c.said, "a seat as "+nick, func(s xmpp.Presence) bool { return s.From == roomJID+"/"+nick && s.Type == "" })
}

func (c *person) sayInRoom(text string) {
	c.t.Helper()
	c.send("<message to='%s' type='groupchat'><body>%s</body></message>", roomJID, text)
}

func (c *person) line(what string, is func(xmpp.Chat) bool) xmpp.Chat {
	c.t.Helper()
	return c.chat(what, func(line xmpp.Chat) bool { return line.Type == "groupchat" && bare(line.Remote) == roomJID && is(line) })
}

// The desk makes its room, tells news there once, and takes from it what people of the
// directory say to it: each line once, whatever becomes of the link, the room and the
// process.
func testRoom(t *testing.T, p *server) {
	alice, eve := p.login("alice", "phone"), p.login("eve", "x")
	d := newDesk(t, p, p.addr)
	d.inRoom()
	d.run()
	d.await("the desk is named", d.room.names)
	alice.join("Alice in W.")
	eve.join("bob")

	alice.sayInRoom("who takes the printer?")
	alice.sayInRoom("desk: take 142")
	m := d.message("take 142")
	if m.From != "alice@"+host || m.ReplyTo != roomJID || m.Archive != roomJID || m.Cursor == "" || m.Key != m.Cursor+"/"+roomJID+"/"+m.From {
		t.Errorf("%+v", m)
	}
	// Whoever calls himself bob is not bob, by name or by a forged mark.
	forged := "<x xmlns='http://jabber.org/protocol/muc#user'><item jid='bob@helpdesk.test/x'/></x>"
	eve.sayInRoom("desk: take 143")
	eve.send("<message to='%s' type='groupchat'><body>desk: take 144</body>%s</message>", roomJID, forged)
	eve.send("<message to='%s/desk' type='chat'><body>desk: take 145</body></message>", roomJID)
	eve.send("<message to='%s' type='groupchat'><body>desk: take 146</body></message>", d.resource())

	post := gateway.Delivery{Key: "room/142/1", To: roomJID, Text: "New #142"}
	if o := d.Send(t.Context(), post); o.State != gateway.Sent {
		t.Fatalf("%+v", o)
	}
	alice.line("news", func(c xmpp.Chat) bool {
		return c.Text == "New #142" && c.OriginID == wireID(post.Key, roomJID) && !has(c, nsReceipts, "request")
	})
	post.Repeated = true // its outcome was unknown: it is not posted twice
	d.room.mu.Lock()
	d.room.seat = seated
	d.room.mu.Unlock()
	if o := d.Send(t.Context(), post); o.State != gateway.Due { // what the room keeps is not known yet
		t.Errorf("%+v", o)
	}
	d.room.settle()
	if o := d.Send(t.Context(), post); o.State != gateway.Sent || !slices.Equal(o.WireIDs, []string{wireID(post.Key, roomJID)}) {
		t.Errorf("%+v", o)
	}
	if o := d.Send(t.Context(), gateway.Delivery{Key: "room/142/2", To: roomJID, Text: "desk: #142 was taken", Repeated: true}); o.State != gateway.Sent {
		t.Errorf("%+v", o)
	}

	// What somebody in the room says to the desk alone is not the room's word on a line.
	line := d.current().takeOff(roomJID)
	eve.send("<message to='%s/desk' type='error'><error type='modify'><not-acceptable xmlns='%s'/></error></message>", roomJID, nsConditions)
	eve.ping()
	alice.sayInRoom("desk: note 142")
	d.message("note 142")
	if reason := line.reason(); reason != "" {
		t.Errorf("a line came back: %s", reason)
	}
	d.current().land(roomJID, line)

	d.stop()
	alice.sayInRoom("desk: take 147")
	alice.ping()
	d.room.archive.position = position{} // as in a new process
	d.run()
	d.message("take 147")
	d.awaitSeat()
	if o := d.Send(t.Context(), gateway.Delivery{Key: "room/142/1", To: roomJID, Text: "New #142", Repeated: true}); o.State != gateway.Sent {
		t.Errorf("%+v", o)
	}
	alice.sayInRoom("desk: the end")
	d.message("the end")
	want := []string{"take 142", "note 142", "take 147", "the end"}
	if got := d.texts(); !slices.Equal(got, want) {
		t.Errorf("kept %q", got)
	}
	alice.ping()
	alice.mu.Lock()
	defer alice.mu.Unlock()
	times := map[string]int{}
	for _, c := range alice.chats {
		times[c.Text]++
	}
	if times["New #142"] != 1 || times["I am the desk."] != 0 || times["desk: #142 was taken"] != 1 {
		t.Errorf("posted %v", times)
	}
}

// furnish has a room stay, and show its people to these.
func (c *person) furnish(whois string) {
	c.t.Helper()
	c.setUp("muc#roomconfig_persistentroom", "1", "muc#roomconfig_whois", whois)
}

func (c *person) setUp(settings ...string) {
	c.t.Helper()
	id, fields := randomHex(4), ""
	for pair := range slices.Chunk(settings, 2) {
		fields += fmt.Sprintf("<field var='%s'><value>%s</value></field>", pair[0], pair[1])
	}
	c.send("<iq to='%s' type='set' id='%s'><query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' type='submit'>"+
		"<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value></field>%s</x></query></iq>", roomJID, id, fields)
	if a := c.iq(id); a.Type != "result" {
		c.t.Fatalf("%+v", a)
	}
}

// A room of somebody else's, where the desk's name is taken and people are hidden until
// its owner shows them. Kicked, or forgotten by a server that was killed, it comes back.
func testRoomOfOthers(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.inRoom()
	d.timing.poll = 200 * time.Millisecond
	alice.join("desk")
	alice.furnish("moderators")
	d.run()
	alice.line("greeting", func(c xmpp.Chat) bool { return c.Remote == roomJID+"/desk_" && c.Text == "I am the desk." })
	eve := p.login("eve", "x")
	eve.join("eve")
	eve.send("<message to='%s' type='groupchat'><body>desk_: take 149</body><x xmlns='http://jabber.org/protocol/muc#user'><item jid='bob@helpdesk.test/x'/></x></message>", roomJID)
	if m := d.message("take 149"); m.From != roomJID+"/eve" { // and not bob
		t.Errorf("%+v", m)
	}
	alice.sayInRoom("desk_: take 150")
	if m := d.message("take 150"); m.From != roomJID+"/desk" || m.ReplyTo != roomJID {
		t.Errorf("%+v", m)
	}

	alice.furnish("anyone")
	d.Send(t.Context(), gateway.Delivery{Key: "k", To: roomJID, Text: "news"})
	d.await("the desk is named", d.room.names)
	alice.sayInRoom("desk_: take 151")
	if m := d.message("take 151"); m.From != "alice@"+host {
		t.Errorf("%+v", m)
	}

	alice.send("<iq to='%s' type='set' id='kick'><query xmlns='http://jabber.org/protocol/muc#admin'><item nick='desk_' role='none'/></query></iq>", roomJID)
	find(alice, &alice.said, "the desk is kicked", func(s xmpp.Presence) bool { return s.From == roomJID+"/desk_" && s.Type == "unavailable" })
	alice.sayInRoom("desk_: take 152")
	d.message("take 152")
	d.awaitSeat()

	p.restart()
	bob := p.login("bob", "phone")
	d.await("a new login", d.LoggedIn)
	d.awaitSeat()
	bob.join("bob")
	if d.room.name() != "desk" {
		t.Errorf("the desk is called %s", d.room.name())
	}
	bob.sayInRoom("desk: take 153")
	if m := d.message("take 153"); m.From != "bob@"+host {
		t.Errorf("%+v", m)
	}
	if got := d.texts(); !slices.Equal(got, []string{"take 149", "take 150", "take 151", "take 152", "take 153"}) {
		t.Errorf("kept %q", got)
	}
}

// Without an archive it cannot be known who wrote, and nothing that was said before.
func testRoomWithoutAnArchive(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.inRoom()
	alice.join("alice")
	alice.furnish("anyone")
	if p.archive != "" {
		alice.setUp(p.archive, "0")
	}
	alice.sayInRoom("desk: take 160")
	d.run()
	d.awaitSeat()
	d.await("the log", func() bool { return strings.Contains(d.sink.String(), "the room has no archive") })
	alice.sayInRoom("desk: take 161")
	if m := d.message("take 161"); m.From != roomJID+"/alice" || m.Cursor != "" {
		t.Errorf("%+v", m)
	}
	if o := d.Send(t.Context(), gateway.Delivery{Key: "k", To: roomJID, Text: "news"}); o.State != gateway.Sent {
		t.Errorf("%+v", o)
	}
	alice.line("news", func(c xmpp.Chat) bool { return c.Text == "news" })
	if p.archive == "" {
		return
	}
	alice.setUp(p.archive, "1") // and the desk hears of it
	d.await("the desk is named", d.room.names)
	alice.sayInRoom("desk: take 162")
	if m := d.message("take 162"); m.From != "alice@"+host || m.Archive != roomJID {
		t.Errorf("%+v", m)
	}
}

func TestRoomsCannotHaveAnArchive(t *testing.T) {
	t.Parallel()
	testRoomWithoutAnArchive(t, startProsodyWith(t, "time"))
}
