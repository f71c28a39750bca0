package bench

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-xmpp"
)

// kind is what a message to a person is about, told by its words.
type kind string

const (
	offer    kind = "offer"
	taken    kind = "take_ok"
	tooLate  kind = "take_lost"
	onIt     kind = "req_taken"
	closed   kind = "done_ok"
	solved   kind = "req_done"
	received kind = "req_received"
	gone     kind = "offer_gone"
	other    kind = "other"
)

// words tell the kinds apart; the first that fits counts.
var words = []struct {
	kind
	word string
}{
	{closed, "closed after"}, // it may go on with what to take next
	{taken, "is yours"}, {tooLate, "Too late"}, {onIt, "here to reach"}, {solved, "is solved"},
	{received, "e have your request"}, {gone, "was taken by"}, {offer, "to take"},
}

var ticketNumber = regexp.MustCompile(`#(\d+)`)

// message is one message that a person got.
type message struct {
	channel string
	person  string
	kind    kind
	number  int
	text    string
	at      time.Time // at the SMSC, or read in the chat
}

func read(channel, person, text string, at time.Time) message {
	m := message{channel: channel, person: person, kind: other, text: text, at: at}
	if found := ticketNumber.FindStringSubmatch(text); found != nil {
		m.number, _ = strconv.Atoi(found[1])
	}
	for _, w := range words {
		if strings.Contains(text, w.word) {
			m.kind = w.kind
			break
		}
	}
	return m
}

// mail is everything that people got, by ticket. It is safe for concurrent use.
type mail struct {
	mu       sync.Mutex
	byTicket map[int][]message
	changed  map[int]chan struct{} // closed and forgotten at the next message
}

func newMail() *mail {
	return &mail{byTicket: map[int][]message{}, changed: map[int]chan struct{}{}}
}

func (p *mail) put(m message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byTicket[m.number] = append(p.byTicket[m.number], m)
	if c, ok := p.changed[m.number]; ok {
		close(c)
		delete(p.changed, m.number)
	}
}

// about is what people got about a ticket.
func (p *mail) about(number int) []message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]message(nil), p.byTicket[number]...)
}

// await waits for n messages of a kind about a ticket, to a person when one is
// named and on a channel when one is named, and returns them.
func (p *mail) await(ctx context.Context, n, number int, want message) ([]message, error) {
	for {
		p.mu.Lock()
		var found []message
		for _, m := range p.byTicket[number] {
			if m.kind == want.kind && (want.person == "" || m.person == want.person) && (want.channel == "" || m.channel == want.channel) {
				found = append(found, m)
			}
		}
		c, ok := p.changed[number]
		if !ok {
			c = make(chan struct{})
			p.changed[number] = c
		}
		p.mu.Unlock()
		if len(found) >= n {
			return found, nil
		}
		select {
		case <-c:
		case <-ctx.Done():
			return nil, fmt.Errorf("ticket %d: %d of %d %s %s: %w", number, len(found), n, want.kind, want.channel, context.Cause(ctx))
		}
	}
}

// phones are the development SMSC's.
type phones struct {
	url    string
	people map[string]string // by number
	http   *http.Client
	mail   *mail

	mu   sync.Mutex
	read map[string]int // messages known, by number
}

// typeOn types a text on a phone and returns when it left.
func (p *phones) typeOn(ctx context.Context, number, text string) (typed time.Time, err error) {
	var answer struct{ At time.Time }
	err = call(ctx, p.http, "POST", p.path(number), "", "", map[string]string{"text": text}, &answer)
	return answer.At, err
}

func (p *phones) path(number string) string {
	return p.url + "/api/phones/" + url.PathEscape(number) + "/messages"
}

// watch reads what comes to the phones until ctx ends. listening is called when
// nothing can be missed any more.
func (p *phones) watch(ctx context.Context, listening func()) error {
	for ctx.Err() == nil {
		if err := p.listen(ctx, listening); err != nil && ctx.Err() == nil {
			return err
		}
	}
	return nil
}

