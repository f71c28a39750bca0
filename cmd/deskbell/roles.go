package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"deskbell/api"
	"deskbell/clock"
	"deskbell/command"
	"deskbell/config"
	"deskbell/desk"
	"deskbell/gateway"
	"deskbell/gateway/im"
	"deskbell/gateway/sms"
	"deskbell/policy"
	"deskbell/signin"
	"deskbell/store"
	"deskbell/web"
	"deskbell/workers"
	"deskbell/workflows"
)

// system is what the roles share in one process.
type system struct {
	config  config.Config
	roles   []string
	zone    *time.Location
	holder  string // this process, in leases
	clock   clock.Clock
	log     *slog.Logger
	store   *store.Store
	engine  engine
	desk    *desk.Desk
	metrics *metrics
	traces  *traces // nil without a collector
}

// newSystem connects what the roles need. The database must answer; the engine
// may come later.
func newSystem(ctx context.Context, c config.Config, roles []string, p policy.Policy, now clock.Clock, log *slog.Logger) (*system, error) {
	s := &system{config: c, roles: roles, holder: holderName(), clock: now, log: log, zone: time.Local}
	movable, _ := now.(*clock.Movable)
	var err error
	if s.store, err = store.Open(ctx, c.Database.Reveal(), now, log); err != nil {
		return nil, fmt.Errorf("DATABASE_URL: %w", err)
	}
	if s.traces, err = newTraces(ctx, roles); err != nil {
		return nil, err
	}
	watched, err := s.traces.engine()
	if err != nil {
		return nil, err
	}
	if s.engine, err = newEngine(ctx, c, log, watched...); err != nil {
		return nil, err
	}
	s.desk = desk.New(desk.Config{
		Store: s.store, Engine: s.engine.Client, Namespace: s.engine.namespace, Policy: p, Clock: now, TestClock: movable, Log: log, Zone: s.zone,
		URL: c.PublicURL, Org: "Deskbell", Own: ownAddresses(c), Room: c.XMPP.Room, Join: sms.Join,
		Key: c.TokenKey.Reveal(), WebhookNetworks: c.WebhookNetworks, Files: c.FilesDir, Scanner: c.ScanCommand, Keep: c.Keep,
	})
	s.metrics = newMetrics(s)
	return s, nil
}

// ownAddresses are the desk's own: the numbers and the JID that it is reached by.
func ownAddresses(c config.Config) (own []string) {
	if c.XMPP.JID != "" {
		own = append(own, c.XMPP.JID)
	}
	for _, smsc := range c.SMSCs {
		own = append(own, "+"+strings.TrimPrefix(smsc.Source, "+"))
	}
	return own
}

// present is the clock of a process: the machine's, or one that a test moves.
func present() clock.Clock {
	if os.Getenv("DESKBELL_TEST_CLOCK") != "" {
		return &clock.Movable{}
	}
	return clock.System{}
}

func holderName() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s-%d-%s", host, os.Getpid(), uuid.NewString()[:8])
}

// tracesGrace is how long a stopping process waits for its collector.
const tracesGrace = 2 * time.Second

func (s *system) close() {
	s.engine.Close()
	s.store.Close()
	ctx, cancel := context.WithTimeout(context.Background(), tracesGrace)
	defer cancel()
	if err := s.traces.close(ctx); err != nil {
		s.log.Warn("the last traces were not sent", slog.Any("error", err))
	}
}

// watchLease is held by the process that looks after the desk itself.
const watchLease = "watch"

