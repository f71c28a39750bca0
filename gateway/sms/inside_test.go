package sms

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"testing"
	"time"

	"deskbell/clock"
	"deskbell/gateway"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"go.uber.org/goleak"
)

// What no peer can bring about in a test's time.

// The numbers wrap where SMPP's range ends, and step over those in use.
func TestDefect23SequenceWraps(t *testing.T) {
	t.Parallel()
	s := NewSession(nil, SessionConfig{})
	s.seq = 0x7FFFFFFE
	waits := &call{}
	s.pending[1] = waits
	for _, want := range []uint32{0x7FFFFFFF, 2, 3} {
		c := &call{}
		if _, err := s.ask(c, make([]byte, pdu.HeaderLen)); err != nil || c.seq != want {
			t.Errorf("number %#x, want %#x: %v", c.seq, want, err)
		}
	}
	if s.pending[1] != waits {
		t.Error("a number in use was given away")
	}
}

type forgetful struct{ gateway.Inbox }

func (forgetful) Keep(_ context.Context, messages []gateway.Message) ([]gateway.Kept, error) {
	return make([]gateway.Kept, len(messages)), nil
}

func (forgetful) Confirm(context.Context, gateway.Channel, []string) error { return nil }

// A hundred binds that are cut under traffic in both directions leave nothing
// behind. They come without the pauses between them, which are for real SMSCs.
func TestDefect12ReconnectsLeaveNothing(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	const binds = 100
	g, err := New(Config{Addr: listener.Addr().String(), SystemID: "x", Number: "+4930555100"}, forgetful{}, nil, clock.System{}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	defer serving.Wait()
	serving.Go(func() {
		for range binds {
			conn, err := listener.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			for answered := range 5 {
				frame, err := ReadFrame(conn)
				if err != nil {
					t.Error(err)
					break
				}
				request, err := Decode(frame)
				if err != nil || request.ID&respBit != 0 {
					continue
				}
				in, err := ShortMessage{Source: NumberAddress("+4915550001"), Body: []byte("in")}.PDU(pdu.DeliverSMID)
				if err != nil {
					t.Error(err)
				}
				in.Seq = uint32(answered + 1)
				for _, p := range []PDU{request.Response(StatusOK), in} {
					frame, err := Encode(p)
					if err != nil {
						t.Error(err)
					}
					_, _ = conn.Write(frame)
				}
			}
			conn.Close()
		}
	})
	sending, stop := context.WithCancel(t.Context())
	for range 3 {
		serving.Go(func() {
			for sending.Err() == nil {
				if o := g.Send(sending, gateway.Delivery{Key: "k", To: "+4915550001", Text: "out"}); o.State == gateway.Due {
					wait(sending.Done(), time.Millisecond)
				}
			}
		})
	}
	for range binds {
		if bound, err := g.bindOnce(t.Context(), pdu.BindTransceiverID, g.log); !bound {
			t.Error(err)
		}
	}
	stop()
}
