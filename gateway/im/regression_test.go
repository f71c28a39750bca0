package im

import (
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

// The defects of go-xmpp v0.2.18 by number, each with what must hold in spite of it.
// Those that have whole tests of their own elsewhere:
//
//	D3  TestLoginFails ("silent server"): login ends with its context
//	D4  TestFailedLoginsLeaveNoDescriptors
//	D5  TestStreamErrorWaitsLonger: no condition, so every stream error may be a conflict
//	D7  TestBenignErrors, TestForgeriesAreNotRead
//	D8  TestSendingOnABadNetwork: our own pings end a dead session
//	D9  every test here under -race: Close is never called
//	D14 TestLoginFails ("other domain"), TestProxyIsBypassed

// D1: the library hides a message's id. The archive has it: receipts, replies and
// bounces are matched by it, with no origin-id anywhere.
func testD1IdsComeFromTheArchive(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.run()
	alice.send("<message to='%s' type='chat' id='only-id'><body>take 142</body><request xmlns='urn:xmpp:receipts'/></message>", botJID)
	c := alice.chat("receipt", func(c xmpp.Chat) bool { return has(c, nsReceipts, "received") })
	for _, e := range c.OtherElem {
		if e.XMLName.Space == nsReceipts && attribute(e, "id") != "only-id" {
			t.Errorf("%+v", e)
		}
	}
}

// D2: an end of the stream in the middle of a stanza leaves the library's lock held:
// its next Recv and Close would wait for ever. The session ends all the same, and a
// new one reads what was lost.
func testD2AnEndInTheMiddleOfAStanza(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	w := newWeather(t, p.addr)
	d := newDesk(t, p, w.addr())
	d.run()
	first := d.current()
	w.cutAfter(20_000)
	text := strings.Repeat("x", 50_000)
	alice.say(text)
	select {
	case <-first.done:
	case <-time.After(10 * time.Second):
		t.Fatal("the session did not end")
	}
	d.message(text)
}

// D6: the condition of a refused request is lost, so an expired cursor looks like any
// refusal: the desk goes back by time, once, and says what it does.
func testD6ARefusedQueryGoesBackByTime(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.cursor, d.stamp = "unknown to the server", time.Now()
	alice.say("before")
	alice.ping()
	d.run()
	d.message("before")
}

// D10: the library writes <show/> and the status of its initial presence unescaped.
// The login has a show, and a text only afterwards, in a stanza of ours.
func testD10InitialPresence(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.SetStatus("<3 & waiting>")
	d.run()
	find(alice, &alice.said, "text", func(s xmpp.Presence) bool { return bare(s.From) == botJID && s.Status == "<3 & waiting>" })
	alice.mu.Lock()
	defer alice.mu.Unlock()
	for _, s := range alice.said {
		if bare(s.From) == botJID && s.Type == "" && s.Status == "" && s.Show != "chat" {
			t.Errorf("initial presence %+v", s)
		}
	}
}

// D11 and D12: the library takes any <body>, and any <delay> of the sender's. The text
// and the time are those of the archive's entry, in any form of XML's times.
func TestD11D12TextAndTimeAreTheArchives(t *testing.T) {
	t.Parallel()
	for _, stamp := range []string{"2026-11-22T20:00:00Z", "2026-11-22T20:00:00+00:00", "2026-11-22T21:00:00.000+01:00"} {
		a, err := parseArchived(xmpp.XMLElement{InnerXML: "<forwarded xmlns='urn:xmpp:forward:0'><delay xmlns='urn:xmpp:delay' stamp='" + stamp + "'/>" +
			"<message xmlns='jabber:client' from='a@b/c'><delay xmlns='urn:xmpp:delay' stamp='2001-01-01T00:00:00Z'/>" +
			"<body xmlns='urn:evil'>evil</body><body>hi</body><body xml:lang='de'>hallo</body></message></forwarded>"})
		if want := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC); err != nil || !a.Forwarded.Delay.Stamp.Equal(want) || a.Forwarded.Message.text() != "hi" {
			t.Errorf("%s: %v, %q, %v", stamp, a.Forwarded.Delay.Stamp, a.Forwarded.Message.text(), err)
		}
	}
}

// D13: the library hands a query over with its name space twice.
func TestD13TwoNameSpaces(t *testing.T) {
	t.Parallel()
	if got := rootOf([]byte("<query xmlns='jabber:iq:version' xmlns='jabber:iq:version'/>")); got.Space != nsVersion {
		t.Errorf("%v", got)
	}
}

// D15: the library panics for some certificates. A panic is a failed login.
func TestD15APanicIsAFailedLogin(t *testing.T) {
	t.Parallel()
	p := startProsody(t)
	link, err := openRelay(t.Context(), p.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer link.close()
	client, err := login(xmpp.Options{Host: link.address(), User: botJID, Password: password, NoTLS: true, StartTLS: true, TLSConfig: &tls.Config{
		ServerName: host, RootCAs: p.roots, VerifyConnection: func(tls.ConnectionState) error { panic("nil hash") },
	}})
	if client != nil || err == nil || !strings.Contains(err.Error(), "XMPP library: ") {
		t.Errorf("%v", err)
	}
}

// D16: there is no stream management in the library, so a written message may be
// lost. It counts as sent only when the server has answered a later ping, and as
// unknown when it has not.
func testD16SentIsProven(t *testing.T, p *server) {
	w := newWeather(t, p.addr)
	d := newDesk(t, p, w.addr())
	d.timing.request = time.Second
	d.run()
	if o := d.Send(t.Context(), gateway.Delivery{Key: "a", To: "alice@" + host, Text: "x"}); o.State != gateway.Sent {
		t.Errorf("%+v", o)
	}
	w.set(true)
	if o := d.Send(t.Context(), gateway.Delivery{Key: "b", To: "alice@" + host, Text: "x"}); o.State != gateway.Unknown {
		t.Errorf("%+v", o)
	}
	w.reset()
	w.set(false)
}

// D17 and D18, and the missing escapes of 1.2: none of the library's own ways to write
// a stanza is used, but the one that writes ours as they are.
func TestD17D18OnlyOurOwnStanzas(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`s\.client\.([A-Z]\w*)\(`)
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(source), -1) {
			if m[1] != "SendOrg" && m[1] != "Recv" && m[1] != "JID" {
				t.Errorf("%s calls the library's %s", file, m[1])
			}
		}
	}
}

// A lost connection: killed, the server is missed at once; in a black hole by the
// ping, and not by the library.
func testLostTCP(t *testing.T, p *server) {
	w := newWeather(t, p.addr)
	d := newDesk(t, p, w.addr())
	d.timing.request, d.timing.ping = 500*time.Millisecond, 200*time.Millisecond
	d.run()
	s := d.current()
	w.set(true)
	select {
	case <-s.done:
		if !strings.Contains(fmt.Sprint(s.cause), "ping") {
			t.Errorf("cause %v", s.cause)
		}
	case <-time.After(10 * time.Second):
		t.Error("nobody missed the server")
	}
	w.reset()
	w.set(false)
}
