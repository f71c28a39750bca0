// Package smppbench measures the SMS gateway's session beside the bare codec: the
// same operations over the same loopback, by a peer that only frames, decodes and
// answers.
package smppbench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fiorix/go-smpp/smpp/pdu"

	"deskbell/clock"
	"deskbell/gateway"
	"deskbell/gateway/sms"
)

// Row is one measurement.
type Row struct {
	Path      string  `json:"path"`   // submit or deliver, codec or session; inbox
	Window    int     `json:"window"` // operations without an answer
	PerSecond float64 `json:"per_s"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
}

// Windows are those that are measured.
var Windows = []int{1, 10, 100}

const ours, theirs = "+4930555100", "+4915550001"

// turns is how often codec and session take turns, so that what the machine does
// besides hits both.
const turns = 4

// path is one way of an operation, over a connection's two ends.
type path struct {
	name string
	run  func(ctx context.Context, a, b net.Conn, window int) ([]time.Duration, error)
}

// Run measures every path for a while each. What comes in goes to the inbox in the
// last one; its rows stay there.
func Run(ctx context.Context, inbox gateway.Inbox, each time.Duration) ([]Row, error) {
	var rows []Row
	for _, window := range Windows {
		for _, paths := range [][]path{
			{{"submit, codec", codec(pdu.SubmitSMID)}, {"submit, session", submitSession}},
			{{"deliver, codec", codec(pdu.DeliverSMID)}, {"deliver, session", deliverSession}},
			{{"deliver, inbox", func(ctx context.Context, _, _ net.Conn, window int) ([]time.Duration, error) {
				return deliverInbox(ctx, inbox, window)
			}}},
		} {
			took := make([][]time.Duration, len(paths))
			for range turns {
				for i, p := range paths {
					some, err := p.turn(ctx, window, each/turns)
					if err != nil {
						return rows, fmt.Errorf("%s at window %d: %w", p.name, window, err)
					}
					took[i] = append(took[i], some...)
				}
			}
			for i, p := range paths {
				row, err := summary(p.name, window, each, took[i])
				if err != nil {
					return rows, err
				}
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

func (p path) turn(ctx context.Context, window int, each time.Duration) ([]time.Duration, error) {
	a, b, err := pair(ctx)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, each)
	defer cancel()
	took, err := p.run(ctx, a, b, window)
	_ = errors.Join(a.Close(), b.Close())
	return took, err
}

func summary(name string, window int, each time.Duration, took []time.Duration) (Row, error) {
	if len(took) == 0 {
		return Row{}, fmt.Errorf("%s at window %d: no answers", name, window)
	}
	slices.Sort(took)
	ms := func(q float64) float64 { return took[int(q*float64(len(took)-1))].Seconds() * 1000 }
	return Row{Path: name, Window: window, PerSecond: float64(len(took)) / each.Seconds(), P50: ms(0.5), P99: ms(0.99)}, nil
}

// pair is a connection over the loopback.
func pair(ctx context.Context) (a, b net.Conn, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, nil, err
	}
	defer listener.Close()
	if a, err = new(net.Dialer).DialContext(ctx, "tcp", listener.Addr().String()); err != nil {
		return nil, nil, err
	}
	b, err = listener.Accept()
	return a, b, err
}

// serial makes every message another one: an equal message may be a repeat, which
// costs the inbox less.
var serial atomic.Int64

func message(id pdu.ID) (sms.PDU, error) {
	n := serial.Add(1)
	m := sms.ShortMessage{Source: sms.NumberAddress(ours), Dest: sms.NumberAddress(theirs), Body: fmt.Appendf(nil, "#%d Printer on fire", n)}
	if id == pdu.DeliverSMID {
		m.Source, m.Dest = sms.NumberAddress(fmt.Sprintf("+491555%07d", n%1000)), m.Source
	}
	return m.PDU(id)
}

// codec is both ends without a session.
func codec(id pdu.ID) func(context.Context, net.Conn, net.Conn, int) ([]time.Duration, error) {
	return func(ctx context.Context, a, b net.Conn, window int) ([]time.Duration, error) {
		var answering sync.WaitGroup
		answering.Go(func() { respond(b) })
		took, err := drive(ctx, a, window, id)
		_ = a.Close()
		answering.Wait()
		return took, err
	}
}

// respond answers every request until the connection ends.
func respond(conn net.Conn) {
	r, w := bufio.NewReaderSize(conn, 32<<10), bufio.NewWriterSize(conn, 32<<10)
	for {
		p, err := receive(r)
		if err != nil || send(w, p.Response(sms.StatusOK)) != nil {
			return
		}
		if r.Buffered() == 0 && w.Flush() != nil {
			return
		}
	}
}

func receive(r io.Reader) (sms.PDU, error) {
	frame, err := sms.ReadFrame(r)
	if err != nil {
		return sms.PDU{}, err
	}
	return sms.Decode(frame)
}

func send(w io.Writer, p sms.PDU) error {
	frame, err := sms.Encode(p)
	if err == nil {
		_, err = w.Write(frame)
	}
	return err
}

// drive keeps a window of requests without an answer until ctx ends, at least for
// one, and returns how long each answer took. What the other end asks meanwhile is answered.
func drive(ctx context.Context, conn net.Conn, window int, id pdu.ID) (took []time.Duration, err error) {
	r, w := bufio.NewReaderSize(conn, 32<<10), bufio.NewWriterSize(conn, 32<<10)
	sent := make([]time.Time, window)
	ask := func(slot int) error {
		p, err := message(id)
		if err != nil {
			return err
		}
		p.Seq, sent[slot] = uint32(slot+1), time.Now()
		return send(w, p)
	}
	for slot := range window {
		if err := ask(slot); err != nil {
			return nil, err
		}
	}
	for len(took) == 0 || ctx.Err() == nil {
		if r.Buffered() == 0 {
			if err := w.Flush(); err != nil {
				return nil, err
			}
		}
		p, err := receive(r)
		if err != nil {
			return nil, err
		}
		if p.ID != id|0x80000000 {
			if err := send(w, p.Response(sms.StatusOK)); err != nil {
				return nil, err
			}
			continue
		}
		if p.Status != sms.StatusOK {
			return nil, &sms.Rejected{Status: p.Status}
		}
		slot := int(p.Seq - 1)
		took = append(took, time.Since(sent[slot]))
		if err := ask(slot); err != nil {
			return nil, err
		}
	}
	return took, nil
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func submitSession(ctx context.Context, a, b net.Conn, window int) ([]time.Duration, error) {
	var work sync.WaitGroup
	work.Go(func() { respond(b) })
	s := sms.NewSession(a, sms.SessionConfig{Handle: func(*sms.Session, sms.PDU) {}, Window: window, Log: quiet()})
	work.Go(func() { _ = s.Run(context.WithoutCancel(ctx)) })
	took := make([][]time.Duration, window)
	errs := make([]error, window)
	var calls sync.WaitGroup
	for i := range window {
		calls.Go(func() {
			for len(took[i]) == 0 || ctx.Err() == nil {
				p, err := message(pdu.SubmitSMID)
				began := time.Now()
				if err == nil {
					_, err = s.Call(context.WithoutCancel(ctx), p)
				}
				if err != nil {
					errs[i] = err
					return
				}
				took[i] = append(took[i], time.Since(began))
			}
		})
	}
	calls.Wait()
	s.Close(sms.ErrUnbound)
	work.Wait()
	return slices.Concat(took...), errors.Join(errs...)
}

func deliverSession(ctx context.Context, a, b net.Conn, window int) ([]time.Duration, error) {
	s := sms.NewSession(b, sms.SessionConfig{Handle: func(s *sms.Session, p sms.PDU) { _ = s.Reply(p.Response(sms.StatusOK)) }, Log: quiet()})
	var work sync.WaitGroup
	work.Go(func() { _ = s.Run(context.WithoutCancel(ctx)) })
	took, err := drive(ctx, a, window, pdu.DeliverSMID)
	s.Close(sms.ErrUnbound)
	work.Wait()
	return took, err
}

// deliverInbox is a whole gateway: each answer comes after its row's commit.
func deliverInbox(ctx context.Context, inbox gateway.Inbox, window int) ([]time.Duration, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer listener.Close()
	g, err := sms.New(sms.Config{Addr: listener.Addr().String(), SystemID: "bench", Number: ours}, inbox, nil, clock.System{}, quiet())
	if err != nil {
		return nil, err
	}
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	var work sync.WaitGroup
	defer work.Wait()
	defer stop()
	work.Go(func() { g.Run(running) })
	conn, err := listener.Accept()
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	bind, err := receive(conn)
	if err != nil {
		return nil, err
	}
	if err := send(conn, bind.Response(sms.StatusOK)); err != nil {
		return nil, err
	}
	return drive(ctx, conn, window, pdu.DeliverSMID)
}
