package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/xml"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/mattn/go-xmpp"
)

// Chat is a real XMPP client of a person, for the chat with the desk or for a room.
type Chat struct {
	*Wire
	client *xmpp.Client
	desk   string // JID of the desk or the room
	nick   string // in the room
	host   string
	reader sync.WaitGroup

	mu       sync.Mutex
	messages []Message
	pongs    map[string]bool
	serial   int
	kept     int // messages of this person that the desk had before
}

// written counts the messages that the desk has of a JID.
func written(ctx context.Context, db *pgxpool.Pool, jid string) (n int, err error) {
	err = db.QueryRow(ctx, "SELECT count(*) FROM inbox WHERE channel = 'im' AND sender = $1", jid).Scan(&n)
	return n, err
}

// arrived tells whether the desk has everything that was written in this chat.
func (c *Chat) arrived(ctx context.Context, db *pgxpool.Pool, jid string) bool {
	n, err := written(ctx, db, jid)
	c.mu.Lock()
	defer c.mu.Unlock()
	own := 0
	for _, m := range c.messages {
		if m.Own {
			own++
		}
	}
	return err == nil && n >= c.kept+own
}

// login opens a chat. The library's Close is not called: it races with Recv.
func login(ready Ready, jid, password string) (*Chat, error) {
	client, err := dialChat(ready, jid, password, "phone")
	if err != nil {
		return nil, err
	}
	_, host, _ := strings.Cut(jid, "@")
	c := &Chat{client: client, desk: ready.Desk, host: host, pongs: map[string]bool{}}
	c.reader.Go(c.read)
	return c, nil
}

func dialChat(ready Ready, jid, password, resource string) (*xmpp.Client, error) {
	pem, err := os.ReadFile(ready.XMPPCA)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	_, host, _ := strings.Cut(jid, "@")
	client, err := xmpp.Options{
		Host: ready.XMPP, User: jid, Password: password, Resource: resource, DialTimeout: Patience,
		NoTLS: true, StartTLS: true, Status: "chat", TLSConfig: &tls.Config{ServerName: host, RootCAs: roots},
	}.NewClient()
	if err != nil {
		return nil, fmt.Errorf("log in as %s: %w", jid, err)
	}
	return client, nil
}

func (c *Chat) read() {
	for {
		stanza, err := c.client.Recv()
		if _, chat := stanza.(xmpp.Chat); err != nil && (stanza == nil || chat && !strings.HasPrefix(err.Error(), "unexpected XMPP message")) {
			return
		}
		c.mu.Lock()
		switch v := stanza.(type) {
		case xmpp.Chat:
			if v.Text != "" && bare(v.Remote) == c.desk && (c.nick == "" || v.Remote != c.desk+"/"+c.nick) {
				c.confirm(v)
				c.messages = append(c.messages, Message{ID: strconv.Itoa(len(c.messages)), Text: v.Text, At: time.Now()})
			}
		case xmpp.IQ:
			c.pongs[v.ID] = true
		}
		c.mu.Unlock()
	}
}

// confirm says that a message has arrived, as chat clients do when they are asked.
func (c *Chat) confirm(v xmpp.Chat) {
	for _, e := range v.OtherElem {
		if e.XMLName.Space == "urn:xmpp:receipts" && e.XMLName.Local == "request" && v.OriginID != "" {
			_, _ = c.client.SendOrg(fmt.Sprintf("<message to='%s'><received xmlns='urn:xmpp:receipts' id='%s'/></message>", v.Remote, v.OriginID))
		}
	}
}

func bare(jid string) string {
	jid, _, _ = strings.Cut(jid, "/")
	return jid
}

func (c *Chat) history() ([]Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Message(nil), c.messages...), nil
}

func (c *Chat) say(text string) error {
	var body strings.Builder
	if err := xml.EscapeText(&body, []byte(text)); err != nil {
		return err
	}
	c.mu.Lock()
	c.serial++
	id := fmt.Sprintf("e2e-%d-%d", time.Now().UnixNano(), c.serial)
	c.messages = append(c.messages, Message{ID: id, Text: text, At: time.Now(), Own: true})
	c.mu.Unlock()
	kind := "chat"
	if c.nick != "" {
		kind = "groupchat"
	}
	_, err := c.client.SendOrg(fmt.Sprintf("<message to='%s' type='%s' id='%s'><body>%s</body></message>", c.desk, kind, id, body.String()))
	return err
}