func (p *phones) listen(ctx context.Context, listening func()) error {
	request, err := http.NewRequestWithContext(ctx, "GET", p.url+"/api/events", nil)
	if err != nil {
		return err
	}
	response, err := p.http.Do(request)
	if err != nil {
		return fmt.Errorf("listen to the phones: %w", err)
	}
	defer response.Body.Close()
	for number := range p.people { // what came before
		if err := p.fetch(ctx, number); err != nil {
			return err
		}
	}
	listening()
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		data, ok := strings.CutPrefix(lines.Text(), "data: ")
		if !ok {
			continue
		}
		var event struct{ Number string }
		if err := json.Unmarshal([]byte(data), &event); err != nil {
			return fmt.Errorf("the phones' events: %w", err)
		}
		if err := p.fetch(ctx, event.Number); err != nil {
			return err
		}
	}
	return nil
}

func (p *phones) fetch(ctx context.Context, number string) error {
	var list []struct {
		Direction, Text string
		At              time.Time
	}
	if err := call(ctx, p.http, "GET", p.path(number), "", "", nil, &list); err != nil {
		return fmt.Errorf("read a phone: %w", err)
	}
	p.mu.Lock()
	known := p.read[number]
	p.read[number] = len(list)
	p.mu.Unlock()
	for _, m := range list[known:] {
		if m.Direction == "out" {
			p.mail.put(read("sms", p.people[number], m.Text, m.At))
		}
	}
	return nil
}

// call makes a request in JSON and decodes the answer.
func call(ctx context.Context, client *http.Client, method, address, token, key string, in, out any) error {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, address, response.Status, data)
	}
	return json.Unmarshal(data, out)
}

// XMPP is where the chats are.
type XMPP struct {
	Addr   string
	CAFile string
	Desk   string // JID
}

// chat is a person's login.
type chat struct {
	client *xmpp.Client
	desk   string
	reader sync.WaitGroup
	ended  chan error // why reading ended
}

// login opens a person's chat. Whoever is not present is not offered tickets by IM, but
// can write.
func login(x XMPP, jid, password, person string, present bool, mail *mail) (*chat, error) {
	pem, err := os.ReadFile(x.CAFile)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	_, host, _ := strings.Cut(jid, "@")
	client, err := xmpp.Options{
		Host: x.Addr, User: jid, Password: password, Resource: "bench", DialTimeout: patience,
		NoTLS: true, StartTLS: true, Status: "chat", TLSConfig: &tls.Config{ServerName: host, RootCAs: roots},
	}.NewClient()
	if err != nil {
		return nil, fmt.Errorf("log in as %s: %w", jid, err)
	}
	if !present {
		if _, err := client.SendOrg("<presence type='unavailable'/>"); err != nil {
			return nil, fmt.Errorf("log in as %s: %w", jid, err)
		}
	}
	c := &chat{client: client, desk: x.Desk, ended: make(chan error, 1)}
	c.reader.Go(func() {
		for {
			stanza, err := client.Recv()
			m, isChat := stanza.(xmpp.Chat)
			if err != nil && (stanza == nil || isChat && !strings.HasPrefix(err.Error(), "unexpected XMPP message")) {
				c.ended <- fmt.Errorf("the chat of %s ended: %w", person, err)
				return
			}
			if from, _, _ := strings.Cut(m.Remote, "/"); isChat && m.Text != "" && from == x.Desk {
				mail.put(read("im", person, m.Text, time.Now()))
			}
		}
	})
	return c, nil
}

func (c *chat) say(text string) error {
	var body strings.Builder
	if err := xml.EscapeText(&body, []byte(text)); err != nil {
		return err
	}
	_, err := c.client.SendOrg(fmt.Sprintf("<message to='%s' type='chat' id='bench-%d'><body>%s</body></message>", c.desk, time.Now().UnixNano(), body.String()))
	return err
}

// leave ends the login in order; the library's Close races with its reading.
func (c *chat) leave() {
	_, _ = c.client.SendOrg("</stream:stream>")
	c.reader.Wait()
}
