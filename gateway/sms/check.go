package sms

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
)

// Check binds as a transmitter, which takes no message away from anybody, and
// unbinds. The error says at which step it failed; a refusal by the SMSC is a
// *Rejected.
func Check(ctx context.Context, c Config) error {
	ctx, cancel := context.WithTimeout(ctx, bindTimeout)
	defer cancel()
	g := Gateway{config: c}
	conn, err := g.dial(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	s := NewSession(conn, SessionConfig{Handle: func(s *Session, p PDU) {}})
	var reader sync.WaitGroup
	defer reader.Wait()
	defer s.Close(ErrUnbound)
	reader.Go(func() { _ = s.Run(ctx) })
	if err := bind(ctx, s, pdu.BindTransmitterID, c); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	unbind, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, _ = s.Call(unbind, PDU{ID: pdu.UnbindID, Fields: pdufield.Map{}})
	return nil
}
