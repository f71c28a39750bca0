package devstack

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-xmpp"
)

var (
	testBot   = Account{JID: "helpdesk@" + XMPPDomain, Password: "bot secret", Name: "Helpdesk"}
	testAlice = Account{JID: "alice@" + XMPPDomain, Password: `al"ice\ü`, Name: "Alice Amber"}
	testBob   = Account{JID: "bob@example.test", Password: "bob", Name: "Bob"}
)

func startProsody(t *testing.T, c ProsodyConfig) *Prosody {
	t.Helper()
	began := time.Now()
	p, err := StartProsody(t.Context(), c)
	needs(t, err)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("start %v", time.Since(began).Round(time.Millisecond))
	t.Cleanup(func() { stopServer(t, p.Server) })
	return p
}

// chat is one logged-in client. Its stanzas are read until the connection ends.
type chat struct {
	*xmpp.Client
	stanzas chan any
}

func login(t *testing.T, p *Prosody, a Account) *chat {
	t.Helper()
	authority, err := os.ReadFile(p.CAFile())
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	_, domain, _ := strings.Cut(a.JID, "@")
	client, err := (&xmpp.Options{
		Host: p.Addr(), User: a.JID, Password: a.Password, Resource: "test",
		NoTLS: true, StartTLS: true, TLSConfig: &tls.Config{RootCAs: roots, ServerName: domain},
		Status: "chat", StatusMessage: "here",
	}).NewClient()
	if err != nil {
		t.Fatalf("login %s: %v", a.JID, err)
	}
	c := &chat{Client: client, stanzas: make(chan any, 1000)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			stanza, err := client.Recv()
			if err != nil {
				return
			}
			c.stanzas <- stanza
		}
	}()
	t.Cleanup(func() {
		_, _ = client.SendOrg("</stream:stream>") // the server then closes, which ends Recv
		<-ended
	})
	return c
}

func (c *chat) expect(t *testing.T, what string, match func(any) bool) {
	t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		select {
		case stanza := <-c.stanzas:
			if match(stanza) {
				return
			}
		case <-deadline:
			t.Fatalf("no %s within 10 s", what)
		}
	}
}

func available(jid string) func(any) bool {
	return func(stanza any) bool {
		p, ok := stanza.(xmpp.Presence)
		return ok && strings.HasPrefix(p.From, jid+"/") && p.Type == "" && p.Status == "here"
	}
}

func TestProsody(t *testing.T) {
	t.Parallel()
	config := ProsodyConfig{Dir: t.TempDir(), Bot: testBot, Accounts: []Account{testAlice, testBob}}
	p := startProsody(t, config)
	needs(t, p.SlowArchive())
	checkPeople(t, p)

	authority := readFile(t, p.CAFile())
	certificate := readFile(t, filepath.Join(config.Dir, "server.pem"))
	stopServer(t, p.Server)
	again := startProsody(t, config)
	if readFile(t, again.CAFile()) != authority || readFile(t, filepath.Join(config.Dir, "server.pem")) != certificate {
		t.Error("a second start made new certificates")
	}
	if err := again.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := again.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	checkPeople(t, again)
	dialWebsocket(t, again)
}

// checkPeople: presence flows both ways although nobody ever subscribes, the desk stands in
// a person's roster by its name, people do not see each other, and messages arrive.
func checkPeople(t *testing.T, p *Prosody) {
	t.Helper()
	bot := login(t, p, testBot)
	for _, person := range []Account{testAlice, testBob} {
		human := login(t, p, person)
		human.expect(t, "presence of the desk for "+person.JID, available(testBot.JID))
		bot.expect(t, "presence of "+person.JID+" for the desk", available(person.JID))
		if err := human.Roster(); err != nil {
			t.Fatal(err)
		}
		human.expect(t, "roster of "+person.JID, func(stanza any) bool {
			iq, ok := stanza.(xmpp.IQ)
			text := string(iq.Query)
			return ok && strings.Contains(text, `jid='`+testBot.JID+`'`) && strings.Contains(text, `name='Helpdesk'`) &&
				strings.Contains(text, `subscription='both'`) && strings.Count(text, "<item") == 1
		})
		if _, err := human.Send(xmpp.Chat{Remote: testBot.JID, Type: "chat", Text: "printer"}); err != nil {
			t.Fatal(err)
		}
		bot.expect(t, "message from "+person.JID, func(stanza any) bool {
			message, ok := stanza.(xmpp.Chat)
			return ok && message.Text == "printer" && strings.HasPrefix(message.Remote, person.JID+"/")
		})
	}
}

func dialWebsocket(t *testing.T, p *Prosody) {
	t.Helper()
	address := strings.TrimSuffix(strings.TrimPrefix(p.WebsocketURL(), "ws://"), "/xmpp-websocket")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	request := "GET /xmpp-websocket HTTP/1.1\r\nHost: " + address + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n"
	if _, err := conn.Write([]byte(request)); err != nil {
		t.Fatal(err)
	}
	answer := make([]byte, 12)
	if _, err := conn.Read(answer); err != nil || string(answer) != "HTTP/1.1 101" {
		t.Fatalf("WebSocket: %q, %v", answer, err)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestProsodyRefusesBrokenAccounts(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("prosody"); err != nil {
		needs(t, &MissingError{Program: "Prosody", Hint: "run: make deps"})
	}
	for _, a := range []Account{{JID: "alice"}, {JID: "a b@x", Password: "p"}, {JID: "alice@x"}, {JID: "a@x/y", Password: "p"}} {
		_, err := StartProsody(t.Context(), ProsodyConfig{Dir: t.TempDir(), Bot: testBot, Accounts: []Account{a}})
		if err == nil || !strings.Contains(err.Error(), "needs an address like") {
			t.Errorf("%+v: %v", a, err)
		}
	}
}
