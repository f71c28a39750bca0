// Package im is Deskbell's XMPP client: it logs in as the desk, reads what people
// write from the message archive, sends what is due, and tells who is there. It
// knows stanzas and JIDs; it must not know tickets, commands, the store or the
// workflow engine. It alone imports the XMPP library.
//
// The inbox is the archive (XEP-0313). A live message is only a doorbell: the
// archive is paged after the cursor that the inbox stores together with each
// message, so a message is neither lost on a dead connection nor kept twice. What
// anybody can forge in a live stanza (carbons, stanza ids, delay stamps) is
// therefore never read. An account without an archive is served from the live stream
// and the server's offline storage; then a message is lost that was on its way when
// the connection broke or this process was killed, and its time is the sender's word.
package im

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"deskbell/clock"
	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

// Config names the account and what happens around a login.
type Config struct {
	Addr     string // host:port of the server's client port; STARTTLS is required there
	JID      string // the desk's bare JID
	Password string
	CAFile   string // PEM file of the server's CA; the system's when empty
	Menu     Menu   // what people's clients may offer as forms; empty for none
	Card     Card
	Room     Room
	// Encrypted answers a message that is encrypted, which the desk cannot read.
	Encrypted string
	Watch     Watch // may be nil
}

// Watch hears what happens on the wire. Its methods must not block, and are called
// from several goroutines.
type Watch interface {
	// LoggedIn tells of every login and its end, in order.
	LoggedIn(up bool)
	// Sent tells what an attempt to send came to: sent, failed or unknown; took ends
	// with the server's proof.
	Sent(state gateway.State, took time.Duration)
	// Read tells of one answered question to the archive.
	Read(entries int, took time.Duration)
	// Heard tells that a presence came in. While the presence stream is alive one
	// does at least every 20 s: the desk's own.
	Heard()
}

// nobody watches.
type nobody struct{}

func (nobody) LoggedIn(bool)                     {}
func (nobody) Sent(gateway.State, time.Duration) {}
func (nobody) Read(int, time.Duration)           {}
func (nobody) Heard()                            {}

// Directory says who is a person of ours. Bare JIDs, lower case. Safe for
// concurrent use.
type Directory interface {
	Known(ctx context.Context, jid string) (bool, error)
	JIDs(ctx context.Context) ([]string, error)
}

// Gateway is one account's presence in IM. All methods are safe for concurrent
// use; Run is called once.
type Gateway struct {
	config    Config
	inbox     gateway.Inbox
	receipts  gateway.Receipts
	directory Directory
	clock     clock.Clock
	log       *slog.Logger
	timing    timing

	presence  *presences
	strangers *strangers
	window    chan struct{} // one token per message without proof
	own       *archive      // the running login reads it
	room      *room

	mu        sync.Mutex
	session   *session // nil when not logged in
	status    string
	newStatus chan struct{}
}

// timing holds every duration of the gateway, so that tests can shorten them.
type timing struct {
	login      time.Duration // for TCP, TLS, SASL and bind together
	request    time.Duration // for the answer to one request, a ping too
	ping       time.Duration // between pings
	poll       time.Duration // between looks into the archive without a doorbell, and into the directory
	goodbye    time.Duration // for the orderly end of a stream
	flap       time.Duration // how long somebody must be gone to be offline
	retry      time.Duration // after a failure of the inbox or a sink
	overlap    time.Duration // how far to go back in the archive when the cursor expired
	stable     time.Duration // a login that lived this long starts the backoff anew
	backoff    time.Duration // the first
	maxBackoff time.Duration
	room       time.Duration // before the desk sits down again in the room; at once would be rude to whoever kicked it
	maxRoom    time.Duration
}

func defaultTiming() timing {
	return timing{
		login: 15 * time.Second, request: 10 * time.Second, ping: 20 * time.Second,
		poll: 30 * time.Second, goodbye: 2 * time.Second, flap: 2 * time.Second,
		retry: time.Second, overlap: 10 * time.Minute, stable: time.Minute,
		backoff: 250 * time.Millisecond, maxBackoff: 15 * time.Second,
		room: 2 * time.Second, maxRoom: time.Minute,
	}
}

// New prepares a gateway; Run connects it.
func New(c Config, inbox gateway.Inbox, receipts gateway.Receipts, sink gateway.PresenceSink, directory Directory, now clock.Clock, log *slog.Logger) *Gateway {
	t := defaultTiming()
	if c.Watch == nil {
		c.Watch = nobody{}
	}
	g := &Gateway{
		config: c, inbox: inbox, receipts: receipts, directory: directory, clock: now, log: log, timing: t,
		presence:  newPresences(sink, directory, now, log),
		strangers: newStrangers(now),
		window:    make(chan struct{}, 64),
		newStatus: make(chan struct{}, 1),
	}
	g.own = &archive{sort: g.sort}
	g.room = newRoom(g)
	return g
}

