package sms_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"deskbell/clock"
	"deskbell/gateway"
	"deskbell/gateway/sms"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
	"github.com/google/go-cmp/cmp"
)

// What only a peer that writes each PDU itself can bring about.

// A PDU that comes twice is one message, also when the first was answered
// already; the same words under another number are another.
func TestSamePDUTwice(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, nil)
	for _, c := range []struct {
		seq  uint32
		rows int
	}{{7, 1}, {7, 1}, {8, 2}, {8, 2}} {
		p.write(deliver(c.seq, "ok"))
		for { // an enquire_link goes unanswered: its answer would confirm the message
			if got := p.read(); got.ID == pdu.DeliverSMRespID {
				if got.Seq != c.seq || got.Status != sms.StatusOK {
					t.Errorf("answer %+v", got)
				}
				break
			}
		}
		if n := len(d.inbox.messages()); n != c.rows {
			t.Errorf("%d rows after number %d, want %d", n, c.seq, c.rows)
		}
	}
}

// The copy that waits for its commit while the answer to the first is proven to have
// arrived is no new message either.
func TestSamePDUTwiceBeforeTheProof(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, nil)
	p.write(deliver(7, "ok"))
	p.expect(pdu.DeliverSMRespID)
	proof := p.expect(pdu.EnquireLinkID).Response(sms.StatusOK)
	p.write(deliver(7, "ok"), proof)
	p.expect(pdu.DeliverSMRespID)
	if n := len(d.inbox.messages()); n != 1 {
		t.Errorf("%d rows", n)
	}
	p.expect(pdu.EnquireLinkID) // nothing else proves the second answer
}

// A message does not wait for the confirmation of another one, and is not refused for
// it; what failed is confirmed with the next.
func TestConfirmationHoldsUpNothing(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, nil)
	set := func(err error) { d.inbox.mu.Lock(); defer d.inbox.mu.Unlock(); d.inbox.confirms = err }
	set(errors.New("away"))
	for seq, text := range []string{"one", "two"} {
		p.write(deliver(uint32(seq+1), text))
		if got := p.expect(pdu.DeliverSMRespID); got.Status != sms.StatusOK {
			t.Errorf("answer %+v", got)
		}
		p.answer(p.expect(pdu.EnquireLinkID), sms.StatusOK) // the proof
		eventually(t, "tried", func() bool { d.inbox.mu.Lock(); defer d.inbox.mu.Unlock(); return d.inbox.failed > seq })
	}
	set(nil)
	p.write(deliver(3, "three"))
	p.expect(pdu.DeliverSMRespID)
	p.answer(p.expect(pdu.EnquireLinkID), sms.StatusOK)
	eventually(t, "all confirmed", func() bool { return d.inbox.confirmedCount() == 3 })
}

// An answer that comes twice answers nothing else.
func TestSameAnswerTwice(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, nil)
	for _, id := range []string{"1", "2", "3"} {
		out := d.sendLater("to " + id)
		submit := p.expect(pdu.SubmitSMID)
		answer := submit.Response(sms.StatusOK)
		answer.Fields = pdufield.Map{}
		_ = answer.Fields.Set(pdufield.MessageID, id)
		p.write(answer, answer)
		if o := <-out; o.State != gateway.Sent || o.WireIDs[0] != "dev/"+id {
			t.Errorf("outcome %+v", o)
		}
	}
}

// A receipt finds its message on whatever bind of its network it comes, after the
// response to the submit or before.
func TestReceiptOnAnotherBind(t *testing.T) {
	t.Parallel()
	for name, separate := range map[string]bool{"receiver and transmitter": true, "two SMSCs of one network": false} {
		for _, before := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, before the response %v", name, before), func(t *testing.T) {
				t.Parallel()
				sends, brings, router, receipts := twoBinds(t, separate)
				receipt := deliverMessage(5, sms.ShortMessage{ESMClass: 4, Body: []byte("id:77 stat:DELIVRD err:000")})
				bring := func() {
					brings.write(receipt)
					if got := brings.expect(pdu.DeliverSMRespID); got.Seq != 5 || got.Status != sms.StatusOK {
						t.Errorf("answer %+v", got)
					}
				}
				out := make(chan gateway.Outcome, 1)
				go func() { out <- router.Send(t.Context(), gateway.Delivery{Key: "k", To: bob, Text: "x"}) }()
				submit := sends.expect(pdu.SubmitSMID)
				if before {
					bring()
				}
				sends.answer(submit, sms.StatusOK)
				o := <-out
				if !before {
					bring()
				}
				if o.State != gateway.Sent || len(o.WireIDs) != 1 {
					t.Fatalf("outcome %+v", o)
				}
				if r, ok := receipts.of(o.WireIDs[0]); !ok || r.State != gateway.Delivered {
					t.Errorf("receipt %+v for %s", r, o.WireIDs[0])
				}
			})
		}
	}
}

