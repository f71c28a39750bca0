package store_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"deskbell/gateway"
	"deskbell/store"
)

func keep(t testing.TB, s *store.Store, list ...gateway.Message) []gateway.Kept {
	t.Helper()
	return value(s.Keep(t.Context(), list))(t)
}

func sms(key string) gateway.Message {
	return gateway.Message{Channel: gateway.SMS, Key: key, From: "+4930100", ReplyTo: "+4930100", Text: key}
}

func TestEqualSMSRepeatOnlyWhileUnconfirmed(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	first := keep(t, s, sms("ok"))[0]
	if first.Repeat {
		t.Error("the first is a repeat")
	}
	if again := keep(t, s, sms("ok"))[0]; !again.Repeat || again.Key != first.Key {
		t.Errorf("the network repeats itself: %+v", again)
	}
	must(t, s.Confirm(t.Context(), gateway.SMS, []string{first.Key}))
	second := keep(t, s, sms("ok"))[0]
	if second.Repeat || second.Key == first.Key {
		t.Errorf("a person says the same again: %+v", second)
	}
	if again := keep(t, s, sms("ok"))[0]; !again.Repeat || again.Key != second.Key {
		t.Errorf("the newest equal message counts: %+v", again)
	}
	both := keep(t, s, sms("new"), sms("new"))
	if both[0].Repeat || !both[1].Repeat {
		t.Errorf("within one batch: %+v", both)
	}
	if list := value(s.Unfinished(t.Context(), gateway.SMS, 10))(t); len(list) != 3 {
		t.Errorf("%d rows", len(list))
	}
}

func TestEqualSMSAfterAnHourIsNew(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	first := keep(t, s, sms("ok"))[0]
	clk.pass(59 * time.Minute)
	if again := keep(t, s, sms("ok"))[0]; !again.Repeat {
		t.Error("a late redelivery counts as new")
	}
	clk.pass(2 * time.Minute)
	if later := keep(t, s, sms("ok"))[0]; later.Repeat || later.Key == first.Key {
		t.Errorf("the same word an hour later is swallowed: %+v", later)
	}
}

func TestIMKeysAreFinalAndTheCursorFollows(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	if cursor, at, err := s.Cursor(t.Context(), ""); err != nil || cursor != "" || !at.IsZero() {
		t.Errorf("first login: %q %v %v", cursor, at, err)
	}
	m := gateway.Message{Channel: gateway.IM, Key: "a1 dana", From: "dana@desk.localhost", ReplyTo: "dana@desk.localhost/phone", Text: "take 142",
		SentAt: noon.Add(-time.Minute), Quotes: "wire", Cursor: "a1"}
	if got := keep(t, s, m)[0]; got.Repeat || got.Key != m.Key {
		t.Errorf("%+v", got)
	}
	must(t, s.Confirm(t.Context(), gateway.IM, []string{m.Key}))
	m2 := m
	m2.Key, m2.Cursor, m2.SentAt = "a2 dana", "a2", noon
	got := keep(t, s, m, m2)
	if !got[0].Repeat || got[1].Repeat {
		t.Errorf("%+v", got)
	}
	if cursor, at, err := s.Cursor(t.Context(), ""); err != nil || cursor != "a2" || !at.Equal(noon) {
		t.Errorf("%q %v %v", cursor, at, err)
	}
}

func TestEqualMessagesAtOnceAreOne(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	var mu sync.Mutex
	fresh := 0
	must(t, together(20, func(i int) error {
		list := []gateway.Message{sms("a"), sms("b")}
		if i%2 == 0 {
			list[0], list[1] = list[1], list[0]
		}
		kept, err := s.Keep(t.Context(), list)
		mu.Lock()
		defer mu.Unlock()
		for _, k := range kept {
			if !k.Repeat {
				fresh++
			}
		}
		return err
	}))
	if fresh != 2 {
		t.Errorf("%d kept", fresh)
	}
}

