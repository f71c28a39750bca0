package sms_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"deskbell/clock"
	"deskbell/gateway"
	"deskbell/gateway/sms"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutlv"
	"github.com/google/go-cmp/cmp"
)

// These tests keep us free of the defects that were found in the client types of
// go-smpp, whose numbers they bear.

// peer is an SMSC that says exactly what a test makes it say.
type peer struct {
	t        *testing.T
	listener net.Listener
	conn     net.Conn
}

func newPeer(t *testing.T) *peer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{t: t, listener: listener}
	t.Cleanup(func() {
		listener.Close()
		if p.conn != nil {
			p.conn.Close()
		}
	})
	return p
}

// accept takes the next link and answers its bind.
func (p *peer) accept() {
	p.t.Helper()
	conn, err := p.listener.Accept()
	if err != nil {
		p.t.Error(err)
		return
	}
	p.conn = conn
	p.answer(p.read(), sms.StatusOK)
}

// link is our end of a new link to the peer, without a bind.
func (p *peer) link() net.Conn {
	p.t.Helper()
	ours, err := net.Dial("tcp", p.listener.Addr().String())
	if err != nil {
		p.t.Fatal(err)
	}
	if p.conn, err = p.listener.Accept(); err != nil {
		p.t.Fatal(err)
	}
	return ours
}

func (p *peer) read() sms.PDU {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	frame, err := sms.ReadFrame(p.conn)
	if err != nil {
		p.t.Fatal(err)
	}
	decoded, err := sms.Decode(frame)
	if err != nil {
		p.t.Fatal(err)
	}
	return decoded
}

// expect reads until a PDU of the kind comes; enquire_link is answered.
func (p *peer) expect(id pdu.ID) sms.PDU {
	p.t.Helper()
	for {
		got := p.read()
		if got.ID == id {
			return got
		}
		if got.ID == pdu.EnquireLinkID {
			p.answer(got, sms.StatusOK)
		}
	}
}

func (p *peer) write(pdus ...sms.PDU) {
	p.t.Helper()
	for _, one := range pdus {
		frame, err := sms.Encode(one)
		if err != nil {
			p.t.Fatal(err)
		}
		p.raw(frame)
	}
}

func (p *peer) raw(frame []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(frame); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) answer(request sms.PDU, status pdu.Status) {
	p.t.Helper()
	answer := request.Response(status)
	answer.Fields = pdufield.Map{}
	_ = answer.Fields.Set(pdufield.MessageID, "77")
	p.write(answer)
}

func deliver(seq uint32, text string) sms.PDU {
	return deliverMessage(seq, sms.ShortMessage{Body: []byte(text)})
}

func deliverMessage(seq uint32, m sms.ShortMessage) sms.PDU {
	m.Source, m.Dest = sms.NumberAddress(bob), sms.NumberAddress(helpdesk)
	p, err := m.PDU(pdu.DeliverSMID)
	if err != nil {
		panic(err)
	}
	p.Seq = seq
	return p
}

func rawFrame(id uint32, seq uint32, body []byte) []byte {
	frame := make([]byte, 16, 16+len(body))
	binary.BigEndian.PutUint32(frame, uint32(16+len(body)))
	binary.BigEndian.PutUint32(frame[4:], id)
	binary.BigEndian.PutUint32(frame[12:], seq)
	return append(frame, body...)
}

func peerDesk(t *testing.T, edit func(*sms.Config)) (*peer, *desk) {
	t.Helper()
	p := newPeer(t)
	d := &desk{t: t, clock: &clock.Movable{}}
	var accepted sync.WaitGroup
	accepted.Go(p.accept)
	d.bind(p.listener.Addr().String(), edit)
	accepted.Wait()
	t.Cleanup(func() { p.conn.Close() }) // before the gateway takes leave
	return p, d
}

func (d *desk) sendLater(text string) <-chan gateway.Outcome {
	out := make(chan gateway.Outcome, 1)
	go func() { out <- d.send(eve, text) }()
	return out
}

