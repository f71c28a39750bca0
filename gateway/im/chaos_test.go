package im

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"deskbell/gateway"

	"github.com/mattn/go-xmpp"
)

// checkNumbers tells whether "number 0", "number 1", ... were kept, each once and
// in order.
func (d *desk) checkNumbers(n int) {
	d.t.Helper()
	var want []string
	for i := range n {
		want = append(want, fmt.Sprint("number ", i))
	}
	got := d.texts()
	if !slices.Equal(got, want) {
		missing := slices.DeleteFunc(slices.Clone(want), func(s string) bool { return slices.Contains(got, s) })
		d.t.Errorf("%d of %d, missing %d: %v", len(got), n, len(missing), missing)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for key, times := range d.keys {
		if times != 1 {
			d.t.Errorf("%s was handed to the inbox %d times", key, times)
		}
	}
}

func testNothingIsLostOnABadNetwork(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	w := newWeather(t, p.addr)
	d := newDesk(t, p, w.addr())
	d.timing.request = 500 * time.Millisecond
	d.timing.login = 2 * time.Second
	d.timing.ping = 100 * time.Millisecond
	d.run()

	const n = 300
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for i := range n {
		alice.say(fmt.Sprint("number ", i))
		switch i {
		case 60, 200:
			d.await("login", d.LoggedIn)
			w.reset()
		case 100:
			d.await("login", d.LoggedIn)
			w.set(true)
		case 160: // what the hole held is lost with its connection
			w.reset()
			w.set(false)
		}
		<-tick.C
	}
	alice.ping()
	d.message(fmt.Sprint("number ", n-1))
	d.checkNumbers(n)
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.logins) < 7 {
		t.Errorf("logins %v: the weather was too good for this test", d.logins)
	}
}

func TestNothingIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	p := startProsody(t)
	alice := p.login("alice", "phone")
	d := newDesk(t, p, p.addr)
	d.run()
	for i := range 150 {
		alice.say(fmt.Sprint("number ", i))
	}
	alice.ping() // the server has them; the desk may not have read them yet
	p.kill()
	d.await("loss of the session", func() bool { return !d.LoggedIn() })
	d.awaitState("bob", "unknown")
	if out := d.Send(t.Context(), gateway.Delivery{Key: "k", To: "alice@" + host, Text: "x"}); out.State != gateway.Due || out.RetryIn <= 0 {
		t.Errorf("outcome without a session: %+v", out)
	}
	p.start()
	alice = p.login("alice", "phone")
	for i := 150; i < 300; i++ {
		alice.say(fmt.Sprint("number ", i))
	}
	d.message("number 299")
	d.checkNumbers(300)
	d.awaitState("alice", "available/chat/")
}

func testSendingOnABadNetwork(t *testing.T, p *server) {
	alice := p.login("alice", "phone")
	w := newWeather(t, p.addr)
	d := newDesk(t, p, w.addr())
	d.timing.request = 4 * time.Second // 64 messages and a page of the archive lie before the ping
	d.timing.login = 8 * time.Second
	d.run()

	// One proof serves many senders, and none is Sent that did not arrive.
	var senders sync.WaitGroup
	outcomes := make([]gateway.Outcome, 200)
	for i := range outcomes {
		senders.Go(func() {
			outcomes[i] = d.Send(t.Context(), gateway.Delivery{Key: fmt.Sprint("calm ", i), To: "alice@" + host, Text: fmt.Sprint("calm ", i)})
		})
	}
	senders.Wait()
	for i, o := range outcomes {
		if o.State != gateway.Sent {
			t.Fatalf("calm %d: %+v", i, o)
		}
		alice.chat(fmt.Sprint("calm ", i), func(c xmpp.Chat) bool { return c.Text == fmt.Sprint("calm ", i) })
	}

	// In a black hole the write succeeds and the proof does not come.
	w.set(true)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if o := d.Send(ctx, gateway.Delivery{Key: "hole", To: "alice@" + host, Text: "hole"}); o.State != gateway.Unknown || len(o.WireIDs) != 1 {
		t.Errorf("black hole: %+v", o)
	}
	// The server not answering the ping ends the session, and a sender hears of it
	// at once.
	if o := d.Send(t.Context(), gateway.Delivery{Key: "hole 2", To: "alice@" + host, Text: "hole 2"}); o.State != gateway.Unknown {
		t.Errorf("end of the session: %+v", o)
	}
	d.await("loss of the session", func() bool { return !d.LoggedIn() })
	if o := d.Send(t.Context(), gateway.Delivery{Key: "later", To: "alice@" + host, Text: "x"}); o.State != gateway.Due {
		t.Errorf("without a session: %+v", o)
	}
	w.reset()
	w.set(false)
	d.await("login", d.LoggedIn)
	d.await("a message sent after the weather", func() bool {
		return d.Send(t.Context(), gateway.Delivery{Key: "later", To: "alice@" + host, Text: "later"}).State == gateway.Sent
	})
}

func TestWorkLivesAsLongAsItsLogin(t *testing.T) {
	t.Parallel()
	p := startProsody(t)
	w := newWeather(t, p.addr)
	d := newDesk(t, p, w.addr())
	var mu sync.Mutex
	var log []string
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, s)
	}
	runs := 0
	d.runWith(func(ctx context.Context) error {
		note("begin")
		defer note("end")
		if runs++; runs == 2 {
			return errors.New("no more work")
		}
		<-ctx.Done()
		if ctx.Err() == nil || runs == 3 != errors.Is(context.Cause(ctx), context.Canceled) {
			t.Errorf("run %d ends by %v", runs, context.Cause(ctx))
		}
		return nil
	})
	w.reset()
	lines := func(n int) func() bool {
		return func() bool {
			mu.Lock()
			defer mu.Unlock()
			return len(log) >= n
		}
	}
	d.await("third run", lines(5))
	d.await("login", d.LoggedIn)
	d.stop()
	if want := []string{"begin", "end", "begin", "end", "begin", "end"}; !slices.Equal(log, want) {
		t.Errorf("work: %v", log)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if want := []bool{true, false, true, false, true, false}; !slices.Equal(d.logins, want) {
		t.Errorf("logins: %v", d.logins)
	}
}

