package smsc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"deskbell/gateway/sms"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutlv"
)

const (
	tick          = 25 * time.Millisecond // how closely the clock's deadlines are watched
	answerTimeout = 10 * time.Second      // for a deliver_sm
	retryFirst    = 500 * time.Millisecond
	retryMost     = 10 * time.Second
	lateReceipt   = 90 * time.Second // later than a page waits for its receipt
)

// move gives every segment its fate and brings the helpdesk what it has not
// acknowledged, until ctx ends.
func (s *Server) move(ctx context.Context) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-ticker.C:
		}
		s.decideFates()
		s.dispatch(ctx)
	}
}

// decideFates delivers to the phones that are on, and lets expire what is too
// old.
func (s *Server) decideFates() {
	now, mode := s.clock.Now(), s.faults.receiptMode()
	var fates []record
	s.mu.Lock()
	for _, seg := range s.waiting {
		state := delivered
		switch {
		case seg.answering && mode != receiptsBefore:
			continue
		case !seg.Expires.IsZero() && !now.Before(seg.Expires):
			state = expired
		case !s.phone(seg.Phone).on:
			continue
		case mode == receiptsFailed:
			state = failed
		}
		r := record{Op: opFate, ID: seg.ID, Phone: seg.Phone, State: string(state), Wanted: seg.Wanted && mode != receiptsNone}
		if mode == receiptsLate {
			r.Due = now.Add(lateReceipt)
		}
		fates = append(fates, r)
	}
	s.mu.Unlock()
	for _, r := range fates {
		s.record(r, nil)
		if r.Phone == s.config.Number && r.State == string(delivered) {
			s.loop(r.ID)
		}
	}
}

// loop brings a text that the helpdesk sent to itself, segment by segment.
func (s *Server) loop(id string) {
	s.mu.Lock()
	seg := s.segments[id]
	s.mu.Unlock()
	if _, err := s.typeOn(seg.Peer, typed{Text: sms.DecodeText(seg.Coding, seg.Data)}); err != nil {
		s.log.Warn("a text to the helpdesk is lost", slog.Any("error", err))
	}
}

// dispatch starts what may go now: of each queue the first item, as far as the
// windows of the links reach.
func (s *Server) dispatch(ctx context.Context) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	blocked := map[string]bool{}
	for _, it := range s.outbox {
		if it.busy || blocked[it.queue] || it.due.After(now) {
			blocked[it.queue] = true
			continue
		}
		blocked[it.queue] = true
		l := s.receiver()
		if l == nil {
			return
		}
		it.busy = true
		it.tries++
		l.inFlight++
		if row := s.rows[it.id]; row != nil {
			row.Attempts++
		}
		s.work.Go(func() { s.deliver(ctx, l, it) })
	}
}

// receiver returns the link that takes deliveries and has the most room.
func (s *Server) receiver() *link {
	var best *link
	for l := range s.links {
		if l.receives && l.inFlight < s.config.Window && (best == nil || l.inFlight < best.inFlight) {
			best = l
		}
	}
	return best
}

// deliver sends one item and makes of the answer what it means.
func (s *Server) deliver(ctx context.Context, l *link, it *item) {
	lose := s.faults.loseResponse()
	if lose {
		l.conn.losing.Store(true)
	}
	err := s.send(ctx, l, it)
	if lose {
		err = errors.New("fault: answer lost")
		l.session.Close(err)
	}
	s.mu.Lock()
	l.inFlight--
	if err != nil {
		it.busy = false
		if _, refused := errors.AsType[*sms.Rejected](err); refused {
			it.due = s.clock.Now().Add(min(retryMost, retryFirst<<min(it.tries-1, 10)))
		}
	}
	s.mu.Unlock()
	if err != nil {
		s.log.Debug("not acknowledged", slog.String("id", it.id), slog.Any("error", err))
		s.nudge()
		return
	}
	r := record{Op: opTaken, ID: it.id, Phone: it.queue, Number: it.part}
	if it.part == 0 {
		r = record{Op: opReceipted, ID: it.id, Phone: s.phoneOf(it.id)}
	}
	s.record(r, nil)
}

func (s *Server) phoneOf(id string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.segments[id].Phone
}

// send puts one item on the wire, twice where that fault is on, and waits for
// every answer.
func (s *Server) send(ctx context.Context, l *link, it *item) error {
	p, err := it.short.PDU(pdu.DeliverSMID)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	second := make(chan error, 1)
	if it.part > 0 && s.faults.duplicate() {
		if err := l.session.Start(p, func(_ sms.PDU, err error) { second <- err }); err != nil {
			return err
		}
	} else {
		second <- nil
	}
	_, err = l.session.Call(ctx, p)
	select {
	case again := <-second:
		return errors.Join(err, again)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// typedMessage is one part of a typed text on the wire.
func typedMessage(r record, helpdesk string, coding byte, header, body []byte) sms.ShortMessage {
	stamp := r.At
	if !r.Stamp.IsZero() {
		stamp = r.Stamp
	}
	m := sms.ShortMessage{
		Source: sms.NumberAddress(r.Phone), Dest: sms.NumberAddress(helpdesk),
		Coding: coding, UDH: header, Body: body, TLVs: pdutlv.Map{},
	}
	_ = m.TLVs.Set(StampTag, []byte(sms.AbsoluteTime(stamp)))
	return m
}

// receiptWords are stat, err and message_state of a receipt.
var receiptWords = map[fate]struct {
	word, code string
	number     byte
}{
	delivered: {"DELIVRD", "000", 2},
	expired:   {"EXPIRED", "001", 3},
	failed:    {"UNDELIV", "027", 5},
}

// receiptMessage is a segment's receipt on the wire (SMPP 3.4, appendix B, and
// the optional parameters).
func receiptMessage(seg *segment, r record) sms.ShortMessage {
	w := receiptWords[fate(r.State)]
	count := 0
	if r.State == string(delivered) {
		count = 1
	}
	text := []rune(sms.DecodeText(seg.Coding, seg.Data))
	begin, err := sms.EncodeText(string(text[:min(len(text), 20)]), 0)
	if err != nil || begin.Coding != sms.CodingGSM7 {
		begin.Bodies = [][]byte{nil}
	}
	body := fmt.Appendf(nil, "id:%s sub:001 dlvrd:%03d submit date:%s done date:%s stat:%s err:%s text:",
		seg.ID, count, seg.At.Format("0601021504"), r.At.Format("0601021504"), w.word, w.code)
	m := sms.ShortMessage{
		Source: sms.NumberAddress(seg.Phone), Dest: sms.NumberAddress(seg.Peer), ESMClass: 0x04,
		Body: append(body, begin.Bodies[0]...), TLVs: pdutlv.Map{},
	}
	_ = m.TLVs.Set(pdutlv.TagReceiptedMessageID, pdutlv.CString(seg.ID))
	_ = m.TLVs.Set(pdutlv.TagMessageStateOption, w.number)
	_ = m.TLVs.Set(StampTag, []byte(sms.AbsoluteTime(r.At)))
	return m
}