// LoggedIn tells whether a login stands and its presence replay is complete.
func (g *Gateway) LoggedIn() bool { return g.current() != nil }

func (g *Gateway) current() *session {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.session
}

func (g *Gateway) setCurrent(s *session) {
	g.mu.Lock()
	g.session = s
	g.mu.Unlock()
	g.config.Watch.LoggedIn(s != nil)
}

// SetStatus sets the desk's own presence text, now and after every login.
func (g *Gateway) SetStatus(text string) {
	g.mu.Lock()
	g.status = text
	g.mu.Unlock()
	ring(g.newStatus)
}

// Run keeps the account logged in until ctx ends, and returns nil then. During
// each login it runs work with a context that ends with the login, and waits for
// it; an error of work ends the login. It returns an error only for a
// configuration that can never work.
func (g *Gateway) Run(ctx context.Context, work func(context.Context) error) error {
	if _, err := trusted(g.config.CAFile); err != nil {
		return err
	}
	if domain(g.config.JID) == "" {
		return fmt.Errorf("%q is not a JID", g.config.JID)
	}
	bypassProxy()
	var publisher sync.WaitGroup
	publisher.Go(func() { g.presence.publish(ctx, g.timing) })
	defer publisher.Wait()

	for failures := 0; ctx.Err() == nil; failures++ {
		began := time.Now()
		err := g.login(ctx, work)
		if ctx.Err() != nil {
			break
		}
		if time.Since(began) >= g.timing.stable {
			failures = 0
		}
		delay := g.delay(failures, err)
		g.log.Warn("im: not logged in", slog.Any("error", err), slog.Duration("retry_in", delay))
		select {
		case <-time.After(delay):
		case <-ctx.Done():
		}
	}
	return nil
}

// delay is full jitter under an exponential ceiling. A stream error may be a
// conflict with another login, which haste makes worse: the ceiling is the top.
func (g *Gateway) delay(failures int, err error) time.Duration {
	ceiling := g.timing.maxBackoff
	if failures < 10 && (err == nil || !strings.Contains(err.Error(), "stream error: ")) {
		ceiling = min(ceiling, g.timing.backoff<<failures)
	}
	return rand.N(ceiling) + time.Millisecond
}

// bypassProxy keeps the library from sending its loopback connection through an
// HTTP proxy: it reads the environment itself and knows no exception for loopback.
func bypassProxy() {
	if os.Getenv("HTTP_PROXY") == "" && os.Getenv("http_proxy") == "" {
		return
	}
	bypass := os.Getenv("NO_PROXY")
	if bypass == "" {
		bypass = os.Getenv("no_proxy")
	}
	if !strings.Contains(bypass, "127.0.0.1") {
		os.Setenv("NO_PROXY", strings.TrimPrefix(bypass+",127.0.0.1", ","))
	}
}

// login lives from the connection to its end.
func (g *Gateway) login(ctx context.Context, work func(context.Context) error) error {
	dialing, cancel := context.WithTimeout(ctx, g.timing.login)
	s, err := dial(dialing, g.config, g.timing)
	cancel()
	if err != nil {
		return err
	}
	// The stream outlives ctx by the goodbye, so that what work has in flight is
	// still answered.
	stream, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var goroutines sync.WaitGroup
	goroutines.Go(s.writer)
	goroutines.Go(func() { s.read(func(stanza any) { g.deliver(s, stanza) }) })
	goroutines.Go(func() { s.prover(stream) })
	goroutines.Go(func() { g.answer(stream, s) })

	err = g.serve(ctx, s, work)
	g.presence.lose()
	if ctx.Err() != nil {
		s.goodbye(stream)
	}
	s.end(err)
	stop()
	goroutines.Wait()
	s.relay.close()
	if errors.Is(s.cause, errEnded) {
		return err
	}
	return s.cause
}

// serve does the work of a login until ctx or the session ends.
func (g *Gateway) serve(ctx context.Context, s *session, work func(context.Context) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var goroutines sync.WaitGroup
	defer goroutines.Wait()
	goroutines.Go(func() {
		select {
		case <-s.done:
			cancel(s.cause)
		case <-ctx.Done():
		}
	})
	if err := g.arrive(ctx, s); err != nil {
		cancel(err)
		return err
	}
	g.setCurrent(s)
	defer g.setCurrent(nil)
	g.log.Info("im: logged in")
	goroutines.Go(func() { g.announce(ctx, s) })
	goroutines.Go(func() {
		if err := g.showCard(ctx, s); err != nil && ctx.Err() == nil {
			g.log.Warn("im: card", slog.Any("error", err))
		}
	})
	goroutines.Go(func() { g.keepRoster(ctx, s) })
	goroutines.Go(func() { g.receive(ctx, s) })
	if g.room.jid != "" {
		goroutines.Go(func() { g.room.attend(ctx, s) })
	}
	goroutines.Go(func() {
		if err := work(ctx); err != nil && ctx.Err() == nil {
			cancel(fmt.Errorf("work of the login: %w", err))
		}
	})
	<-ctx.Done()
	cause := context.Cause(ctx)
	goroutines.Wait()
	return cause
}

