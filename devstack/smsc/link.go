package smsc

import (
	"context"
	"crypto/subtle"
	"errors"
	"log/slog"
	"net"
	"regexp"
	"time"

	"deskbell/gateway/sms"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
)

// link is one connection of an ESME.
type link struct {
	session  *sms.Session
	conn     *faultyConn
	sends    bool // may submit
	receives bool // is delivered to
	inFlight int  // deliveries without an answer
}

// number is what a phone's or a sender's address may look like: international,
// a short code, or a name.
var number = regexp.MustCompile(`^(\+[0-9]{5,15}|[0-9]{3,15}|[A-Za-z][A-Za-z0-9 ]{0,10})$`)

// destination is what can be sent to: no names.
var destination = regexp.MustCompile(`^\+?[0-9]{3,15}$`)

// accept serves ESMEs. During an outage nobody listens.
func (s *Server) accept(ctx context.Context, listener net.Listener) {
	for {
		s.acceptFrom(ctx, listener)
		if ctx.Err() != nil {
			return
		}
		for listener = nil; listener == nil; {
			select {
			case <-ctx.Done():
				return
			case <-time.After(tick):
			}
			if s.faults.isDown(s.clock.Now()) {
				continue
			}
			var err error
			if listener, err = s.listen(s.smpp); err != nil {
				s.log.Warn("cannot listen again", slog.Any("error", err))
				listener = nil
			}
		}
	}
}

// acceptFrom returns when the listener is closed: by ctx or an outage.
func (s *Server) acceptFrom(ctx context.Context, listener net.Listener) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.work.Go(func() {
		defer listener.Close()
		ticker := time.NewTicker(tick)
		defer ticker.Stop()
		for !s.faults.isDown(s.clock.Now()) {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
		s.closeLinks(errors.New("fault: outage"))
	})
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		s.work.Go(func() { s.serveLink(ctx, conn) })
	}
}

func (s *Server) serveLink(ctx context.Context, conn net.Conn) {
	l := &link{conn: newFaultyConn(conn, &s.faults)}
	l.session = sms.NewSession(l.conn, sms.SessionConfig{
		Handle: func(_ *sms.Session, p sms.PDU) { s.handle(l, p) },
		Window: s.config.Window + 1, Log: s.log, // one more for a duplicate
	})
	s.mu.Lock()
	s.links[l] = true
	s.mu.Unlock()
	err := l.session.Run(ctx)
	s.mu.Lock()
	delete(s.links, l)
	s.mu.Unlock()
	s.log.Debug("link ended", slog.Any("error", err))
}

func (s *Server) closeLinks(cause error) {
	for _, l := range s.allLinks() {
		l.session.Close(cause)
	}
}

func (s *Server) allLinks() []*link {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*link
	for l := range s.links {
		all = append(all, l)
	}
	return all
}

func (s *Server) handle(l *link, p sms.PDU) {
	switch p.ID {
	case pdu.BindTransceiverID, pdu.BindReceiverID, pdu.BindTransmitterID:
		s.bind(l, p)
	case pdu.SubmitSMID, pdu.DataSMID:
		s.submit(l, p)
	default:
		_ = l.session.Reply(p.Response(sms.StatusInvalidID))
	}
}

func (s *Server) bind(l *link, p sms.PDU) {
	s.mu.Lock()
	bound := l.sends || l.receives
	s.mu.Unlock()
	status := sms.StatusOK
	switch {
	case bound:
		status = statusAlreadyBound
	case p.Text(pdufield.SystemID) != s.config.SystemID:
		status = sms.StatusSystemID
	case subtle.ConstantTimeCompare([]byte(p.Text(pdufield.Password)), []byte(s.config.Password)) != 1:
		status = sms.StatusPassword
	}
	answer := p.Response(status)
	answer.Fields = pdufield.Map{}
	_ = answer.Fields.Set(pdufield.SystemID, "deskbell-dev")
	_ = l.session.Reply(answer)
	if status != sms.StatusOK {
		return
	}
	s.mu.Lock()
	l.sends, l.receives = p.ID != pdu.BindReceiverID, p.ID != pdu.BindTransmitterID
	s.mu.Unlock()
	s.nudge()
}

