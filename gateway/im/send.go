package im

import (
	"context"
	"encoding/xml"
	"errors"
	"slices"
	"strings"
	"time"

	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

var _ gateway.Sender = (*Gateway)(nil)

// sendAgain is when to try again what could not be written.
const sendAgain = time.Second

// Send writes one message and waits for the proof that the server has it: its
// answer to a ping that was written later. Sent means proven, Unknown written
// without proof, Due that the server cannot have it, Failed that it came back or
// can never be sent. All messages under way share pings; 64 may be without proof.
// What goes to the room is due while the desk is not in it, and a repeated line is not
// posted when the room has it.
func (g *Gateway) Send(ctx context.Context, d gateway.Delivery) gateway.Outcome {
	to := d.To
	if user, host, ok := strings.Cut(bare(to), "@"); !ok || user == "" || host == "" || bare(to) == bare(g.config.JID) {
		return gateway.Outcome{State: gateway.Failed, Reason: "not the JID of a person"}
	}
	if d.Text == "" {
		return gateway.Outcome{State: gateway.Failed, Reason: "empty text"}
	}
	due := gateway.Outcome{State: gateway.Due, RetryIn: sendAgain, Reason: "not logged in to the XMPP server"}
	s := g.current()
	if s == nil {
		return due
	}
	id := wireID(d.Key, to)
	stanza := message{To: to, Type: "chat", ID: id, Body: d.Text, Request: &struct{}{}, OriginID: &idRef{id}, Active: &struct{}{}, Unstyled: &struct{}{}}
	if d.Replaces != "" {
		stanza.Replaces = &idRef{d.Replaces}
	}
	inRoom := bare(to) == g.room.jid
	if inRoom {
		stanza.Type, stanza.Request, stanza.Active = "groupchat", nil, nil
		if o, done := g.room.posted(ctx, s, d, id); done {
			return o
		}
	}

	select {
	case g.window <- struct{}{}:
		defer func() { <-g.window }()
	case <-ctx.Done():
		due.Reason = "too many messages under way"
		return due
	}
	began := g.clock.Now()
	o := g.sendProven(ctx, s, stanza)
	if inRoom && o.State == gateway.Failed && o.Reason == notInside {
		g.room.leave()
		ring(g.room.moved)
		o = gateway.Outcome{State: gateway.Due, RetryIn: sendAgain, Reason: o.Reason}
	}
	if o.State != gateway.Due {
		g.config.Watch.Sent(o.State, g.clock.Now().Sub(began))
	}
	return o
}

func (g *Gateway) sendProven(ctx context.Context, s *session, stanza message) gateway.Outcome {
	to, id := stanza.To, stanza.ID
	flight := s.takeOff(to)
	defer s.land(to, flight)
	err := s.write(ctx, stanza)
	switch {
	case errors.Is(err, errTooLong):
		return gateway.Outcome{State: gateway.Failed, Reason: err.Error()}
	case errors.Is(err, errIncomplete):
		return gateway.Outcome{State: gateway.Due, RetryIn: sendAgain, Reason: "connection to the XMPP server lost before the message was written"}
	case err == nil:
		err = s.proven(ctx)
	}
	if err != nil {
		return gateway.Outcome{State: gateway.Unknown, WireIDs: []string{id}, Reason: "written, but the XMPP server did not confirm it"}
	}
	if s.sent.Add(1)%pageSize == 0 {
		ring(s.bell) // our own messages fill the archive; nobody's message shall wait behind many pages of them
	}
	if reason := flight.reason(); reason != "" {
		if stanza.Type == "chat" {
			g.presence.bounced(bare(to))
		}
		return gateway.Outcome{State: gateway.Failed, Reason: reason}
	}
	return gateway.Outcome{State: gateway.Sent, WireIDs: []string{id}}
}

// flight is a message between its write and its proof. The server's own bounce
// comes in that time; it is not archived, and the library hides its id, so it is
// told by its addressee. Bounces that come later are found in the archive.
type flight struct{ returned chan string }

func (f *flight) reason() string {
	select {
	case r := <-f.returned:
		return r
	default:
		return ""
	}
}

func (s *session) takeOff(to string) *flight {
	f := &flight{returned: make(chan string, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.flights[bare(to)] = append(s.flights[bare(to)], f)
	return f
}

func (s *session) land(to string, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	left := slices.DeleteFunc(s.flights[bare(to)], func(other *flight) bool { return other == f })
	if len(left) == 0 {
		delete(s.flights, bare(to))
		return
	}
	s.flights[bare(to)] = left
}

// reasonOf is why a message came back.
func reasonOf(chat xmpp.Chat) string {
	for _, e := range chat.OtherElem {
		var f failure
		if e.XMLName.Local == "error" && xml.Unmarshal([]byte("<error>"+e.InnerXML+"</error>"), &f) == nil {
			return f.condition()
		}
	}
	return "returned"
}

// bounce tells the oldest flight to that address that it came back, if there is
// one.
func (s *session) bounce(chat xmpp.Chat) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.flights[bare(chat.Remote)] {
		select {
		case f.returned <- reasonOf(chat):
			return true
		default: // has come back already
		}
	}
	return false
}
