package im

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"deskbell/clock"
	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// desk is a gateway under test with everything it reports kept in memory.
type desk struct {
	*Gateway
	t    testing.TB
	stop func()

	mu        sync.Mutex
	people    []string
	looks     int // into the directory
	kept      []gateway.Message
	keys      map[string]int
	cursor    string
	stamp     time.Time
	rooms     map[string]position
	receipts  []gateway.Receipt
	presences []gateway.Presence
	logins    []bool
	sent      []gateway.State
	read      int // entries of the archive
	heard     int // presences
	failKeep  error
	sink      *logSink
	news      *sync.Cond // kept has grown
}

// watch is the desk as it watches the wire.
type watch struct{ *desk }

func (d watch) LoggedIn(in bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.logins = append(d.logins, in)
}

func (d watch) Sent(state gateway.State, took time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.sent = append(d.sent, state)
}

func (d watch) Read(entries int, _ time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.read += entries
}

func (d watch) Heard() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.heard++
}

func (d *desk) Keep(_ context.Context, messages []gateway.Message) ([]gateway.Kept, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failKeep != nil {
		return nil, d.failKeep
	}
	var answers []gateway.Kept
	for _, m := range messages {
		d.keys[m.Key]++
		if d.keys[m.Key] == 1 {
			d.kept = append(d.kept, m)
		}
		d.move(m.Archive, m.Cursor, m.SentAt)
		d.news.Broadcast()
		answers = append(answers, gateway.Kept{Key: m.Key, Repeat: d.keys[m.Key] > 1})
	}
	return answers, nil
}

func (d *desk) Confirm(context.Context, gateway.Channel, []string) error { return nil }

func (d *desk) move(archive, cursor string, stamp time.Time) {
	if archive == "" {
		d.cursor, d.stamp = cursor, stamp
	} else {
		d.rooms[archive] = position{id: cursor, stamp: stamp}
	}
}

func (d *desk) Cursor(_ context.Context, archive string) (string, time.Time, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if archive != "" {
		return d.rooms[archive].id, d.rooms[archive].stamp, nil
	}
	return d.cursor, d.stamp, nil
}

func (d *desk) Advance(_ context.Context, archive, cursor string, stamp time.Time) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.move(archive, cursor, stamp)
	return nil
}

func (d *desk) Receipt(_ context.Context, r gateway.Receipt) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.receipts = append(d.receipts, r)
	return nil
}

func (d *desk) Presence(_ context.Context, changes []gateway.Presence) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.presences = append(d.presences, changes...)
	return nil
}

func (d *desk) Known(_ context.Context, jid string) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.people, jid), nil
}

func (d *desk) JIDs(context.Context) ([]string, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.looks++
	return slices.Clone(d.people), nil
}

// newDesk prepares a gateway to the server at addr; run starts it.
func newDesk(t testing.TB, p *server, addr string) *desk {
	t.Helper()
	d := &desk{t: t, keys: map[string]int{}, rooms: map[string]position{}, people: []string{"alice@" + host, "bob@" + host, "carol@" + host}}
	d.news = sync.NewCond(&d.mu)
	sink := &logSink{t: t}
	d.sink = sink
	t.Cleanup(sink.dump)
	d.Gateway = New(Config{Addr: addr, JID: botJID, Password: password, CAFile: p.ca, Watch: watch{d}, Encrypted: "not encrypted, please"}, d, d, d, d, clock.System{}, slog.New(slog.NewTextHandler(sink, nil)))
	d.timing.maxBackoff = 500 * time.Millisecond
	d.timing.goodbye = time.Second
	d.timing.flap = 300 * time.Millisecond
	d.timing.retry = 100 * time.Millisecond
	d.timing.room = 100 * time.Millisecond
	return d
}

// run keeps the gateway running until the test ends or stop is called.
func (d *desk) run() {
	d.t.Helper()
	d.runWith(func(ctx context.Context) error { <-ctx.Done(); return nil })
}

func (d *desk) runWith(work func(context.Context) error) {
	d.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := d.Run(ctx, work); err != nil {
			d.t.Error(err)
		}
	})
	d.stop = func() { cancel(); running.Wait() }
	d.t.Cleanup(d.stop)
	d.await("login", d.LoggedIn)
}

func (d *desk) await(what string, condition func() bool) {
	d.t.Helper()
	if !eventually(20*time.Second, condition) {
		d.t.Fatalf("waited in vain: %s", what)
	}
}

