package sms

import (
	"context"
	"errors"
	"hash/fnv"
	"log/slog"
	"time"

	"deskbell/gateway"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutlv"
)

// again is the wait of what could not be written and of nothing the SMSC said.
const again = time.Second

// maxPartial bounds the messages of which some segments were sent.
const maxPartial = 1000

// Send submits a message, segment by segment, and waits for the SMSC's word on
// each. What was sent in part goes on at the first segment that was not, under
// the same reference, when the same key is sent again in this process.
func (g *Gateway) Send(ctx context.Context, d gateway.Delivery) gateway.Outcome {
	to, ok := normalise(NumberAddress(d.To), g.config.Region)
	switch {
	case !ok:
		return failed("not a number that can be sent to")
	case to == g.config.Number:
		return failed("our own number")
	case !d.Expires.IsZero() && !d.Expires.After(g.clock.Now()):
		return gateway.Outcome{State: gateway.Expired, Reason: "expired before it was sent"}
	}
	ref := reference(d.Key)
	encode := EncodeText
	if g.config.Latin1 {
		encode = encodeLatin1
	}
	text, err := encode(d.Text, byte(ref))
	if err != nil {
		return failed(err.Error())
	}
	l := g.acquire()
	if l == nil {
		return due(again, "not bound")
	}
	defer l.sends.Done()
	ids := g.resume(d.Key)
	for i := len(ids); i < len(text.Bodies); i++ {
		m := ShortMessage{
			Source: NumberAddress(g.config.Number), Dest: NumberAddress(to),
			Registered: byte(pdufield.FinalDeliveryReceipt),
			Coding:     text.Coding, UDH: text.UDH(i), Body: text.Bodies[i], TLVs: pdutlv.Map{},
		}
		_ = m.TLVs.Set(pdutlv.TagUserMessageReference, []byte{byte(ref >> 8), byte(ref)})
		if d.Urgent {
			m.Priority = 1
		}
		if !d.Expires.IsZero() {
			m.Validity = RelativeTime(d.Expires.Sub(g.clock.Now()))
		}
		id, outcome := g.submit(ctx, l.session, m, d.Attempt)
		if outcome.State != gateway.Sent {
			if outcome.State == gateway.Due {
				g.keepPartial(d.Key, ids)
			}
			return outcome
		}
		ids = append(ids, id)
	}
	return gateway.Outcome{State: gateway.Sent, WireIDs: ids}
}

func failed(reason string) gateway.Outcome {
	return gateway.Outcome{State: gateway.Failed, Reason: reason}
}

func due(in time.Duration, reason string) gateway.Outcome {
	return gateway.Outcome{State: gateway.Due, RetryIn: in, Reason: reason}
}

// submit sends one segment.
func (g *Gateway) submit(ctx context.Context, s *Session, m ShortMessage, attempt int) (string, gateway.Outcome) {
	if wait := g.paused(); wait > 0 {
		return "", due(wait, "the SMSC asked for a pause")
	}
	p, err := m.PDU(pdu.SubmitSMID)
	if err != nil {
		return "", failed(err.Error())
	}
	if err := g.limiter.Wait(ctx); err != nil {
		return "", due(again, "no room within the agreed rate")
	}
	ctx, cancel := context.WithTimeout(ctx, g.config.ResponseTimeout)
	defer cancel()
	answer, err := g.call(ctx, s, p)
	rejected, refused := errors.AsType[*Rejected](err)
	switch {
	case refused:
		return "", g.refusal(s, rejected, attempt)
	case errors.Is(err, ErrNotSent):
		return "", due(again, err.Error())
	case err != nil:
		return "", gateway.Outcome{State: gateway.Unknown, Reason: err.Error()}
	}
	return g.wireID(answer.Text(pdufield.MessageID)), gateway.Outcome{State: gateway.Sent}
}

// call submits, and keeps what the answer, or none, says of the SMSC.
func (g *Gateway) call(ctx context.Context, s *Session, p PDU) (PDU, error) {
	g.fly(1)
	defer g.fly(-1)
	began := g.clock.Now()
	answer, err := s.Call(ctx, p)
	status := StatusName(answer.Status)
	g.mu.Lock()
	switch {
	case errors.Is(err, ErrNotSent):
		status = "NOT_SENT"
	case errors.Is(err, ErrUnknown):
		status = "UNKNOWN"
		g.unclear = g.clock.Now().Add(unclearFor)
	case err == nil:
		g.pauses, g.unclear = 0, time.Time{}
	default:
		g.unclear = time.Time{}
	}
	g.mu.Unlock()
	g.config.Watch.Submitted(g.config.Addr, status, g.clock.Now().Sub(began))
	return answer, err
}

// unclearFor is how long an SMSC that did not answer is passed over where there
// is another: longer than a silent link takes to be noticed.
const unclearFor = 30 * time.Second

func (g *Gateway) fly(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.flying += n
	g.config.Watch.Submitting(g.config.Addr, g.flying)
}

// refusal says what a refusal of the SMSC means for a message, and lets the
// whole bind wait where it asked for that.
func (g *Gateway) refusal(s *Session, r *Rejected, attempt int) gateway.Outcome {
	rule, passes := retries[r.Status]
	if !passes || rule.attempts > 0 && attempt >= rule.attempts {
		return failed(r.Error())
	}
	if r.Status == StatusNotBound {
		s.Close(r)
	}
	if !rule.pause {
		return due(rule.after, r.Error())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if now := g.clock.Now(); !g.resumeAt.After(now) { // the others in the window say the same
		g.resumeAt = now.Add(min(rule.after<<min(g.pauses, 5), 30*time.Second))
		g.pauses++
		g.config.Watch.Paused(g.config.Addr, g.resumeAt.Sub(now))
		g.log.Warn("paused", slog.Any("error", r), slog.Duration("for", g.resumeAt.Sub(now)))
	}
	return due(g.resumeAt.Sub(g.clock.Now()), r.Error())
}

func (g *Gateway) paused() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.resumeAt.Sub(g.clock.Now())
}

// resume takes what was sent of a message.
func (g *Gateway) resume(key string) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	ids := g.partial[key]
	delete(g.partial, key)
	return ids
}

func (g *Gateway) keepPartial(key string, ids []string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(ids) == 0 {
		return
	}
	for old := range g.partial { // one that is cancelled before its next attempt stays
		if len(g.partial) < maxPartial {
			break
		}
		delete(g.partial, old)
	}
	g.partial[key] = ids
}

// reference is the message's reference towards phone and SMSC: the same for
// every attempt.
func reference(key string) uint16 {
	h := fnv.New32a()
	h.Write([]byte(key))
	return uint16(h.Sum32())
}
