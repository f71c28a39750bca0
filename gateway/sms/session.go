package sms

import (
	"bufio"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
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

// maxQueued bounds the frames that wait for the writer; more replies wait. Calls
// are few by their window.
const maxQueued = 256

// confirmAfter is how long a reply waits for the next answer of the peer to
// prove that it was read, before an enquire_link asks for one.
const confirmAfter = 200 * time.Millisecond

// Session is one SMPP connection, of an ESME or of an SMSC. One goroutine reads,
// one writes, one watches; Run owns all three. Safe for concurrent use.
type Session struct {
	conn     net.Conn
	socket   syscall.RawConn // nil where it is not the connection's own octets, as with TLS
	config   SessionConfig
	wake     chan struct{} // there is work for the writer
	probe    chan struct{}
	done     chan struct{}
	lastIn   atomic.Int64 // unix nanoseconds of the last octet read
	resolved bool         // the reader has woken callers since it last waited; the reader's own

	mu      sync.Mutex
	room    sync.Cond // the queue is shorter, or the session has ended
	cause   error     // set once, before done is closed
	seq     uint32
	pending map[uint32]*call
	queue   []frame
	waiting []frame // messages without a place in the window
	open    int     // messages in the window
	reading bool    // the reader is at work; it pushes before it waits for more
	taken   uint64  // frames taken from the queue so far
	proofs  []proof

	writing sync.Mutex // held while something is written
	batch   []frame    // of which the octets are written
	octets  []byte     // what is left of them
}

// frame is what waits for the writer.
type frame struct {
	octets  []byte
	call    *call  // of a request
	written func() // of a reply: it was written
	proven  func() // of a reply: the peer is known to have read it
}

// call is a request that is not answered yet. What is not set at its start changes
// under the session's lock.
type call struct {
	id    pdu.ID
	done  func(PDU, error)
	wakes bool // done wakes somebody, who may have more to say
	seq   uint32
	index uint64 // its place among the frames taken by the writer, 0 before
	ended bool   // without an answer
}

// message tells whether the call needs a place in the window.
func (c *call) message() bool {
	return c.id == pdu.SubmitSMID || c.id == pdu.DeliverSMID || c.id == pdu.DataSMID
}

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
	s := &Session{
		conn: conn, config: config,
		wake:    make(chan struct{}, 1),
		probe:   make(chan struct{}, 1),
		done:    make(chan struct{}),
		pending: map[uint32]*call{},
	}
	s.room.L = &s.mu
	if tcp, ok := conn.(*net.TCPConn); ok {
		s.socket, _ = tcp.SyscallConn() // without one the writer writes everything
	}
	return s
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
	for c, err := range s.end(cause) {
		c.done(PDU{}, err)
	}
}

// end returns what now is not answered any more, and as what that counts.
func (s *Session) end(cause error) map[*call]error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		return nil
	}
	s.cause = cause
	close(s.done)
	s.conn.Close()
	s.room.Broadcast()
	unanswered := map[*call]error{}
	for _, c := range s.pending {
		unanswered[c] = s.drop(c, cause)
	}
	return unanswered
}

// Done is closed when the session has ended.
func (s *Session) Done() <-chan struct{} { return s.done }

// Call sends a request and returns its answer. Messages wait for a place in the
// window. The error is a *Rejected, or wraps ErrNotSent or ErrUnknown.
func (s *Session) Call(ctx context.Context, p PDU) (PDU, error) {
	if ctx.Err() != nil {
		return PDU{}, fmt.Errorf("%w: %w", ErrNotSent, context.Cause(ctx))
	}
	type result struct {
		answer PDU
		err    error
	}
	results := make(chan result, 1)
	c, err := s.start(p, true, func(answer PDU, err error) { results <- result{answer, err} })
	if err != nil {
		return PDU{}, err
	}
	select {
	case r := <-results:
		return r.answer, r.err
	case <-ctx.Done():
		s.giveUp(c, context.Cause(ctx))
		r := <-results
		return r.answer, r.err
	}
}

