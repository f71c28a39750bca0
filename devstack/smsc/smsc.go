// Package smsc is a short message centre for development and tests: it takes
// messages by SMPP, keeps them until the phone they are for is on, brings what
// is typed on a phone to the helpdesk until that acknowledges it, and shows its
// phones on a page. It can misbehave on request. It knows nothing of tickets and
// people beyond names to print on a phone.
package smsc

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"deskbell/clock"

	"golang.org/x/time/rate"
)

// StampTag is the vendor's optional parameter in which this SMSC tells when a
// message was typed, as an SMPP absolute time. It lies in the range that SMPP
// 3.4 (5.3.2) leaves to vendors.
const StampTag = 0x1400

// Phone is somebody's phone.
type Phone struct {
	Number string // E.164
	Name   string
	Role   string
}

// Config says what the SMSC serves. Dir, SystemID, Password and Number are
// required; addresses default to a free port on the loopback.
type Config struct {
	Dir      string // holds the journal of messages; created if missing
	SMPPAddr string
	HTTPAddr string
	SystemID string
	Password string
	Number   string // the helpdesk's number, E.164: where typed messages go
	People   []Phone
	Clock    clock.Clock  // the machine's if nil; validity, late receipts and outages follow it
	Log      *slog.Logger // slog.Default if nil
	Rate     float64      // segments per second it takes, 0 for no limit; more is throttled
	Window   int          // messages it delivers at once without an answer, 10 if zero
	TLS      *tls.Config  // of the links; nil for plain TCP
	// Mount adds pages beside the phones, by http.ServeMux pattern.
	Mount map[string]http.Handler
}

// Server is a running SMSC.
type Server struct {
	config  Config
	clock   clock.Clock
	log     *slog.Logger
	limiter *rate.Limiter
	journal *journal
	web     *http.Server
	smpp    string // address, fixed once known
	webURL  string
	wake    chan struct{}
	stop    context.CancelFunc
	work    sync.WaitGroup
	faults  faults
	events  events

	commit sync.Mutex // one record at a time: the journal has the state's order
	mu     sync.Mutex
	state
	links map[*link]bool
}

// Start brings the SMSC up with what its folder remembers.
func Start(ctx context.Context, config Config) (*Server, error) {
	if config.Dir == "" || config.SystemID == "" || config.Password == "" || config.Number == "" {
		return nil, errors.New("smsc: folder, system id, password and number are required")
	}
	config.SMPPAddr = cmp.Or(config.SMPPAddr, "127.0.0.1:0")
	config.HTTPAddr = cmp.Or(config.HTTPAddr, "127.0.0.1:0")
	config.Window = cmp.Or(config.Window, 10)
	s := &Server{
		config: config, clock: config.Clock, log: cmp.Or(config.Log, slog.Default()),
		limiter: rate.NewLimiter(rate.Inf, 1), wake: make(chan struct{}, 1),
		state: newState(config.Number, config.People), links: map[*link]bool{},
	}
	if s.clock == nil {
		s.clock = clock.System{}
	}
	if config.Rate > 0 {
		s.limiter = rate.NewLimiter(rate.Limit(config.Rate), max(1, int(config.Rate)))
	}
	if err := os.MkdirAll(config.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("smsc: %w", err)
	}
	listener, err := s.listen(config.SMPPAddr)
	if err != nil {
		return nil, fmt.Errorf("smsc: %w", err)
	}
	web, err := net.Listen("tcp", config.HTTPAddr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("smsc: %w", err), listener.Close())
	}
	s.journal, err = openJournal(filepath.Join(config.Dir, "messages.jsonl"), s.log, s.replay)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("smsc: %w", err), listener.Close(), web.Close())
	}
	s.smpp, s.webURL = listener.Addr().String(), "http://"+web.Addr().String()
	s.serve(context.WithoutCancel(ctx), listener, web)
	return s, nil
}

func (s *Server) serve(ctx context.Context, listener, web net.Listener) {
	ctx, s.stop = context.WithCancel(ctx)
	s.web = &http.Server{
		Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	s.work.Go(func() {
		if err := s.web.Serve(web); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("page of phones ended", slog.Any("error", err))
		}
	})
	s.work.Go(func() { s.accept(ctx, listener) })
	s.work.Go(func() { s.move(ctx) })
}

func (s *Server) listen(addr string) (net.Listener, error) {
	listener, err := net.Listen("tcp", addr)
	if err != nil || s.config.TLS == nil {
		return listener, err
	}
	return tls.NewListener(listener, s.config.TLS), nil
}

// SMPPAddr returns the address for ESMEs, host:port.
func (s *Server) SMPPAddr() string { return s.smpp }

// HTTPURL returns the address of the page of phones, without a slash at its end.
func (s *Server) HTTPURL() string { return s.webURL }

// Stop ends every link and waits until all is written, or ctx ends.
func (s *Server) Stop(ctx context.Context) error {
	s.stop()
	err := s.web.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, s.web.Close())
	}
	s.work.Wait()
	return errors.Join(err, s.journal.close())
}

func (s *Server) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// replay applies one record of the past.
func (s *Server) replay(r record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.apply(r)
}

// record makes something true and writes it down; live, if not nil, adds what is
// no record, before anybody sees the new state. The channel yields once the
// record is on the disk. A new message gets its id here.
func (s *Server) record(r record, live func(*state, record)) (<-chan error, record) {
	s.commit.Lock()
	defer s.commit.Unlock()
	s.mu.Lock()
	if r.ID == "" && (r.Op == opSubmitted || r.Op == opTyped) {
		r.ID = s.nextID()
	}
	r.At = s.clock.Now()
	s.apply(r)
	if live != nil {
		live(&s.state, r)
	}
	s.mu.Unlock()
	synced := make(chan error, 1)
	s.journal.append(r, func(err error) {
		synced <- err
		s.events.publish(r.Phone)
	})
	s.nudge()
	return synced, r
}
