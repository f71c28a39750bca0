package sms

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fiorix/go-smpp/smpp/pdu"
)

// Check binds as a transmitter, which takes no message away from anybody, and
// unbinds. The error says at which step it failed; a refusal by the SMSC is a
// *Rejected.
func Check(ctx context.Context, c Config) error {
	ctx, cancel := context.WithTimeout(ctx, bindTimeout)
	defer cancel()
	return withBind(ctx, c, pdu.BindTransmitterID, func(*Session, PDU) {}, func(*Session) error { return nil })
}

// Loop sends a text from our own number to itself, which the carrier charges, and
// returns how long it was on its way. What else comes in meanwhile is refused for
// now, so that the SMSC keeps it.
func Loop(ctx context.Context, c Config, text string) (time.Duration, error) {
	came := make(chan struct{}, 1)
	handle := func(s *Session, p PDU) {
		status := StatusTemporary
		if m, err := ParseShortMessage(p); err == nil && m.ESMClass&esmReceipt == 0 && DecodeText(m.Coding, m.Body) == text {
			status = StatusOK
			select {
			case came <- struct{}{}:
			default:
			}
		}
		_ = s.Reply(p.Response(status))
	}
	began := time.Now()
	err := withBind(ctx, c, pdu.BindTransceiverID, handle, func(s *Session) error {
		ours := NumberAddress(c.Number)
		p, err := ShortMessage{Source: ours, Dest: ours, Body: encodeGSM7(text)}.PDU(pdu.SubmitSMID)
		if err != nil {
			return err
		}
		began = time.Now()
		if _, err := s.Call(ctx, p); err != nil {
			return fmt.Errorf("submit: %w", err)
		}
		select {
		case <-came:
			return nil
		case <-s.Done():
			return fmt.Errorf("wait for the text: %w", s.cause)
		case <-ctx.Done():
			return fmt.Errorf("wait for the text: %w", context.Cause(ctx))
		}
	})
	return time.Since(began), err
}

// withBind does something on a bind of its own.
func withBind(ctx context.Context, c Config, id pdu.ID, handle func(*Session, PDU), do func(*Session) error) error {
	g := Gateway{config: c}
	conn, err := g.dial(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	s := NewSession(conn, SessionConfig{Handle: handle})
	var reader sync.WaitGroup
	defer reader.Wait()
	defer s.Close(ErrUnbound)
	reader.Go(func() { _ = s.Run(ctx) })
	if err := bind(ctx, s, id, c); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := do(s); err != nil {
		return err
	}
	unbind, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	s.Unbind(unbind)
	return nil
}