// Join is the person in the team's room, until the story ends; the room is read and
// written with a client of its own.
func (p *Person) Join() *Chat {
	p.desk.t.Helper()
	p.Chat() // answers come there too
	client, err := dialChat(p.desk.Ready, p.JID, p.password, "room")
	if err != nil {
		p.desk.t.Fatal(err)
	}
	_, host, _ := strings.Cut(p.JID, "@")
	c := &Chat{client: client, desk: p.desk.Room, nick: p.Name, host: host, pongs: map[string]bool{}}
	c.Wire = &Wire{t: p.desk.t, who: "the room, as " + p.Name + " sees it,", history: c.history, write: c.say, seen: map[string]bool{}}
	c.reader.Go(c.read)
	p.desk.t.Cleanup(c.leave)
	if _, err := client.SendOrg(fmt.Sprintf("<presence to='%s/%s'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>", c.desk, c.nick)); err != nil {
		p.desk.t.Fatal(err)
	}
	if err := c.ping(); err != nil {
		p.desk.t.Fatal(err)
	}
	return c
}

// ping returns when everything that the server sent before is read.
func (c *Chat) ping() error {
	c.mu.Lock()
	c.serial++
	id := fmt.Sprintf("ping-%d", c.serial)
	c.mu.Unlock()
	if _, err := c.client.SendOrg(fmt.Sprintf("<iq type='get' to='%s' id='%s'><ping xmlns='urn:xmpp:ping'/></iq>", c.host, id)); err != nil {
		return err
	}
	if !eventually(Patience, func() bool { c.mu.Lock(); defer c.mu.Unlock(); return c.pongs[id] }) {
		return fmt.Errorf("the chat of %s is dead", c.client.JID())
	}
	return nil
}

// leave ends the login in order; the server then ends the connection.
func (c *Chat) leave() {
	_, _ = c.client.SendOrg("</stream:stream>")
	c.reader.Wait()
}

// Chat is the person's chat; it is opened when it is first used, and the desk
// knows then that the person is there.
func (p *Person) Chat() *Chat {
	p.desk.t.Helper()
	if p.chat == nil {
		c, err := login(p.desk.Ready, p.JID, p.password)
		if err != nil {
			p.desk.t.Fatal(err)
		}
		c.Wire = &Wire{t: p.desk.t, who: p.Name + "'s chat", history: c.history, write: c.say, seen: map[string]bool{}}
		if c.kept, err = written(context.Background(), p.desk.db, p.JID); err != nil {
			p.desk.t.Fatal(err)
		}
		p.chat = c
		p.desk.presence(p, "available")
	}
	return p.chat
}

// Away shows the person as away, and returns when the desk knows.
func (p *Person) Away() {
	p.desk.t.Helper()
	if _, err := p.Chat().client.SendOrg("<presence><show>away</show></presence>"); err != nil {
		p.desk.t.Fatal(err)
	}
	p.desk.presence(p, "away")
}

// Leave ends the person's chat, and returns when the desk knows.
func (p *Person) Leave() {
	p.desk.t.Helper()
	if p.chat == nil {
		return
	}
	p.chat.leave()
	p.left = append(p.left, p.chat.Wire)
	p.chat = nil
	p.desk.presence(p, "offline")
}

// presence waits until the desk knows where a person is. A session whose connection
// broke lasts ten seconds more.
func (d *Desk) presence(p *Person, want string) {
	d.t.Helper()
	got := ""
	if !eventually(settleLimit, func() bool {
		err := d.db.QueryRow(context.Background(), "SELECT presence FROM people WHERE id = $1", p.ID).Scan(&got)
		return err == nil && got == want
	}) {
		d.t.Fatalf("the desk knows %s as %q, not as %s", p.Name, got, want)
	}
}
