package e2e

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"deskbell/devstack/smsc"
)

// foreignSMSC is an SMSC on npm's smpp: an opinion about SMPP that is not ours.
type foreignSMSC struct {
	*node
	desk string // the desk's number

	mu    sync.Mutex
	texts map[string][]Message // by number
}

func startSMSC(t *testing.T, number string) (s *foreignSMSC, address string) {
	s = &foreignSMSC{node: startNode(t, "../gateway/sms/testdata/node", "smsc.js"), desk: number, texts: map[string][]Message{}}
	var first struct{ Port int }
	if err := s.hear(&first); err != nil {
		t.Fatal(err)
	}
	var reader sync.WaitGroup
	reader.Go(s.read)
	t.Cleanup(reader.Wait)
	t.Cleanup(func() { _ = s.stdin.Close() }) // it ends with its input, and the reader with it
	return s, fmt.Sprintf("127.0.0.1:%d", first.Port)
}

func (s *foreignSMSC) read() {
	for {
		var e struct{ Event, ID, To, Text string }
		if s.hear(&e) != nil {
			return
		}
		if e.Event == "submit" {
			s.add("+"+strings.TrimPrefix(e.To, "+"), Message{ID: e.ID, Text: e.Text, At: time.Now()})
		}
	}
}

func (s *foreignSMSC) add(number string, m Message) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts[number] = append(s.texts[number], m)
}

func (s *foreignSMSC) messages(number string) ([]Message, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Message(nil), s.texts[number]...), nil
}

func (s *foreignSMSC) send(number, text string) error {
	s.add(number, Message{ID: "own " + text, Text: text, At: time.Now(), Own: true})
	s.tell(map[string]any{"do": "send", "command": "deliver_sm", "pdu": map[string]any{
		"source_addr": strings.TrimPrefix(number, "+"), "source_addr_ton": 1, "destination_addr": s.desk, "short_message": text,
	}})
	return nil
}

// TestForeignSMSC is dialogue d01 with another program as the SMSC.
func TestForeignSMSC(t *testing.T) {
	t.Parallel()
	const number = "+447700900100"
	s, address := startSMSC(t, number)
	desk := Start(t, Options{People: people, Policy: patient, Clock: true, Env: []string{
		"DESKBELL_SMPP_ADDR=" + address, "DESKBELL_SMPP_SYSTEM_ID=deskbell", "DESKBELL_SMPP_PASSWORD=secret", "DESKBELL_SMPP_SOURCE=" + number,
	}})
	desk.phones = s
	dayByTheBook(t, desk.Story(t))
}

// carriers are two networks of the same phones: what is typed goes by the first.
type carriers [2]phonesAPI

func (c carriers) messages(number string) (all []Message, err error) {
	for _, p := range c {
		some, err := p.messages(number)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b Message) int { return a.At.Compare(b.At) })
	return all, nil
}

func (c carriers) send(number, text string) error { return c[0].send(number, text) }

// count tells how many texts a number got from each that hold all the words.
func (c carriers) count(t *testing.T, number string, words ...string) (n [2]int) {
	t.Helper()
	for i, p := range c {
		all, err := p.messages(number)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range all {
			if !m.Own && !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(m.Text, w) }) {
				n[i]++
			}
		}
	}
	return n
}

