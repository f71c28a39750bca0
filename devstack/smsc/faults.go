package smsc

import (
	"cmp"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"deskbell/gateway/sms"

	"github.com/fiorix/go-smpp/smpp/pdu"
)

// When receipts are sent, and which.
const (
	receiptsNormal = "normal" // after the response, when the phone has the message
	receiptsLate   = "late"   // 90 s after that
	receiptsBefore = "before" // before the response
	receiptsFailed = "failed" // no phone gets anything
	receiptsNone   = "none"   // phones get all, nobody is told
)

// Faults is the body of POST /api/faults, where what is absent stays as it is, and
// what GET answers: all that is on, and how much of it is left.
type Faults struct {
	Throttle    *int  `json:"throttle"`   // refuse the next n submits with ESME_RTHROTTLED
	QueueFull   *int  `json:"queue_full"` // refuse the next n submits with ESME_RMSGQFUL
	Refuse      *int  `json:"refuse"`     // refuse the next n submits for good, with ESME_RINVDSTADR
	Drop        bool  `json:"drop"`       // cut every link in the middle of a PDU, now
	Silent      *bool `json:"silent"`     // take everything, say nothing
	StopReading *bool `json:"stop_reading"`
	Duplicate   *int  `json:"duplicate"` // deliver the next n messages twice
	Reorder     *bool `json:"reorder"`   // deliver the parts of a text last part first
	// LoseResponses cuts the link in place of reading the next n answers to a
	// delivery: the helpdesk has answered, the SMSC delivers again.
	LoseResponses *int     `json:"lose_responses"`
	Receipts      *string  `json:"receipts"`
	Down          *float64 `json:"down"` // seconds without a listener
}

// faults is what is wrong at the moment. The zero value is health.
type faults struct {
	mu                                                   sync.Mutex
	throttle, queueFull, refuse, duplicates, loseAnswers int
	silent, reorder                                      bool
	readable                                             chan struct{} // nil: reading; else closed when reading goes on
	receipts                                             string
	downUntil                                            time.Time
}

var errUnknownReceipts = errors.New("receipts is normal, late, before, failed or none")

func (f *faults) set(want Faults, now time.Time) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if want.Receipts != nil {
		switch *want.Receipts {
		case receiptsNormal, receiptsLate, receiptsBefore, receiptsFailed, receiptsNone:
			f.receipts = *want.Receipts
		default:
			return errUnknownReceipts
		}
	}
	assign(&f.throttle, want.Throttle)
	assign(&f.queueFull, want.QueueFull)
	assign(&f.refuse, want.Refuse)
	assign(&f.duplicates, want.Duplicate)
	assign(&f.loseAnswers, want.LoseResponses)
	assign(&f.silent, want.Silent)
	assign(&f.reorder, want.Reorder)
	if stop := want.StopReading; stop != nil && *stop != (f.readable != nil) {
		if *stop {
			f.readable = make(chan struct{})
		} else {
			close(f.readable)
			f.readable = nil
		}
	}
	if down := want.Down; down != nil {
		f.downUntil = time.Time{} // over is over, also on a clock that goes back
		if *down > 0 {
			f.downUntil = now.Add(time.Duration(*down * float64(time.Second)))
		}
	}
	return nil
}

// now is what is left of the faults.
func (f *faults) now(at time.Time) Faults {
	f.mu.Lock()
	defer f.mu.Unlock()
	return Faults{
		Throttle: new(f.throttle), QueueFull: new(f.queueFull), Refuse: new(f.refuse), Duplicate: new(f.duplicates), LoseResponses: new(f.loseAnswers),
		Silent: new(f.silent), StopReading: new(f.readable != nil), Reorder: new(f.reorder),
		Receipts: new(cmp.Or(f.receipts, receiptsNormal)), Down: new(max(0, f.downUntil.Sub(at).Seconds())),
	}
}

func assign[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// use takes one of a number of faults, if any is left.
func (f *faults) use(n *int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if *n <= 0 {
		return false
	}
	*n--
	return true
}

func (f *faults) refuseSubmit() pdu.Status {
	switch {
	case f.use(&f.throttle):
		return sms.StatusThrottled
	case f.use(&f.queueFull):
		return sms.StatusQueueFull
	case f.use(&f.refuse):
		return sms.StatusDestination
	}
	return sms.StatusOK
}

func (f *faults) duplicate() bool { return f.use(&f.duplicates) }

func (f *faults) loseResponse() bool { return f.use(&f.loseAnswers) }

func (f *faults) receiptMode() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.receipts
}

func (f *faults) isReorder() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.reorder
}

func (f *faults) isSilent() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.silent
}

func (f *faults) isDown(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return now.Before(f.downUntil)
}

func (f *faults) gate() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readable
}

// dropLinks cuts every link in the middle of a PDU.
func (s *Server) dropLinks() {
	for _, l := range s.allLinks() {
		_ = l.conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = l.conn.Conn.Write([]byte{0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0})
		l.session.Close(errors.New("fault: link dropped"))
	}
}

// faultyConn is a connection that does not read or does not speak while it is
// told so.
type faultyConn struct {
	net.Conn
	faults *faults
	once   sync.Once
	closed chan struct{}
	// losing says that an answer is about to be lost. Nothing but deliveries goes out
	// meanwhile: an answer of ours to what came after it would tell the helpdesk that
	// we have it.
	losing atomic.Bool
}

func newFaultyConn(conn net.Conn, f *faults) *faultyConn {
	return &faultyConn{Conn: conn, faults: f, closed: make(chan struct{})}
}

func (c *faultyConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if gate := c.faults.gate(); gate != nil && err == nil {
		select {
		case <-gate:
		case <-c.closed:
			return 0, net.ErrClosed
		}
	}
	return n, err
}

func (c *faultyConn) Write(b []byte) (int, error) {
	if c.faults.isSilent() {
		return len(b), nil
	}
	if c.losing.Load() {
		if _, err := c.Conn.Write(deliveries(b)); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	return c.Conn.Write(b)
}

// deliveries returns the deliver_sm among whole frames.
func deliveries(frames []byte) (out []byte) {
	for len(frames) >= pdu.HeaderLen {
		frame := frames[:binary.BigEndian.Uint32(frames)]
		if pdu.ID(binary.BigEndian.Uint32(frame[4:])) == pdu.DeliverSMID {
			out = append(out, frame...)
		}
		frames = frames[len(frame):]
	}
	return out
}

func (c *faultyConn) Close() error {
	c.once.Do(func() { close(c.closed) })
	return c.Conn.Close()
}