func TestDefect01SequenceCollision(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, nil)
	out := d.sendLater("hello")
	submit := p.expect(pdu.SubmitSMID)
	p.write(deliver(submit.Seq, "same number"))
	if answer := p.expect(pdu.DeliverSMRespID); answer.Seq != submit.Seq || answer.Status != sms.StatusOK {
		t.Errorf("answer %+v", answer)
	}
	p.answer(submit, sms.StatusOK)
	if o := <-out; o.State != gateway.Sent || o.WireIDs[0] != "dev/77" {
		t.Errorf("outcome %+v", o)
	}
	if diff := cmp.Diff([]string{"same number"}, d.inbox.texts()); diff != "" {
		t.Error(diff)
	}
}

func TestDefect02AcknowledgementStaysOnItsSession(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, nil)
	hold := make(chan struct{})
	d.inbox.mu.Lock()
	d.inbox.hold = hold
	d.inbox.mu.Unlock()
	p.write(deliver(1, "slow"))
	p.write(sms.PDU{ID: pdu.EnquireLinkID, Seq: 2})
	p.expect(pdu.EnquireLinkRespID) // the message is in work
	p.conn.Close()
	eventually(t, "gone", func() bool { return !d.gateway.Bound() })
	close(hold)
	p.accept()
	p.write(sms.PDU{ID: pdu.EnquireLinkID, Seq: 3})
	for {
		switch got := p.read(); got.ID {
		case pdu.DeliverSMRespID:
			t.Fatal("acknowledged on the wrong session")
		case pdu.EnquireLinkRespID:
			p.write(deliver(9, "slow")) // as an SMSC must
			if answer := p.expect(pdu.DeliverSMRespID); answer.Seq != 9 || answer.Status != sms.StatusOK {
				t.Errorf("answer %+v", answer)
			}
			if n := len(d.inbox.messages()); n != 1 || d.inbox.repeats != 1 {
				t.Errorf("%d rows, %d repeats", n, d.inbox.repeats)
			}
			return
		}
	}
}

func TestDefect03SlowHandlerHoldsUpNothing(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, nil)
	hold := make(chan struct{})
	d.inbox.mu.Lock()
	d.inbox.hold = hold
	d.inbox.mu.Unlock()
	for seq := range uint32(50) {
		p.write(deliver(seq+1, "slow"))
	}
	out := d.sendLater("quick")
	p.answer(p.expect(pdu.SubmitSMID), sms.StatusOK)
	if o := <-out; o.State != gateway.Sent {
		t.Errorf("outcome %+v", o)
	}
	p.write(sms.PDU{ID: pdu.EnquireLinkID, Seq: 99})
	p.expect(pdu.EnquireLinkRespID)
	close(hold)
	for range 50 {
		p.expect(pdu.DeliverSMRespID)
	}
}

func TestDefect04PoisonCostsOneFrame(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, nil)
	tlv := func(tag uint16, length int, value []byte) []byte {
		return append([]byte{byte(tag >> 8), byte(tag), byte(length >> 8), byte(length)}, value...)
	}
	message, err := sms.Encode(deliver(1, "x"))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		frame  []byte
		answer pdu.ID // 0: none is due
		status pdu.Status
	}{
		"alert_notification":         {rawFrame(0x102, 5, []byte("\x01\x014670\x00\x01\x0146\x00")), 0, 0},
		"outbind":                    {rawFrame(0x0B, 5, []byte("a\x00b\x00")), 0, 0},
		"unknown command":            {rawFrame(0x0777, 5, nil), pdu.GenericNACKID, sms.StatusInvalidID},
		"query_sm":                   {rawFrame(0x03, 5, []byte("1\x00\x00\x00\x00")), pdu.GenericNACKID, sms.StatusInvalidID},
		"larger than a frame":        {rawFrame(0x05, 5, make([]byte, 70<<10)), pdu.DeliverSMRespID, sms.StatusInvalidLen},
		"truncated parameter":        {rawFrame(0x05, 5, append(bytes.Clone(message[16:]), tlv(0x424, 200, []byte("short"))...)), pdu.DeliverSMRespID, sms.StatusPermanent},
		"empty deliver_sm":           {rawFrame(0x05, 5, nil), pdu.DeliverSMRespID, sms.StatusPermanent},
		"empty data_sm":              {rawFrame(0x103, 5, nil), pdu.DataSMRespID, sms.StatusPermanent},
		"submit_sm from an SMSC":     {rawFrame(0x04, 5, message[16:]), pdu.SubmitSMRespID, sms.StatusInvalidID},
		"answer without a question":  {rawFrame(0x80000004, 5, []byte("1\x00")), 0, 0},
		"header longer than message": {rawFrame(0x05, 5, udhLongerThanMessage(t)), pdu.DeliverSMRespID, sms.StatusPermanent},
	} {
		p.raw(tc.frame)
		if tc.answer != 0 {
			if got := p.expect(tc.answer); got.Seq != 5 || got.Status != tc.status {
				t.Errorf("%s: answer %+v", name, got)
			}
		}
	}
	// A payload beyond the library's own limit of 4096 octets is a message like any.
	long := strings.Repeat("0123456789", 1000)
	p.write(deliver(6, long))
	if got := p.expect(pdu.DeliverSMRespID); got.Seq != 6 || got.Status != sms.StatusOK {
		t.Errorf("answer %+v", got)
	}
	if diff := cmp.Diff([]string{long}, d.inbox.texts()); diff != "" {
		t.Error(diff)
	}
	if !d.gateway.Bound() {
		t.Error("the link was lost")
	}
}

