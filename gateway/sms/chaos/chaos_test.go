// Package chaos has one test: the gateway as a process of its own, with a real
// PostgreSQL and development SMSCs, in bad weather. A ledger is reconciled at the
// end. The gateway has no use of the workflow engine; that it may go away too is
// shown where there are tickets behind the wire, by TestFaults in e2e.
package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/jackc/pgx/v5"
	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"deskbell/clock"
	"deskbell/devstack"
	"deskbell/devstack/smsc"
	"deskbell/gateway"
	"deskbell/gateway/sms"
	"deskbell/store"
)

const (
	number   = "+4930555100"
	systemID = "deskbell"
	password = "secret"
)

// The child's environment.
const (
	databaseVar = "CHAOS_DATABASE"
	smscsVar    = "CHAOS_SMSCS" // addresses, one for each SMSC, with commas between
)

func TestMain(m *testing.M) {
	if os.Getenv(databaseVar) == "" {
		os.Exit(m.Run())
	}
	if err := serve(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve is the gateway's process: what `deskbell serve sms` does at the wire, without
// tickets behind it.
func serve() error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	s, err := store.Open(ctx, os.Getenv(databaseVar), clock.System{}, log)
	if err != nil {
		return err
	}
	defer s.Close()
	var configs []sms.Config
	for i, addr := range strings.Split(os.Getenv(smscsVar), ",") {
		configs = append(configs, sms.Config{
			Name: fmt.Sprint("smsc", i), Addr: addr, SystemID: systemID, Password: password, Number: number,
			StampTag: smsc.StampTag, ResponseTimeout: 2 * time.Second, Enquire: time.Second,
		})
	}
	router, err := sms.NewRouter(configs, s, s, clock.System{}, log)
	if err != nil {
		return err
	}
	return gateway.Hold(ctx, s, "sms", fmt.Sprint("gateway-", os.Getpid()), log, func(ctx context.Context) error {
		router.Run(ctx, func(ctx context.Context) error {
			pump := gateway.NewPump(gateway.SMS, s, router, router.Ahead(), clock.System{}, log)
			g, ctx := errgroup.WithContext(ctx)
			g.Go(func() error { return pump.Run(ctx) })
			g.Go(func() error {
				return s.Listen(ctx, []string{"deskbell_due"}, func(string, string) { pump.Kick() })
			})
			return g.Wait()
		})
		return nil
	})
}

// desk is what the test drives.
type desk struct {
	t        *testing.T
	postgres *devstack.Postgres
	database string
	smscs    []*smsc.Server
	lines    []*toxiproxy.Proxy // before each SMSC
	child    *exec.Cmd
}

func TestNothingIsLost(t *testing.T) {
	messages, kills, each := 500, 1, 200*time.Millisecond
	if os.Getenv("DESKBELL_SOAK") != "" {
		messages, kills, each = 5000, 10, 2*time.Second
	}
	d := start(t)
	d.startChild()
	defer d.stopChild()

	var traffic sync.WaitGroup
	const senders = 10
	for from := range senders {
		traffic.Go(func() {
			for i := from; i < messages; i += senders {
				d.typeText(i)
			}
		})
	}
	traffic.Go(func() { d.writeAlerts(messages) })

	for kill := range kills {
		d.weather(each, kill%len(d.smscs))
		d.stopChild()
		if kill%2 == 0 {
			if err := d.postgres.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := d.postgres.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		d.startChild()
	}
	traffic.Wait()
	d.reconcile(messages)
}

func start(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t}
	var err error
	if d.postgres, err = devstack.StartPostgres(t.Context(), devstack.PostgresConfig{Dir: shared(t), Test: false}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.postgres.Stop(context.Background()) })
	if err := d.postgres.EnsureDatabase(t.Context(), "chaos"); err != nil {
		t.Fatal(err)
	}
	d.database = d.postgres.URL("chaos")
	if err := store.Migrate(t.Context(), d.database, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	proxies := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	for i := range 2 {
		s, err := smsc.Start(t.Context(), smsc.Config{
			Dir: t.TempDir(), SystemID: systemID, Password: password, Number: number, Log: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Stop(context.Background()) })
		line := toxiproxy.NewProxy(proxies, fmt.Sprint("line", i), "127.0.0.1:0", s.SMPPAddr())
		if err := line.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(line.Stop)
		d.smscs, d.lines = append(d.smscs, s), append(d.lines, line)
	}
	return d
}

// shared is a folder that PostgreSQL's user can reach.
func shared(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "deskbell-chaos-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func (d *desk) startChild() {
	d.t.Helper()
	var addrs []string
	for _, line := range d.lines {
		addrs = append(addrs, line.Listen)
	}
	d.child = exec.Command(os.Args[0])
	d.child.Env = append(os.Environ(), databaseVar+"="+d.database, smscsVar+"="+strings.Join(addrs, ","))
	d.child.Stderr = d.t.Output()
	if err := d.child.Start(); err != nil {
		d.t.Fatal(err)
	}
}

// stopChild kills the gateway and waits until it is gone, and has said its last word.
func (d *desk) stopChild() {
	_ = d.child.Process.Kill()
	_ = d.child.Wait()
}

// weather brings everything once, to one SMSC after the other.
func (d *desk) weather(each time.Duration, begin int) {
	d.t.Helper()
	for i, bad := range []struct {
		toxic  string // of the line
		faults map[string]any
		heals  map[string]any
		seen   func() bool // it had its effect
	}{
		{toxic: `{"name": "bad", "type": "pdus", "stream": "downstream"}`, faults: map[string]any{"drop": true}, // new links begin with it
			seen: func() bool { return turned.Load() > 0 && doubled.Load() > 0 }},
		{toxic: `{"name": "bad", "type": "latency", "stream": "downstream", "attributes": {"latency": 50, "jitter": 40}}`},
		{faults: map[string]any{"throttle": 20, "reorder": true}},
		{toxic: `{"name": "bad", "type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`}, // a black hole
		{faults: map[string]any{"lose_responses": 3, "queue_full": 10}},
		{toxic: `{"name": "bad", "type": "reset_peer", "stream": "downstream", "attributes": {"timeout": 20}}`},
		{toxic: `{"name": "bad", "type": "slicer", "stream": "upstream", "attributes": {"average_size": 7, "size_variation": 3, "delay": 100}}`},
		{faults: map[string]any{"drop": true, "receipts": "before"}, heals: map[string]any{"receipts": "normal"}},
		{faults: map[string]any{"silent": true}, heals: map[string]any{"silent": false}},
		{faults: map[string]any{"stop_reading": true}, heals: map[string]any{"stop_reading": false}},
		{faults: map[string]any{"down": each.Seconds()}},
	} {
		target := (begin + i) % len(d.smscs)
		if bad.toxic != "" {
			if _, err := d.lines[target].Toxics.AddToxicJson(strings.NewReader(bad.toxic)); err != nil {
				d.t.Fatal(err)
			}
		}
		if bad.faults != nil {
			d.fault(target, bad.faults)
		}
		time.Sleep(each) // the length of a fault is what is given here
		for began := time.Now(); bad.seen != nil && !bad.seen() && time.Since(began) < 10*time.Second; {
			time.Sleep(10 * time.Millisecond)
		}
		d.lines[target].Toxics.ResetToxics(d.t.Context())
		if bad.heals != nil {
			d.fault(target, bad.heals)
		}
	}
}

func (d *desk) fault(target int, faults map[string]any) {
	d.t.Helper()
	d.call(target, "POST", "/api/faults", faults, nil)
}

func (d *desk) call(target int, method, path string, body, answer any) {
	data, err := json.Marshal(body)
	if err != nil {
		d.t.Error(err)
		return
	}
	request, err := http.NewRequestWithContext(d.t.Context(), method, d.smscs[target].HTTPURL()+path, bytes.NewReader(data))
	if err != nil {
		d.t.Error(err)
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		d.t.Error(err)
		return
	}
	defer response.Body.Close()
	if response.StatusCode >= 300 {
		d.t.Errorf("%s %s: %s", method, path, response.Status)
	}
	if answer != nil {
		if err := json.NewDecoder(response.Body).Decode(answer); err != nil {
			d.t.Error(err)
		}
	}
}

// segments of every tenth text that is typed.
const segments = 3

// typed is the text of that number. Each of its parts says so: two texts may have the
// same reference, and a part that is equal to an unconfirmed one is its repetition.
func typed(i int) string {
	if i%10 == 0 {
		return fmt.Sprintf("message %05d ", i) + strings.Repeat(fmt.Sprintf("%05d.", i), 64)
	}
	return fmt.Sprintf("message %05d", i)
}

func (d *desk) typeText(i int) {
	phone := fmt.Sprintf("+491555%06d", i%97)
	d.call(i%len(d.smscs), "POST", "/api/phones/"+url.PathEscape(phone)+"/messages", map[string]string{"text": typed(i)}, nil)
}

func alert(i int) string { return fmt.Sprintf("alert %05d", i) }

const again = "again: "

// writeAlerts writes them to the outbox, a batch at a time, through absences of the
// database.
func (d *desk) writeAlerts(n int) {
	s, err := store.Open(d.t.Context(), d.database, clock.System{}, slog.New(slog.DiscardHandler))
	if err != nil {
		d.t.Error(err)
		return
	}
	defer s.Close()
	for i := 0; i < n; {
		var w store.Write
		for len(w.Outgoing) < 25 && i+len(w.Outgoing) < n {
			k := i + len(w.Outgoing)
			w.Outgoing = append(w.Outgoing, store.Outgoing{
				Key: alert(k), Channel: gateway.SMS, Address: fmt.Sprintf("+491556%06d", k%97), Reason: "page",
				Text: alert(k), Again: again + alert(k), Alert: true, Urgent: k%5 == 0,
			})
		}
		if _, err := s.Write(d.t.Context(), w); err == nil {
			i += len(w.Outgoing)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// reconcile waits until nothing moves any more and compares what was given with
// what arrived.
func (d *desk) reconcile(n int) {
	t := d.t
	t.Helper()
	db, err := pgx.Connect(t.Context(), d.database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.Background())
	count := func(query string) (c int) {
		if err := db.QueryRow(t.Context(), query).Scan(&c); err != nil {
			t.Fatal(err)
		}
		return c
	}
	settled := func() bool {
		for i := range d.smscs {
			for _, row := range d.ledger(i) {
				if row.Direction == "in" && row.State != "taken" || row.Direction == "out" && !row.Receipted {
					return false
				}
			}
		}
		return count(`SELECT count(*) FROM deliveries WHERE state IN ('due', 'sending')`) == 0
	}
	deadline := time.Now().Add(3 * time.Minute)
	for !settled() {
		if time.Now().After(deadline) {
			t.Error("not settled after 3 minutes")
			break
		}
		time.Sleep(100 * time.Millisecond)
	}

	long := (n + 9) / 10
	inLost, inTwice := 0, 0
	for i := range n {
		rows := count(fmt.Sprintf(`SELECT count(*) FROM inbox WHERE text = '%s' OR part_number = 1 AND convert_from(part_data, 'LATIN1') LIKE '%s%%'`, typed(i), typed(i)[:13]))
		if rows == 0 {
			inLost++
		}
		if rows > 1 {
			inTwice += rows - 1
			t.Errorf("kept twice: %s", d.rows(db, typed(i)))
		}
	}
	if parts := count(`SELECT count(*) FROM inbox WHERE part_group IS NOT NULL`); parts != long*segments {
		t.Errorf("%d parts for %d texts of %d segments", parts, long, segments)
	}

	arrived, redelivered := map[string]int{}, 0
	for i := range d.smscs {
		for _, row := range d.ledger(i) {
			if row.Direction == "out" {
				arrived[row.Text]++
			} else {
				redelivered += row.Attempts - row.Parts
			}
		}
	}
	// An alert whose second attempt has an unknown outcome too may not have arrived;
	// its row says so, and its ticket escalates.
	lost, told, repeated, unmarked := 0, 0, 0, 0
	for i := range n {
		first, second := arrived[alert(i)], arrived[again+alert(i)]
		if first+second == 0 {
			if count(fmt.Sprintf(`SELECT count(*) FROM deliveries WHERE key = '%s' AND repeated AND state = 'unknown'`, alert(i))) == 1 {
				told++
			} else {
				lost++
			}
		}
		repeated += min(first, second)
		unmarked += max(0, first-1) + max(0, second-1)
	}
	unknown := count(`SELECT count(*) FROM deliveries WHERE repeated`)
	if inLost+inTwice+lost+unmarked > 0 || repeated > unknown {
		t.Errorf("in: %d lost, %d kept twice; out: %d lost, %d repeated without a mark, %d with, of %d unknown outcomes", inLost, inTwice, lost, unmarked, repeated, unknown)
	}
	states := map[string]int{}
	for _, state := range []gateway.State{gateway.Delivered, gateway.Sent, gateway.Unknown, gateway.Failed, gateway.Expired, gateway.Cancelled} {
		if c := count(fmt.Sprintf(`SELECT count(*) FROM deliveries WHERE state = '%s'`, state)); c > 0 {
			states[string(state)] = c
		}
	}
	if bad := slices.DeleteFunc([]string{"sent", "failed", "expired", "cancelled"}, func(s string) bool { return states[s] == 0 }); len(bad) > 0 {
		t.Errorf("states %v", states)
	}
	if turned.Load() == 0 || doubled.Load() == 0 {
		t.Error("no PDU came twice, or none in the wrong order")
	}
	t.Logf("link: %d PDUs in the wrong order, %d twice", turned.Load(), doubled.Load())
	t.Logf("in: %d typed, delivered again %d times, %d lost, %d kept twice; out: %d alerts, %d lost, %d unknown twice and told so, %d unknown outcomes, %d arrived twice and say so, %d unmarked; states %v",
		n, redelivered, inLost, inTwice, n, lost, told, unknown, repeated, unmarked, states)
}

// rows says when each row of a text was kept and confirmed.
func (d *desk) rows(db *pgx.Conn, text string) string {
	var said string
	if err := db.QueryRow(d.t.Context(), `SELECT string_agg(concat_ws(' ', text, 'kept', kept_at::time, 'confirmed', confirmed_at::time), '; ' ORDER BY id) FROM inbox
		WHERE text = $1 OR part_number = 1 AND starts_with(convert_from(part_data, 'LATIN1'), left($1, 13))`, text).Scan(&said); err != nil {
		d.t.Fatal(err)
	}
	return said
}

func (d *desk) ledger(target int) (rows []smsc.LedgerRow) {
	d.call(target, "GET", "/api/ledger", nil, &rows)
	return rows
}