func TestTheLifeOfAMessage(t *testing.T) {
	t.Parallel()
	s, clk := open(t)
	desk(t, s)
	m := sms("done \x00 \xff 142")
	m.Key = "k"
	key := keep(t, s, m)[0].Key
	clk.pass(time.Second)
	stranger := sms("hi")
	stranger.From = "+4930999"
	keep(t, s, stranger)

	m.Key, m.Text = key, "done \uFFFD \uFFFD 142"
	list := value(s.Unfinished(t.Context(), gateway.SMS, 10))(t)
	if len(list) != 2 {
		t.Fatalf("%+v", list)
	}
	want := store.Inbound{ID: list[0].ID, Message: m, Person: "dana", KeptAt: noon, State: store.Kept}
	if diff := cmp.Diff(want, list[0]); diff != "" {
		t.Error(diff)
	}
	if list[1].Person != "" {
		t.Errorf("the stranger is %s", list[1].Person)
	}
	must(t, s.Drop(t.Context(), list[1].Key, "stranger"))
	value(s.Write(t.Context(), store.Write{Decides: key, Decided: []byte(`{"number":142}`)}))(t)
	busy := text("busy")
	busy.Reason = "err_busy"
	value(s.Write(t.Context(), store.Write{Outgoing: []store.Outgoing{busy}, Tells: key}))(t)
	want.State, want.Told, want.Decided = store.HandedOver, true, []byte(`{"number":142}`)
	if diff := cmp.Diff([]store.Inbound{want}, value(s.Unfinished(t.Context(), gateway.SMS, 10))(t)); diff != "" {
		t.Error(diff)
	}
	value(s.Write(t.Context(), store.Write{Outgoing: []store.Outgoing{text("answer")}, Answers: key}))(t)
	value(s.Write(t.Context(), store.Write{Decides: key, Decided: want.Decided}))(t) // too late: what is finished stays finished
	want.State = store.Finished
	if diff := cmp.Diff(want, value(s.Inbound(t.Context(), key))(t)); diff != "" {
		t.Error(diff)
	}
	if _, err := s.Inbound(t.Context(), "no such key"); !errors.Is(err, store.ErrNotFound) {
		t.Error(err)
	}
}

func TestPartsOfAMessage(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	part := func(key string, number int) gateway.Message {
		m := sms(key)
		m.Text = ""
		m.Part = &gateway.Part{Group: "smsc/+4930100/7/2", Number: number, Total: 2, Coding: 8, Data: []byte(key)}
		return m
	}
	// The reference is used again before the first message is answered.
	kept := keep(t, s, part("b", 2), part("a", 1), part("c", 1), part("d", 2))
	texts := func() (got string) {
		for _, p := range value(s.Parts(t.Context(), "smsc/+4930100/7/2"))(t) {
			got += string(p.Part.Data)
		}
		return got
	}
	if got := texts(); got != "ab" {
		t.Errorf("first message %q", got)
	}
	value(s.Write(t.Context(), store.Write{Outgoing: []store.Outgoing{text("answer")}, Answers: kept[1].Key}))(t)
	if got := texts(); got != "cd" {
		t.Errorf("second message %q", got)
	}
	list := value(s.Unfinished(t.Context(), gateway.SMS, 10))(t)
	value(s.Write(t.Context(), store.Write{Decides: list[1].Key, Decided: []byte("{}")}))(t)
	for _, m := range value(s.Unfinished(t.Context(), gateway.SMS, 10))(t) {
		if m.State != store.HandedOver {
			t.Errorf("%s is %s", m.Part.Data, m.State)
		}
	}
	must(t, s.Drop(t.Context(), list[0].Key, "incomplete"))
	if got := texts(); got != "" {
		t.Errorf("left: %q", got)
	}
}

func TestOneSenderAtATime(t *testing.T) {
	t.Parallel()
	s, clk, url := openAt(t)
	other, err := store.Open(t.Context(), url, clk, quiet)
	must(t, err)
	defer other.Close()
	lock := func(s *store.Store, sender string) (func(), bool) {
		unlock, ok, err := s.Lock(t.Context(), sender)
		must(t, err)
		return unlock, ok
	}
	unlock, ok := lock(s, "+4930100")
	if !ok {
		t.Fatal("not locked")
	}
	for _, s := range []*store.Store{s, other} {
		if _, ok := lock(s, "+4930100"); ok {
			t.Error("locked twice")
		}
	}
	if unlockOther, ok := lock(other, "+4930200"); !ok {
		t.Error("another sender waits")
	} else {
		unlockOther()
	}
	unlock()
	unlock()
	unlock, ok = lock(other, "+4930100")
	if !ok {
		t.Fatal("not unlocked")
	}
	unlock()
}

func TestStrangersAreAnsweredOnceADay(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	for _, tt := range []struct {
		address string
		after   time.Duration
		want    bool
	}{{"+1", 0, true}, {"+1", time.Hour, false}, {"+2", time.Hour, true}, {"+1", 24 * time.Hour, true}, {"+1", 25 * time.Hour, false}} {
		if got := value(s.Stranger(t.Context(), gateway.SMS, tt.address, noon.Add(tt.after)))(t); got != tt.want {
			t.Errorf("%s after %v: %v", tt.address, tt.after, got)
		}
	}
}