func udhLongerThanMessage(t *testing.T) []byte {
	frame, err := sms.Encode(deliverMessage(1, sms.ShortMessage{UDH: []byte{0, 3, 1, 2, 1}, Body: []byte("x")}))
	if err != nil {
		t.Fatal(err)
	}
	frame[len(frame)-7] = 200 // the header's length octet
	return frame[16:]
}

func TestDefect05PeerStopsReading(t *testing.T) {
	t.Parallel()
	ours, theirs := net.Pipe() // without a reader every write blocks
	defer theirs.Close()
	s := sms.NewSession(ours, sms.SessionConfig{
		Handle: func(*sms.Session, sms.PDU) {}, Window: 1000, WriteTimeout: 100 * time.Millisecond, Log: logger(t),
	})
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()
	var calls sync.WaitGroup
	for range 500 {
		calls.Go(func() {
			p, err := sms.ShortMessage{Source: sms.NumberAddress(helpdesk), Dest: sms.NumberAddress(bob), Body: []byte("x")}.PDU(pdu.SubmitSMID)
			if err != nil {
				t.Error(err)
			}
			if _, err := s.Call(t.Context(), p); !errors.Is(err, sms.ErrNotSent) && !errors.Is(err, sms.ErrUnknown) {
				t.Errorf("call ended with %v", err)
			}
		})
	}
	calls.Wait()
	var timeout net.Error
	if err := <-ended; !errors.As(err, &timeout) || !timeout.Timeout() {
		t.Errorf("session ended with %v", err)
	}
}

// An SMSC that takes the connection and never answers the bind does not hold the
// gateway for ever, nor when it is told to stop.
func TestDefect06BindIsNeverAnswered(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	g, err := sms.New(sms.Config{Addr: p.listener.Addr().String(), SystemID: "x", Number: helpdesk}, &inbox{}, &receipts{}, clock.System{}, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { g.Run(ctx); close(done) }()
	if p.conn, err = p.listener.Accept(); err != nil {
		t.Fatal(err)
	}
	cancel()
	select {
	case <-done:
	case <-time.After(5 * time.Second):
		t.Fatal("still waiting for the bind")
	}
}

// A TLS handshake that nobody answers is no bind either.
func TestDefect06HandshakeIsNeverAnswered(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- sms.Check(ctx, sms.Config{Addr: p.listener.Addr().String(), SystemID: "x", TLS: &tls.Config{ServerName: "smsc"}})
	}()
	var err error
	if p.conn, err = p.listener.Accept(); err != nil {
		t.Fatal(err)
	}
	p.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := p.conn.Read(make([]byte, 1)); err != nil { // the handshake has begun
		t.Fatal(err)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// A peer that is dead is noticed after the silence that was configured, and one
// that only has nothing to say is not given up.
func TestDefect07EnquireIsAsConfigured(t *testing.T) {
	t.Parallel()
	const enquire = 100 * time.Millisecond
	for name, answers := range map[string]bool{"alive": true, "dead": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ours, theirs := net.Pipe()
				s := sms.NewSession(ours, sms.SessionConfig{Handle: func(*sms.Session, sms.PDU) {}, Enquire: enquire})
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- s.Run(ctx) }()
				p := &peer{t: t, conn: theirs}
				began := time.Now()
				asked := p.read()
				if took := time.Since(began); asked.ID != pdu.EnquireLinkID || took != enquire {
					t.Errorf("%s after %s", asked.ID, took)
				}
				if !answers {
					if err := <-ended; !errors.Is(err, sms.ErrInactive) || time.Since(began) != 2*enquire {
						t.Errorf("ended after %s with %v", time.Since(began), err)
					}
					cancel()
					return
				}
				for range 100 {
					p.answer(asked, sms.StatusOK)
					asked = p.read()
				}
				cancel()
				if err := <-ended; !errors.Is(err, context.Canceled) {
					t.Errorf("ended with %v", err)
				}
			})
		})
	}
}

