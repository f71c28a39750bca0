package sms_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"deskbell/clock"
	"deskbell/devstack/smsc"
	"deskbell/gateway"
	"deskbell/gateway/sms"

	"go.uber.org/goleak"
)

const (
	helpdesk = "+4930555100"
	bob      = "+4915550001"
	eve      = "+4915550002"
	systemID = "deskbell"
	password = "secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// inbox keeps messages in memory by the rules of a real one: an equal message is
// a repetition while the row's acknowledgement is unconfirmed.
type inbox struct {
	mu        sync.Mutex
	rows      []gateway.Message
	keys      []string
	confirmed map[string]bool
	repeats   int
	commits   int
	err       error
	confirms  error         // what Confirm fails with
	failed    int           // its failures
	hold      chan struct{} // not nil: Keep waits for it
}

func (b *inbox) Keep(ctx context.Context, messages []gateway.Message) ([]gateway.Kept, error) {
	b.mu.Lock()
	hold := b.hold
	b.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.err != nil {
		return nil, b.err
	}
	b.commits++
	kept := make([]gateway.Kept, len(messages))
	for i, m := range messages {
		n := 0
		for ; ; n++ {
			key := fmt.Sprintf("%s/%d", m.Key, n)
			if !slices.Contains(b.keys, key) {
				b.rows, b.keys = append(b.rows, m), append(b.keys, key)
				kept[i] = gateway.Kept{Key: key}
				break
			}
			if !b.confirmed[key] {
				b.repeats++
				kept[i] = gateway.Kept{Key: key, Repeat: true}
				break
			}
		}
	}
	return kept, nil
}

func (b *inbox) Confirm(_ context.Context, _ gateway.Channel, keys []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.confirms != nil {
		b.failed++
		return b.confirms
	}
	if b.confirmed == nil {
		b.confirmed = map[string]bool{}
	}
	for _, k := range keys {
		b.confirmed[k] = true
	}
	return nil
}

func (b *inbox) Cursor(context.Context, string) (string, time.Time, error) {
	return "", time.Time{}, errors.New("sms has no cursor")
}

func (b *inbox) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.err = err
}

func (b *inbox) messages() []gateway.Message {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.rows)
}

func (b *inbox) texts() []string {
	var texts []string
	for _, m := range b.messages() {
		texts = append(texts, m.Text)
	}
	return texts
}

func (b *inbox) repeated() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.repeats
}

func (b *inbox) confirmedCount() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.confirmed)
}

type receipts struct {
	mu  sync.Mutex
	all []gateway.Receipt
	err error
}

func (r *receipts) Receipt(_ context.Context, receipt gateway.Receipt) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	r.all = append(r.all, receipt)
	return nil
}

func (r *receipts) of(wireID string) (gateway.Receipt, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, receipt := range r.all {
		if receipt.WireID == wireID {
			return receipt, true
		}
	}
	return gateway.Receipt{}, false
}

// desk is a gateway bound to the development SMSC.
type desk struct {
	t        *testing.T
	smsc     *smsc.Server
	clock    *clock.Movable
	inbox    *inbox
	receipts *receipts
	gateway  *sms.Gateway
	stop     func()
}

func logger(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func startSMSC(t *testing.T, edit func(*smsc.Config)) (*smsc.Server, *clock.Movable) {
	t.Helper()
	c := &clock.Movable{}
	config := smsc.Config{
		Dir: t.TempDir(), SystemID: systemID, Password: password, Number: helpdesk, Clock: c, Log: logger(t),
		People: []smsc.Phone{{Number: bob, Name: "Bob"}, {Number: eve, Name: "Eve"}},
	}
	if edit != nil {
		edit(&config)
	}
	s, err := smsc.Start(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Stop(ctx); err != nil {
			t.Error(err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return s, c
}

func setup(t *testing.T, edit func(*sms.Config)) *desk {
	t.Helper()
	s, c := startSMSC(t, nil)
	d := &desk{t: t, smsc: s, clock: c}
	d.bind(s.SMPPAddr(), edit)
	return d
}

// bind runs a gateway until the test ends and waits for its bind.
func (d *desk) bind(addr string, edit func(*sms.Config)) {
	t := d.t
	t.Helper()
	d.inbox, d.receipts = &inbox{}, &receipts{}
	config := sms.Config{
		Name: "dev", Addr: addr, SystemID: systemID, Password: password, Number: helpdesk,
		StampTag: smsc.StampTag, ResponseTimeout: 2 * time.Second,
	}
	if edit != nil {
		edit(&config)
	}
	var err error
	if d.gateway, err = sms.New(config, d.inbox, d.receipts, d.clock, logger(t)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { d.gateway.Run(ctx) })
	d.stop = sync.OnceFunc(func() {
		cancel()
		run.Wait()
	})
	t.Cleanup(d.stop)
	eventually(t, "bound", d.gateway.Bound)
}

func (d *desk) send(to, text string) gateway.Outcome {
	return d.gateway.Send(d.t.Context(), gateway.Delivery{Key: "key " + to + text, Channel: gateway.SMS, To: to, Text: text, Attempt: 1})
}

// sendUntilDone sends again while the network wants us to wait.
func (d *desk) sendUntilDone(delivery gateway.Delivery) gateway.Outcome {
	d.t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		o := d.gateway.Send(d.t.Context(), delivery)
		if o.State != gateway.Due {
			return o
		}
		delivery.Attempt++
		d.clock.Set(d.clock.Offset() + o.RetryIn)
		for range 5 { // a hundred senders must not keep the SMSC from its work
			waitABit(d.t)
		}
	}
	d.t.Fatal("still not sent")
	return gateway.Outcome{}
}

// patience is for a machine that does much else; nothing waits so long for itself.
const patience = time.Minute

// waitABit lets a poll breathe.
func waitABit(t *testing.T) {
	timer := time.NewTimer(10 * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
		waitABit(t)
	}
}

func request(t *testing.T, method, address string, body, answer any) int {
	t.Helper()
	var payload io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		payload = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address, payload)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if answer != nil {
		if err := json.NewDecoder(res.Body).Decode(answer); err != nil {
			t.Fatal(err)
		}
	}
	return res.StatusCode
}

func (d *desk) phone(number, path string) string {
	return d.smsc.HTTPURL() + "/api/phones/" + url.PathEscape(number) + "/" + path
}

func (d *desk) write(number, text string) {
	d.t.Helper()
	if status := request(d.t, "POST", d.phone(number, "messages"), map[string]string{"text": text}, nil); status != 201 {
		d.t.Fatalf("typing: status %d", status)
	}
}

func (d *desk) shown(number string) []smsc.Message {
	d.t.Helper()
	var messages []smsc.Message
	request(d.t, "GET", d.phone(number, "messages"), nil, &messages)
	return messages
}

func (d *desk) fault(faults map[string]any) {
	d.t.Helper()
	if status := request(d.t, "POST", d.smsc.HTTPURL()+"/api/faults", faults, nil); status != 204 {
		d.t.Fatalf("faults: status %d", status)
	}
}

func (d *desk) power(number string, on bool) {
	d.t.Helper()
	if status := request(d.t, "POST", d.phone(number, "power"), map[string]bool{"on": on}, nil); status != 200 {
		d.t.Fatalf("power: status %d", status)
	}
}
