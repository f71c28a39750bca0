package smsc_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"deskbell/clock"
	"deskbell/devstack/smsc"
	"deskbell/gateway/sms"

	"github.com/fiorix/go-smpp/smpp/pdu"
	"github.com/fiorix/go-smpp/smpp/pdu/pdufield"
	"github.com/fiorix/go-smpp/smpp/pdu/pdutlv"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

const (
	helpdesk = "+4930555100"
	bob      = "+4915550001"
	eve      = "+4915550002"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type bundle struct {
	t     *testing.T
	smsc  *smsc.Server
	clock *clock.Movable
	stop  func()
}

func setup(t *testing.T, edit func(*smsc.Config)) *bundle {
	t.Helper()
	b := &bundle{t: t, clock: &clock.Movable{}}
	config := smsc.Config{
		Dir: t.TempDir(), SystemID: "desk", Password: "secret", Number: helpdesk, Clock: b.clock,
		People: []smsc.Phone{{Number: bob, Name: "Bob", Role: "agent"}, {Number: eve, Name: "Eve"}},
		Log:    slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if edit != nil {
		edit(&config)
	}
	var err error
	if b.smsc, err = smsc.Start(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	b.stop = sync.OnceFunc(func() {
		http.DefaultClient.CloseIdleConnections()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := b.smsc.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

func (b *bundle) call(method, path, body string, answer any) int {
	b.t.Helper()
	req, err := http.NewRequestWithContext(b.t.Context(), method, b.smsc.HTTPURL()+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		b.t.Fatal(err)
	}
	defer res.Body.Close()
	if answer != nil {
		if err := json.NewDecoder(res.Body).Decode(answer); err != nil {
			b.t.Fatal(err)
		}
	}
	return res.StatusCode
}

func messagesOf(number string) string { return "/api/phones/" + url.PathEscape(number) + "/messages" }

func (b *bundle) shown(number string) []smsc.Message {
	b.t.Helper()
	var messages []smsc.Message
	b.call("GET", messagesOf(number), "", &messages)
	return messages
}

func (b *bundle) fault(body string) {
	b.t.Helper()
	if status := b.call("POST", "/api/faults", body, nil); status != 204 {
		b.t.Fatalf("faults: %d", status)
	}
}

func (b *bundle) write(number, text string) {
	b.t.Helper()
	body, err := json.Marshal(map[string]string{"text": text})
	if err != nil {
		b.t.Fatal(err)
	}
	if status := b.call("POST", messagesOf(number), string(body), nil); status != 201 {
		b.t.Fatalf("typing: %d", status)
	}
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for deadline := time.Now().Add(20 * time.Second); !ok(); <-poll.C {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// esme is a bare ESME: it notes what comes and answers with a status.
type esme struct {
	t       *testing.T
	session *sms.Session

	mu     sync.Mutex
	got    []sms.PDU
	answer func(sms.PDU) (status pdu.Status, silent bool)
}

func (b *bundle) connect(bind pdu.ID, password string) (*esme, error) {
	b.t.Helper()
	conn, err := net.Dial("tcp", b.smsc.SMPPAddr())
	if err != nil {
		b.t.Fatal(err)
	}
	e := &esme{t: b.t}
	e.session = sms.NewSession(conn, sms.SessionConfig{Log: slog.New(slog.DiscardHandler), Handle: func(s *sms.Session, p sms.PDU) {
		e.mu.Lock()
		e.got = append(e.got, p)
		answer := e.answer
		e.mu.Unlock()
		status, silent := sms.StatusOK, false
		if answer != nil {
			status, silent = answer(p)
		}
		if !silent {
			_ = s.Reply(p.Response(status))
		}
	}})
	ctx, cancel := context.WithCancel(context.Background())
	var run sync.WaitGroup
	run.Go(func() { _ = e.session.Run(ctx) })
	b.t.Cleanup(func() { cancel(); run.Wait() })
	p := sms.PDU{ID: bind, Fields: pdufield.Map{}}
	_ = p.Fields.Set(pdufield.SystemID, "desk")
	_ = p.Fields.Set(pdufield.Password, password)
	_, err = e.session.Call(b.t.Context(), p)
	return e, err
}

func (b *bundle) bind() *esme {
	b.t.Helper()
	e, err := b.connect(pdu.BindTransceiverID, "secret")
	if err != nil {
		b.t.Fatal(err)
	}
	return e
}

func (e *esme) submit(m sms.ShortMessage) (string, error) {
	e.t.Helper()
	m.Source = sms.NumberAddress(helpdesk)
	m.Registered = 1
	p, err := m.PDU(pdu.SubmitSMID)
	if err != nil {
		e.t.Fatal(err)
	}
	answer, err := e.session.Call(e.t.Context(), p)
	return answer.Text(pdufield.MessageID), err
}

func (e *esme) received() []sms.ShortMessage {
	e.mu.Lock()
	defer e.mu.Unlock()
	var all []sms.ShortMessage
	for _, p := range e.got {
		m, err := sms.ParseShortMessage(p)
		if err != nil {
			e.t.Error(err)
		}
		all = append(all, m)
	}
	return all
}

func (e *esme) bodies() []string {
	var all []string
	for _, m := range e.received() {
		all = append(all, string(m.Body))
	}
	return all
}

func to(number, text string) sms.ShortMessage {
	return sms.ShortMessage{Dest: sms.NumberAddress(number), Body: []byte(text)}
}

func TestBindAndItsRefusals(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	if _, err := b.connect(pdu.BindTransceiverID, "wrong"); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("wrong password: %v", err)
	}
	rx, err := b.connect(pdu.BindReceiverID, "secret")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rx.submit(to(bob, "x")); err == nil {
		t.Error("a receiver submitted")
	}
	tx, err := b.connect(pdu.BindTransmitterID, "secret")
	if err != nil {
		t.Fatal(err)
	}
	b.write(bob, "to the receiver")
	eventually(t, "delivered", func() bool { return len(rx.bodies()) == 1 })
	if _, err := tx.submit(to(bob, "x")); err != nil {
		t.Error(err)
	}
	if n := len(tx.bodies()); n != 0 {
		t.Errorf("a transmitter got %d", n)
	}
	tx.session.Unbind(t.Context())
	eventually(t, "unbound", func() bool {
		select {
		case <-tx.session.Done():
			return true
		default:
			return false
		}
	})
}

func TestPhonesAPI(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *smsc.Config) {
		c.Mount = map[string]http.Handler{"/chat/": http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "chat") })}
	})
	var phones []map[string]any
	b.call("GET", "/api/phones", "", &phones)
	want := []map[string]any{
		{"number": bob, "name": "Bob", "role": "agent", "on": true},
		{"number": eve, "name": "Eve", "role": "", "on": true},
	}
	if diff := cmp.Diff(want, phones); diff != "" {
		t.Error(diff)
	}
	var none json.RawMessage
	if b.call("GET", "/api/phones/%2B4915559999/messages", "", &none); !bytes.Equal(none, []byte("[]")) {
		t.Errorf("unknown phone: %s", none)
	}
	for _, bad := range []struct{ path, body string }{
		{messagesOf(bob), `{"text":""}`}, {messagesOf(bob), `nonsense`}, {messagesOf("<script>"), `{"text":"x"}`},
		{"/api/phones/" + bob + "/power", `{}`}, {"/api/faults", `{"receipts":"sometimes"}`}, {"/api/faults", `[]`},
	} {
		var p struct{ Detail string }
		if status := b.call("POST", bad.path, bad.body, &p); status < 400 || status > 499 || p.Detail == "" {
			t.Errorf("%+v: %d %q", bad, status, p.Detail)
		}
	}
	if status := b.call("POST", "/api/phones/"+bob+"/power", `{"on":false}`, nil); status != 200 {
		t.Errorf("power: %d", status)
	}
	if status := b.call("POST", messagesOf(bob), `{"text":"x"}`, nil); status != 409 {
		t.Errorf("typing on a phone that is off: %d", status)
	}
	if status := b.call("GET", "/chat/bob", "", nil); status != 200 {
		t.Errorf("mounted page: %d", status)
	}
	res, err := http.Get(b.smsc.HTTPURL() + "/?phone=" + url.QueryEscape(bob))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if csp := res.Header.Get("Content-Security-Policy"); res.StatusCode != 200 || !strings.HasPrefix(csp, "default-src 'self'") || strings.Contains(csp, "unsafe") {
		t.Errorf("page: %d, policy %q", res.StatusCode, csp)
	}
	for _, file := range []string{"phones.js", "phones.css", "phones.svg"} {
		if status := b.call("GET", "/assets/"+file, "", nil); status != 200 {
			t.Errorf("%s: %d", file, status)
		}
	}
}

func TestForeignSitesMayNotType(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	req, err := http.NewRequestWithContext(t.Context(), "POST", b.smsc.HTTPURL()+messagesOf(bob), strings.NewReader(`{"text":"x"}`))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 403 {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	req, err := http.NewRequestWithContext(t.Context(), "GET", b.smsc.HTTPURL()+"/api/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	lines := bufio.NewScanner(res.Body)
	lines.Scan() // the stream has begun
	awaits := func(data string) {
		t.Helper()
		for lines.Scan() {
			if lines.Text() == "data: "+data {
				return
			}
		}
		t.Fatalf("no event %s", data)
	}
	b.write(bob, "hello")
	awaits(`{"number":"` + bob + `"}`)
	b.fault(`{"throttle":1}`)
	awaits(`{"number":""}`)
}

// What is left of the faults is shown in the words that set them.
func TestFaultsAreShown(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	faults := func() (f map[string]any) {
		t.Helper()
		b.call("GET", "/api/faults", "", &f)
		return f
	}
	healthy := faults()
	b.fault(`{"throttle":2,"silent":true,"stop_reading":true,"reorder":true,"receipts":"late","down":60,"lose_responses":3}`)
	b.clock.Set(20 * time.Second)
	want := map[string]any{
		"throttle": 2.0, "queue_full": 0.0, "refuse": 0.0, "drop": false, "silent": true, "stop_reading": true, "duplicate": 0.0,
		"reorder": true, "lose_responses": 3.0, "receipts": "late", "down": 40.0,
	}
	got := faults()
	if down, _ := got["down"].(float64); down > 39 && down <= 40 { // the clock moves besides
		got["down"] = 40.0
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	b.fault(`{"throttle":0,"silent":false,"stop_reading":false,"reorder":false,"receipts":"normal","down":0,"lose_responses":0}`)
	if diff := cmp.Diff(healthy, faults()); diff != "" {
		t.Error(diff)
	}
}

func TestMessagesSurviveAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := setup(t, func(c *smsc.Config) { c.Dir = dir })
	b.write(bob, "typed before")
	b.call("POST", "/api/phones/"+eve+"/power", `{"on":false}`, nil)
	if _, err := b.bind().submit(to(eve, "for later")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "taken", func() bool { return b.shown(bob)[0].Receipt == "delivered" })
	b.write(bob, strings.Repeat("nobody is there ", 20))
	before := b.shown(bob)
	b.stop()
	// A kill in the middle of a write leaves half a line.
	file, err := os.OpenFile(filepath.Join(dir, "messages.jsonl"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.WriteString(`{"op":"typed","id":"zzz","ph`); err != nil {
		t.Fatal(err)
	}
	file.Close()

	b = setup(t, func(c *smsc.Config) { c.Dir = dir })
	ignoreReceipt := cmp.FilterPath(func(p cmp.Path) bool { return p.String() == "Receipt" }, cmp.Ignore())
	if diff := cmp.Diff(before, b.shown(bob), ignoreReceipt, cmp.FilterPath(func(p cmp.Path) bool {
		f, ok := p.Last().(cmp.StructField)
		return ok && f.Name()[0] >= 'a'
	}, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
	if m := b.shown(eve); len(m) != 1 || m[0].Receipt != "sent" {
		t.Errorf("phone that is off shows %+v", m)
	}
	e := b.bind()
	eventually(t, "the rest is delivered", func() bool { return b.shown(bob)[1].Receipt == "delivered" })
	b.call("POST", "/api/phones/"+eve+"/power", `{"on":true}`, nil)
	eventually(t, "receipt", func() bool {
		return slices.ContainsFunc(e.bodies(), func(s string) bool { return strings.Contains(s, "stat:DELIVRD") })
	})
	if slices.Contains(e.bodies(), "typed before") {
		t.Error("delivered again although acknowledged")
	}
	id, err := e.submit(to(bob, "a new id"))
	if err != nil {
		t.Fatal(err)
	}
	var ledger []smsc.LedgerRow
	b.call("GET", "/api/ledger", "", &ledger)
	var ids []string
	for _, row := range ledger {
		ids = append(ids, row.ID)
	}
	slices.Sort(ids)
	if len(ids) != 4 || len(slices.Compact(slices.Clone(ids))) != 4 || !slices.Contains(ids, id) {
		t.Errorf("ids %v", ids)
	}
}

func TestDeliveryUntilAcknowledged(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	e := b.bind()
	var refusals int
	e.answer = func(sms.PDU) (pdu.Status, bool) {
		if refusals++; refusals <= 2 {
			return sms.StatusTemporary, false
		}
		return sms.StatusOK, false
	}
	b.write(bob, "first")
	b.write(bob, "second")
	eventually(t, "both", func() bool {
		b.clock.Set(b.clock.Offset() + 100*time.Millisecond)
		m := b.shown(bob)
		return m[0].Receipt == "delivered" && m[1].Receipt == "delivered"
	})
	if diff := cmp.Diff([]string{"first", "first", "first", "second"}, e.bodies()); diff != "" {
		t.Error(diff)
	}
}

func TestRedeliveryAfterADrop(t *testing.T) {
	t.Parallel()
	for _, fault := range []string{`{"drop":true}`, `{"lose_responses":1}`} {
		t.Run(fault, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			e := b.bind()
			if strings.Contains(fault, "drop") {
				e.answer = func(sms.PDU) (pdu.Status, bool) { return 0, true }
				b.write(bob, "again")
				eventually(t, "arrived", func() bool { return len(e.bodies()) == 1 })
				b.fault(fault)
			} else {
				b.fault(fault)
				b.write(bob, "again")
			}
			<-e.session.Done()
			if b.shown(bob)[0].Receipt != "sent" {
				t.Fatal("counts as taken")
			}
			e2 := b.bind()
			eventually(t, "again", func() bool { return b.shown(bob)[0].Receipt == "delivered" })
			if diff := cmp.Diff(e.received(), e2.received()); diff != "" {
				t.Errorf("the repetition differs: %s", diff)
			}
		})
	}
}

func TestFaultsOnDelivery(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	e := b.bind()
	b.fault(`{"duplicate":1}`)
	b.write(bob, "twice")
	eventually(t, "twice", func() bool { return slices.Equal(e.bodies(), []string{"twice", "twice"}) })
	b.fault(`{"reorder":true}`)
	b.write(eve, strings.Repeat("0123456789", 40))
	eventually(t, "three parts", func() bool { return len(e.received()) == 5 })
	var numbers []int
	for _, m := range e.received()[2:] {
		_, n, _, _ := m.Concat()
		numbers = append(numbers, n)
	}
	if diff := cmp.Diff([]int{3, 2, 1}, numbers); diff != "" {
		t.Error(diff)
	}
}

func TestFaultsOnSubmit(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	e := b.bind()
	b.fault(`{"throttle":1,"queue_full":1}`)
	for _, want := range []string{"throttling", "queue full", ""} {
		_, err := e.submit(to(bob, "x"))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, have %v", want, err)
		}
	}
	for _, bad := range []sms.ShortMessage{to("", "x"), to("no number", "x"), {Dest: sms.NumberAddress(bob), Validity: "tomorrow"}} {
		if _, err := e.submit(bad); err == nil {
			t.Errorf("taken: %+v", bad)
		}
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *smsc.Config) { c.Rate = 1 })
	e := b.bind()
	_, first := e.submit(to(bob, "x"))
	_, second := e.submit(to(bob, "y"))
	if first != nil || second == nil || !strings.Contains(second.Error(), "throttling") {
		t.Errorf("%v, %v", first, second)
	}
}

func TestReceipts(t *testing.T) {
	t.Parallel()
	for mode, want := range map[string]string{"normal": "DELIVRD", "before": "DELIVRD", "failed": "UNDELIV", "late": "", "none": ""} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := setup(t, nil)
			e := b.bind()
			b.fault(`{"receipts":"` + mode + `"}`)
			id, err := e.submit(to(bob, "x"))
			if err != nil {
				t.Fatal(err)
			}
			if mode == "before" && len(e.received()) != 1 {
				t.Fatal("the response came first")
			}
			eventually(t, "fate", func() bool { return b.shown(bob)[0].Receipt != "sent" })
			if mode == "late" {
				if n := len(e.received()); n != 0 {
					t.Fatalf("%d receipts at once", n)
				}
				b.clock.Set(2 * time.Minute)
				want = "DELIVRD"
			}
			if want == "" {
				return
			}
			eventually(t, "receipt", func() bool { return len(e.received()) == 1 })
			m := e.received()[0]
			if m.ESMClass != 0x04 || !strings.Contains(string(m.Body), "id:"+id) || !strings.Contains(string(m.Body), "stat:"+want) ||
				m.TLVs[pdutlv.TagReceiptedMessageID].String() != id {
				t.Errorf("receipt %q, %v", m.Body, m.TLVs)
			}
		})
	}
}

func TestConcatenatedTextIsOneEntry(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	e := b.bind()
	text := strings.Repeat("Grüße aus Köln {€} ", 25)
	whole, err := sms.EncodeText(text, 7)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range []int{3, 0, 2, 1} {
		if len(b.shown(bob)) != 0 {
			t.Fatal("shown before it was whole")
		}
		m := to(bob, "")
		m.Coding, m.Body, m.UDH = whole.Coding, whole.Bodies[i], whole.UDH(i)
		if i == 2 { // by sar parameters instead
			m.UDH, m.TLVs = nil, pdutlv.Map{}
			_ = m.TLVs.Set(pdutlv.TagSarMsgRefNum, []byte{0, 7})
			_ = m.TLVs.Set(pdutlv.TagSarTotalSegments, byte(len(whole.Bodies)))
			_ = m.TLVs.Set(pdutlv.TagSarSegmentSeqnum, byte(i+1))
		}
		if _, err := e.submit(m); err != nil {
			t.Fatal(err)
		}
	}
	got := b.shown(bob)
	if len(got) != 1 || got[0].Text != text || got[0].Segments != 4 {
		t.Fatalf("shown %+v", got)
	}
	if _, err := e.submit(to(bob, strings.Repeat("by payload ", 30))); err != nil {
		t.Fatal(err)
	}
	if got := b.shown(bob); len(got) != 2 || !strings.HasPrefix(got[1].Text, "by payload") {
		t.Fatalf("shown %+v", got)
	}
}

func TestOutage(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	e := b.bind()
	b.fault(`{"down":60}`)
	<-e.session.Done()
	eventually(t, "nobody listens", func() bool {
		conn, err := net.Dial("tcp", b.smsc.SMPPAddr())
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	b.clock.Set(time.Minute)
	eventually(t, "back", func() bool {
		conn, err := net.Dial("tcp", b.smsc.SMPPAddr())
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	b.bind()
}

// An outage that was ended is over, also on a clock that goes back.
func TestOutageEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, nil)
	e := b.bind()
	b.fault(`{"down":60}`)
	<-e.session.Done()
	b.clock.Set(time.Hour)
	b.fault(`{"down":0}`)
	b.clock.Set(0)
	eventually(t, "back", func() bool {
		conn, err := net.Dial("tcp", b.smsc.SMPPAddr())
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	b.bind()
}
