package sms

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"time"

	"deskbell/clock"
	"deskbell/gateway"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
	"golang.org/x/time/rate"
)

// Config is one SMSC and what was agreed with its operator. Addr, SystemID and
// Number are required.
type Config struct {
	// Name stands in keys and wire ids; Addr if empty. SMSCs of one operator that
	// share their message ids, and deliver again what another of them delivered, have
	// the same name.
	Name     string
	Addr     string // host:port
	SystemID string
	Password string
	Number   string      // our number, E.164
	TLS      *tls.Config // nil for plain TCP
	Region   string      // home region of national numbers, ISO 3166 alpha-2; DE if empty
	// Separate binds a receiver and a transmitter in place of a transceiver.
	Separate bool
	// Prefixes are the numbers this SMSC takes, in E.164 with the plus; + alone is
	// every number that has no longer prefix anywhere. Empty: every number, after
	// those that name it.
	Prefixes []string
	// Rate is the agreed number of segments per second, 0 for no limit.
	Rate float64
	// Window is the number of unanswered submits, 10 if zero.
	Window int
	// ResponseTimeout is how long a submit may go unanswered before its fate is
	// unknown, 10 s if zero.
	ResponseTimeout time.Duration
	// Enquire is how long the link may be silent before it is probed, and how long
	// it then has; 10 s if zero.
	Enquire time.Duration
	// Latin1 says that this SMSC means Latin-1, and not GSM 7-bit, by its default
	// alphabet (data_coding 0).
	Latin1 bool
	// GSMAsIA5 says that this SMSC means GSM 7-bit when it says IA5 (data_coding 1).
	GSMAsIA5 bool
	// ReceiptIDs says how receipts write the message ids of submit_sm_resp: empty
	// for alike, "hex" for hexadecimal where the response is decimal, "decimal" for
	// the reverse.
	ReceiptIDs string
	// StampTag is the vendor's parameter that holds the time a message was sent, as
	// an SMPP absolute time; 0 for none.
	StampTag uint16
	Watch    Watch // nil: nobody watches
}

// Watch is told what happens on the wire, for whoever runs it. Its methods are
// called from any goroutine and must not block. An SMSC is named by its address.
type Watch interface {
	// Bound tells that a bind (transceiver, receiver or transmitter) begins or ends.
	Bound(smsc, bind string, up bool)
	// Submitting tells how many submits have no answer yet.
	Submitting(smsc string, unanswered int)
	// Submitted tells what became of one submit, by the name of its status, or
	// NOT_SENT or UNKNOWN, and how long its answer took.
	Submitted(smsc, status string, took time.Duration)
	// Paused tells for how long the SMSC asked us to wait.
	Paused(smsc string, wait time.Duration)
	// Answered tells how a message or a receipt of the SMSC was answered, by the name
	// of the status.
	Answered(smsc, status string)
}

const (
	dialTimeout  = 10 * time.Second
	bindTimeout  = 10 * time.Second
	drainTimeout = 5 * time.Second // for each step of a farewell
	backoffFirst = 250 * time.Millisecond
	backoffMost  = 15 * time.Second
	refusedFirst = 15 * time.Second // wrong credentials do not mend themselves
	refusedMost  = 60 * time.Second
	afterBind    = 2 // what a bind that was lost counts for: up to a second
)

// Gateway keeps one SMSC bound, takes what it delivers and sends through it.
type Gateway struct {
	config   Config
	inbox    gateway.Inbox
	receipts gateway.Receipts
	clock    clock.Clock
	log      *slog.Logger
	limiter  *rate.Limiter

	mu       sync.Mutex
	link     *link               // that can submit; nil while unbound or saying farewell
	unclear  time.Time           // a submit was not answered; others are better until then
	flying   int                 // submits without an answer
	resumeAt time.Time           // the SMSC asked for a pause until then
	pauses   int                 // in a row
	partial  map[string][]string // delivery key -> ids of its segments sent so far
	receipt  chan struct{}       // one token per receipt in work
	changed  chan struct{}       // link came or went
}

