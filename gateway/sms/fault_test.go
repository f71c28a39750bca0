package sms_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"deskbell/clock"
	"deskbell/gateway"
	"deskbell/gateway/sms"
)

// Traffic in both directions while the link is cut again and again: nothing may
// be lost, and no typed message may make two rows.
func TestDropsInTrafficLoseNothing(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	const phones, each, drops = 20, 10, 5
	var typing sync.WaitGroup
	for p := range phones {
		typing.Go(func() {
			for i := range each {
				d.write(fmt.Sprintf("+49155501%02d", p), fmt.Sprintf("message %d of %d", i, p))
			}
		})
	}
	var sending sync.WaitGroup
	var again atomic.Int64
	for i := range 100 {
		sending.Go(func() {
			delivery := gateway.Delivery{Key: fmt.Sprintf("out %d", i), To: fmt.Sprintf("+49155502%02d", i), Text: fmt.Sprintf("notice %d", i)}
			for {
				o := d.sendUntilDone(delivery)
				if o.State == gateway.Sent {
					return
				}
				if o.State != gateway.Unknown {
					t.Errorf("outcome %+v", o)
					return
				}
				again.Add(1)
			}
		})
	}
	for range drops {
		eventually(t, "bound", d.gateway.Bound)
		d.fault(map[string]any{"lose_responses": 1})
		waitABit(t)
		d.fault(map[string]any{"drop": true})
	}
	typing.Wait()
	sending.Wait()
	eventually(t, "everything acknowledged", func() bool {
		for p := range phones {
			for _, m := range d.shown(fmt.Sprintf("+49155501%02d", p)) {
				if m.Receipt != "delivered" {
					return false
				}
			}
		}
		return true
	})
	texts := d.inbox.texts()
	slices.Sort(texts)
	if n := len(slices.Compact(slices.Clone(texts))); n != phones*each || len(texts) != n {
		t.Errorf("%d rows of %d messages, %d typed", len(texts), n, phones*each)
	}
	missing, repeated := 0, 0
	for i := range 100 {
		switch n := len(d.shown(fmt.Sprintf("+49155502%02d", i))); {
		case n == 0:
			missing++
		case n > 1:
			repeated++
		}
	}
	if missing > 0 || repeated > int(again.Load()) {
		t.Errorf("%d notices missing, %d repeated with %d unknown outcomes", missing, repeated, again.Load())
	}
	t.Logf("%d drops: 0 lost, %d repeats recognised, %d commits for %d rows, %d unknown outcomes", drops, d.inbox.repeats, d.inbox.commits, len(texts), again.Load())
}

func TestThrottledAndQueueFull(t *testing.T) {
	t.Parallel()
	for fault, word := range map[string]string{"throttle": "throttling", "queue_full": "queue full"} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			d := setup(t, nil)
			d.fault(map[string]any{fault: 2})
			first := d.send(bob, "wait")
			if first.State != gateway.Due || first.RetryIn <= 0 || !strings.Contains(first.Reason, word) {
				t.Fatalf("outcome %+v", first)
			}
			if o := d.send(eve, "so does everybody"); o.State != gateway.Due || o.RetryIn > first.RetryIn {
				t.Fatalf("during the pause: %+v", o)
			}
			d.clock.Set(first.RetryIn)
			if o := d.send(bob, "wait"); o.State != gateway.Due || o.RetryIn <= first.RetryIn {
				t.Fatalf("the second pause is not longer: %+v", o)
			}
			if o := d.sendUntilDone(gateway.Delivery{Key: "k", To: bob, Text: "wait"}); o.State != gateway.Sent {
				t.Fatalf("outcome %+v", o)
			}
			if n := len(d.shown(bob)); n != 1 {
				t.Fatalf("%d texts arrived", n)
			}
		})
	}
}

// A long text that was stopped half way goes on where it stopped: its first part
// is not sent twice.
func TestResumedInTheMiddle(t *testing.T) {
	t.Parallel()
	d := setup(t, func(c *sms.Config) { c.Rate = 1 })
	text := strings.Repeat("0123456789", 50) // 4 segments, 1 at once
	delivery := gateway.Delivery{Key: "long", To: bob, Text: text}
	ctx, cancel := context.WithTimeout(t.Context(), 900*time.Millisecond)
	defer cancel()
	if o := d.gateway.Send(ctx, delivery); o.State != gateway.Due {
		t.Fatalf("outcome %+v", o)
	}
	o := d.gateway.Send(t.Context(), delivery)
	if o.State != gateway.Sent || len(o.WireIDs) != 4 {
		t.Fatalf("outcome %+v", o)
	}
	if got := d.shown(bob); len(got) != 1 || got[0].Text != text {
		t.Fatalf("shown %+v", got)
	}
	var ledger []map[string]any
	request(t, "GET", d.smsc.HTTPURL()+"/api/ledger", nil, &ledger)
	if len(ledger) != 4 {
		t.Fatalf("%d segments were sent", len(ledger))
	}
}

func TestSilenceIsUnknown(t *testing.T) {
	t.Parallel()
	d := setup(t, func(c *sms.Config) { c.ResponseTimeout = 200 * time.Millisecond })
	d.fault(map[string]any{"silent": true})
	if o := d.send(bob, "anybody there?"); o.State != gateway.Unknown {
		t.Fatalf("outcome %+v", o)
	}
}