// Two carriers: one for the agents, one for everybody else. The first dies, comes
// back, and dies with an offer of which nobody knows whether it arrived.
func TestTwoSMSCs(t *testing.T) {
	t.Parallel()
	const few = `{"people": [
  {"id": "bob", "name": "Bob", "role": "agent", "phone": "+447700900101"},
  {"id": "dana", "name": "Dana", "role": "oncall", "phone": "+447700900110"},
  {"id": "ann", "name": "Ann Lee", "role": "requester", "phone": "+447700900201"}
]}`
	var networks carriers
	var addresses, env []string
	for i, prefixes := range []string{"+4477009001", "+"} {
		s, err := smsc.Start(t.Context(), smsc.Config{Dir: filepath.Join(shared(t), "smsc"), SystemID: "deskbell", Password: smppPassword, Number: deskNumber})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Stop(context.Background()) })
		t.Cleanup(http.DefaultClient.CloseIdleConnections)
		networks[i] = phonesAPI{s.HTTPURL()}
		addresses = append(addresses, s.SMPPAddr())
		suffix := []string{"", "_2"}[i]
		for name, value := range map[string]string{
			"ADDR": s.SMPPAddr(), "SYSTEM_ID": "deskbell", "PASSWORD": smppPassword, "SOURCE": deskNumber, "PREFIXES": prefixes,
		} {
			env = append(env, "DESKBELL_SMPP_"+name+suffix+"="+value)
		}
	}
	fault := func(i int, switches map[string]any) {
		t.Helper()
		if err := networks[i].post(networks[i].url+"/api/faults", switches); err != nil {
			t.Fatal(err)
		}
	}
	desk := Start(t, Options{People: few, Policy: patient, Clock: true, Env: env})
	desk.phones = networks
	ann, bob := desk.Person("ann"), desk.Person("bob")
	ann.Phone()
	bob.Phone() // both from their first text on
	const marked = "Again: "

	// shines waits until the board has the light of each network.
	shines := func(lights ...string) {
		t.Helper()
		var page []byte
		if !eventually(Patience, func() bool {
			_, page = desk.call("GET", "/", nil, "")
			return !slices.ContainsFunc(lights, func(l string) bool { return !strings.Contains(string(page), l) })
		}) {
			t.Errorf("the board has not all of %q: %s", lights, page)
		}
	}
	first, second := "SMS by "+addresses[0], "SMS by "+addresses[1]

	// offered submits a ticket and says by which network its offer reached Bob, in a
	// text of its own.
	offered := func(subject string) (n, by int) {
		t.Helper()
		desk.Advance(2 * time.Minute) // offers within a minute come in one text
		n = ann.Submit(subject, "P3")
		if !eventually(Patience, func() bool { return networks.count(t, bob.Number, subject, "to take") != [2]int{} }) {
			t.Fatalf("no offer of %q", subject)
		}
		return n, slices.Index([]bool{networks.count(t, bob.Number, subject, "to take") == [2]int{1, 0}, true}, true)
	}
	answer := func(n int) {
		t.Helper()
		bob.Phone().Reply(fmt.Sprint(n)).Expect(number(n) + " is yours")
		ann.Phone().Expect("Bob is on your request " + number(n))
	}
	n, by := offered("Printer jams")
	if answer(n); by != 0 || networks.count(t, bob.Number, number(n)+" is yours") != [2]int{1, 0} || networks.count(t, ann.Number, number(n)) != [2]int{0, 2} {
		t.Errorf("by prefix: the offer came by %d, Bob's answer by %v, Ann's texts by %v",
			by, networks.count(t, bob.Number, number(n)+" is yours"), networks.count(t, ann.Number, number(n)))
	}

	shines(first+" works", second+" works")

	fault(0, map[string]any{"down": 3600})
	shines(first+" is down", second+" works")
	if _, by = offered("Screen flickers"); by != 1 {
		t.Errorf("with the first gone the offer came by %d", by)
	}
	fault(0, map[string]any{"down": 0})
	shines(first + " works")
	if n, by = offered("Mouse stuck"); by != 0 {
		t.Errorf("after the first came back the offer came by %d", by)
	}
	answer(n)
	desk.Settle()
	if got := networks.count(t, bob.Number, marked); got != [2]int{} {
		t.Errorf("%v texts are marked although each outcome was known", got)
	}

	fault(0, map[string]any{"silent": true})
	n, _ = offered("Keyboard wet")
	fault(0, map[string]any{"drop": true})
	if !eventually(Patience, func() bool { return networks.count(t, bob.Number, marked, number(n)) == [2]int{0, 1} }) {
		t.Errorf("an offer without an answer came again by %v", networks.count(t, bob.Number, marked))
	}
	desk.Settle()
	for _, c := range []struct {
		words []string
		want  [2]int
	}{
		{[]string{number(n), "to take"}, [2]int{1, 1}},
		{[]string{marked}, [2]int{0, 1}},
	} {
		if got := networks.count(t, bob.Number, c.words...); got != c.want {
			t.Errorf("Bob has %v texts with %q, want %v", got, c.words, c.want)
		}
	}
	if got := networks.count(t, ann.Number, number(n)); got != [2]int{0, 1} {
		t.Errorf("Ann has %v confirmations", got)
	}
}
