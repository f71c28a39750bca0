// Package xmppbench measures how soon somebody answers in a chat, beside a bare echo bot
// on the same library: the same people write to both on the same server, in short turns.
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
	"golang.org/x/sync/errgroup"

	"deskbell/clock"
	"deskbell/gateway"
	"deskbell/gateway/im"
)

// Account is a login of the server's.
type Account struct{ JID, Password string }

// Server is where everybody is.
type Server struct {
	Addr, CAFile string
	People       []Account // who write
}

// Path is somebody to write to.
type Path struct {
	Name string
	JID  string
	// Say returns what a person says; nil for any text.
	Say func(person, serial int) string
	// Answers tells an answer to what was said from whatever else comes; nil when it
	// repeats it.
	Answers func(said, heard string) bool
	// Own returns how long whoever answers was at it, without the chat, for each message
	// since then; nil for not at all.
	Own func(ctx context.Context, since time.Time) ([]time.Duration, error)
}

// Row is one measurement, from writing a message to reading its answer.
type Row struct {
	Path      string  `json:"path"`
	People    int     `json:"people"` // who write at once, each when answered
	PerSecond float64 `json:"per_s"`
	P50       float64 `json:"p50_ms"`
	P99       float64 `json:"p99_ms"`
	Own       float64 `json:"own_ms"` // p50 of the answerer's own time
	// Ratio is p50 by the first path's p50 and the own time: the median of the rounds,
	// which holds on a machine that does much else too.
	Ratio float64 `json:"ratio"`
}

// AtOnce is how many people write at once in each measurement.
var AtOnce = []int{1, 10}

// Config is how long it takes: each round, each path has one turn.
type Config struct {
	Rounds int
	Turn   time.Duration
}

// Run measures every path beside the first.
func Run(ctx context.Context, s Server, paths []Path, c Config) (rows []Row, err error) {
	var people []*client
	defer func() {
		for _, p := range people {
			p.leave()
		}
	}()
	for _, account := range s.People {
		p, err := s.login(account, func(c *client, heard xmpp.Chat) { c.heard <- heard })
		if err != nil {
			return nil, err
		}
		people = append(people, p)
	}
	for _, n := range AtOnce {
		all, spent := make([]round, len(paths)), make([]time.Duration, len(paths))
		ratios := make([][]float64, len(paths))
		for range c.Rounds {
			bare := 0.0
			for i, path := range paths {
				began := time.Now()
				turn, err := converse(ctx, path, people[:min(n, len(people))], c.Turn)
				spent[i] += time.Since(began)
				if err != nil {
					return nil, fmt.Errorf("%s, %d at once: %w", path.Name, n, err)
				}
				if i == 0 {
					bare = quantile(turn.took, 0.5)
				}
				ratios[i] = append(ratios[i], quantile(turn.took, 0.5)/(bare+quantile(turn.own, 0.5)))
				all[i].took, all[i].own = append(all[i].took, turn.took...), append(all[i].own, turn.own...)
			}
		}
		for i, path := range paths {
			slices.Sort(ratios[i])
			rows = append(rows, Row{
				Path: path.Name, People: n, PerSecond: float64(len(all[i].took)) / spent[i].Seconds(),
				P50: quantile(all[i].took, 0.5), P99: quantile(all[i].took, 0.99), Own: quantile(all[i].own, 0.5),
				Ratio: ratios[i][len(ratios[i])/2],
			})
		}
	}
	return rows, nil
}

// quantile in milliseconds; zero of nothing.
func quantile(times []time.Duration, q float64) float64 {
	if len(times) == 0 {
		return 0
	}
	slices.Sort(times)
	return times[int(q*float64(len(times)-1))].Seconds() * 1000
}

// round is what a turn, or all of them, came to.
type round struct{ took, own []time.Duration }

// converse has each of the people write to a path for a while, always when the answer is
// there.
func converse(ctx context.Context, path Path, people []*client, turn time.Duration) (r round, err error) {
	began := time.Now()
	took := make([][]time.Duration, len(people))
	var writers errgroup.Group
	for i, person := range people {
		writers.Go(func() error {
			for time.Since(began) < turn {
				asked := time.Now()
				if err := person.ask(ctx, path, i); err != nil {
					return err
				}
				took[i] = append(took[i], time.Since(asked))
			}
			return nil
		})
	}
	if err := writers.Wait(); err != nil {
		return round{}, err
	}
	r.took = slices.Concat(took...)
	if path.Own != nil {
		r.own, err = path.Own(ctx, began)
	}
	return r, err
}