// arrive brings the session to where presence is complete and the place in the
// archive is found: the roster is known, and the server has answered a ping that
// was written after the initial presence made it replay everybody's.
func (g *Gateway) arrive(ctx context.Context, s *session) error {
	if err := g.fetchRoster(ctx, s); err != nil {
		return fmt.Errorf("fetch roster: %w", err)
	}
	if _, err := s.request(ctx, "", "set", archivePreferences{Default: "always"}); errors.Is(err, errRefused) {
		g.log.Debug("im: the server's archive preferences stay as they are")
	} else if err != nil {
		return fmt.Errorf("set archive preferences: %w", err)
	}
	if err := s.roundTrip(ctx); err != nil {
		return fmt.Errorf("wait for presences: %w", err)
	}
	g.presence.settle()
	return g.findArchive(ctx, s)
}

// announce keeps the desk's own presence text current, and between two changes tells
// it to itself alone: what comes back shows that the presence stream is alive.
func (g *Gateway) announce(ctx context.Context, s *session) {
	idle := time.NewTicker(g.timing.ping)
	defer idle.Stop()
	for to := ""; ; {
		g.mu.Lock()
		text := g.status
		g.mu.Unlock()
		if s.write(ctx, presence{To: to, Status: text}) != nil {
			return
		}
		select {
		case <-g.newStatus:
			to = ""
		case <-idle.C:
			to = s.client.JID()
		case <-ctx.Done():
			return
		}
	}
}

// deliver sorts what the stream brings. It runs in the reader and must not wait.
func (g *Gateway) deliver(s *session, stanza any) {
	switch v := stanza.(type) {
	case xmpp.Chat:
		g.hear(s, v)
	case xmpp.Presence:
		if g.room.jid != "" && bare(v.From) == g.room.jid {
			g.room.note(v)
			return
		}
		switch v.Type {
		case "", "unavailable":
			g.config.Watch.Heard()
			g.presence.hear(v)
		case "subscribe":
			g.ask(s, v)
		}
	case xmpp.DiscoResult:
		s.disclosed(v)
	case xmpp.IQ:
		switch v.Type {
		case "result", "error":
			s.answered(v)
		default:
			g.ask(s, v)
		}
	}
}

// hear looks at a live message only for whether it is worth a look into the
// archive, which costs the server the more the longer the archive is: typing
// notifications and the like are not, and a receipt says all there is to know. The
// archive brings receipts again, which makes up for what is missed here.
func (g *Gateway) hear(s *session, chat xmpp.Chat) {
	switch {
	case s.collect(chat, bare(g.config.JID)):
	case g.room.whispers(chat):
	case chat.Type == "error":
		if !s.bounce(chat) {
			g.returned(s, chat)
			ring(s.bell)
		}
	case chat.Type == "groupchat":
		g.room.hear(chat, func(line xmpp.Chat) { g.ask(s, line) })
	case chat.Text != "" && !isCarbon(chat):
		s.noteTypist(chat)
		s.remember(chat)
		ring(s.bell)
	default:
		for _, e := range chat.OtherElem {
			switch id := attribute(e, "id"); {
			case e.XMLName.Space == nsOMEMO, e.XMLName.Space == nsEncryption, e.XMLName.Space == nsReactions:
				s.remember(chat)
				ring(s.bell)
				return
			case e.XMLName.Space == nsReceipts && e.XMLName.Local == "received" && addressedTo(id, chat.Remote):
				g.ask(s, gateway.Receipt{Channel: gateway.IM, WireID: id, State: gateway.Delivered, At: g.clock.Now()})
			}
		}
	}
}

// returned deals with a message of ours that came back after its proof. Prosody's
// archive keeps errors, with their ids. ejabberd's keeps none, but what it sends back
// repeats the message with its origin-id.
func (g *Gateway) returned(s *session, chat xmpp.Chat) {
	if !addressedTo(chat.OriginID, chat.Remote) {
		return
	}
	g.presence.bounced(bare(chat.Remote))
	g.ask(s, gateway.Receipt{Channel: gateway.IM, WireID: chat.OriginID, State: gateway.Failed, At: g.clock.Now(), Reason: reasonOf(chat)})
}

// isCarbon tells a copy of somebody's message from a message: we ask for none, so it
// is forged.
func isCarbon(chat xmpp.Chat) bool {
	return slices.ContainsFunc(chat.OtherElem, func(e xmpp.XMLElement) bool { return e.XMLName.Space == nsCarbons })
}

// ask has a request answered. A flood of them is one line in the log.
func (g *Gateway) ask(s *session, request any) {
	select {
	case s.asked <- request:
		s.flooded = false
	default:
		if !s.flooded {
			g.log.Warn("im: too many requests, some dropped")
		}
		s.flooded = true
	}
}