func TestDefect08WindowWaits(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, func(c *sms.Config) { c.Window = 2 })
	var outs []<-chan gateway.Outcome
	for _, text := range []string{"a", "b", "c", "d", "e"} {
		outs = append(outs, d.sendLater(text))
	}
	for range 5 {
		p.answer(p.expect(pdu.SubmitSMID), sms.StatusOK)
	}
	for _, out := range outs {
		if o := <-out; o.State != gateway.Sent {
			t.Errorf("outcome %+v", o)
		}
	}
}

// The agreed rate is of what we send: an acknowledgement does not wait for it, and
// a message waits no longer than its context.
func TestDefect09RateIsForSubmitsAlone(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, func(c *sms.Config) { c.Rate = 0.01 })
	out := d.sendLater("the only one in 100 s")
	p.answer(p.expect(pdu.SubmitSMID), sms.StatusOK)
	<-out
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if o := d.gateway.Send(ctx, gateway.Delivery{Key: "k", To: bob, Text: "too soon"}); o.State != gateway.Due {
		t.Errorf("outcome %+v", o)
	}
	for seq := range uint32(20) {
		p.write(deliver(seq+1, "in"))
		if answer := p.expect(pdu.DeliverSMRespID); answer.Seq != seq+1 || answer.Status != sms.StatusOK {
			t.Errorf("answer %+v", answer)
		}
	}
}

// A submit waits as long as was configured, a late answer is nobody else's, and a
// context ends the wait.
func TestDefect10LateAnswer(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, func(c *sms.Config) { c.ResponseTimeout = 100 * time.Millisecond })
	first := d.sendLater("first")
	late := p.expect(pdu.SubmitSMID)
	if o := <-first; o.State != gateway.Unknown {
		t.Errorf("outcome %+v", o)
	}
	second := d.sendLater("second")
	next := p.expect(pdu.SubmitSMID)
	answer := late.Response(sms.StatusOK)
	answer.Fields = pdufield.Map{}
	_ = answer.Fields.Set(pdufield.MessageID, "76")
	p.write(answer)
	p.answer(next, sms.StatusOK)
	if o := <-second; o.State != gateway.Sent || o.WireIDs[0] != "dev/77" {
		t.Errorf("outcome %+v", o)
	}
	ctx, cancel := context.WithCancel(t.Context())
	third := make(chan gateway.Outcome, 1)
	go func() { third <- d.gateway.Send(ctx, gateway.Delivery{Key: "third", To: bob, Text: "third"}) }()
	p.expect(pdu.SubmitSMID)
	cancel()
	if o := <-third; o.State != gateway.Unknown {
		t.Errorf("outcome %+v", o)
	}
}

func TestDefect11UnbindAndGenericNack(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, nil)
	out := d.sendLater("x")
	submit := p.expect(pdu.SubmitSMID)
	p.write(sms.PDU{ID: pdu.GenericNACKID, Status: sms.StatusInvalidID, Seq: submit.Seq})
	if o := <-out; o.State != gateway.Failed {
		t.Errorf("outcome %+v", o)
	}
	p.write(sms.PDU{ID: pdu.UnbindID, Seq: 4})
	if got := p.expect(pdu.UnbindRespID); got.Seq != 4 || got.Status != sms.StatusOK {
		t.Errorf("answer %+v", got)
	}
	eventually(t, "unbound", func() bool { return !d.gateway.Bound() })
}

