package sms_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"deskbell/gateway/sms"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
)

func submitted(t *testing.T, text string) sms.PDU {
	t.Helper()
	p, err := sms.ShortMessage{Source: sms.NumberAddress(helpdesk), Dest: sms.NumberAddress(bob), Body: []byte(text)}.PDU(pdu.SubmitSMID)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// What does not wait gets the same outcomes as what does, has the same window, and goes
// on from its answers.
func TestStart(t *testing.T) {
	t.Parallel()
	p := newPeer(t)
	s := sms.NewSession(p.link(), sms.SessionConfig{Handle: func(*sms.Session, sms.PDU) {}, Window: 2, Log: logger(t)})
	ended := make(chan error, 1)
	go func() { ended <- s.Run(t.Context()) }()

	type outcome struct {
		text, id string
		err      error
	}
	outcomes := make(chan outcome, 10)
	start := func(text string, next ...string) {
		t.Helper()
		if err := s.Start(submitted(t, text), func(answer sms.PDU, err error) {
			outcomes <- outcome{text, answer.Text(pdufield.MessageID), err}
			for _, text := range next {
				if err := s.Start(submitted(t, text), func(_ sms.PDU, err error) { outcomes <- outcome{text: text, err: err} }); err != nil {
					t.Error(err)
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	next := func(text string) sms.PDU {
		t.Helper()
		got := p.expect(pdu.SubmitSMID)
		if got.Text(pdufield.ShortMessage) != text {
			t.Fatalf("%q came, want %q", got.Text(pdufield.ShortMessage), text)
		}
		return got
	}
	start("a", "d", "e")
	start("b")
	start("c")
	a, b := next("a"), next("b")
	hasty, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := s.Call(hasty, submitted(t, "given up")); !errors.Is(err, sms.ErrNotSent) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a place: %v", err)
	}
	p.write(sms.PDU{ID: pdu.EnquireLinkID, Seq: 1})
	if got := p.read(); got.ID != pdu.EnquireLinkRespID {
		t.Fatalf("%s beyond the window", got.ID)
	}
	p.answer(a, sms.StatusOK)
	if o := <-outcomes; o != (outcome{text: "a", id: "77"}) {
		t.Errorf("%+v", o)
	}
	next("c")
	p.answer(b, sms.StatusThrottled)
	rejected, ok := errors.AsType[*sms.Rejected]((<-outcomes).err)
	if !ok || rejected.Status != sms.StatusThrottled {
		t.Error(rejected)
	}
	next("d") // what a's answer said, after what waited before
	p.conn.Close()
	<-ended
	ends := map[string]error{"c": sms.ErrUnknown, "d": sms.ErrUnknown, "e": sms.ErrNotSent}
	for len(ends) > 0 {
		o := <-outcomes
		if want := ends[o.text]; want == nil || !errors.Is(o.err, want) {
			t.Fatalf("%+v, want %v", o, want)
		}
		delete(ends, o.text)
	}
	if err := s.Start(submitted(t, "late"), func(sms.PDU, error) { t.Error("called") }); !errors.Is(err, sms.ErrNotSent) {
		t.Error(err)
	}
	if len(outcomes) > 0 {
		t.Errorf("more than once: %+v", <-outcomes)
	}
}