// awaitKept waits without a pause between looks; only the test's own deadline ends it.
func (d *desk) awaitKept(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for len(d.kept) < n {
		d.news.Wait()
	}
}

func (d *desk) texts() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var texts []string
	for _, m := range d.kept {
		texts = append(texts, m.Text)
	}
	return texts
}

func (d *desk) message(text string) gateway.Message {
	d.t.Helper()
	var found gateway.Message
	d.await("message "+text, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		i := slices.IndexFunc(d.kept, func(m gateway.Message) bool { return m.Text == text })
		if i >= 0 {
			found = d.kept[i]
		}
		return i >= 0
	})
	return found
}

func (d *desk) receipt(id string) gateway.Receipt {
	d.t.Helper()
	var found gateway.Receipt
	d.await("receipt "+id, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		i := slices.IndexFunc(d.receipts, func(r gateway.Receipt) bool { return r.WireID == id })
		if i >= 0 {
			found = d.receipts[i]
		}
		return i >= 0
	})
	return found
}

// states lists what the sink was told of somebody, oldest first.
func (d *desk) states(user string) []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	var states []string
	for _, p := range d.presences {
		if p.Address == user+"@"+host {
			states = append(states, strings.TrimSuffix(p.State+"/"+p.Show+"/"+p.Reason, "//"))
		}
	}
	return states
}

func (d *desk) awaitState(user, want string) {
	d.t.Helper()
	if !eventually(10*time.Second, func() bool {
		s := d.states(user)
		return len(s) > 0 && s[len(s)-1] == want
	}) {
		d.t.Fatalf("%s: want %s, told %v", user, want, d.states(user))
	}
}

func (d *desk) resource() string {
	d.t.Helper()
	s := d.current()
	if s == nil {
		d.t.Fatal("not logged in")
	}
	return s.client.JID()
}

func testConversation(t *testing.T, p *server) {
	alice, eve := p.login("alice", "phone"), p.login("eve", "x")
	alice.say("before the desk was born")
	alice.ping()
	d := newDesk(t, p, p.addr)
	d.run()

	alice.send("<message to='%s' type='chat' id='m1'><body>take 142</body><request xmlns='urn:xmpp:receipts'/></message>", botJID)
	m := d.message("take 142")
	if m.Channel != gateway.IM || m.From != "alice@"+host || m.ReplyTo != alice.jid || m.Cursor == "" ||
		m.Key != m.Cursor+"/alice@"+host || time.Since(m.SentAt).Abs() > time.Minute {
		t.Errorf("message: %+v", m)
	}
	alice.chat("receipt of m1", func(c xmpp.Chat) bool {
		return slices.ContainsFunc(c.OtherElem, func(e xmpp.XMLElement) bool {
			return e.XMLName.Space == nsReceipts && e.XMLName.Local == "received" && attribute(e, "id") == "m1"
		})
	})

	out := d.Send(t.Context(), gateway.Delivery{Key: "ticket-142/3/alice", To: "alice@" + host, Text: "#142 is yours <&>\n\x00ok"})
	if out.State != gateway.Sent || len(out.WireIDs) != 1 || out.WireIDs[0] != wireID("ticket-142/3/alice", alice.jid) {
		t.Fatalf("outcome: %+v", out)
	}
	alice.chat("answer", func(c xmpp.Chat) bool {
		return c.Text == "#142 is yours <&>\n\uFFFDok" && c.OriginID == out.WireIDs[0]
	})
	// Eve's receipt for alice's message does not count.
	eve.send("<message to='%s'><received xmlns='urn:xmpp:receipts' id='%s'/></message>", d.resource(), out.WireIDs[0])
	eve.ping()
	alice.send("<message to='%s'><received xmlns='urn:xmpp:receipts' id='%s'/></message>", d.resource(), out.WireIDs[0])
	if r := d.receipt(out.WireIDs[0]); r.State != gateway.Delivered || r.Channel != gateway.IM || r.At.IsZero() {
		t.Errorf("receipt: %+v", r)
	}
	alice.send("<message to='%s' type='chat'><reply xmlns='urn:xmpp:reply:0' to='%s' id='%s'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='8'/></fallback><body>&gt; quote\nyes ü</body></message>",
		botJID, botJID, out.WireIDs[0])
	if m := d.message("yes ü"); m.Quotes != out.WireIDs[0] {
		t.Errorf("quotes %q", m.Quotes)
	}
	if got := d.texts(); slices.Contains(got, "before the desk was born") {
		t.Errorf("kept what was there before the first login: %q", got)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.sent, []gateway.State{gateway.Sent}) || d.read < 2 {
		t.Errorf("watched: sent %v, %d read", d.sent, d.read)
	}
	for _, r := range d.receipts { // live, and perhaps from the archive
		if r.WireID != out.WireIDs[0] || r.State != gateway.Delivered {
			t.Errorf("receipt: %+v", r)
		}
	}
}