// run runs the roles until ctx ends. listener is the API's; nil listens where the
// configuration says.
func (s *system) run(ctx context.Context, listener net.Listener) error {
	g, ctx := errgroup.WithContext(ctx)
	has := func(role string) bool { return slices.Contains(s.roles, role) }
	g.Go(func() error { return s.desk.Run(ctx) })
	// Any process can look after the desk: the one whose link is down may be gone.
	g.Go(func() error { return gateway.Hold(ctx, s.store, watchLease, s.holder, s.log, s.desk.NewWatch().Run) })
	if has(config.API) {
		if listener == nil {
			var err error
			if listener, err = net.Listen("tcp", s.config.HTTPAddr); err != nil {
				return fmt.Errorf("DESKBELL_HTTP_ADDR: %w", err)
			}
		}
		g.Go(func() error { return api.Serve(ctx, listener, s.traces.http(s.handler(ctx)), s.log) })
		g.Go(func() error {
			return s.again(ctx, func() error { return workers.RunWebhooks(ctx, s.engine.Client, s.desk.WebhookActivities()) })
		})
	} else if os.Getenv("DESKBELL_HTTP_ADDR") != "" {
		listener, err := net.Listen("tcp", s.config.HTTPAddr)
		if err != nil {
			return fmt.Errorf("DESKBELL_HTTP_ADDR: %w", err)
		}
		g.Go(func() error { return api.Serve(ctx, listener, s.operations(), s.log) })
	}
	if has(config.Tickets) {
		g.Go(func() error {
			return s.again(ctx, func() error { return workers.RunTickets(ctx, s.engine.Client, s.desk.TicketActivities()) })
		})
		g.Go(func() error { return s.desk.ScheduleRehearsal(ctx) })
	}
	if has(config.SMS) {
		g.Go(func() error { return gateway.Hold(ctx, s.store, "sms", s.holder, s.log, s.runSMS) })
	}
	if has(config.IM) {
		g.Go(func() error { return gateway.Hold(ctx, s.store, "im", s.holder, s.log, s.runIM) })
	}
	err := g.Wait()
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

func (s *system) handler(ctx context.Context) http.Handler {
	pages := http.NewServeMux()
	pages.Handle("/", web.New(web.Config{Log: s.log, Zone: s.zone, Clock: s.clock, UIURL: s.config.TemporalUIURL, Open: s.config.OpenBoard, Done: ctx.Done()}, s.desk))
	if s.desk.TestClock != nil {
		pages.HandleFunc("POST /test/clock", s.moveClock)
	}
	door := signin.New(signin.Config{Log: s.log, Clock: s.clock, URL: s.config.PublicURL, Proxies: s.config.TrustedProxies, OIDC: signin.OIDC{
		Issuer: s.config.OIDC.Issuer, ClientID: s.config.OIDC.ClientID, ClientSecret: s.config.OIDC.ClientSecret.Reveal(), Claim: s.config.OIDC.Claim}}, s.desk)
	return api.New(api.Config{Log: s.log, Clock: s.clock, Metrics: s.metrics.registry, Pages: pages, URL: s.config.PublicURL}, s.desk, door)
}

// moveClock moves the present for a test: {"offset": "90m"}.
func (s *system) moveClock(w http.ResponseWriter, r *http.Request) {
	offset, err := time.ParseDuration(r.FormValue("offset"))
	if err == nil {
		err = s.desk.MoveClock(r.Context(), offset)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
	}
}

// engineRetry is the pause before a worker that the engine did not take is tried
// again. The SDK itself waits some seconds for an engine that is away.
const engineRetry = time.Second

// again runs a worker until ctx ends, through absences of the engine.
func (s *system) again(ctx context.Context, work func() error) error {
	for {
		err := work()
		if ctx.Err() != nil {
			return nil
		}
		s.log.WarnContext(ctx, "no worker", slog.Any("error", err), slog.Duration("again_in", engineRetry))
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(engineRetry):
		}
	}
}

// runSMS binds to every SMSC and, while one is bound, sends what is due and words
// what is to be sent. What comes in is driven as long as this process holds the
// channel.
func (s *system) runSMS(ctx context.Context) error {
	return s.hold(ctx, gateway.SMS, func(ctx context.Context, l *link) error {
		var configs []sms.Config
		for _, c := range s.config.SMSCs {
			config := smscConfig(c)
			config.Watch = binds{s.metrics.smpp, l}
			configs = append(configs, config)
		}
		if len(configs) > 1 {
			l.split(configs)
		}
		router, err := sms.NewRouter(configs, kicking{s.store, s.desk, s.metrics.messages}, countedReceipts{s.store, s.metrics}, s.clock, s.log)
		if err != nil {
			return err
		}
		router.Run(ctx, func(ctx context.Context) error {
			return s.whileUp(ctx, gateway.SMS, workflows.SMSQueue, router, router.Ahead(), l)
		})
		return nil
	})
}

func smscConfig(c config.SMSC) sms.Config {
	return sms.Config{
		Name: c.Network, Addr: c.Addr, SystemID: c.SystemID, Password: c.Password.Reveal(), Number: "+" + strings.TrimPrefix(c.Source, "+"),
		TLS: tlsFor(c), Region: c.Region, Separate: c.Separate, Prefixes: c.Prefixes, Rate: c.Rate, Window: c.Window,
		Latin1: c.Latin1, GSMAsIA5: c.IA5AsGSM, ReceiptIDs: c.ReceiptIDs, StampTag: c.StampTag,
	}
}

// runIM is the same for a login.
func (s *system) runIM(ctx context.Context) error {
	x := s.config.XMPP
	return s.hold(ctx, gateway.IM, func(ctx context.Context, l *link) error {
		gw := im.New(im.Config{Addr: x.Addr, JID: x.JID, Password: x.Password.Reveal(), CAFile: x.CAFile, Menu: menu(), Card: card(), Watch: heardBy{s.metrics.xmpp, l},
			Room: im.Room{JID: x.Room, Hello: label("room_hello"), Said: command.Said}, Encrypted: label("encrypted")},
			kicking{s.store, s.desk, s.metrics.messages}, countedReceipts{s.store, s.metrics}, s.store, directory{s.store}, s.clock, s.log)
		return gw.Run(ctx, func(ctx context.Context) error {
			g, ctx := errgroup.WithContext(ctx)
			g.Go(func() error { return s.whileUp(ctx, gateway.IM, workflows.IMQueue, gw, 0, l) })
			g.Go(func() error { return s.desk.TellStanding(ctx, gw.SetStatus) })
			return g.Wait()
		})
	})
}