const statusAlreadyBound pdu.Status = 0x05 // ESME_RALYBND

func (s *Server) submit(l *link, p sms.PDU) {
	s.mu.Lock()
	sends := l.sends
	s.mu.Unlock()
	if !sends {
		_ = l.session.Reply(p.Response(sms.StatusNotBound))
		return
	}
	if status := s.faults.refuseSubmit(); status != sms.StatusOK {
		_ = l.session.Reply(p.Response(status))
		return
	}
	if !s.limiter.Allow() {
		_ = l.session.Reply(p.Response(sms.StatusThrottled))
		return
	}
	r, status := s.readSubmit(p)
	if status != sms.StatusOK {
		_ = l.session.Reply(p.Response(status))
		return
	}
	var seg *segment
	synced, _ := s.record(r, func(st *state, r record) {
		seg = st.segments[r.ID]
		seg.answering = true
		if seg.Wanted && s.faults.receiptMode() == receiptsBefore {
			seg.early = make(chan struct{})
		}
	})
	s.work.Go(func() { s.answerSubmit(l, p, seg, synced) })
}

// readSubmit turns a submit into a record, or refuses it.
func (s *Server) readSubmit(p sms.PDU) (record, pdu.Status) {
	m, err := sms.ParseShortMessage(p)
	if err != nil {
		return record{}, statusInvalidLength
	}
	to := printed(m.Dest)
	if !destination.MatchString(to) {
		return record{}, sms.StatusDestination
	}
	r := record{
		Op: opSubmitted, Phone: to, Peer: printed(m.Source), Coding: m.Coding, Data: m.Body,
		Wanted: m.Registered&0x03 == 1,
	}
	if ref, n, total, ok := m.Concat(); ok {
		r.Ref, r.Number, r.Total = ref, n, total
	}
	if m.Validity != "" {
		if r.Expires, err = sms.ParseTime(m.Validity, s.clock.Now()); err != nil {
			return record{}, statusInvalidExpiry
		}
	}
	return r, sms.StatusOK
}

const (
	statusInvalidLength pdu.Status = 0x01 // ESME_RINVMSGLEN
	statusInvalidExpiry pdu.Status = 0x62 // ESME_RINVEXPIRY
)

// answerSubmit answers once the segment is on the disk; where receipts come
// before, after its receipt was acknowledged.
func (s *Server) answerSubmit(l *link, p sms.PDU, seg *segment, synced <-chan error) {
	answer := p.Response(sms.StatusOK)
	if err := <-synced; err != nil {
		answer.Status = sms.StatusSystemError
	} else if seg.early != nil {
		select {
		case <-seg.early:
		case <-time.After(earlyFor):
		case <-l.session.Done():
		}
	}
	answer.Fields = pdufield.Map{}
	_ = answer.Fields.Set(pdufield.MessageID, seg.ID)
	_ = l.session.ReplyProven(answer, func() { s.answered(seg) }, nil)
	select {
	case <-l.session.Done():
		s.answered(seg)
	default:
	}
}

// earlyFor bounds the wait for the acknowledgement of a receipt that is sent
// before the response it belongs to.
const earlyFor = 2 * time.Second

// answered lets a segment go on to its phone.
func (s *Server) answered(seg *segment) {
	s.mu.Lock()
	seg.answering = false
	s.mu.Unlock()
	s.nudge()
}

// printed is an address as people write it.
func printed(a sms.Address) string {
	if a.TON == 1 && len(a.Digits) > 0 && a.Digits[0] != '+' {
		return "+" + a.Digits
	}
	return a.Digits
}