// ask writes a message and waits for its answer.
func (c *client) ask(ctx context.Context, path Path, person int) error {
	c.serial++
	text := fmt.Sprintf("message %d of person %d", c.serial, person)
	if path.Say != nil {
		text = path.Say(person, c.serial)
	}
	answers := path.Answers
	if answers == nil {
		answers = func(said, heard string) bool { return said == heard }
	}
	if err := c.say(path.JID, text); err != nil {
		return err
	}
	limit := time.NewTimer(answerLimit)
	defer limit.Stop()
	for {
		select {
		case heard := <-c.heard:
			if from, _, _ := strings.Cut(heard.Remote, "/"); from == path.JID && answers(text, heard.Text) {
				return nil
			}
		case <-limit.C:
			return fmt.Errorf("no answer to %q", text)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// answerLimit bounds the wait for an answer that does not come: the gateway looks for
// messages without a doorbell every 30 s.
const answerLimit = 45 * time.Second

// client is a login with a reader.
type client struct {
	*xmpp.Client
	heard  chan xmpp.Chat
	serial int // of what it asked
	reader sync.WaitGroup
}

func (s Server) login(a Account, heard func(*client, xmpp.Chat)) (*client, error) {
	roots := x509.NewCertPool()
	pem, err := os.ReadFile(s.CAFile)
	if err != nil || !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read the server's authority: %w", err)
	}
	_, domain, _ := strings.Cut(a.JID, "@")
	login, err := xmpp.Options{
		Host: s.Addr, User: a.JID, Password: a.Password, Resource: "bench", NoTLS: true, StartTLS: true, Status: "chat",
		TLSConfig: &tls.Config{ServerName: domain, RootCAs: roots, MinVersion: tls.VersionTLS12},
	}.NewClient()
	if err != nil {
		return nil, fmt.Errorf("log in as %s: %w", a.JID, err)
	}
	c := &client{Client: login, heard: make(chan xmpp.Chat, unheard)}
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

// unheard is how many messages wait for a person who reads none.
const unheard = 1024

// Echo runs the bare bot until stop.
func Echo(s Server, a Account) (stop func(), err error) {
	bot, err := s.login(a, func(c *client, heard xmpp.Chat) { _ = c.say(heard.Remote, heard.Text) })
	if err != nil {
		return nil, err
	}
	return bot.leave, nil
}

// Gateway runs a gateway that says what it hears, and keeps nothing, until stop.
func Gateway(ctx context.Context, s Server, a Account) (stop func(), err error) {
	ctx, cancel := context.WithCancel(ctx)
	e := &echoing{ctx: ctx}
	for _, p := range s.People {
		e.people = append(e.people, p.JID)
	}
	e.gateway = im.New(im.Config{Addr: s.Addr, JID: a.JID, Password: a.Password, CAFile: s.CAFile}, e, e, e, e, clock.System{}, slog.New(slog.DiscardHandler))
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

// echoing is a desk that says what it hears.
type echoing struct {
	ctx     context.Context
	gateway *im.Gateway
	people  []string
	answers sync.WaitGroup
}

func (e *echoing) Keep(_ context.Context, messages []gateway.Message) ([]gateway.Kept, error) {
	for _, m := range messages {
		e.answers.Go(func() {
			e.gateway.Send(e.ctx, gateway.Delivery{Key: m.Key, Channel: gateway.IM, To: m.ReplyTo, Text: m.Text, Attempt: 1})
		})
	}
	return make([]gateway.Kept, len(messages)), nil
}

func (e *echoing) Confirm(context.Context, gateway.Channel, []string) error { return nil }

func (e *echoing) Cursor(context.Context, string) (string, time.Time, error) {
	return "", time.Time{}, nil
}

func (e *echoing) Receipt(context.Context, gateway.Receipt) error     { return nil }
func (e *echoing) Presence(context.Context, []gateway.Presence) error { return nil }
func (e *echoing) Known(_ context.Context, jid string) (bool, error) {
	return slices.Contains(e.people, jid), nil
}
func (e *echoing) JIDs(context.Context) ([]string, error) { return e.people, nil }