// hold is what a channel's holder does, link or no link: drive what came in, keep
// the link, and tell whether it stands.
func (s *system) hold(ctx context.Context, channel gateway.Channel, keep func(context.Context, *link) error) error {
	g, ctx := errgroup.WithContext(ctx)
	l := &link{changed: make(chan struct{}, 1)}
	g.Go(func() error { return s.desk.Serve(ctx, channel) })
	g.Go(func() error { return keep(ctx, l) })
	g.Go(func() error { return s.report(ctx, channel, l) })
	return g.Wait()
}

// link is whether a channel's bind or login stands, and which of several.
type link struct {
	heard   atomic.Bool // a presence, since that was last reported
	changed chan struct{}

	mu      sync.Mutex
	up      bool
	parts   store.Links // by the SMSC's address; nil where there is one
	changes int
}

func (l *link) set(up bool) { l.change(func() { l.up = up }) }

// split says that the link is several, of which none stands yet.
func (l *link) split(smscs []sms.Config) {
	l.change(func() {
		l.parts = store.Links{}
		for _, c := range smscs {
			l.parts[c.Addr] = nil
		}
	})
}

func (l *link) setPart(smsc string, up bool) {
	l.change(func() {
		if l.parts == nil {
			return
		}
		l.parts[smsc] = nil
		if up {
			now := time.Now() // not the desk's clock: the whole link's goes by the database's
			l.parts[smsc] = &now
		}
	})
}

func (l *link) change(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
	l.changes++
	select {
	case l.changed <- struct{}{}:
	default:
	}
}

// state is how the link stands after so many changes.
func (l *link) state() (up bool, parts store.Links, changes int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.up, maps.Clone(l.parts), l.changes
}

// binds tells the metrics of the wire, and the link which SMSCs take messages.
type binds struct {
	smpp
	link *link
}

// Bound counts an SMSC as up while we can send by it.
func (b binds) Bound(smsc, bind string, up bool) {
	b.smpp.Bound(smsc, bind, up)
	if bind != "receiver" {
		b.link.setPart(smsc, up)
	}
}

// heardEvery is how often the database learns that the presence stream is alive.
const heardEvery = 5 * time.Second

// report keeps the state of a link where every process sees it.
func (s *system) report(ctx context.Context, channel gateway.Channel, l *link) error {
	ticker := time.NewTicker(time.Second) // for a database that was away
	defer ticker.Stop()
	hearing := time.NewTicker(heardEvery)
	defer hearing.Stop()
	for told := 0; ; { // a tenure begins without a link
		if up, parts, changes := l.state(); changes != told {
			if err := s.store.SetLink(ctx, string(channel), s.holder, up, parts); err == nil {
				told = changes
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-l.changed:
		case <-ticker.C:
		case <-hearing.C:
			if l.heard.Swap(false) && s.store.Heard(ctx, string(channel), s.holder) != nil {
				l.heard.Store(true) // the next time
			}
		}
	}
}

// whileUp is what a holder does while its link stands: word notices and send what
// is due, so many messages at once, or the pump's own number if zero.
func (s *system) whileUp(ctx context.Context, channel gateway.Channel, queue string, sender gateway.Sender, bound int, l *link) error {
	l.set(true)
	defer l.set(false)
	pump := gateway.NewPump(channel, counted{s.store, channel, s.metrics}, sender, bound, s.clock, s.log)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return pump.Run(ctx) })
	g.Go(func() error {
		return s.again(ctx, func() error { return workers.RunNotices(ctx, s.engine.Client, queue, s.desk.NoticeActivities()) })
	})
	g.Go(func() error {
		return s.store.Listen(ctx, []string{"deskbell_due"}, func(_, due string) {
			if due == "" || due == string(channel) {
				pump.Kick()
			}
		})
	})
	return g.Wait()
}

// directory is the people, to the IM gateway.
type directory struct{ store *store.Store }

func (d directory) Known(ctx context.Context, jid string) (bool, error) {
	_, err := d.store.PersonAt(ctx, gateway.IM, jid)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

func (d directory) JIDs(ctx context.Context) ([]string, error) {
	people, err := d.store.People(ctx)
	var jids []string
	for _, p := range people {
		if p.JID != "" && !p.Inactive {
			jids = append(jids, p.JID)
		}
	}
	return jids, err
}

func tlsFor(c config.SMSC) *tls.Config {
	if !c.TLS {
		return nil
	}
	host, _, _ := net.SplitHostPort(c.Addr)
	return &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
}

// kicking is the inbox; the desk hears of what was kept.
type kicking struct {
	*store.Store
	desk     *desk.Desk
	messages *prometheus.CounterVec
}

func (k kicking) Keep(ctx context.Context, messages []gateway.Message) ([]gateway.Kept, error) {
	kept, err := k.Store.Keep(ctx, messages)
	if err == nil && len(messages) > 0 {
		for _, row := range kept {
			k.messages.WithLabelValues(string(messages[0].Channel), strconv.FormatBool(row.Repeat)).Inc()
		}
		k.desk.Kick(messages[0].Channel)
	}
	return kept, err
}