// Start sends a request and does not wait: done gets what Call would return, once, at
// the latest when the session ends. It runs on the reader, or on whoever closes the
// session, and must not block; it may start the next request. What cannot be sent at
// all is an error at once, and done is not called.
//
// A goroutine that waits in Call has to be woken, which costs more than all else of a
// submit where the other processors sleep; who goes on in done is as fast as a loop
// over the bare codec (docs/adr/0019).
func (s *Session) Start(p PDU, done func(PDU, error)) error {
	_, err := s.start(p, false, done)
	return err
}

func (s *Session) start(p PDU, wakes bool, done func(PDU, error)) (*call, error) {
	octets, err := Encode(p)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	c := &call{id: p.ID, done: done, wakes: wakes}
	alone, err := s.ask(c, octets)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNotSent, err)
	}
	if alone {
		s.push()
	}
	return c, nil
}

// giveUp ends a call without an answer, unless it came in the same moment.
func (s *Session) giveUp(c *call, cause error) {
	s.mu.Lock()
	if s.pending[c.seq] != c {
		s.mu.Unlock()
		return
	}
	err := s.drop(c, cause)
	s.mu.Unlock()
	c.done(PDU{}, err)
}

// drop forgets a call that was not answered and returns its error. The caller holds
// the lock.
func (s *Session) drop(c *call, cause error) error {
	c.ended = true
	s.forget(c)
	if c.index == 0 {
		s.waiting = slices.DeleteFunc(s.waiting, func(f frame) bool { return f.call == c })
		return fmt.Errorf("%w: %w", ErrNotSent, cause)
	}
	return fmt.Errorf("%w: %w", ErrUnknown, cause)
}

// forget takes a call out of the window. The caller holds the lock.
func (s *Session) forget(c *call) {
	delete(s.pending, c.seq)
	if c.index == 0 || !c.message() {
		return
	}
	s.open--
	if len(s.waiting) > 0 && !s.reading {
		s.summon()
	}
}

func answered(p PDU) (PDU, error) {
	if p.Status != StatusOK || p.ID == pdu.GenericNACKID {
		return p, &Rejected{p.Status}
	}
	return p, nil
}

// ask queues a call under a sequence number, 1 to 0x7FFFFFFF, not one in use. Nobody
// else is about to push what is alone in the window while the reader waits: that is
// the caller's.
func (s *Session) ask(c *call, octets []byte) (alone bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cause != nil {
		return false, s.cause
	}
	for c.seq == 0 || s.pending[c.seq] != nil {
		s.seq = s.seq%0x7FFFFFFF + 1
		c.seq = s.seq
	}
	s.pending[c.seq] = c
	binary.BigEndian.PutUint32(octets[12:], c.seq)
	f := frame{octets: octets, call: c}
	if c.message() {
		s.waiting = append(s.waiting, f)
	} else {
		s.queue = append(s.queue, f)
	}
	abreast := s.open + len(s.waiting)
	switch {
	case s.reading, c.message() && abreast > s.config.Window:
		return false, nil
	case abreast <= 1:
		return true, nil
	}
	s.summon()
	return false, nil
}

// summon wakes the writer.
func (s *Session) summon() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
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
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.cause == nil && len(s.queue) >= maxQueued {
		s.summon()
		s.room.Wait()
	}
	if s.cause != nil {
		return fmt.Errorf("reply: %w", s.cause)
	}
	s.queue = append(s.queue, frame{octets: octets, written: written, proven: proven})
	if !s.reading {
		s.summon()
	}
	return nil
}

// Unbind takes leave of the peer and ends the session, answered or not.
func (s *Session) Unbind(ctx context.Context) {
	if _, err := s.Call(ctx, PDU{ID: pdu.UnbindID}); err != nil {
		s.config.Log.Debug("unbind was not answered", slog.Any("error", err))
	}
	s.Close(ErrUnbound)
}

// network is what the reader reads. Before it waits for more, whoever got an answer
// may speak, and what all of them say goes out together with our answers.
type network struct{ s *Session }

func (n network) Read(b []byte) (int, error) {
	if n.s.resolved {
		n.s.resolved = false
		n.s.listen()
	}
	n.s.setReading(false)
	n.s.push()
	read, err := n.s.conn.Read(b)
	n.s.lastIn.Store(time.Now().UnixNano())
	n.s.setReading(true)
	return read, err
}

