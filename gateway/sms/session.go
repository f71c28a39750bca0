package sms

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fiorix/go-smpp/smpp/pdu"
)

// Reasons for the end of a session, besides those of the network.
var (
	// ErrUnbound is an end that either side asked for.
	ErrUnbound = errors.New("unbound")
	// ErrInactive is a peer that answers nothing any more.
	ErrInactive = errors.New("peer is silent")
)

// SessionConfig says how a session behaves. Handle is required.
type SessionConfig struct {
	// Handle takes every request that is not about the link itself (enquire_link
	// and unbind are answered by the session), in their order. It runs on the
	// reader and must not block; the answer is given by Reply, whenever.
	Handle func(s *Session, p PDU)
	// Window is the number of unanswered messages; 10 if zero. More wait.
	Window int
	// Enquire is how long the peer may say nothing before it is asked, and how long
	// it then may take; 10 s if zero.
	Enquire time.Duration
	// WriteTimeout ends a session whose peer has stopped reading; 10 s if zero.
	WriteTimeout time.Duration
	Log          *slog.Logger // slog.Default if nil
}

// confirmAfter is how long a reply waits for the next answer of the peer to
// prove that it was read, before an enquire_link asks for one.
const confirmAfter = 200 * time.Millisecond

// Session is one SMPP connection, of an ESME or of an SMSC. One goroutine reads,
// one writes, one watches; Run owns all three. Safe for concurrent use.
type Session struct {
	conn   net.Conn
	config SessionConfig
	window chan struct{}
	out    chan *frame
	probe  chan struct{}
	done   chan struct{}
	lastIn atomic.Int64 // unix nanoseconds of the last octet read

	mu      sync.Mutex
	cause   error // set once, before done is closed
	seq     uint32
	pending map[uint32]*call
	proofs  []proof
	written uint64 // frames given to the network so far; written by the writer alone
}

// frame is what waits for the writer.
type frame struct {
	octets  []byte
	call    *call  // of a request
	written func() // of a reply: it was written
	proven  func() // of a reply: the peer is known to have read it
}

// call is a request that waits for its answer.
type call struct {
	id    pdu.ID
	state atomic.Int32
	index uint64 // its place among the frames written
	reply chan PDU
}

const (
	queued int32 = iota
	taken
	cancelled
)

// proof is a written reply whose arrival is not proven.
type proof struct {
	index  uint64
	proven func()
}

// NewSession prepares a session over a connection, which it owns from now on.
// Nothing moves before Run.
func NewSession(conn net.Conn, config SessionConfig) *Session {
	config.Window = cmp.Or(config.Window, 10)
	config.Enquire = cmp.Or(config.Enquire, 10*time.Second)
	config.WriteTimeout = cmp.Or(config.WriteTimeout, 10*time.Second)
	config.Log = cmp.Or(config.Log, slog.Default())
	return &Session{
		conn: conn, config: config,
		window:  make(chan struct{}, config.Window),
		out:     make(chan *frame, 64),
		probe:   make(chan struct{}, 1),
		done:    make(chan struct{}),
		pending: map[uint32]*call{},
	}
}

// Run moves the session until the link ends or ctx does, and says why. The
// connection is closed and every call is finished when it returns.
func (s *Session) Run(ctx context.Context) error {
	s.lastIn.Store(time.Now().UnixNano())
	stop := context.AfterFunc(ctx, func() { s.Close(context.Cause(ctx)) })
	defer stop()
	var work sync.WaitGroup
	work.Go(s.write)
	work.Go(s.watch)
	s.Close(s.read())
	work.Wait()
	return s.cause
}