// twoBinds is a router on two binds of one network: the one that sends and the
// other.
func twoBinds(t *testing.T, separate bool) (sends, brings *peer, router *sms.Router, all *receipts) {
	t.Helper()
	first, second := newPeer(t), newPeer(t)
	configs := []sms.Config{{Name: "net", Addr: first.listener.Addr().String(), SystemID: systemID, Number: helpdesk, Separate: separate}}
	if separate {
		second.listener = first.listener
	} else {
		other := configs[0]
		other.Addr = second.listener.Addr().String()
		configs = append(configs, other)
	}
	all = &receipts{}
	router, err := sms.NewRouter(configs, &inbox{}, all, &clock.Movable{}, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { router.Run(ctx, func(ctx context.Context) error { <-ctx.Done(); return nil }) })
	t.Cleanup(func() {
		first.conn.Close()
		second.conn.Close()
		cancel()
		run.Wait()
	})
	for _, p := range []*peer{first, second} {
		if p.conn, err = p.listener.Accept(); err != nil {
			t.Fatal(err)
		}
		request := p.read()
		p.write(request.Response(sms.StatusOK))
		if request.ID == pdu.BindReceiverID {
			brings = p
		} else if sends == nil {
			sends = p
		} else {
			brings = p
		}
	}
	eventually(t, "bound", router.Bound)
	return sends, brings, router, all
}

// Latin-1 comes in under its own number, and both ways under that of the default
// alphabet of an SMSC that means Latin-1 by it. What Latin-1 lacks goes out as UCS-2.
func TestLatin1(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, func(c *sms.Config) { c.Latin1 = true })
	const text, octets = "Grüße @ naïve Straße", "Gr\xfc\xdfe @ na\xefve Stra\xdfe"
	for seq, coding := range []byte{3, 0} {
		p.write(deliverMessage(uint32(seq+1), sms.ShortMessage{Coding: coding, Body: []byte(octets)}))
		p.expect(pdu.DeliverSMRespID)
	}
	if diff := cmp.Diff([]string{text, text}, d.inbox.texts()); diff != "" {
		t.Error(diff)
	}
	for _, c := range []struct {
		text, body string
		coding     byte
	}{
		{"Grüße @ Straße", "Gr\xfc\xdfe @ Stra\xdfe", 0},
		{"5 €", "\x005\x00 \x20\xac", 8},
	} {
		out := d.sendLater(c.text)
		submit := p.expect(pdu.SubmitSMID)
		p.answer(submit, sms.StatusOK)
		<-out
		m, err := sms.ParseShortMessage(submit)
		if err != nil || m.Coding != c.coding || string(m.Body) != c.body {
			t.Errorf("%s left as %q under %d: %v", c.text, m.Body, m.Coding, err)
		}
	}
}

// What the network does not take at once follows in order, whoever began to write
// it: a caller alone in the window, a reader with answers, the writer.
func TestDefect05SlowPeerGetsWholeFrames(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	ours := p.link()
	if err := ours.(*net.TCPConn).SetWriteBuffer(4 << 10); err != nil { // less than one frame
		t.Fatal(err)
	}
	s := sms.NewSession(ours, sms.SessionConfig{
		Handle: func(s *sms.Session, p sms.PDU) { _ = s.Reply(p.Response(sms.StatusOK)) }, Window: 8, Log: logger(t),
	})
	var work sync.WaitGroup
	defer work.Wait()
	defer s.Close(sms.ErrUnbound)
	work.Go(func() { _ = s.Run(t.Context()) })

	// Two rounds: one caller, then as many as the window.
	const calls = 10
	for _, callers := range []int{1, 8} {
		var calling sync.WaitGroup
		for c := range callers {
			calling.Go(func() {
				for i := range calls {
					body := bytes.Repeat([]byte{byte('a' + (c+i)%26)}, 30<<10+c)
					submit, err := sms.ShortMessage{Source: sms.NumberAddress(helpdesk), Dest: sms.NumberAddress(bob), Body: body}.PDU(pdu.SubmitSMID)
					if err != nil {
						t.Error(err)
					}
					if _, err := s.Call(t.Context(), submit); err != nil {
						t.Error(err)
					}
				}
			})
		}
		answered := 0
		for i := range callers * calls {
			p.write(deliver(uint32(i+1), "meanwhile"))
			got := p.read()
			for ; got.ID == pdu.DeliverSMRespID; got = p.read() {
				answered++
			}
			m, err := sms.ParseShortMessage(got)
			if err != nil || got.ID != pdu.SubmitSMID || len(bytes.Trim(m.Body, string(m.Body[:1]))) != 0 || len(m.Body)>>10 != 30 {
				t.Fatalf("a torn frame: %v %v, %d octets", got.ID, err, len(m.Body))
			}
			p.answer(got, sms.StatusOK)
		}
		for ; answered < callers*calls; answered++ {
			p.expect(pdu.DeliverSMRespID)
		}
		calling.Wait()
	}
}
