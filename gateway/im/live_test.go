package im

import (
	"slices"
	"strings"
	"testing"

	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

// Without an archive what people write is kept from the live stream, and what they
// write while the desk is away from offline storage; the log says what that means.
func TestWithoutAnArchive(t *testing.T) {
	t.Parallel()
	p := startProsodyWith(t, "time")
	alice, eve := p.login("alice", "phone"), p.login("eve", "x")
	w := newWeather(t, p.addr)
	d := newDesk(t, p, w.addr())
	alice.say("while away")
	alice.ping()
	d.run()
	d.message("while away")
	alice.send("<message to='%s' type='chat' id='m1'><body>take 142</body><request xmlns='urn:xmpp:receipts'/><origin-id xmlns='urn:xmpp:sid:0' id='m1'/></message>", botJID)
	if m := d.message("take 142"); m.From != "alice@"+host || m.ReplyTo != alice.jid || m.Cursor != "" {
		t.Errorf("%+v", m)
	}
	alice.chat("receipt", func(c xmpp.Chat) bool { return has(c, nsReceipts, "received") })
	eve.send("<message to='%s' type='chat'><received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' "+
		"from='alice@helpdesk.test/phone' to='desk@helpdesk.test' type='chat'><body>forged</body></message></forwarded></received></message>", d.resource())
	eve.ping()
	if o := d.Send(t.Context(), gateway.Delivery{Key: "k", To: "alice@" + host, Text: "yours"}); o.State != gateway.Sent {
		t.Errorf("%+v", o)
	}
	alice.send("<message to='%s' type='chat'><reply xmlns='urn:xmpp:reply:0' to='%s' id='o1'/><fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='8'/></fallback><body>&gt; quote\nyes</body></message>", botJID, botJID)
	alice.send("<message to='%s' type='chat'><reactions xmlns='urn:xmpp:reactions:0' id='o2'><reaction>👍</reaction></reactions></message>", botJID)
	if yes, thumb := d.message("yes"), d.message("👍"); yes.Quotes != "o1" || thumb.Quotes != "o2" {
		t.Errorf("%+v, %+v", yes, thumb)
	}
	alice.send("<message to='%s' type='chat'><encrypted xmlns='eu.siacs.conversations.axolotl'/></message>", botJID)
	alice.chat("refusal", func(c xmpp.Chat) bool { return c.Text == d.config.Encrypted })

	// What the server has written into a connection that breaks is lost. Should this ever
	// change, the log and docs/operations.md promise too little.
	before := d.current()
	w.set(true)
	alice.say("into the hole")
	alice.ping()
	w.reset()
	w.set(false)
	d.await("another login", func() bool { now := d.current(); return now != nil && now != before })
	d.stop()
	alice.say("while away again")
	alice.ping()
	d.run()
	d.message("while away again")
	if got := d.texts(); !slices.Equal(got, []string{"while away", "take 142", "yes", "👍", "while away again"}) {
		t.Errorf("kept %q", got)
	}
	for _, said := range []string{"no message archive", "may be lost", "sender's word"} {
		if !strings.Contains(d.sink.String(), said) {
			t.Errorf("the log does not say %q", said)
		}
	}
}
