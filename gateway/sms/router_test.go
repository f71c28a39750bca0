package sms_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"deskbell/clock"
	"deskbell/devstack/smsc"
	"deskbell/gateway"
	"deskbell/gateway/sms"

	"github.com/google/go-cmp/cmp"
)

// carriers is a router bound to development SMSCs.
type carriers struct {
	t        *testing.T
	smscs    []*desk // each the view of one SMSC
	router   *sms.Router
	inbox    *inbox
	receipts *receipts
	stop     func()
}

// roam binds a router to as many SMSCs as there are edits, and runs work.
func roam(t *testing.T, work func(context.Context) error, edits ...func(*sms.Config)) *carriers {
	t.Helper()
	c := &carriers{t: t, inbox: &inbox{}, receipts: &receipts{}}
	var configs []sms.Config
	var now *clock.Movable
	for i, edit := range edits {
		s, clock := startSMSC(t, nil)
		now = clock
		c.smscs = append(c.smscs, &desk{t: t, smsc: s, clock: clock})
		config := sms.Config{Name: fmt.Sprint("smsc", i), Addr: s.SMPPAddr(), SystemID: systemID, Password: password, Number: helpdesk, ResponseTimeout: time.Second}
		if edit != nil {
			edit(&config)
		}
		configs = append(configs, config)
	}
	var err error
	if c.router, err = sms.NewRouter(configs, c.inbox, c.receipts, now, logger(t)); err != nil {
		t.Fatal(err)
	}
	if work == nil {
		work = func(ctx context.Context) error { <-ctx.Done(); return nil }
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { c.router.Run(ctx, work) })
	c.stop = sync.OnceFunc(func() {
		cancel()
		run.Wait()
	})
	t.Cleanup(c.stop)
	for _, d := range c.smscs {
		d.awaitLinks(1)
	}
	return c
}

// awaitLinks waits until so many ESMEs are bound to an SMSC.
func (d *desk) awaitLinks(n int) {
	d.t.Helper()
	eventually(d.t, fmt.Sprint(n, " links"), func() bool {
		var links struct{ Binds []string }
		request(d.t, "GET", d.smsc.HTTPURL()+"/api/links", nil, &links)
		return len(links.Binds) == n
	})
}

func (c *carriers) send(to, text string) gateway.Outcome {
	return c.router.Send(c.t.Context(), gateway.Delivery{Key: to + text, To: to, Text: text, Attempt: 1})
}

// by tells which SMSC a message was sent through.
func by(o gateway.Outcome) string {
	if o.State != gateway.Sent {
		return string(o.State)
	}
	name, _, _ := strings.Cut(o.WireIDs[0], "/")
	return name
}

func TestRoutes(t *testing.T) {
	t.Parallel()
	c := roam(t, nil,
		func(c *sms.Config) { c.Prefixes = []string{"+49155", "+43"} },
		func(c *sms.Config) { c.Prefixes = []string{"+4915550", "+"} },
		func(c *sms.Config) { c.Prefixes = []string{"+47"} },
		nil)
	for to, want := range map[string]string{
		"+4915550001":  "smsc1", // the longest prefix
		"+4915560001":  "smsc0",
		"+431234567":   "smsc0",
		"+4791234567":  "smsc2",
		"+33612345678": "smsc1", // + is better than nothing
	} {
		if got := by(c.send(to, "hello")); got != want {
			t.Errorf("%s went by %s, want %s", to, got, want)
		}
	}
	c.smscs[1].fault(map[string]any{"down": 3600})
	c.smscs[1].awaitLinks(0)
	for to, want := range map[string]string{"+4915550001": "smsc0", "+33612345678": "smsc3"} {
		if got := by(c.send(to, "while one is away")); got != want {
			t.Errorf("%s went by %s, want %s", to, got, want)
		}
	}
}

// Of what waits for the agreed rates no more is handed over than leaves in three
// seconds.
func TestAhead(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rates []float64
		want  int
	}{{[]float64{0}, 0}, {[]float64{1}, 3}, {[]float64{0.1}, 1}, {[]float64{10, 0.5}, 31}, {[]float64{10, 0}, 0}} {
		var configs []sms.Config
		for _, rate := range c.rates {
			configs = append(configs, sms.Config{Addr: "smsc:2775", SystemID: systemID, Number: helpdesk, Rate: rate})
		}
		r, err := sms.NewRouter(configs, &inbox{}, &receipts{}, clock.System{}, logger(t))
		if err != nil {
			t.Fatal(err)
		}
		if got := r.Ahead(); got != c.want {
			t.Errorf("%v per second: %d, want %d", c.rates, got, c.want)
		}
	}
}