func testBounceFailsTheDelivery(t *testing.T, p *server) {
	d := newDesk(t, p, p.addr)
	d.run()
	out := d.Send(t.Context(), gateway.Delivery{Key: "k", To: "nobody@" + host, Text: "hello"})
	if out.State != gateway.Failed || out.Reason != "service-unavailable" {
		t.Fatalf("outcome: %+v", out)
	}

	// A bounce that comes later fails its delivery too, if it is the addressee's.
	sent := d.Send(t.Context(), gateway.Delivery{Key: "k", To: "alice@" + host, Text: "hello"})
	if sent.State != gateway.Sent {
		t.Fatalf("outcome: %+v", sent)
	}
	bounce := p.bounce(d.resource(), sent.WireIDs[0], "recipient-unavailable")
	eve, alice := p.login("eve", "x"), p.login("alice", "phone")
	eve.send("%s", bounce)
	eve.ping()
	alice.send("%s", bounce)
	if r := d.receipt(sent.WireIDs[0]); r.State != gateway.Failed || r.Reason != "recipient-unavailable" {
		t.Errorf("receipt: %+v", r)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.receipts) != 1 {
		t.Errorf("receipts: %+v", d.receipts)
	}
}

func TestSendRefuses(t *testing.T) {
	t.Parallel()
	d := newDesk(t, &server{}, "127.0.0.1:1")
	for to, want := range map[string]gateway.State{
		"alice@" + host: gateway.Due, "alice": gateway.Failed, "": gateway.Failed, botJID: gateway.Failed, "@x": gateway.Failed,
	} {
		if out := d.Send(t.Context(), gateway.Delivery{Key: "k", To: to, Text: "x"}); out.State != want {
			t.Errorf("to %q: %+v", to, out)
		}
	}
	if out := d.Send(t.Context(), gateway.Delivery{Key: "k", To: "alice@" + host}); out.State != gateway.Failed {
		t.Errorf("empty text: %+v", out)
	}
}

func testPresenceOfAPerson(t *testing.T, p *server) {
	bob := p.login("bob", "desk")
	bob.send("<presence><show>away</show><status>lunch</status></presence>")
	bob.ping()
	d := newDesk(t, p, p.addr)
	d.timing.flap = 2 * time.Second // longer than a login takes
	d.timing.ping = 200 * time.Millisecond
	d.SetStatus("3 waiting")
	d.run()
	d.awaitState("bob", "away/away/lunch")
	d.awaitState("alice", "offline")
	d.awaitState("carol", "unknown") // not subscribed: nothing is known
	heard := func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.heard
	}
	before := heard()
	d.await("presence to come in although nobody's changes", func() bool { return heard() > before+2 })

	alice := p.login("alice", "phone")
	d.awaitState("alice", "available/chat/")
	alice.send("<presence><show>xa</show><status>gone</status></presence>")
	d.awaitState("alice", "away/xa/gone")
	tablet := p.login("alice", "tablet")
	d.awaitState("alice", "available/chat/")
	tablet.send("<presence><show>dnd</show></presence>")
	d.awaitState("alice", "busy/dnd/")
	tablet.leave()
	d.awaitState("alice", "away/xa/gone")

	// Gone and back at once is no news; gone for longer is.
	alice.leave()
	alice = p.login("alice", "phone")
	d.awaitState("alice", "available/chat/")
	alice.leave()
	d.awaitState("alice", "offline")
	want := []string{"unknown", "offline", "available/chat/", "away/xa/gone", "available/chat/", "busy/dnd/", "away/xa/gone", "available/chat/", "offline"}
	if got := d.states("alice"); !slices.Equal(got, want) {
		t.Errorf("alice:\n got %q\nwant %q", got, want)
	}

	find(bob, &bob.said, "status of the desk", func(s xmpp.Presence) bool { return bare(s.From) == botJID && s.Status == "3 waiting" })
	d.SetStatus("all <quiet>")
	find(bob, &bob.said, "new status", func(s xmpp.Presence) bool { return bare(s.From) == botJID && s.Status == "all <quiet>" })

	d.stop()
	d.awaitState("bob", "unknown")
	find(bob, &bob.said, "goodbye of the desk", func(s xmpp.Presence) bool { return bare(s.From) == botJID && s.Type == "unavailable" })
}