// The server cannot be told apart from a conflict when it closes a stream with an
// error: the library loses the condition.
func testStreamErrorWaitsLonger(t *testing.T, p *server) {
	d := newDesk(t, p, p.addr)
	d.run()
	_, resource, _ := strings.Cut(d.resource(), "/")
	s := d.current()
	p.login("desk", resource)
	<-s.done
	if !strings.Contains(s.cause.Error(), "stream error: ") {
		t.Errorf("cause: %v", s.cause)
	}
	g := &Gateway{timing: defaultTiming()}
	var longest time.Duration
	for range 200 {
		longest = max(longest, g.delay(0, s.cause))
		if short := g.delay(0, errEnded); short > 251*time.Millisecond {
			t.Fatalf("first delay %v", short)
		}
		if far := g.delay(1000, errEnded); far > 15*time.Second+time.Millisecond {
			t.Fatalf("late delay %v", far)
		}
	}
	if longest < time.Second {
		t.Errorf("after a stream error the longest of 200 delays is %v", longest)
	}
}

func TestLoginFails(t *testing.T) {
	t.Parallel()
	p := startProsody(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	other := startProsody(t) // with a CA of its own
	good := Config{Addr: p.addr, JID: botJID, Password: password, CAFile: p.ca}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string
	}{
		"wrong password": {func(c *Config) { c.Password = "guess" }, "auth failure"},
		"unknown CA":     {func(c *Config) { c.CAFile = other.ca }, "certificate"},
		"other domain":   {func(c *Config) { c.JID = "desk@elsewhere.test" }, ""},
		"nobody there":   {func(c *Config) { c.Addr = "127.0.0.1:1" }, "refused"},
		"silent server":  {func(c *Config) { c.Addr = silent.Addr().String() }, "deadline"},
		"no CA file":     {func(c *Config) { c.CAFile = "/nowhere.pem" }, "no such file"},
		"no certificate": {func(c *Config) { c.CAFile = p.dir + "/key.pem" }, "no certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			c.change(&config)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := dial(ctx, config, defaultTiming()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// Failed logins leave neither goroutines (TestMain) nor, after a collection,
// descriptors. Not parallel: it counts the process's.
func TestFailedLoginsLeaveNoDescriptors(t *testing.T) {
	p := startProsody(t)
	open := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip("no /proc")
		}
		return len(entries)
	}
	c := Config{Addr: p.addr, JID: botJID, Password: "guess", CAFile: p.ca}
	before := open()
	for range 20 {
		if _, err := dial(t.Context(), c, defaultTiming()); err == nil {
			t.Fatal("logged in")
		}
	}
	if !eventually(5*time.Second, func() bool { runtime.GC(); return open() <= before+2 }) {
		t.Errorf("%d descriptors before, %d after", before, open())
	}
}

// The library obeys HTTP_PROXY even for the loopback relay. Not parallel: it
// changes the environment.
func TestProxyIsBypassed(t *testing.T) {
	p := startProsody(t)
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:1")
	t.Setenv("NO_PROXY", "example.org")
	newDesk(t, p, p.addr).run()
	if got := os.Getenv("NO_PROXY"); got != "example.org,127.0.0.1" {
		t.Errorf("NO_PROXY %q", got)
	}
}

// Everything that can end at once ends, over and over, under numbered messages: the
// connection by reset and in a black hole, the server by kill -9, and the gateway,
// after which only the inbox knows how far it came. A tenth of it in an ordinary run.
func TestChaos(t *testing.T) {
	t.Parallel()
	n, rounds := 200, 1
	if os.Getenv("DESKBELL_SOAK") != "" {
		n, rounds = 2000, 10
	}
	p := startProsody(t)
	alice := p.login("alice", "phone")
	w := newWeather(t, p.addr)
	d := newDesk(t, p, w.addr())
	d.timing.request, d.timing.login, d.timing.ping = time.Second, 4*time.Second, 100*time.Millisecond
	d.run()
	said := 0
	say := func(count int) {
		for range count {
			alice.say(fmt.Sprint("number ", said))
			said++
		}
		alice.ping() // the server has them
	}
	const parts = 6 // of a round: one for each fault, and two while the desk is away
	part := n/rounds/parts + 1
	// fault happens to a login that stands, under messages; the next one is awaited.
	fault := func(happen func()) {
		before := d.current()
		say(part / 2)
		happen()
		say(part - part/2)
		d.await("another login", func() bool { now := d.current(); return now != nil && now != before })
	}
	for range rounds {
		fault(w.reset)
		fault(func() {
			w.set(true)
			say(part)
			w.reset()
			w.set(false)
		})
		fault(func() {
			p.kill()
			p.start()
			alice = p.login("alice", "phone")
		})
		fault(func() {
			d.stop()
			d.own.position = position{}
			say(part)
			d.run()
		})
	}
	d.message(fmt.Sprint("number ", said-1))
	d.checkNumbers(said)
	d.mu.Lock()
	defer d.mu.Unlock()
	t.Logf("%d messages; %d resets, black holes, kills of the server and ends of the gateway each; %d logins; %d kept",
		said, rounds, len(d.logins)/2+1, len(d.kept))
	if len(d.logins) < 2*4*rounds {
		t.Errorf("logins %v: the weather was too good for this test", d.logins)
	}
}
