package im

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattn/go-xmpp"
)

var (
	errEnded      = errors.New("session ended")
	errRefused    = errors.New("the server refused the request")
	errIncomplete = errors.New("not written")
	errTooLong    = errors.New("message is longer than the server takes")
)

// session is one login. Its goroutines are the reader, the writer and the prover;
// whoever opened it waits for them.
//
// The library's Close is never called: it races with Recv, waits up to ten seconds
// and may wait for ever. A session ends by cutting its relay and waiting for the
// reader. The loopback descriptor inside the library is then garbage and goes with
// the next collection.
type session struct {
	client *xmpp.Client
	relay  *relay
	timing timing

	writes chan write
	bell   chan struct{} // rung by a live message: look into the archive
	prove  chan struct{} // rung by the first sender that waits for the next proof
	asked  chan any      // what somebody wants answered

	flooded bool // asked is full; the reader's

	sent atomic.Int64 // messages proven

	ending sync.Once
	done   chan struct{} // closed when the session is over
	cause  error         // why; read after done

	mu      sync.Mutex
	waiting map[string]chan<- xmpp.IQ // our requests, by id
	pages   map[string]*page          // of archives, by the query's id
	roster  map[string]rosterItem     // by bare JID
	flights map[string][]*flight      // our messages without proof, by addressee
	typists map[string]bool           // clients that show who is typing, by full JID
	archive int                       // whether there is one
	heard   []xmpp.Chat               // live messages that no archive has, or perhaps none
	told    []xmpp.DiscoResult        // what somebody said that it can, since that was asked
	proof   chan struct{}             // closed when the server has answered a later ping
}

type write struct {
	data   string
	result chan error
}

// dial logs in. It returns when ctx ends, whatever the library hangs in. A server whose
// channel binding knows TLS 1.2 only, such as ejabberd 23.01, is called again with that:
// so the binding, which proves that nobody sits between, is not given up.
func dial(ctx context.Context, c Config, t timing) (*session, error) {
	s, err := dialTLS(ctx, c, t, tls.VersionTLS13)
	if err != nil && strings.Contains(strings.ToLower(err.Error()), "channel binding") {
		return dialTLS(ctx, c, t, tls.VersionTLS12)
	}
	return s, err
}

// dialTLS logs in with at most this version of TLS.
func dialTLS(ctx context.Context, c Config, t timing, version uint16) (*session, error) {
	roots, err := trusted(c.CAFile)
	if err != nil {
		return nil, err
	}
	link, err := openRelay(ctx, c.Addr)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, link.cut)
	client, err := login(xmpp.Options{
		Host:          link.address(),
		User:          bare(c.JID),
		Password:      c.Password,
		Resource:      "desk-" + randomHex(6),
		DialTimeout:   t.request,
		NoTLS:         true, // no TLS before the stream; StartTLS follows and is enforced, since the library refuses to authenticate in clear
		StartTLS:      true,
		NoPLAIN:       true,
		Status:        "chat", // an empty <show/> is invalid and some servers drop the connection
		StatusMessage: "",
		TLSConfig:     &tls.Config{ServerName: domain(c.JID), RootCAs: roots, MinVersion: tls.VersionTLS12, MaxVersion: version},
	})
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		link.close()
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fmt.Errorf("log in to XMPP server: %w", err)
	}
	return &session{
		client: client, relay: link, timing: t,
		writes:  make(chan write),
		bell:    make(chan struct{}, 1),
		prove:   make(chan struct{}, 1),
		asked:   make(chan any, 256),
		done:    make(chan struct{}),
		waiting: map[string]chan<- xmpp.IQ{},
		pages:   map[string]*page{},
		roster:  map[string]rosterItem{},
		flights: map[string][]*flight{},
		typists: map[string]bool{},
	}, nil
}

// login turns a panic of the library into an error: it has one for servers whose
// certificate is Ed25519 and who offer only tls-server-end-point channel binding.
func login(o xmpp.Options) (client *xmpp.Client, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("XMPP library: %v", p)
		}
	}()
	return o.NewClient()
}

func trusted(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read CA file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read CA file: no certificate in %s", file)
	}
	return pool, nil
}

func randomHex(n int) string {
	b := make([]byte, n)
	rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// end ends the session; the first cause counts.
func (s *session) end(cause error) {
	s.ending.Do(func() {
		s.cause = cause
		close(s.done)
	})
	s.relay.cut()
}

func (s *session) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// goodbye closes the stream in order, so that the server announces us as gone.
func (s *session) goodbye(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, s.timing.goodbye)
	defer cancel()
	if s.writeRaw(ctx, "</stream:stream>") == nil {
		select {
		case <-s.done:
		case <-ctx.Done():
		}
	}
	s.end(errEnded)
}

// read hands every stanza to deliver until the stream fails. It never waits for
// anything but the network.
func (s *session) read(deliver func(any)) {
	for {
		stanza, err := s.client.Recv()
		switch {
		case err == nil:
			deliver(stanza)
		case !benign(stanza, err):
			s.end(fmt.Errorf("receive: %w", err))
			return
		}
	}
}