func testSubscriptions(t *testing.T, p *server) {
	carol, eve := p.login("carol", "phone"), p.login("eve", "x")
	eve.send("<presence to='%s' type='subscribe'/>", botJID) // pending at the desk's login
	d := newDesk(t, p, p.addr)
	d.run()
	carol.send("<presence to='%s' type='subscribe'/>", botJID)
	find(carol, &carol.said, "approval", func(s xmpp.Presence) bool { return s.Type == "subscribed" })
	find(carol, &carol.said, "request back", func(s xmpp.Presence) bool { return s.Type == "subscribe" })
	carol.send("<presence to='%s' type='subscribed'/>", botJID)
	d.awaitState("carol", "available/chat/")

	// By now the desk has dealt with eve's older request: it said nothing.
	eve.ping()
	eve.mu.Lock()
	defer eve.mu.Unlock()
	for _, s := range eve.said {
		if bare(s.From) == botJID && s.Type != "unavailable" { // that is the server's own word
			t.Errorf("eve heard %+v", s)
		}
	}
}

func testRequestsAreAnswered(t *testing.T, p *server) {
	alice, eve := p.login("alice", "phone"), p.login("eve", "x")
	d := newDesk(t, p, p.addr)
	d.run()
	ask := func(c *person, id, kind, query string) string {
		c.send("<iq to='%s' type='%s' id='%s'>%s</iq>", d.resource(), kind, id, query)
		plain := strings.NewReplacer("&quot;", `"`, "&gt;", ">", "&lt;", "<", "&apos;", "'").Replace(id)
		a := find(c, &c.iqs, "answer to "+id, func(a xmpp.IQ) bool { return a.ID == plain })
		return a.Type + " " + string(a.Query)
	}
	for _, c := range []struct {
		who               *person
		kind, query, want string
	}{
		{alice, "get", "<ping xmlns='urn:xmpp:ping'/>", "result"},
		{alice, "get", "<query xmlns='jabber:iq:version'/>", "<name>Deskbell</name>"},
		{alice, "get", "<foo xmlns='urn:evil'/>", "error"},
		{alice, "set", "<query xmlns='jabber:iq:version'/>", "error"},
		{eve, "get", "<query xmlns='jabber:iq:version'/>", "error"},
		{eve, "get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", "error"},
		{eve, "set", "<query xmlns='jabber:iq:roster'><item jid='eve@helpdesk.test' subscription='both'/></query>", "error"},
	} {
		if got := ask(c.who, randomHex(4), c.kind, c.query); !strings.Contains(got, c.want) {
			t.Errorf("%s %s %s: %s", c.who.jid, c.kind, c.query, got)
		}
	}
	// An id that would be an injection if it were not escaped comes back as it was.
	evil := "x&quot;/&gt;&lt;message to=&apos;alice@helpdesk.test&apos;&gt;&lt;body&gt;injected&lt;/body&gt;&lt;/message&gt;"
	for _, query := range []string{"<query xmlns='jabber:iq:version'/>", "<ping xmlns='urn:xmpp:ping'/>", "<q xmlns='urn:x'/>"} {
		eve.mu.Lock()
		eve.iqs = nil
		eve.mu.Unlock()
		ask(eve, evil, "get", query)
	}
	alice.ping()
	alice.mu.Lock()
	defer alice.mu.Unlock()
	for _, c := range alice.chats {
		if c.Text != "" {
			t.Errorf("alice got %+v", c)
		}
	}
}

