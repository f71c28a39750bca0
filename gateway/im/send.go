package im

import (
	"context"
	"errors"
	"strings"
	"time"

	"deskbell/gateway"
)

var _ gateway.Sender = (*Gateway)(nil)

// sendAgain is when to try again what could not be written.
const sendAgain = time.Second

// Send writes one message and waits for the proof that the server has it: its
// answer to a ping that was written later. Sent means proven, Unknown written
// without proof, Due that the server cannot have it, Failed that this message can
// never be sent. All messages under way share pings; 64 may be without proof.
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
	stanza := message{To: to, Type: "chat", ID: id, Body: d.Text, Request: &struct{}{}, OriginID: &idRef{id}}

	select {
	case g.window <- struct{}{}:
		defer func() { <-g.window }()
	case <-ctx.Done():
		due.Reason = "too many messages under way"
		return due
	}
	err := s.write(ctx, stanza)
	switch {
	case errors.Is(err, errTooLong):
		return gateway.Outcome{State: gateway.Failed, Reason: err.Error()}
	case errors.Is(err, errIncomplete):
		due.Reason = "connection to the XMPP server lost before the message was written"
		return due
	case err == nil:
		err = s.proven(ctx)
	}
	if err != nil {
		return gateway.Outcome{State: gateway.Unknown, WireIDs: []string{id}, Reason: "written, but the XMPP server did not confirm it"}
	}
	return gateway.Outcome{State: gateway.Sent, WireIDs: []string{id}}
}