// Close ends the session for a reason; the first one counts.
func (s *Session) Close(cause error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-s.done:
		return
	default:
	}
	s.cause = cause
	close(s.done)
	s.conn.Close()
}

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Call sends a request and returns its answer. Messages wait for a place in the
// window. The error is a *Rejected, or wraps ErrNotSent or ErrUnknown.
func (s *Session) Call(ctx context.Context, p PDU) (PDU, error) {
	switch p.ID {
	case pdu.SubmitSMID, pdu.DeliverSMID, pdu.DataSMID:
		select {
		case s.window <- struct{}{}:
			defer func() { <-s.window }()
		case <-ctx.Done():
			return PDU{}, fmt.Errorf("%w: %w", ErrNotSent, context.Cause(ctx))
		case <-s.done:
			return PDU{}, fmt.Errorf("%w: %w", ErrNotSent, s.cause)
		}
	}
	c := &call{id: p.ID, reply: make(chan PDU, 1)}
	p.Seq = s.enter(c)
	defer s.leave(p.Seq)
	octets, err := Encode(p)
	if err != nil {
		return PDU{}, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	select {
	case s.out <- &frame{octets: octets, call: c}:
	case <-ctx.Done():
		return PDU{}, fmt.Errorf("%w: %w", ErrNotSent, context.Cause(ctx))
	case <-s.done:
		return PDU{}, fmt.Errorf("%w: %w", ErrNotSent, s.cause)
	}
	select {
	case answer := <-c.reply:
		return answered(answer)
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-s.done:
		err = s.cause
	}
	select {
	case answer := <-c.reply: // both at once: the answer counts
		return answered(answer)
	default:
	}
	if c.state.CompareAndSwap(queued, cancelled) {
		return PDU{}, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	return PDU{}, fmt.Errorf("%w: %w", ErrUnknown, err)
}

func answered(p PDU) (PDU, error) {
	if p.Status != StatusOK || p.ID == pdu.GenericNACKID {
		return p, &Rejected{p.Status}
	}
	return p, nil
}

// enter gives a call its sequence number, 1 to 0x7FFFFFFF, not one in use.
func (s *Session) enter(c *call) uint32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		s.seq = s.seq%0x7FFFFFFF + 1
		if _, used := s.pending[s.seq]; !used {
			s.pending[s.seq] = c
			return s.seq
		}
	}
}

func (s *Session) leave(seq uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pending, seq)
}

// Reply sends a response. It waits for nothing but room in the writer's queue.
func (s *Session) Reply(p PDU) error { return s.reply(p, nil, nil) }

// ReplyProven sends a response and reports when it was written and when the peer
// is known to have read it: when it has answered something that was written
// later. Either may never happen. The functions must not block.
func (s *Session) ReplyProven(p PDU, written, proven func()) error {
	return s.reply(p, written, proven)
}

func (s *Session) reply(p PDU, written, proven func()) error {
	octets, err := Encode(p)
	if err != nil {
		return fmt.Errorf("reply: %w", err)
	}
	select {
	case s.out <- &frame{octets: octets, written: written, proven: proven}:
		return nil
	case <-s.done:
		return fmt.Errorf("reply: %w", s.cause)
	}
}

// Unbind takes leave of the peer and ends the session, answered or not.
func (s *Session) Unbind(ctx context.Context) {
	if _, err := s.Call(ctx, PDU{ID: pdu.UnbindID}); err != nil {
		s.config.Log.Debug("unbind was not answered", slog.Any("error", err))
	}
	s.Close(ErrUnbound)
}

func (s *Session) read() error {
	r := bufio.NewReaderSize(s.conn, 32<<10)
	for {
		octets, err := ReadFrame(r)
		s.lastIn.Store(time.Now().UnixNano())
		if err != nil && !errors.Is(err, ErrTooLarge) {
			return fmt.Errorf("read: %w", err)
		}
		p, decodeErr := Decode(octets)
		switch err = cmp.Or(err, decodeErr); {
		case p.ID&respBit != 0:
			s.resolve(p, err)
		case err != nil:
			s.refuse(p, err)
		case p.ID == pdu.EnquireLinkID:
			_ = s.Reply(p.Response(StatusOK))
		case p.ID == pdu.UnbindID:
			_ = s.reply(p.Response(StatusOK), func() { s.Close(ErrUnbound) }, nil)
		default:
			s.config.Handle(s, p)
		}
	}
}

