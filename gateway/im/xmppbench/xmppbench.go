// Package xmppbench measures the IM gateway beside a bare echo bot on the same library:
// the same people write to both on the same server, in turns.
package xmppbench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/mattn/go-xmpp"

	"deskbell/clock"
	"deskbell/gateway"
	"deskbell/gateway/im"
)

// Account is a login of the server's.
type Account struct{ JID, Password string }

// Server is where everybody is. Desk's archive, if it has one, is read; Bot and Person
// have one too if the server gives one to everybody.
type Server struct {
	Addr, CAFile      string
	Desk, Bot, Person Account
}

// Inbox keeps messages and the place in the archive.
type Inbox interface {
	gateway.Inbox
	im.Advancer
}

// Row is one measurement, from writing a message to reading its answer.
type Row struct {
	Path      string  `json:"path"`   // bare, gateway (kept nowhere) or inbox (kept in PostgreSQL)
	Window    int     `json:"window"` // messages without an answer
	PerSecond float64 `json:"per_s"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
}

// Windows are those that are measured.
var Windows = []int{1, 10}

// turns is how often each path has its turn, so that what else the machine does meets
// all of them.
const turns = 3

// Run measures every path for a while each. What comes in goes to the inbox on the last
// one; its rows stay there.
func Run(ctx context.Context, s Server, inbox Inbox, each time.Duration) ([]Row, error) {
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the server's authority: %w", err)
	}
	bench := bench{Server: s, roots: roots}
	bot, err := bench.echo()
	if err != nil {
		return nil, err
	}
	defer bot.leave()
	paths := []struct {
		name string
		to   string
		up   func(context.Context) (stop func(), err error)
	}{
		{"bare", s.Bot.JID, func(context.Context) (func(), error) { return func() {}, nil }},
		{"gateway", s.Desk.JID, func(ctx context.Context) (func(), error) { return bench.desk(ctx, &nowhere{}) }},
		{"inbox", s.Desk.JID, func(ctx context.Context) (func(), error) { return bench.desk(ctx, inbox) }},
	}
	var rows []Row
	for _, window := range Windows {
		took, spent := map[string][]time.Duration{}, map[string]time.Duration{}
		for range turns {
			for _, path := range paths {
				stop, err := path.up(ctx)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", path.name, err)
				}
				began := time.Now()
				times, err := bench.converse(ctx, path.to, window, each/turns)
				spent[path.name] += time.Since(began)
				stop()
				if err != nil {
					return nil, fmt.Errorf("%s at window %d: %w", path.name, window, err)
				}
				took[path.name] = append(took[path.name], times...)
			}
		}
		for _, path := range paths {
			times := took[path.name]
			slices.Sort(times)
			ms := func(q float64) float64 { return times[int(q*float64(len(times)-1))].Seconds() * 1000 }
			rows = append(rows, Row{Path: path.name, Window: window, PerSecond: float64(len(times)) / spent[path.name].Seconds(), P50: ms(0.5), P99: ms(0.99)})
		}
	}
	return rows, nil
}

type bench struct {
	Server
	roots *x509.CertPool
}

// client is a login with a reader.
type client struct {
	*xmpp.Client
	reader sync.WaitGroup
}

func (b bench) login(a Account, heard func(*client, xmpp.Chat)) (*client, error) {
	_, domain, _ := strings.Cut(a.JID, "@")
	login, err := xmpp.Options{
		Host: b.Addr, User: a.JID, Password: a.Password, Resource: "bench", NoTLS: true, StartTLS: true, Status: "chat",
		TLSConfig: &tls.Config{ServerName: domain, RootCAs: b.roots, MinVersion: tls.VersionTLS12},
	}.NewClient()
	if err != nil {
		return nil, fmt.Errorf("log in as %s: %w", a.JID, err)
	}
	c := &client{Client: login}
	c.reader.Go(func() {
		for {
			stanza, err := c.Recv()
			chat, ok := stanza.(xmpp.Chat)
			if err != nil && (stanza == nil || ok) {
				return
			}
			if ok && chat.Text != "" {
				heard(c, chat)
			}
		}
	})
	return c, nil
}

// leave ends the stream in order; the server then ends the connection. The library's
// Close is not called: it races with Recv.
func (c *client) leave() {
	_, _ = c.SendOrg("</stream:stream>")
	c.reader.Wait()
}

func (c *client) say(to, text string) error {
	stanza, err := xml.Marshal(struct {
		XMLName xml.Name `xml:"message"`
		To      string   `xml:"to,attr"`
		Type    string   `xml:"type,attr"`
		Body    string   `xml:"body"`
	}{To: to, Type: "chat", Body: text})
	if err == nil {
		_, err = c.SendOrg(string(stanza))
	}
	return err
}

// echo is the bare bot.
func (b bench) echo() (*client, error) {
	return b.login(b.Bot, func(c *client, heard xmpp.Chat) { _ = c.say(heard.Remote, heard.Text) })
}

// desk is a gateway that answers what it has kept. It returns when it is logged in.
func (b bench) desk(ctx context.Context, inbox Inbox) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	e := &echoing{Inbox: inbox, ctx: ctx, person: b.Person.JID}
	e.gateway = im.New(im.Config{Addr: b.Addr, JID: b.Desk.JID, Password: b.Desk.Password, CAFile: b.CAFile}, e, e, e, e, clock.System{}, slog.New(slog.DiscardHandler))
	up := make(chan struct{})
	var once sync.Once
	done := make(chan error, 1)
	go func() {
		done <- e.gateway.Run(ctx, func(ctx context.Context) error {
			once.Do(func() { close(up) })
			<-ctx.Done()
			return nil
		})
	}()
	stop = func() { cancel(); <-done; e.answers.Wait() }
	select {
	case <-up:
		return stop, nil
	case err := <-done:
		cancel()
		return nil, errors.Join(err, errors.New("the gateway ended"))
	case <-time.After(loginLimit):
		stop()
		return nil, errors.New("the gateway does not log in")
	}
}

// loginLimit is the gateway's own for a login, twice.
const loginLimit = 30 * time.Second

// converse keeps a window of messages without an answer for a while, and returns how
// long each answer took.
func (b bench) converse(ctx context.Context, to string, window int, each time.Duration) (took []time.Duration, err error) {
	answers := make(chan string, 10*window)
	c, err := b.login(b.Person, func(_ *client, heard xmpp.Chat) { answers <- heard.Text })
	if err != nil {
		return nil, err
	}
	defer c.leave()
	sent := map[string]time.Time{}
	serial := 0
	ask := func() error {
		serial++
		text := fmt.Sprint("message ", time.Now().UnixNano(), " ", serial)
		sent[text] = time.Now()
		return c.say(to, text)
	}
	for range window {
		if err := ask(); err != nil {
			return nil, err
		}
	}
	for end := time.Now().Add(each); len(sent) > 0; {
		select {
		case text := <-answers:
			began, known := sent[text]
			if !known {
				continue // another turn's
			}
			delete(sent, text)
			took = append(took, time.Since(began))
			if time.Now().Before(end) {
				if err := ask(); err != nil {
					return nil, err
				}
			}
		case <-time.After(answerLimit):
			return nil, fmt.Errorf("%d messages have no answer", len(sent))
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return took, nil
}

// answerLimit bounds the wait for an answer that does not come: the gateway looks for
// messages without a doorbell every 30 s.
const answerLimit = 45 * time.Second

// echoing is a desk that says what it hears.
type echoing struct {
	Inbox
	ctx     context.Context
	gateway *im.Gateway
	person  string
	answers sync.WaitGroup
}

func (e *echoing) Keep(ctx context.Context, messages []gateway.Message) ([]gateway.Kept, error) {
	kept, err := e.Inbox.Keep(ctx, messages)
	if err == nil {
		for i, m := range messages {
			if !kept[i].Repeat {
				e.answers.Go(func() {
					e.gateway.Send(e.ctx, gateway.Delivery{Key: m.Key, Channel: gateway.IM, To: m.ReplyTo, Text: m.Text, Attempt: 1})
				})
			}
		}
	}
	return kept, err
}

func (e *echoing) Receipt(context.Context, gateway.Receipt) error     { return nil }
func (e *echoing) Presence(context.Context, []gateway.Presence) error { return nil }
func (e *echoing) Known(_ context.Context, jid string) (bool, error)  { return jid == e.person, nil }
func (e *echoing) JIDs(context.Context) ([]string, error)             { return []string{e.person}, nil }

// nowhere keeps nothing and says it did.
type nowhere struct {
	mu     sync.Mutex
	cursor string
	stamp  time.Time
}

func (n *nowhere) Keep(_ context.Context, messages []gateway.Message) ([]gateway.Kept, error) {
	return make([]gateway.Kept, len(messages)), nil
}

func (n *nowhere) Confirm(context.Context, gateway.Channel, []string) error { return nil }

func (n *nowhere) Cursor(context.Context, string) (string, time.Time, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.cursor, n.stamp, nil
}

func (n *nowhere) Advance(_ context.Context, _, cursor string, stamp time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cursor, n.stamp = cursor, stamp
	return nil
}