// benign tells the errors of Recv after which the stream is still in order: a
// malformed avatar or pubsub event, whatever its error says, and an element the
// library does not know.
func benign(stanza any, err error) bool {
	_, chat := stanza.(xmpp.Chat)
	return !chat || strings.HasPrefix(err.Error(), "unexpected XMPP message")
}

// writer is the only writer of the stream.
func (s *session) writer() {
	for {
		select {
		case w := <-s.writes:
			_, err := s.client.SendOrg(w.data)
			w.result <- err
			if err != nil {
				s.end(fmt.Errorf("send: %w", err))
			}
		case <-s.done:
			return
		}
	}
}

// write puts a stanza on the stream. errIncomplete means that the server cannot
// have it as a whole; any other error leaves that open.
func (s *session) write(ctx context.Context, stanza any) error {
	data, err := xml.Marshal(stanza)
	if err != nil {
		return fmt.Errorf("%w: %w", errIncomplete, err)
	}
	return s.writeRaw(ctx, string(data))
}

func (s *session) writeRaw(ctx context.Context, data string) error {
	if limit := s.client.LimitMaxBytes; limit > 0 && len(data) >= limit {
		return errTooLong
	}
	w := write{data: data, result: make(chan error, 1)}
	select {
	case s.writes <- w:
	case <-s.done:
		return fmt.Errorf("%w: %w", errIncomplete, errEnded)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errIncomplete, ctx.Err())
	}
	select {
	case err := <-w.result:
		if err != nil {
			return fmt.Errorf("%w: %w", errIncomplete, err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// request sends an IQ and waits for its answer. errRefused is an answer of type
// error; the library hides its condition.
func (s *session) request(ctx context.Context, to, kind string, payload any) (xmpp.IQ, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timing.request)
	defer cancel()
	id, answer := randomHex(8), make(chan xmpp.IQ, 1)
	s.mu.Lock()
	s.waiting[id] = answer
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.waiting, id)
		s.mu.Unlock()
	}()
	if err := s.write(ctx, iq{To: to, Type: kind, ID: id, Payload: payload}); err != nil {
		return xmpp.IQ{}, err
	}
	select {
	case a := <-answer:
		if a.Type == "error" {
			return a, errRefused
		}
		return a, nil
	case <-s.done:
		return xmpp.IQ{}, errEnded
	case <-ctx.Done():
		return xmpp.IQ{}, fmt.Errorf("wait for the server's answer: %w", ctx.Err())
	}
}

// answered hands the answer to whoever asked; nobody else knows our ids.
func (s *session) answered(a xmpp.IQ) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if waiting, ok := s.waiting[a.ID]; ok {
		waiting <- a
		delete(s.waiting, a.ID)
	}
}

// proven waits until the server has answered something that was written after
// everything this caller has written. All callers of one round share one ping.
func (s *session) proven(ctx context.Context) error {
	s.mu.Lock()
	if s.proof == nil {
		s.proof = make(chan struct{})
	}
	proof := s.proof
	s.mu.Unlock()
	ring(s.prove)
	select {
	case <-proof:
		return nil
	case <-s.done:
	case <-ctx.Done():
	}
	select { // the proof wins over an end at the same moment
	case <-proof:
		return nil
	default:
		return errEnded
	}
}

// prover pings the server whenever a sender waits for proof, and when nobody has
// for a while. A ping without an answer in time ends the session.
func (s *session) prover(ctx context.Context) {
	idle := time.NewTicker(s.timing.ping)
	defer idle.Stop()
	for {
		select {
		case <-s.prove:
		case <-idle.C:
		case <-s.done:
			return
		}
		s.mu.Lock()
		proof := s.proof
		s.proof = nil
		s.mu.Unlock()
		if err := s.roundTrip(ctx); err != nil {
			s.end(fmt.Errorf("ping: %w", err))
			return
		}
		if proof != nil {
			close(proof)
		}
		idle.Reset(s.timing.ping)
	}
}

func (s *session) roundTrip(ctx context.Context) error {
	_, err := s.request(ctx, domain(s.client.JID()), "get", ping{})
	if errors.Is(err, errRefused) {
		return nil // a server without ping has answered all the same
	}
	return err
}

// noteTypist notes a client that says who is typing (XEP-0085), and so wants to hear
// it. The archive does not keep that.
func (s *session) noteTypist(chat xmpp.Chat) {
	for _, e := range chat.OtherElem {
		if e.XMLName.Space != nsChatStates {
			continue
		}
		s.mu.Lock()
		if len(s.typists) < maxPeople {
			s.typists[chat.Remote] = true
		}
		s.mu.Unlock()
	}
}

func (s *session) typist(jid string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.typists[jid]
}

// ring signals without waiting; one ring is remembered.
func ring(bell chan<- struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}