// Throttling by one SMSC, or its refusal, is no reason to wait or to fail while
// another takes the message; what nobody takes waits for the one that only pauses.
func TestRefusedByOne(t *testing.T) {
	t.Parallel()
	c := roam(t, nil, nil, nil)
	c.smscs[0].fault(map[string]any{"throttle": 1})
	for i := range 3 {
		if got := by(c.send(bob, fmt.Sprint("overflow ", i))); got != "smsc1" {
			t.Errorf("during the pause it went by %s", got)
		}
	}
	c.smscs[1].fault(map[string]any{"refuse": 1})
	if o := c.send(bob, "both"); o.State != gateway.Due || o.RetryIn <= 0 {
		t.Errorf("one pauses, one refuses: %+v", o)
	}
	c.smscs[0].fault(map[string]any{"down": 3600})
	c.smscs[0].awaitLinks(0)
	c.smscs[1].fault(map[string]any{"refuse": 1})
	if o := c.send(bob, "one is gone"); o.State != gateway.Failed {
		t.Errorf("one is gone, one refuses: %+v", o)
	}
	if got := by(c.send("+12", "too short for anybody")); got != "failed" {
		t.Errorf("no number: %s", got)
	}
}

// An SMSC that answers nothing costs the first message its certainty, and the next
// ones nothing.
func TestSilentOneIsPassedOver(t *testing.T) {
	t.Parallel()
	c := roam(t, nil, nil, nil)
	c.smscs[0].fault(map[string]any{"silent": true})
	if o := c.send(bob, "who knows"); o.State != gateway.Unknown {
		t.Fatalf("outcome %+v", o)
	}
	if got := by(c.send(bob, "again: who knows")); got != "smsc1" {
		t.Errorf("went by %s", got)
	}
}

// Traffic in both directions while one SMSC dies, comes back, and the other dies:
// nothing is lost, and afterwards the first is used again.
func TestFailoverAndFailback(t *testing.T) {
	t.Parallel()
	c := roam(t, nil, nil, nil)
	const phones, each = 10, 30
	var traffic sync.WaitGroup
	var unknown, sent atomic.Int64
	turn := make(chan int, 3*phones*each)
	for p := range phones {
		traffic.Go(func() {
			for i := range each {
				text := fmt.Sprintf("alert %d of %d", i, p)
				for attempt := 1; ; attempt++ {
					o := c.router.Send(t.Context(), gateway.Delivery{Key: text, To: fmt.Sprintf("+49155502%02d", p), Text: text, Attempt: attempt})
					if o.State == gateway.Sent {
						break
					}
					if o.State == gateway.Unknown {
						unknown.Add(1)
					} else if o.State != gateway.Due {
						t.Errorf("outcome %+v", o)
						return
					}
					waitABit(t)
				}
				sent.Add(1)
				c.smscs[i%2].write(fmt.Sprintf("+49155501%02d", p), fmt.Sprintf("message %d of %d", i, p))
				turn <- i
			}
		})
	}
	for n := range phones * each {
		<-turn
		for smsc, from := range []int{phones * each / 4, phones * each * 2 / 4} {
			switch n {
			case from:
				c.smscs[smsc].fault(map[string]any{"down": 3600, "drop": true})
			case from + phones*each/8:
				c.smscs[smsc].clock.Set(2 * time.Hour)
				c.smscs[smsc].awaitLinks(1)
			}
		}
	}
	traffic.Wait()
	eventually(t, "everything typed is kept", func() bool { return len(c.inbox.messages()) >= phones*each })
	texts := c.inbox.texts()
	slices.Sort(texts)
	if n := len(slices.Compact(texts)); n != phones*each || len(c.inbox.messages()) != n {
		t.Errorf("%d rows for %d of %d messages", len(c.inbox.messages()), n, phones*each)
	}
	arrived, byEach := map[string]int{}, []int{0, 0}
	for p := range phones {
		for i, d := range c.smscs {
			for _, m := range d.shown(fmt.Sprintf("+49155502%02d", p)) {
				arrived[m.Text]++
				byEach[i]++
			}
		}
	}
	if len(arrived) != phones*each || byEach[0] == 0 || byEach[1] == 0 || byEach[0]+byEach[1]-len(arrived) > int(unknown.Load()) {
		t.Errorf("%d of %d alerts arrived, %v by each SMSC, %d outcomes unknown", len(arrived), phones*each, byEach, unknown.Load())
	}
	if got := by(c.send(bob, "and back")); got != "smsc0" {
		t.Errorf("after it came back the first is not used: %s", got)
	}
	t.Logf("%v segments by each SMSC, %d unknown outcomes, 0 lost", byEach, unknown.Load())
}

// A receipt and a repeated message that come on another SMSC of one network are
// known there.
func TestOneNetwork(t *testing.T) {
	t.Parallel()
	shared := func(c *sms.Config) { c.Name = "carrier" }
	c := roam(t, nil, shared, shared)
	for i, d := range c.smscs {
		d.write(bob, "the same")
		eventually(t, "kept", func() bool { return len(c.inbox.messages())+c.inbox.repeated() == i+1 })
		if i == 0 {
			d.fault(map[string]any{"down": 3600}) // before our answer can be proven
		}
	}
	c.smscs[0].fault(map[string]any{"down": 0})
	if o := c.send(eve, "hello"); by(o) != "carrier" {
		t.Errorf("outcome %+v", o)
	}
}