// refuse answers a request that could not be read: it costs its own frame alone.
func (s *Session) refuse(p PDU, err error) {
	s.config.Log.Warn("unreadable PDU refused", slog.String("command", p.ID.String()), slog.Any("error", err))
	if p.ID == pdu.AlertNotificationID || p.ID == pdu.OutbindID {
		return // these have no response
	}
	status := StatusPermanent
	switch {
	case errors.Is(err, ErrTooLarge):
		status = StatusInvalidLen
	case errors.Is(err, ErrUnknownCommand):
		status = StatusInvalidID
	}
	_ = s.Reply(p.Response(status))
}

// resolve gives an answer to the call with its number, if it is an answer to
// that kind of call.
func (s *Session) resolve(p PDU, decodeErr error) {
	s.mu.Lock()
	c := s.pending[p.Seq]
	if c == nil || p.ID != c.id|respBit && p.ID != pdu.GenericNACKID || c.state.Load() != taken {
		s.mu.Unlock()
		s.config.Log.Debug("answer without a question", slog.String("command", p.ID.String()))
		return
	}
	delete(s.pending, p.Seq)
	var proven []func()
	for len(s.proofs) > 0 && s.proofs[0].index < c.index {
		proven = append(proven, s.proofs[0].proven)
		s.proofs = s.proofs[1:]
	}
	s.mu.Unlock()
	if decodeErr != nil {
		s.config.Log.Warn("answer cannot be read whole", slog.String("command", p.ID.String()), slog.Any("error", decodeErr))
	}
	c.reply <- p
	for _, f := range proven {
		f()
	}
}

// write is the one place that writes. What is queued goes out together.
func (s *Session) write() {
	for {
		var batch []*frame
		select {
		case f := <-s.out:
			batch = append(batch, f)
		case <-s.done:
			return
		}
		for len(batch) < cap(s.out) && len(s.out) > 0 {
			batch = append(batch, <-s.out)
		}
		if err := s.flush(batch); err != nil {
			s.Close(fmt.Errorf("write: %w", err))
			return
		}
	}
}

func (s *Session) flush(batch []*frame) error {
	var octets []byte
	var proofs []proof
	for _, f := range batch {
		if f.call != nil {
			f.call.index = s.written + 1
			if !f.call.state.CompareAndSwap(queued, taken) {
				continue
			}
		}
		s.written++
		octets = append(octets, f.octets...)
		if f.proven != nil {
			proofs = append(proofs, proof{s.written, f.proven})
		}
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.config.WriteTimeout)); err != nil {
		return err
	}
	if _, err := s.conn.Write(octets); err != nil {
		return err
	}
	for _, f := range batch {
		if f.written != nil {
			f.written()
		}
	}
	if len(proofs) > 0 {
		s.mu.Lock()
		s.proofs = append(s.proofs, proofs...)
		s.mu.Unlock()
		select {
		case s.probe <- struct{}{}:
		default:
		}
	}
	return nil
}

// watch asks a peer that says nothing whether it lives, and one that has not
// answered since our last reply whether it read it.
func (s *Session) watch() {
	timer := time.NewTimer(s.config.Enquire)
	defer timer.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-s.probe:
			if !s.pause(confirmAfter) {
				return
			}
			if s.unproven() && !s.enquire() {
				return
			}
		case <-timer.C:
			if s.quiet() >= s.config.Enquire && !s.enquire() {
				return
			}
		}
		timer.Reset(max(s.config.Enquire-s.quiet(), time.Millisecond))
	}
}

func (s *Session) quiet() time.Duration {
	return time.Since(time.Unix(0, s.lastIn.Load()))
}

func (s *Session) unproven() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.proofs) > 0
}

// pause reports whether the session outlived it.
func (s *Session) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-s.done:
		return false
	}
}

// enquire asks whether the peer lives. A peer that does not answer but speaks
// does. A session without a sign of life ends.
func (s *Session) enquire() bool {
	ctx, cancel := context.WithTimeout(context.Background(), s.config.Enquire)
	defer cancel()
	_, err := s.Call(ctx, PDU{ID: pdu.EnquireLinkID})
	var rejected *Rejected
	if err == nil || errors.As(err, &rejected) || s.quiet() < s.config.Enquire {
		return true
	}
	s.Close(fmt.Errorf("%w for %s", ErrInactive, s.quiet().Round(time.Millisecond)))
	return false
}