func TestUnboundIsDue(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	d.fault(map[string]any{"down": 3600})
	eventually(t, "unbound", func() bool { return !d.gateway.Bound() })
	if o := d.send(bob, "later"); o.State != gateway.Due || o.RetryIn <= 0 {
		t.Fatalf("outcome %+v", o)
	}
	d.clock.Set(2 * time.Hour)
	if o := d.sendUntilDone(gateway.Delivery{Key: "k", To: bob, Text: "later"}); o.State != gateway.Sent {
		t.Fatalf("outcome %+v", o)
	}
}

func TestDuplicateIsOneRow(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	d.fault(map[string]any{"duplicate": 1})
	d.write(bob, "142")
	eventually(t, "acknowledged", func() bool { return d.shown(bob)[0].Receipt == "delivered" })
	if n := len(d.inbox.messages()); n != 1 || d.inbox.repeats != 1 {
		t.Fatalf("%d rows, %d repeats", n, d.inbox.repeats)
	}
}

// The same word twice is two messages; the same message again after a lost
// answer is one.
func TestRepeatOrNewMessage(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	d.write(bob, "yes")
	d.write(bob, "yes")
	eventually(t, "two rows", func() bool { return len(d.inbox.messages()) == 2 })
	eventually(t, "both proven", func() bool { return d.inbox.confirmedCount() == 2 })
	d.fault(map[string]any{"lose_responses": 1})
	d.write(bob, "yes")
	eventually(t, "delivered again", func() bool {
		messages := d.shown(bob)
		return messages[len(messages)-1].Receipt == "delivered"
	})
	if n := len(d.inbox.messages()); n != 3 || d.inbox.repeats != 1 {
		t.Fatalf("%d rows, %d repeats", n, d.inbox.repeats)
	}
}

func TestNothingIsAcknowledgedWithoutACommit(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	d.inbox.fail(errors.New("no database"))
	d.receipts.err = errors.New("no database")
	d.write(bob, "keep me")
	o := d.send(eve, "receipt")
	var row map[string]any
	refused := func() bool {
		var ledger []map[string]any
		request(t, "GET", d.smsc.HTTPURL()+"/api/ledger", nil, &ledger)
		for _, row = range ledger {
			if row["attempts"].(float64) == 0 || row["state"] == "taken" || row["receipted"] == true {
				return false
			}
		}
		return len(ledger) == 2
	}
	eventually(t, "tried", refused)
	d.inbox.fail(nil)
	d.receipts.mu.Lock()
	d.receipts.err = nil
	d.receipts.mu.Unlock()
	d.clock.Set(time.Minute)
	eventually(t, "kept in the end", func() bool {
		_, ok := d.receipts.of(o.WireIDs[0])
		return ok && len(d.inbox.messages()) == 1
	})
}

// A link that swallows everything is noticed, and the next one serves.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	d := setup(t, func(c *sms.Config) { c.Enquire = 300 * time.Millisecond })
	d.fault(map[string]any{"stop_reading": true})
	eventually(t, "noticed", func() bool { return !d.gateway.Bound() })
	d.fault(map[string]any{"stop_reading": false})
	eventually(t, "bound again", d.gateway.Bound)
	if o := d.sendUntilDone(gateway.Delivery{Key: "k", To: bob, Text: "hello"}); o.State != gateway.Sent {
		t.Fatalf("outcome %+v", o)
	}
}

// A farewell waits for the answer to a submit and for the commit of a message.
func TestFarewell(t *testing.T) {
	t.Parallel()
	d := setup(t, nil)
	hold := make(chan struct{})
	d.inbox.mu.Lock()
	d.inbox.hold = hold
	d.inbox.mu.Unlock()
	d.write(bob, "in the last moment")
	eventually(t, "on its way", func() bool {
		var ledger []map[string]any
		request(t, "GET", d.smsc.HTTPURL()+"/api/ledger", nil, &ledger)
		return ledger[0]["attempts"].(float64) == 1
	})
	waitABit(t)
	stopped := make(chan struct{})
	go func() { d.stop(); close(stopped) }()
	eventually(t, "no more sends", func() bool { return !d.gateway.Bound() })
	close(hold)
	<-stopped
	if d.shown(bob)[0].Receipt != "delivered" {
		t.Error("kept and not acknowledged")
	}
}

func TestWrongCredentialsAreTriedSlowly(t *testing.T) {
	t.Parallel()
	s, c := startSMSC(t, nil)
	g, err := sms.New(sms.Config{Addr: s.SMPPAddr(), SystemID: systemID, Password: "wrong", Number: helpdesk}, &inbox{}, &receipts{}, c, logger(t))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if g.Run(ctx); g.Bound() {
		t.Error("bound")
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	good := sms.Config{Addr: "localhost:2775", SystemID: "x", Number: helpdesk}
	for name, edit := range map[string]func(*sms.Config){
		"address":   func(c *sms.Config) { c.Addr = "" },
		"system id": func(c *sms.Config) { c.SystemID = "" },
		"number":    func(c *sms.Config) { c.Number = "HELPDESK" },
		"receipts":  func(c *sms.Config) { c.ReceiptIDs = "octal" },
	} {
		bad := good
		edit(&bad)
		if _, err := sms.New(bad, &inbox{}, &receipts{}, clock.System{}, nil); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