var _ gateway.Sender = (*Gateway)(nil)

// link is one bind: its session and the sends that use it.
type link struct {
	session *Session
	sends   sync.WaitGroup
}

// maxReceipts bounds the receipts that wait for their commit.
const maxReceipts = 100

// New checks the configuration. Nothing moves before Run.
func New(config Config, inbox gateway.Inbox, receipts gateway.Receipts, c clock.Clock, log *slog.Logger) (*Gateway, error) {
	if config.Addr == "" || config.SystemID == "" || !isE164(config.Number) {
		return nil, errors.New("sms: address, system id and our own number (E.164) are required")
	}
	if config.ReceiptIDs != "" && config.ReceiptIDs != "hex" && config.ReceiptIDs != "decimal" {
		return nil, fmt.Errorf("sms: receipt ids are %q, not hex or decimal", config.ReceiptIDs)
	}
	config.Name = cmp.Or(config.Name, config.Addr)
	config.Region = cmp.Or(config.Region, "DE")
	config.ResponseTimeout = cmp.Or(config.ResponseTimeout, 10*time.Second)
	config.Window = cmp.Or(config.Window, 10)
	if config.Watch == nil {
		config.Watch = nobody{}
	}
	limiter := rate.NewLimiter(rate.Inf, 1)
	if config.Rate > 0 {
		limiter = rate.NewLimiter(rate.Limit(config.Rate), max(1, int(config.Rate)))
	}
	return &Gateway{
		config: config, inbox: inbox, receipts: receipts, clock: c, limiter: limiter,
		log:     cmp.Or(log, slog.Default()).With(slog.String("smsc", config.Addr)),
		partial: map[string][]string{},
		receipt: make(chan struct{}, maxReceipts),
		changed: make(chan struct{}, 1),
	}, nil
}

// Bound reports whether messages can be sent now.
func (g *Gateway) Bound() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.link != nil
}

// Run binds, and binds again, until ctx ends; then it takes leave: what is under
// way is waited for, then comes unbind.
func (g *Gateway) Run(ctx context.Context) {
	binds := []pdu.ID{pdu.BindTransceiverID}
	if g.config.Separate {
		binds = []pdu.ID{pdu.BindTransmitterID, pdu.BindReceiverID}
	}
	var kept sync.WaitGroup
	defer kept.Wait()
	for _, id := range binds {
		kept.Go(func() { g.keepBound(ctx, id) })
	}
}

var bindNames = map[pdu.ID]string{
	pdu.BindTransceiverID: "transceiver", pdu.BindTransmitterID: "transmitter", pdu.BindReceiverID: "receiver",
}

