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
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/fiorix/go-smpp/smpp/pdu"

	"deskbell/clock"
	"deskbell/gateway"
	"deskbell/gateway/sms"
)

// Row is one measurement.
type Row struct {
	Path      string  `json:"path"`   // submit or deliver; codec, session, or callers of it; inbox
	Window    int     `json:"window"` // operations without an answer
	Procs     int     `json:"procs"`  // processors that both ends share
	PerSecond float64 `json:"per_s"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	CPU       float64 `json:"cpu_us"` // of one operation, at both ends
	// OfCodec is the rate as a part of the codec's: the median over slices of the same
	// round of turns. 0 where there is no codec to compare with.
	OfCodec float64 `json:"of_codec,omitempty"`
}

// Windows are those that are measured.
var Windows = []int{1, 10, 100}

const ours, theirs = "+4930555100", "+4915550001"

// slice is how long codec and session take turns at a stretch: short, so that what the
// machine does besides hits both of a pair, and long beside the filling of a window.
func slice(window int) time.Duration {
	return max(10*time.Millisecond, time.Duration(window)*time.Millisecond)
}

// procs are one, where a rate is nothing but the work behind it, and all there are,
// where it is also who waits for whom on which of them.
func procs() []int {
	if n := runtime.GOMAXPROCS(0); n > 1 {
		return []int{1, n}
	}
	return []int{1}
}

// side is one way of an operation. run keeps the window full until ctx ends, at least
// for one operation, and returns how long each took.
type side struct {
	name  string
	run   func(ctx context.Context) ([]time.Duration, error)
	close func()
	took  []time.Duration
	busy  time.Duration
	cpu   time.Duration
}

// turn runs a side for a slice and returns its rate.
func (s *side) turn(ctx context.Context, long time.Duration) (perSecond float64, err error) {
	ctx, cancel := context.WithTimeout(ctx, long)
	defer cancel()
	began, used := time.Now(), cpu()
	took, err := s.run(ctx)
	busy := time.Since(began) // with the last answers, which come after ctx has ended
	s.took, s.busy, s.cpu = append(s.took, took...), s.busy+busy, s.cpu+cpu()-used
	return float64(len(took)) / busy.Seconds(), err
}

// row sums a side up. It has run.
func (s *side) row(window int) Row {
	slices.Sort(s.took)
	ms := func(q float64) float64 { return s.took[int(q*float64(len(s.took)-1))].Seconds() * 1000 }
	n := float64(len(s.took))
	return Row{Path: s.name, Window: window, Procs: runtime.GOMAXPROCS(0), PerSecond: n / s.busy.Seconds(), P50: ms(0.5), P99: ms(0.99), CPU: s.cpu.Seconds() * 1e6 / n}
}

// cpu is what this process has used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // fails for no valid argument
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// Run measures every path for a while each. What comes in goes to the inbox in the
// last one; its rows stay there.
func Run(ctx context.Context, inbox gateway.Inbox, each time.Duration) ([]Row, error) {
	var rows []Row
	for _, window := range Windows {
		for _, id := range []pdu.ID{pdu.SubmitSMID, pdu.DeliverSMID} {
			for _, n := range procs() {
				some, err := compare(ctx, id, window, n, each)
				if err != nil {
					return rows, fmt.Errorf("%s at window %d: %w", id, window, err)
				}
				rows = append(rows, some...)
			}
		}
		in := side{name: "deliver, inbox", run: func(ctx context.Context) ([]time.Duration, error) { return deliverInbox(ctx, inbox, window) }}
		if _, err := in.turn(ctx, each); err != nil {
			return rows, fmt.Errorf("%s at window %d: %w", in.name, window, err)
		}
		rows = append(rows, in.row(window))
	}
	return rows, nil
}

// compare gives the codec and what is built on it their turns on so many processors.
func compare(ctx context.Context, id pdu.ID, window, procs int, each time.Duration) ([]Row, error) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(procs))
	codec, err := codecSide(ctx, id, window)
	if err != nil {
		return nil, err
	}
	defer codec.close()
	sides := []*side{codec}
	for _, open := range overSession[id] {
		one, err := open(ctx, window)
		if err != nil {
			return nil, err
		}
		defer one.close()
		sides = append(sides, one)
	}
	ratios := map[*side][]float64{}
	for i := range max(1, int(each/slice(window))) {
		rates := map[*side]float64{}
		for turn := range sides {
			s := sides[(turn+i)%len(sides)] // who comes later pays for the others' garbage
			if rates[s], err = s.turn(ctx, slice(window)); err != nil {
				return nil, fmt.Errorf("%s: %w", s.name, err)
			}
		}
		for _, s := range sides[1:] {
			ratios[s] = append(ratios[s], rates[s]/rates[codec])
		}
	}
	var rows []Row
	for _, s := range sides {
		row := s.row(window)
		if of := ratios[s]; len(of) > 0 {
			slices.Sort(of)
			row.OfCodec = of[len(of)/2]
		}
		rows = append(rows, row)
	}
	return rows, nil
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

// operation names what a request asks for.
var operation = map[pdu.ID]string{pdu.SubmitSMID: "submit", pdu.DeliverSMID: "deliver"}

// codecSide is both ends without a session.
func codecSide(ctx context.Context, id pdu.ID, window int) (*side, error) {
	a, b, err := pair(ctx)
	if err != nil {
		return nil, err
	}
	var answering sync.WaitGroup
	answering.Go(func() { respond(b) })
	return &side{name: operation[id] + ", codec", run: newDriver(a, window, id).run, close: func() {
		_ = errors.Join(a.Close(), b.Close())
		answering.Wait()
	}}, nil
}

// overSession have the gateway's session at one end: the one that asks, in one loop as
// the codec's or in a goroutine for each place of the window, or the one that answers.
var overSession = map[pdu.ID][]func(ctx context.Context, window int) (*side, error){
	pdu.SubmitSMID:  {submitSide, callersSide},
	pdu.DeliverSMID: {deliverSide},
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

// driver asks in one loop.
type driver struct {
	r      *bufio.Reader
	w      *bufio.Writer
	window int
	id     pdu.ID
	sent   []time.Time // by sequence number, from 1
}

func newDriver(conn net.Conn, window int, id pdu.ID) *driver {
	return &driver{bufio.NewReaderSize(conn, 32<<10), bufio.NewWriterSize(conn, 32<<10), window, id, make([]time.Time, window)}
}

// run is the run of a side. What the other end asks meanwhile is answered.
func (d *driver) run(ctx context.Context) (took []time.Duration, err error) {
	for slot := range d.window {
		if err := d.ask(slot); err != nil {
			return nil, err
		}
	}
	for open := d.window; open > 0; {
		if d.r.Buffered() == 0 {
			if err := d.w.Flush(); err != nil {
				return nil, err
			}
		}
		p, err := receive(d.r)
		if err != nil {
			return nil, err
		}
		if p.ID != d.id|0x80000000 {
			if err := send(d.w, p.Response(sms.StatusOK)); err != nil {
				return nil, err
			}
			continue
		}
		if p.Status != sms.StatusOK {
			return nil, &sms.Rejected{Status: p.Status}
		}
		slot := int(p.Seq - 1)
		took = append(took, time.Since(d.sent[slot]))
		if ctx.Err() != nil {
			open--
		} else if err := d.ask(slot); err != nil {
			return nil, err
		}
	}
	return took, nil
}

func (d *driver) ask(slot int) error {
	p, err := message(d.id)
	if err != nil {
		return err
	}
	p.Seq, d.sent[slot] = uint32(slot+1), time.Now()
	return send(d.w, p)
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// session runs a session over a connection; end stops it and waits for it.
func session(ctx context.Context, conn net.Conn, config sms.SessionConfig) (s *sms.Session, end func()) {
	config.Log = quiet()
	s = sms.NewSession(conn, config)
	var work sync.WaitGroup
	work.Go(func() { _ = s.Run(context.WithoutCancel(ctx)) })
	return s, func() {
		s.Close(sms.ErrUnbound)
		work.Wait()
	}
}

// result is what a turn returns.
type result struct {
	took []time.Duration
	err  error
}

// submitting is a session whose peer answers; end ends both.
func submitting(ctx context.Context, window int) (s *sms.Session, end func(), err error) {
	a, b, err := pair(ctx)
	if err != nil {
		return nil, nil, err
	}
	var answering sync.WaitGroup
	answering.Go(func() { respond(b) })
	s, hangUp := session(ctx, a, sms.SessionConfig{Handle: func(*sms.Session, sms.PDU) {}, Window: window})
	return s, func() {
		hangUp()
		_ = b.Close()
		answering.Wait()
	}, nil
}

// submitSide has each answer start the next request.
func submitSide(ctx context.Context, window int) (*side, error) {
	s, end, err := submitting(ctx, window)
	if err != nil {
		return nil, err
	}
	run := func(ctx context.Context) ([]time.Duration, error) {
		results := make(chan result, window)
		for range window {
			startUntil(ctx, s, results)
		}
		return collect(results, window)
	}
	return &side{name: "submit, session", run: run, close: end}, nil
}

// startUntil submits one after the other until ctx ends, at least once.
func startUntil(ctx context.Context, s *sms.Session, results chan<- result) {
	var took []time.Duration
	var next func()
	next = func() {
		p, err := message(pdu.SubmitSMID)
		began := time.Now()
		if err == nil {
			err = s.Start(p, func(_ sms.PDU, err error) {
				took = append(took, time.Since(began))
				if err != nil || ctx.Err() != nil {
					results <- result{took, err}
					return
				}
				next()
			})
		}
		if err != nil {
			results <- result{took, err}
		}
	}
	next()
}

func collect(results <-chan result, n int) (took []time.Duration, err error) {
	for range n {
		r := <-results
		took, err = append(took, r.took...), errors.Join(err, r.err)
	}
	return took, err
}

// callersSide has as many callers as the window has places. They live as long as the
// side: what a new goroutine costs is not the session's.
func callersSide(ctx context.Context, window int) (*side, error) {
	s, end, err := submitting(ctx, window)
	if err != nil {
		return nil, err
	}
	turns, results := make(chan context.Context), make(chan result, window)
	var callers sync.WaitGroup
	for range window {
		callers.Go(func() {
			for ctx := range turns {
				took, err := callUntil(ctx, s)
				results <- result{took, err}
			}
		})
	}
	run := func(ctx context.Context) ([]time.Duration, error) {
		for range window {
			turns <- ctx
		}
		return collect(results, window)
	}
	return &side{name: "submit, callers", run: run, close: func() {
		close(turns)
		callers.Wait()
		end()
	}}, nil
}

// callUntil submits one after the other until ctx ends, at least once.
func callUntil(ctx context.Context, s *sms.Session) (took []time.Duration, err error) {
	for len(took) == 0 || ctx.Err() == nil {
		p, err := message(pdu.SubmitSMID)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		if _, err := s.Call(context.WithoutCancel(ctx), p); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

func deliverSide(ctx context.Context, window int) (*side, error) {
	a, b, err := pair(ctx)
	if err != nil {
		return nil, err
	}
	_, end := session(ctx, b, sms.SessionConfig{Handle: func(s *sms.Session, p sms.PDU) { _ = s.Reply(p.Response(sms.StatusOK)) }})
	return &side{name: "deliver, session", run: newDriver(a, window, pdu.DeliverSMID).run, close: func() {
		_ = a.Close()
		end()
	}}, nil
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
	return newDriver(conn, window, pdu.DeliverSMID).run(ctx)
}