// The work of the binds goes on while one is left, and is over before the last
// takes leave.
func TestWorkOfTheBinds(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var story []string
	tell := func(s string) { mu.Lock(); defer mu.Unlock(); story = append(story, s) }
	told := func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(story) }
	var c *carriers
	ready := make(chan struct{})
	c = roam(t, func(ctx context.Context) error {
		if len(told()) == 0 {
			tell("fail")
			return errors.New("not yet")
		}
		tell("begin")
		<-ctx.Done()
		<-ready
		if o := c.router.Send(context.Background(), gateway.Delivery{Key: "last", To: bob, Text: "last"}); o.State == gateway.Sent {
			tell("a last word")
		}
		tell("end")
		return nil
	}, nil, nil)
	close(ready)
	eventually(t, "begun after a failure", func() bool { return len(told()) == 2 })
	c.smscs[0].fault(map[string]any{"down": 3600})
	c.smscs[0].awaitLinks(0)
	c.smscs[1].fault(map[string]any{"down": 3600})
	eventually(t, "ended with the last", func() bool { return len(told()) == 3 })
	c.smscs[0].clock.Set(2 * time.Hour)
	eventually(t, "begun again", func() bool { return len(told()) == 4 })
	c.stop()
	if diff := cmp.Diff([]string{"fail", "begin", "end", "begin", "a last word", "end"}, told()); diff != "" {
		t.Error(diff)
	}
}

// Every way to bind carries messages in, messages out and receipts.
func TestBinds(t *testing.T) {
	t.Parallel()
	server, client := certificate(t)
	for name, tc := range map[string]struct {
		tls, separate bool
		links         []string
	}{
		"transceiver":                     {links: []string{"transceiver"}},
		"receiver and transmitter":        {separate: true, links: []string{"receiver", "transmitter"}},
		"transceiver by TLS":              {tls: true, links: []string{"transceiver"}},
		"receiver and transmitter by TLS": {tls: true, separate: true, links: []string{"receiver", "transmitter"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, now := startSMSC(t, func(c *smsc.Config) {
				if tc.tls {
					c.TLS = server
				}
			})
			d := &desk{t: t, smsc: s, clock: now}
			d.bind(s.SMPPAddr(), func(c *sms.Config) {
				c.Separate = tc.separate
				if tc.tls {
					c.TLS = client
				}
			})
			d.awaitLinks(len(tc.links))
			for round := range 2 {
				var o gateway.Outcome
				eventually(t, "sent", func() bool { // by a link that is not about to learn of the drop
					o = d.send(bob, fmt.Sprint("out ", round))
					return o.State == gateway.Sent
				})
				eventually(t, "receipt", func() bool { _, ok := d.receipts.of(o.WireIDs[0]); return ok })
				d.write(bob, fmt.Sprint("in ", round))
				eventually(t, "kept", func() bool { return len(d.inbox.messages()) == round+1 })
				var links struct{ Binds []string }
				request(t, "GET", s.HTTPURL()+"/api/links", nil, &links)
				if diff := cmp.Diff(tc.links, links.Binds); diff != "" {
					t.Error(diff)
				}
				d.fault(map[string]any{"drop": true})
				eventually(t, "bound again", d.gateway.Bound)
				d.awaitLinks(len(tc.links))
			}
		})
	}
}

// An SMSC whose certificate nobody vouches for gets no password.
func TestTLSIsChecked(t *testing.T) {
	t.Parallel()
	server, _ := certificate(t)
	s, _ := startSMSC(t, func(c *smsc.Config) { c.TLS = server })
	err := sms.Check(t.Context(), sms.Config{Addr: s.SMPPAddr(), SystemID: systemID, Password: password, TLS: &tls.Config{ServerName: "127.0.0.1"}})
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); !unknown {
		t.Errorf("error %v", err)
	}
}

// certificate returns both sides of TLS for 127.0.0.1.
func certificate(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "smsc"}, NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(parsed)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}},
		&tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}
}

// A text to ourselves comes back; one of somebody else that comes meanwhile stays
// with the SMSC.
func TestLoop(t *testing.T) {
	t.Parallel()
	s, now := startSMSC(t, nil)
	d := &desk{t: t, smsc: s, clock: now}
	d.write(bob, "not for the doctor")
	config := sms.Config{Addr: s.SMPPAddr(), SystemID: systemID, Password: password, Number: helpdesk}
	if took, err := sms.Loop(t.Context(), config, "Deskbell doctor 1"); err != nil || took <= 0 {
		t.Errorf("%s, %v", took, err)
	}
	d.bind(s.SMPPAddr(), nil)
	now.Set(time.Minute)
	eventually(t, "kept", func() bool { return slices.Equal(d.inbox.texts(), []string{"not for the doctor"}) })
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	d.fault(map[string]any{"receipts": "failed"})
	if _, err := sms.Loop(ctx, config, "Deskbell doctor 2"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a text that never comes: %v", err)
	}
}
