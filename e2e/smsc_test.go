package e2e

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
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