func (g *Gateway) keepBound(ctx context.Context, id pdu.ID) {
	log := g.log.With(slog.String("bind", bindNames[id]))
	for failures := 0; ; failures++ {
		bound, err := g.bindOnce(ctx, id, log)
		if ctx.Err() != nil {
			return
		}
		if bound {
			failures = afterBind
		}
		first, most, level := backoffFirst, backoffMost, slog.LevelWarn
		if rejected, ok := errors.AsType[*Rejected](err); ok {
			switch rejected.Status {
			case StatusPassword, StatusSystemID, StatusBindFailed:
				first, most, level = refusedFirst, refusedMost, slog.LevelError
			}
		}
		wait := backoff(first, most, failures)
		log.Log(ctx, level, "not bound", slog.Any("error", err), slog.Duration("again_in", wait))
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// backoff is a full jitter: anything up to a limit that doubles.
func backoff(first, most time.Duration, failures int) time.Duration {
	return rand.N(min(most, first<<min(failures, 10)) + 1)
}

// bindOnce lives as long as one bind, and tells whether it stood.
func (g *Gateway) bindOnce(ctx context.Context, id pdu.ID, log *slog.Logger) (bound bool, err error) {
	conn, err := g.dial(ctx)
	if err != nil {
		return false, fmt.Errorf("dial: %w", err)
	}
	// The session outlives ctx by the farewell.
	alive, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	in := newInbound(g)
	l := &link{session: NewSession(conn, SessionConfig{
		Handle: in.handle, Window: g.config.Window, Enquire: g.config.Enquire, Log: log,
	})}
	defer in.drain()
	var work sync.WaitGroup
	defer work.Wait()
	ended := make(chan struct{}) // the reader has stopped, nothing more comes in
	work.Go(func() {
		defer close(ended)
		_ = l.session.Run(alive)
	})
	work.Go(func() { in.run(alive, ended) })
	defer l.session.Close(ErrUnbound)

	if err := bind(ctx, l.session, id, g.config); err != nil {
		return false, fmt.Errorf("bind: %w", err)
	}
	log.Info("bound")
	g.config.Watch.Bound(g.config.Addr, bindNames[id], true)
	defer g.config.Watch.Bound(g.config.Addr, bindNames[id], false)
	if id != pdu.BindReceiverID {
		g.setLink(l)
	}
	select {
	case <-l.session.Done():
		err = l.session.cause
	case <-ctx.Done():
		err = ctx.Err()
	}
	if id != pdu.BindReceiverID {
		g.setLink(nil)
	}
	g.farewell(l, in)
	return true, err
}

func (g *Gateway) setLink(l *link) {
	g.mu.Lock()
	g.link = l
	g.mu.Unlock()
	select {
	case g.changed <- struct{}{}:
	default:
	}
}

func (g *Gateway) dial(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	if g.config.TLS == nil {
		return new(net.Dialer).DialContext(ctx, "tcp", g.config.Addr)
	}
	return (&tls.Dialer{Config: g.config.TLS}).DialContext(ctx, "tcp", g.config.Addr)
}

func bind(ctx context.Context, s *Session, id pdu.ID, c Config) error {
	ctx, cancel := context.WithTimeout(ctx, bindTimeout)
	defer cancel()
	p := PDU{ID: id, Fields: pdufield.Map{}}
	for name, value := range map[pdufield.Name]any{
		pdufield.SystemID: c.SystemID, pdufield.Password: c.Password, pdufield.InterfaceVersion: 0x34,
	} {
		if err := p.Fields.Set(name, value); err != nil {
			return err
		}
	}
	_, err := s.Call(ctx, p)
	return err
}

// farewell lets finish what is under way, then unbinds. On a link that is gone
// already it only waits for the sends to learn so.
func (g *Gateway) farewell(l *link, in *inbound) {
	ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
	defer cancel()
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		l.sends.Wait()
		in.drain()
	}()
	select {
	case <-finished:
	case <-ctx.Done():
	}
	select {
	case <-l.session.Done():
	default:
		ctx, cancel := context.WithTimeout(context.Background(), drainTimeout)
		defer cancel()
		l.session.Unbind(ctx)
	}
	<-finished
}

// acquire returns the bind for one send; release must follow.
func (g *Gateway) acquire() *link {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.link != nil {
		g.link.sends.Add(1)
	}
	return g.link
}

// wireID is a message id as it is compared: the SMSC's name, no leading zeros,
// lower case.
func (g *Gateway) wireID(id string) string {
	id = strings.ToLower(strings.TrimLeft(strings.TrimSpace(id), "0"))
	return g.config.Name + "/" + cmp.Or(id, "0")
}

// nobody watches.
type nobody struct{}

func (nobody) Bound(string, string, bool)              {}
func (nobody) Submitting(string, int)                  {}
func (nobody) Submitted(string, string, time.Duration) {}
func (nobody) Paused(string, time.Duration)            {}
func (nobody) Answered(string, string)                 {}