// Submits that time out in the moment of their answer and of the link's end all
// finish.
func TestDefect13TimeoutMeetsAnswerAndEnd(t *testing.T) {
	t.Parallel()
	message := submitted(t, "x")
	for range 50 {
		ours, theirs := net.Pipe()
		s := sms.NewSession(ours, sms.SessionConfig{Handle: func(*sms.Session, sms.PDU) {}, Window: 100, Log: slog.New(slog.DiscardHandler)})
		ended := make(chan error, 1)
		go func() { ended <- s.Run(t.Context()) }()
		go func() { // answers everything, and hangs up at the fiftieth
			defer theirs.Close()
			for i := 0; i < 50; i++ {
				frame, err := sms.ReadFrame(theirs)
				if err != nil {
					return
				}
				request, err := sms.Decode(frame)
				if err != nil {
					return
				}
				if frame, err = sms.Encode(request.Response(sms.StatusOK)); err != nil {
					return
				}
				if _, err := theirs.Write(frame); err != nil {
					return
				}
			}
		}()
		var calls sync.WaitGroup
		for i := range 100 {
			calls.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*20*time.Microsecond)
				defer cancel()
				if _, err := s.Call(ctx, message); err != nil && !errors.Is(err, sms.ErrNotSent) && !errors.Is(err, sms.ErrUnknown) {
					t.Errorf("call ended with %v", err)
				}
			})
		}
		calls.Wait()
		s.Close(sms.ErrUnbound)
		<-ended
	}
}

func TestDefect14LongMessageIsNotCut(t *testing.T) {
	t.Parallel()
	body := bytes.Repeat([]byte("x"), 300)
	m := reread(t, deliverMessage(1, sms.ShortMessage{Body: body}))
	if !bytes.Equal(m.Body, body) {
		t.Errorf("%d octets arrived", len(m.Body))
	}
}

func TestDefect15Cuts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"escape pairs":    strings.Repeat("a", 152) + strings.Repeat("€", 100),
		"surrogate pairs": strings.Repeat("a", 66) + strings.Repeat("😀", 100),
		"one segment":     strings.Repeat("€", 80),
	} {
		encoded, err := sms.EncodeText(text, 1)
		if err != nil {
			t.Fatal(err)
		}
		var joined string
		for i, body := range encoded.Bodies {
			part := sms.DecodeText(encoded.Coding, body)
			if strings.ContainsRune(part, '\uFFFD') {
				t.Errorf("%s: part %d is cut inside a character", name, i+1)
			}
			joined += part
		}
		if joined != text {
			t.Errorf("%s: joined %q", name, joined)
		}
		if len(encoded.Bodies) == 1 && encoded.UDH(0) != nil {
			t.Errorf("%s: a header for one part", name)
		}
	}
	if _, err := sms.EncodeText(strings.Repeat("a", 153*256), 1); err == nil {
		t.Error("256 parts were taken")
	}
}

// What is sent of a long text before the link breaks is not reported as nothing.
func TestDefect15PartlySentIsUnknown(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, nil)
	out := d.sendLater(strings.Repeat("long ", 60))
	p.answer(p.expect(pdu.SubmitSMID), sms.StatusOK)
	p.expect(pdu.SubmitSMID)
	p.conn.Close()
	if o := <-out; o.State != gateway.Unknown {
		t.Errorf("outcome %+v", o)
	}
}

func TestDefect16NoUTF8AsGSM(t *testing.T) {
	t.Parallel()
	for text, coding := range map[string]byte{"naïve ê": sms.CodingUCS2, "`": sms.CodingUCS2, "plain {€}": sms.CodingGSM7, "Δ": sms.CodingGSM7} {
		encoded, err := sms.EncodeText(text, 1)
		if err != nil || encoded.Coding != coding || sms.DecodeText(coding, encoded.Bodies[0]) != text {
			t.Errorf("%q: coding %d, %x, %v", text, encoded.Coding, encoded.Bodies, err)
		}
	}
	if _, err := sms.EncodeText("\xff", 1); err == nil {
		t.Error("invalid UTF-8 was taken")
	}
}

func TestDefect17AddressesAreChecked(t *testing.T) {
	t.Parallel()
	for _, digits := range []string{"467\x00evil", strings.Repeat("1", 21)} {
		if _, err := (sms.ShortMessage{Dest: sms.Address{Digits: digits}}).PDU(pdu.SubmitSMID); err == nil {
			t.Errorf("taken: %q", digits)
		}
	}
	if o := setup(t, nil).send("+467\x00evil", "x"); o.State != gateway.Failed {
		t.Errorf("outcome %+v", o)
	}
}