func testForgeriesAreNotRead(t *testing.T, p *server) {
	alice, eve := p.login("alice", "phone"), p.login("eve", "x")
	d := newDesk(t, p, p.addr)
	d.run()
	inner := "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' from='alice@helpdesk.test/phone' to='desk@helpdesk.test' type='chat'><body>forged</body></message></forwarded>"
	for _, forged := range []string{
		"<received xmlns='urn:xmpp:carbons:2'>" + inner + "</received>",
		"<sent xmlns='urn:xmpp:carbons:2'>" + inner + "</sent>",
		"<result xmlns='urn:xmpp:mam:2' queryid='q' id='1'>" + inner + "</result>",
		"<body xmlns='urn:evil'>forged</body>",
		"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:xmpp:avatar:metadata'/></event>",
		"<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='urn:xmpp:avatar:metadata'><item id='a'/></items></event>",
	} {
		eve.send("<message to='%s' type='chat'>%s</message>", botJID, forged)
		eve.send("<message to='%s' type='chat'>%s</message>", d.resource(), forged)
	}
	for _, kind := range []string{"groupchat", "headline", "error"} {
		eve.send("<message to='%s' type='%s'><body>%s</body></message>", d.resource(), kind, kind)
	}
	eve.send("<message to='%s' type='chat' id='s'><stanza-id xmlns='urn:xmpp:sid:0' by='%s' id='mine'/>"+
		"<delay xmlns='urn:xmpp:delay' stamp='2001-01-01T00:00:00Z'/><body xmlns='urn:evil'>evil</body><body>plain</body>"+
		"<request xmlns='urn:xmpp:receipts'/></message>", botJID, botJID)
	m := d.message("plain")
	if m.From != "eve@"+host || m.Key == "mine/eve@"+host || time.Since(m.SentAt) > time.Hour {
		t.Errorf("message: %+v", m)
	}
	alice.say("the end")
	d.message("the end")
	if got := d.texts(); !slices.Equal(got, []string{"plain", "the end"}) {
		t.Errorf("kept %q", got)
	}
	// A stranger gets no receipt, and no more than a handful of messages is kept.
	for i := range 20 {
		eve.say(fmt.Sprint("spam ", i))
	}
	eve.ping()
	alice.say("after the spam")
	d.message("after the spam")
	if n := len(d.texts()); n > 2+1+strangerBurst {
		t.Errorf("kept %d messages", n)
	}
	eve.mu.Lock()
	defer eve.mu.Unlock()
	for _, c := range eve.chats {
		if c.Type != "error" {
			t.Errorf("eve got %+v", c)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !slices.Equal(d.logins, []bool{true}) {
		t.Errorf("logins %v", d.logins)
	}
}

func testCursor(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.run()
	alice.say("one")
	d.message("one")

	// The inbox fails: nothing is acknowledged, and it is read again.
	d.mu.Lock()
	d.failKeep = fmt.Errorf("no database")
	d.mu.Unlock()
	alice.send("<message to='%s' type='chat' id='two'><body>two</body><request xmlns='urn:xmpp:receipts'/></message>", botJID)
	alice.ping()
	d.mu.Lock()
	d.failKeep = nil
	d.mu.Unlock()
	d.message("two")
	d.stop()

	alice.say("three, while the desk was away")
	late := wireID("late", alice.jid)
	alice.send("<message to='%s'><received xmlns='urn:xmpp:receipts' id='%s'/></message>", botJID, late)
	alice.ping()
	d.own.position = position{} // as in a new process
	d.run()
	d.receipt(late)
	d.message("three, while the desk was away")
	d.stop()

	d.mu.Lock()
	d.cursor = "expired"
	d.mu.Unlock()
	alice.say("four")
	alice.ping()
	d.own.position = position{}
	d.run()
	d.message("four")
	want := []string{"one", "two", "three, while the desk was away", "four"}
	if got := d.texts(); !slices.Equal(got, want) {
		t.Errorf("kept %q", got)
	}
}

// The desk's first login finds an empty archive. What is written while it is down
// again is newer than that, and is read.
func testFirstLoginOnAnEmptyArchive(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.run()
	d.stop()
	alice.say("while away")
	alice.ping()
	d.own.position = position{}
	d.run()
	d.message("while away")
}

func testEncryptedMessagesAreRefusedInClear(t *testing.T, p *server) {
	alice, bob, eve := p.login("alice", "phone"), p.login("bob", "phone"), p.login("eve", "x")
	d := newDesk(t, p, p.addr)
	d.run()
	for _, c := range []*person{eve, alice} {
		c.send("<message to='%s' type='chat'><encrypted xmlns='eu.siacs.conversations.axolotl'><payload/></encrypted>"+
			"<store xmlns='urn:xmpp:hints'/><body>secret</body></message>", botJID)
		c.ping()
	}
	alice.chat("refusal", func(c xmpp.Chat) bool { return c.Text == d.config.Encrypted })
	bob.send("<message to='%s' type='chat'><openpgp xmlns='urn:xmpp:openpgp:0'/><encryption xmlns='urn:xmpp:eme:0' namespace='urn:xmpp:openpgp:0'/>"+
		"<store xmlns='urn:xmpp:hints'/></message>", botJID)
	bob.chat("refusal", func(c xmpp.Chat) bool { return c.Text == d.config.Encrypted })
	alice.say("in clear")
	d.message("in clear")
	if got := d.texts(); !slices.Equal(got, []string{"in clear"}) {
		t.Errorf("kept %q", got)
	}
	eve.ping()
	eve.mu.Lock()
	defer eve.mu.Unlock()
	if len(eve.chats) > 0 {
		t.Errorf("eve got %+v", eve.chats)
	}
}

func testLongMessagesAreCut(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.run()
	alice.say("ü" + strings.Repeat("x", maxText))
	alice.say("next")
	d.message("next")
	if got := d.texts(); len(got) != 2 || len(got[0]) != maxText {
		t.Errorf("kept %d messages", len(got))
	}
}

// Whoever writes without end, in every kind of stanza and in everybody's name, keeps
// nobody else from being heard, and is heard little.
func testFloods(t *testing.T, p *server) {
	alice, eve := p.login("alice", "phone"), p.login("eve", "x")
	d := newDesk(t, p, p.addr)
	d.inRoom()
	d.run()
	d.await("the desk is named", d.room.names)
	eve.join("eve")
	alice.say("before")
	d.message("before")
	for i := range 60 {
		for _, stanza := range []string{
			"<message to='%[1]s' type='chat'><body>flood %[3]d</body></message>",
			"<message to='%[2]s' type='normal'><body>flood %[3]d</body></message>",
			"<message to='%[1]s' type='error' id='%[3]d'><body>take 142</body><error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>",
			"<message to='%[1]s' type='headline'><body>take 142</body></message>",
			"<message to='%[4]s' type='groupchat'><body>desk: take 142</body></message>",
			"<presence to='%[2]s'><status>flood %[3]d</status></presence>",
			"<presence to='%[1]s' type='subscribe'/>",
			"<iq to='%[2]s' type='get' id='f%[3]d'><query xmlns='jabber:iq:version'/></iq>",
			"<iq to='%[2]s' type='set' id='r%[3]d'><query xmlns='jabber:iq:roster'><item jid='alice@helpdesk.test' subscription='remove'/></query></iq>",
		} {
			eve.send(stanza+"%[5]s", botJID, d.resource(), i, roomJID, "")
		}
		if i == 30 {
			alice.say("in the middle")
		}
	}
	alice.say("after")
	d.message("in the middle")
	d.message("after")
	eve.ping()
	alice.say("the end")
	d.message("the end")
	d.mu.Lock()
	defer d.mu.Unlock()
	strange := slices.DeleteFunc(slices.Clone(d.kept), func(m gateway.Message) bool { return m.From == "alice@"+host })
	if len(strange) > strangerBurst+1 || slices.ContainsFunc(strange, func(m gateway.Message) bool { return m.From != "eve@"+host || strings.Contains(m.Text, "take") }) {
		t.Errorf("kept %+v", strange)
	}
	if len(d.logins) != 1 || len(d.receipts) > 0 {
		t.Errorf("logins %v, receipts %v", d.logins, d.receipts)
	}
	eve.mu.Lock()
	defer eve.mu.Unlock()
	for _, c := range eve.chats {
		if bare(c.Remote) == botJID {
			t.Errorf("eve heard %+v", c)
		}
	}
	for _, a := range eve.iqs {
		if bare(a.From) == botJID && a.Type != "error" {
			t.Errorf("eve was answered %+v", a)
		}
	}
}

// Of what a person wrote, that comes first which was before what was read behind a gap,
// within one second too; what was after it is read later.
func TestAhead(t *testing.T) {
	list := func(ids string) (entries []archived) {
		for _, id := range strings.Fields(ids) {
			e := archived{ID: id}
			e.Forwarded.Delay.Stamp = time.Unix(int64(id[0]-'0'), 0) // the digit is the second
			entries = append(entries, e)
		}
		return entries
	}
	for _, tt := range []struct{ theirs, entries, want string }{
		{"1a 1b 1c", "1a 1b", ""},
		{"1a 1b 1c 1d", "1b 1c", "1a"},
		{"1a 2a 2c", "2b", "1a 2a 2c"}, // who knows
		{"1a 3a", "2a 2b", "1a"},
		{"1a 2a", "", "1a 2a"},
		{"", "1a", ""},
	} {
		var got []string
		for _, e := range ahead(list(tt.theirs), list(tt.entries)) {
			got = append(got, e.ID)
		}
		if strings.Join(got, " ") != tt.want {
			t.Errorf("%q before %q: %q, want %q", tt.theirs, tt.entries, got, tt.want)
		}
	}
}

// On a server that cannot send an entry of its archive the desk gets past it, and reads
// everything before, between and after.
func TestUnsendableEntriesArePassedOver(t *testing.T) {
	t.Parallel()
	p := startProsodyWith(t, "sqlite_tune")
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.timing.request, d.timing.poll = time.Second, time.Second
	alice.say("before the first login")
	alice.ping()
	d.run()
	d.stop()
	poison := func() {
		p.login("eve", randomHex(2)).send("<message to='%s' type='chat'><body>poison</body><a xmlns='urn:x' xml:foo='1'/></message>", botJID)
	}
	alice.say("number 0")
	alice.ping()
	poison()
	alice.say("number 1")
	alice.say("number 2")
	alice.ping()
	poison()
	alice.say("number 3")
	alice.ping()
	d.own.position = position{}
	d.run()
	d.message("number 3")
	if !strings.Contains(d.sink.String(), "cannot send an entry") {
		t.Error("the log does not say so: is this server sound?")
	}
	d.checkNumbers(4)
}

// What the server's parser lets through must not end the session: a stranger could
// keep the desk out, since the archive brings it again at every login.
func testStrangeStanzas(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.timing.request = startLimit // the server's time is not the question
	d.run()
	levels := 10_100 // more than encoding/xml takes; Prosody's time grows with their square, seconds here
	if p.fragile {
		levels = 100
	}
	for i, payload := range []string{
		strings.Repeat("<a>", levels) + strings.Repeat("</a>", levels),
		"<é/><a·b/><_x-1.2/>",
		"<a xml:lang='x' xml:space='preserve' xml:foo='1'/>",
		"<p:a xmlns:p='urn:p' p:b='1' b='2'/>",
		"<a xmlns=''><body>no name space</body></a>",
		"<a b='&#10;&#13;&#9;&lt;&quot;'>]]&gt;<![CDATA[<x>]]></a>",
		"<error xmlns='jabber:client' type='x'><Any/></error><Text/>",
		"<delay xmlns='urn:xmpp:delay' stamp='never'/><stanza-id xmlns='urn:xmpp:sid:0'/>",
		"<event xmlns='http://jabber.org/protocol/pubsub#event'><items><item/></items></event>",
		"<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><jid>x</jid></bind>",
		"<thread/><subject/><body/>",
	} {
		eve, err := p.tryLogin("eve", fmt.Sprint("x", i))
		if err != nil {
			t.Fatal(err)
		}
		for _, to := range []string{botJID, d.resource()} {
			eve.client.SendOrg(fmt.Sprintf("<message to='%s' type='chat'><store xmlns='urn:xmpp:hints'/>%s</message>", to, payload))
			eve.client.SendOrg(fmt.Sprintf("<presence to='%s'>%s</presence>", to, payload))
			eve.client.SendOrg(fmt.Sprintf("<iq to='%s' type='result' id='i'><q xmlns='urn:q'>%s</q></iq>", to, payload))
		}
		// Or the server has refused the stanza and closed eve's stream, or her own client
		// stumbled over what came back.
		eve.client.SendOrg("<iq type='get' id='z'><ping xmlns='urn:xmpp:ping'/></iq>")
		if !eventually(startLimit, func() bool { return eve.has("z") || eve.ended.Load() }) {
			t.Fatalf("the server does not answer after payload %d", i)
		}
		alice.say(fmt.Sprint("after ", i))
		d.message(fmt.Sprint("after ", i))
		d.mu.Lock()
		logins := len(d.logins)
		d.mu.Unlock()
		if logins != 1 {
			t.Fatalf("payload %d ended the session: %.60s", i, payload)
		}
	}
}
