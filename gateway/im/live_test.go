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
	d := newDesk(t, p, p.addr)
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
	d.stop()
	alice.say("while away again")
	alice.ping()
	d.run()
	d.message("while away again")
	if got := d.texts(); !slices.Equal(got, []string{"while away", "take 142", "while away again"}) {
		t.Errorf("kept %q", got)
	}
	if !strings.Contains(d.sink.String(), "no message archive") {
		t.Error("the log does not say so")
	}
}
