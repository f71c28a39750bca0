package sms_test

import (
	"strings"
	"testing"
	"time"

	"deskbell/devstack/smsc"
	"deskbell/gateway"
	"deskbell/gateway/sms"

	"github.com/google/go-cmp/cmp"
)

func TestOneTextOutAndItsReceipt(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	o := d.send(bob, "#142 P2 Printer: {on fire} €")
	if o.State != gateway.Sent || len(o.WireIDs) != 1 {
		t.Fatalf("outcome %+v", o)
	}
	eventually(t, "delivered", func() bool {
		r, ok := d.receipts.of(o.WireIDs[0])
		return ok && r.State == gateway.Delivered
	})
	got := d.shown(bob)
	if len(got) != 1 || got[0].Text != "#142 P2 Printer: {on fire} €" || got[0].Receipt != "delivered" ||
		got[0].Direction != "out" || got[0].Encoding != "GSM-7" || got[0].Segments != 1 {
		t.Fatalf("phone shows %+v", got)
	}
}

func TestOneTextIn(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	d.write(bob, "take 142 ñ €")
	eventually(t, "kept", func() bool { return len(d.inbox.messages()) == 1 })
	m := d.inbox.messages()[0]
	if m.From != bob || m.ReplyTo != bob || m.Text != "take 142 ñ €" || m.Part != nil || m.Channel != gateway.SMS {
		t.Fatalf("message %+v", m)
	}
	if age := d.clock.Now().Sub(m.SentAt); age < 0 || age > time.Minute {
		t.Fatalf("network's stamp is %s old", age)
	}
	eventually(t, "acknowledged", func() bool { return d.shown(bob)[0].Receipt == "delivered" })
	eventually(t, "confirmed", func() bool { return d.inbox.confirmedCount() == 1 })
}

func TestLongTexts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"GSM with escapes": strings.Repeat("{€}abc", 80),
		"emoji":            strings.Repeat("👩‍👩‍👧‍👦🇩🇪 ok ", 30),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := setup(t, nil)
			o := d.send(bob, text)
			if o.State != gateway.Sent || len(o.WireIDs) < 3 {
				t.Fatalf("outcome %+v", o)
			}
			if diff := cmp.Diff(text, d.shown(bob)[0].Text); diff != "" {
				t.Fatal(diff)
			}
			d.write(eve, text)
			eventually(t, "all parts", func() bool {
				m := d.inbox.messages()
				return len(m) > 0 && len(m) == m[0].Part.Total
			})
			var parts []gateway.Part
			for _, m := range d.inbox.messages() {
				parts = append(parts, *m.Part)
			}
			if got, err := sms.Join(parts); err != nil || got != text {
				t.Fatalf("joined %q, %v", got, err)
			}
		})
	}
}

func TestPhoneOffAndValidity(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	d.power(bob, false)
	kept := d.send(bob, "wait for me")
	stale := d.gateway.Send(t.Context(), gateway.Delivery{Key: "stale", To: bob, Text: "old news", Expires: d.clock.Now().Add(time.Minute)})
	if kept.State != gateway.Sent || stale.State != gateway.Sent {
		t.Fatalf("outcomes %+v %+v", kept, stale)
	}
	d.clock.Set(2 * time.Minute)
	eventually(t, "expired", func() bool {
		r, ok := d.receipts.of(stale.WireIDs[0])
		return ok && r.State == gateway.Expired
	})
	if _, ok := d.receipts.of(kept.WireIDs[0]); ok {
		t.Fatal("a phone that is off has nothing")
	}
	d.power(bob, true)
	eventually(t, "delivered", func() bool {
		r, ok := d.receipts.of(kept.WireIDs[0])
		return ok && r.State == gateway.Delivered
	})
}

func TestStoreAndForward(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, c := startSMSC(t, func(c *smsc.Config) { c.Dir = dir })
	d := &desk{t: t, smsc: s, clock: c}
	d.write(bob, "nobody is bound")
	d.bind(s.SMPPAddr(), nil)
	eventually(t, "kept", func() bool { return len(d.inbox.messages()) == 1 })
}

func TestRefusedDestinations(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	for _, to := range []string{helpdesk, "HELPDESK", "71234", ""} {
		if o := d.send(to, "hello"); o.State != gateway.Failed {
			t.Errorf("to %q: %+v", to, o)
		}
	}
	if o := d.gateway.Send(t.Context(), gateway.Delivery{Key: "k", To: bob, Text: "x", Expires: d.clock.Now().Add(-time.Second)}); o.State != gateway.Expired {
		t.Errorf("expired: %+v", o)
	}
}

func TestSendersThatCannotBeAnswered(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	d.write("71234", "short")
	d.write("Carrier", "name")
	eventually(t, "both", func() bool { return len(d.inbox.messages()) == 2 })
	for _, m := range d.inbox.messages() {
		if m.ReplyTo != "" || m.From != "71234" && m.From != "Carrier" {
			t.Errorf("message %+v", m)
		}
	}
}

func TestOurOwnNumberIsIgnored(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	d.write(helpdesk, "loop")
	eventually(t, "acknowledged", func() bool { return d.shown(helpdesk)[0].Receipt == "delivered" })
	if n := len(d.inbox.messages()); n != 0 {
		t.Fatalf("%d messages kept", n)
	}
}