// listen lets others run for as long as they have something to say; they are as many
// as the window.
func (s *Session) listen() {
	for heard := -1; ; {
		s.mu.Lock()
		queued := len(s.queue)
		s.mu.Unlock()
		if queued <= heard {
			return
		}
		heard = queued
		runtime.Gosched()
	}
}

func (s *Session) setReading(reading bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reading = reading
}

func (s *Session) read() error {
	r := bufio.NewReaderSize(network{s}, 32<<10)
	for {
		octets, err := ReadFrame(r)
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
	if c == nil || p.ID != c.id|respBit && p.ID != pdu.GenericNACKID || c.index == 0 {
		s.mu.Unlock()
		s.config.Log.Debug("answer without a question", slog.String("command", p.ID.String()))
		return
	}
	s.forget(c)
	var proven []func()
	for len(s.proofs) > 0 && s.proofs[0].index < c.index {
		proven = append(proven, s.proofs[0].proven)
		s.proofs = s.proofs[1:]
	}
	s.mu.Unlock()
	s.resolved = s.resolved || c.wakes
	c.done(answered(p))
	if decodeErr != nil {
		s.config.Log.Warn("answer cannot be read whole", slog.String("command", p.ID.String()), slog.Any("error", decodeErr))
	}
	for _, f := range proven {
		f()
	}
}

// write writes what nobody else did, with the others that are about to speak.
func (s *Session) write() {
	for {
		select {
		case <-s.wake:
		case <-s.done:
			return
		}
		runtime.Gosched() // a window of callers speaks at once: one write for all
		if err := s.flush(); err != nil {
			s.Close(fmt.Errorf("write: %w", err))
			return
		}
	}
}

// flush writes what is queued, and waits for the network if it must.
func (s *Session) flush() error {
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.try() {
		return nil
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.config.WriteTimeout)); err != nil {
		return err
	}
	if _, err := s.conn.Write(s.octets); err != nil {
		return err
	}
	s.wrote()
	return s.conn.SetWriteDeadline(time.Time{}) // try has none to wait for
}

// push writes what is queued if the network takes it at once, and leaves it to the
// writer otherwise.
func (s *Session) push() {
	if !s.writing.TryLock() {
		s.summon()
		return
	}
	defer s.writing.Unlock()
	if !s.try() {
		s.summon()
	}
}

// try writes as much of what is queued as the network takes at once, and reports
// whether that was all. The caller holds writing.
func (s *Session) try() bool {
	s.take()
	n := 0
	if len(s.octets) > 0 && s.socket != nil {
		_ = s.socket.Write(func(fd uintptr) bool { // an error is the writer's
			n, _ = syscall.Write(int(fd), s.octets)
			return true
		})
	}
	if n < len(s.octets) {
		s.octets = s.octets[max(n, 0):]
		return false
	}
	s.wrote()
	return true
}

// take moves the queue to the octets that are to be written.
func (s *Session) take() {
	s.mu.Lock()
	defer s.mu.Unlock()
	from := len(s.batch)
	s.batch = append(s.batch, s.queue...)
	clear(s.queue)
	s.queue = s.queue[:0]
	places := min(len(s.waiting), s.config.Window-s.open)
	s.batch = append(s.batch, s.waiting[:places]...)
	s.waiting = slices.Delete(s.waiting, 0, places)
	s.open += places
	for _, f := range s.batch[from:] {
		if f.call != nil && f.call.ended {
			continue
		}
		s.taken++
		if f.call != nil {
			f.call.index = s.taken
		}
		if f.proven != nil {
			s.proofs = append(s.proofs, proof{s.taken, f.proven})
			select {
			case s.probe <- struct{}{}:
			default:
			}
		}
		s.octets = append(s.octets, f.octets...)
	}
	s.room.Broadcast()
}

// wrote tells those who want to know, when all of the batch is written.
func (s *Session) wrote() {
	for _, f := range s.batch {
		if f.written != nil {
			f.written()
		}
	}
	clear(s.batch)
	s.batch, s.octets = s.batch[:0], s.octets[:0]
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