func TestDefect18And19DeliverIsTheSameAfterARoundTrip(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]sms.ShortMessage{
		"plain":       {Body: []byte("CLAIM 4")},
		"with header": {UDH: []byte{0, 3, 7, 2, 1}, Body: []byte("HELLO")},
	} {
		first, err := sms.Encode(deliverMessage(1, m))
		if err != nil {
			t.Fatal(err)
		}
		decoded, err := sms.Decode(first)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			again, err := sms.Encode(decoded)
			if err != nil || !bytes.Equal(first, again) {
				t.Errorf("%s: %x became %x, %v", name, first, again, err)
			}
		}
		parsed, err := sms.ParseShortMessage(decoded)
		if err != nil || !bytes.Equal(parsed.Body, m.Body) || !bytes.Equal(parsed.UDH, m.UDH) {
			t.Errorf("%s: parsed %+v, %v", name, parsed, err)
		}
	}
}

func TestDefect20TruncatedAnywhere(t *testing.T) {
	t.Parallel()
	frame, err := sms.Encode(deliverMessage(1, sms.ShortMessage{UDH: []byte{0, 3, 7, 2, 1}, Body: []byte("HELLO")}))
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(frame) {
		if _, err := sms.Decode(frame[:n]); err == nil {
			t.Errorf("%d of %d octets were taken", n, len(frame))
		}
	}
}

func TestDefect21WideParameters(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, nil)
	out := d.sendLater("x")
	submit := p.expect(pdu.SubmitSMID)
	if n := len(submit.TLVs[pdutlv.TagUserMessageReference].Bytes()); n != 2 {
		t.Errorf("user_message_reference has %d octets", n)
	}
	p.answer(submit, sms.StatusOK)
	<-out
}

func TestDefect22StrangeParts(t *testing.T) {
	t.Parallel()
	p, d := peerDesk(t, nil)
	type place struct{ Number, Total int }
	for i, tc := range []struct {
		name string
		udh  []byte
		want *place
	}{
		{"16-bit reference", []byte{8, 4, 1, 2, 3, 2}, &place{2, 3}},
		{"the same again", []byte{8, 4, 1, 2, 3, 2}, &place{2, 3}},
		{"after another element", []byte{5, 4, 0, 1, 0, 2, 0, 3, 9, 2, 1}, &place{1, 2}},
		{"part 0", []byte{0, 3, 7, 2, 0}, nil},
		{"part 3 of 2", []byte{0, 3, 7, 2, 3}, nil},
		{"one of one", []byte{0, 3, 7, 1, 1}, nil},
		{"ports alone", []byte{5, 4, 0, 1, 0, 2}, nil},
		{"nonsense", []byte{0, 200, 1}, nil},
	} {
		p.write(deliverMessage(uint32(i+1), sms.ShortMessage{UDH: tc.udh, Body: []byte("text")}))
		if got := p.expect(pdu.DeliverSMRespID); got.Status != sms.StatusOK {
			t.Errorf("%s: answer %+v", tc.name, got)
		}
		messages := d.inbox.messages()
		last := messages[len(messages)-1]
		if (last.Part == nil) != (tc.want == nil) || last.Part == nil && last.Text != "text" ||
			last.Part != nil && (place{last.Part.Number, last.Part.Total} != *tc.want || last.Text != "") {
			t.Errorf("%s: %+v %+v", tc.name, last, last.Part)
		}
	}
}

// reread encodes and decodes a message.
func reread(t *testing.T, p sms.PDU) sms.ShortMessage {
	t.Helper()
	frame, err := sms.Encode(p)
	if err != nil {
		t.Fatal(err)
	}
	if p, err = sms.Decode(frame); err != nil {
		t.Fatal(err)
	}
	m, err := sms.ParseShortMessage(p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Every session counts for itself, from 1 to 0x7FFFFFFF and again, and gives no
// number twice at a time. (That defect's races are -race's to find.)
func TestDefect23SequenceNumbers(t *testing.T) {
	t.Parallel()
	for range 2 {
		p, d := peerDesk(t, nil)
		out := d.sendLater("x")
		submit := p.expect(pdu.SubmitSMID)
		if submit.Seq == 0 || submit.Seq > 10 {
			t.Errorf("a new session begins at %d", submit.Seq)
		}
		p.answer(submit, sms.StatusOK)
		<-out
		p.conn.Close()
		d.stop()
	}
}
