package sms

import (
	"testing"
	"time"

	"deskbell/clock"
	"deskbell/gateway"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutlv"
)

func TestNormalise(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		ton            byte
		digits, region string
		want           string
		answerable     bool
	}{
		{1, "46701234567", "DE", "+46701234567", true},
		{0, "+46701234567", "DE", "+46701234567", true},
		{0, "0046701234567", "SE", "+46701234567", true},
		{0, "46701234567", "SE", "+46701234567", true},
		{2, "070-123 45 67", "SE", "+46701234567", true},
		{0, "4915112345678", "DE", "+4915112345678", true},
		{0, "4930555100", "DE", "+4930555100", true},
		{0, "4915550001", "DE", "+4915550001", true},
		{0, "46701234567", "DE", "+46701234567", true},
		{0, "2125551234", "US", "+12125551234", true},
		{0, "015112345678", "DE", "+4915112345678", true},
		{1, "4915550001", "DE", "+4915550001", true},
		{0, "71234", "SE", "71234", false},
		{0, "112", "DE", "112", false},
		{5, "HELPDESK", "DE", "HELPDESK", false},
		{0, "Bank 24", "DE", "Bank 24", false},
		{0, "", "DE", "", false},
	} {
		got, ok := normalise(Address{TON: tc.ton, Digits: tc.digits}, tc.region)
		if got != tc.want || ok != tc.answerable {
			t.Errorf("%d %q in %s: %q %t", tc.ton, tc.digits, tc.region, got, ok)
		}
	}
}

func TestReceiptForms(t *testing.T) {
	t.Parallel()
	tlv := func(id string, state byte) pdutlv.Map {
		m := pdutlv.Map{}
		_ = m.Set(pdutlv.TagReceiptedMessageID, pdutlv.CString(id))
		_ = m.Set(pdutlv.TagMessageStateOption, state)
		return m
	}
	for name, tc := range map[string]struct {
		m     ShortMessage
		ids   string
		wire  string
		state gateway.State
		ok    bool
	}{
		"parameters first":     {ShortMessage{Body: []byte("id:9 stat:UNDELIV"), TLVs: tlv("00AB", 2)}, "", "x/ab", gateway.Delivered, true},
		"text":                 {ShortMessage{Body: []byte("id:0123 sub:001 dlvrd:000 submit date:2611 done date:2611 stat:EXPIRED err:00A text:id:77")}, "", "x/123", gateway.Expired, true},
		"hex receipts":         {ShortMessage{TLVs: tlv("FF", 5)}, "hex", "x/255", gateway.Failed, true},
		"decimal receipts":     {ShortMessage{TLVs: tlv("255", 8)}, "decimal", "x/ff", gateway.Failed, true},
		"not the last word":    {ShortMessage{TLVs: tlv("1", 6)}, "", "", "", false},
		"unknown to the SMSC":  {ShortMessage{TLVs: tlv("1", 7)}, "", "x/1", gateway.Unknown, true},
		"a word without an id": {ShortMessage{Body: []byte("stat:DELIVRD")}, "", "", "", false},
		"an id without a word": {ShortMessage{Body: []byte("id:7")}, "", "", "", false},
	} {
		g, err := New(Config{Name: "x", Addr: "x", SystemID: "x", Number: "+4930555100", ReceiptIDs: tc.ids}, nil, nil, clock.System{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := g.parseReceipt(tc.m)
		if ok != tc.ok || ok && (got.WireID != tc.wire || got.State != tc.state) {
			t.Errorf("%s: %+v %t", name, got, ok)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 20, 0, 0, 0, time.UTC)
	for _, d := range []time.Duration{time.Second, 90 * time.Minute, 30 * 24 * time.Hour} {
		if got, err := ParseTime(RelativeTime(d), now); err != nil || !got.Equal(now.Add(d)) {
			t.Errorf("%s: %s, %v", RelativeTime(d), got, err)
		}
	}
	if RelativeTime(-time.Hour) != "000000000001000R" {
		t.Error("a period that has passed is a second")
	}
	at := now.Add(123 * time.Millisecond)
	if got, err := ParseTime(AbsoluteTime(at), now); err != nil || !got.Equal(now.Add(100*time.Millisecond)) {
		t.Errorf("%s: %s, %v", AbsoluteTime(at), got, err)
	}
	if got, err := ParseTime("261122220000008+", now); err != nil || !got.Equal(now) {
		t.Errorf("with an offset: %s, %v", got, err)
	}
	for _, bad := range []string{"", "tomorrow", "26112222000000xR", "261322220000000+", "2611222200000000"} {
		if got, err := ParseTime(bad, now); err == nil {
			t.Errorf("%q: %s", bad, got)
		}
	}
}

// Every status that passes comes back as due with a wait, every other is final.
func TestRefusals(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		status  pdu.Status
		attempt int
		want    gateway.State
	}{
		"throttled": {0x58, 99, gateway.Due}, "queue full": {0x14, 99, gateway.Due},
		"system error": {0x08, 1, gateway.Due}, "system error for the fifth time": {0x08, 5, gateway.Failed},
		"destination": {0x0B, 1, gateway.Failed}, "source": {0x0A, 1, gateway.Failed}, "length": {0x01, 1, gateway.Failed},
		"submit failed": {0x45, 1, gateway.Failed}, "a vendor's own": {0x400, 1, gateway.Failed},
	} {
		g, err := New(Config{Addr: "x", SystemID: "x", Number: "+4930555100"}, nil, nil, clock.System{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		o := g.refusal(nil, &Rejected{tc.status}, tc.attempt)
		if o.State != tc.want || tc.want == gateway.Due && o.RetryIn <= 0 || o.Reason == "" {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestBackoffGrowsAndIsBounded(t *testing.T) {
	t.Parallel()
	var most time.Duration
	for n := range 50 {
		for range 50 {
			d := backoff(backoffFirst, backoffMost, n)
			if d < 0 || d > backoffMost || n == 0 && d > backoffFirst {
				t.Fatalf("after %d failures %s", n, d)
			}
			most = max(most, d)
		}
	}
	if most < backoffMost/2 {
		t.Errorf("at most %s", most)
	}
}
