package im

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/mattn/go-xmpp"
)

const (
	host     = "helpdesk.test"
	botJID   = "desk@" + host
	password = "correct horse"
)

// server is a private XMPP server of one test. alice and bob know the desk and are
// known to it; carol is known to nobody yet; eve is a stranger.
type server struct {
	t       testing.TB
	dir     string
	addr    string
	ca      string
	roots   *x509.CertPool
	command func() *exec.Cmd // its program, in the foreground
	archive string           // what it calls a room's archive
	forgets bool             // errors are not in its archive, but repeat what they return
	fragile bool             // a stanza of many levels kills it, and a kill its database
	process *exec.Cmd
	ready   func() bool
}

// newServer has a folder with certificates, a port, and nothing else yet.
func newServer(t testing.TB) *server {
	t.Helper()
	p := &server{t: t, dir: t.TempDir(), addr: freePort(t)}
	p.ca, p.ready = filepath.Join(p.dir, "ca.pem"), p.listens
	p.certificates()
	return p
}

// users are who has an account, and whom of them each has in the roster.
var users = map[string][]string{"desk": {"alice", "bob"}, "alice": {"desk"}, "bob": {"desk"}, "carol": nil, "eve": nil}

// bounce is what brings a message back to the desk.
func (p *server) bounce(to, id, condition string) string {
	origin := ""
	if p.forgets {
		origin = fmt.Sprintf("<origin-id xmlns='urn:xmpp:sid:0' id='%s'/>", id)
	}
	return fmt.Sprintf("<message type='error' to='%s' id='%s'>%s<error type='cancel'><%s xmlns='%s'/></error></message>", to, id, origin, condition, nsConditions)
}

// needs skips a test whose program is not installed, and fails it in CI.
func needs(t testing.TB, installed bool, program, debian string) {
	t.Helper()
	switch {
	case installed:
	case os.Getenv("CI") != "":
		t.Fatalf("%s is not installed; apt-get install %s", program, debian)
	default:
		t.Skipf("%s is not installed; apt-get install %s", program, debian)
	}
}

func freePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *server) start() {
	p.t.Helper()
	p.process = p.command()
	output := &strings.Builder{}
	p.process.Stdout, p.process.Stderr = output, output
	if err := p.process.Start(); err != nil {
		p.t.Fatal(err)
	}
	if !eventually(startLimit, p.ready) {
		p.kill()
		p.t.Fatalf("the server is not ready:\n%s", output)
	}
}

// listens tells whether the server takes connections.
func (p *server) listens() bool {
	c, err := net.Dial("tcp", p.addr)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// startLimit bounds a start that fails. ejabberd takes 3 s of CPU, of a machine that others use.
const startLimit = 3 * time.Minute

// restart has the server forget what it knows by heart, and no more: ejabberd's database
// loses what it has acknowledged when it is killed.
func (p *server) restart() {
	p.t.Helper()
	if p.fragile {
		p.process.Process.Signal(syscall.SIGTERM)
		p.process.Wait()
	} else {
		p.kill()
	}
	p.start()
}

// kill is kill -9.
func (p *server) kill() {
	p.process.Process.Kill()
	p.process.Wait()
}

func (p *server) file(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *server) certificates() {
	p.t.Helper()
	must := func(err error) {
		if err != nil {
			p.t.Fatal(err)
		}
	}
	write := func(name, kind string, der []byte) {
		p.file(name, string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})))
	}
	template := func(serial int64, name string) *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
			NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		}
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	ca := template(1, "test CA")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	must(err)
	write("ca.pem", "CERTIFICATE", der)
	ca, err = x509.ParseCertificate(der)
	must(err)
	p.roots = x509.NewCertPool()
	p.roots.AddCert(ca)

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	leaf := template(2, host)
	leaf.DNSNames = []string{host}
	der, err = x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	must(err)
	write("cert.pem", "CERTIFICATE", der)
	der, err = x509.MarshalECPrivateKey(key)
	must(err)
	write("key.pem", "EC PRIVATE KEY", der)
}

// person is a chat client of somebody. It goes through a relay too, so that a test
// can end it without the library's Close.
type person struct {
	t      testing.TB
	jid    string // full
	client *xmpp.Client
	link   *relay
	reader sync.WaitGroup
	ended  atomic.Bool // nothing is read any more

	mu    sync.Mutex
	chats []xmpp.Chat
	iqs   []xmpp.IQ
	said  []xmpp.Presence
}

func (p *server) login(user, resource string) *person {
	p.t.Helper()
	c, err := p.tryLogin(user, resource)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *server) tryLogin(user, resource string) (*person, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // bounds a failing test
	defer cancel()
	link, err := openRelay(ctx, p.addr)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, link.cut)()
	client, err := xmpp.Options{
		Host: link.address(), User: user + "@" + host, Password: password, Resource: resource,
		NoTLS: true, StartTLS: true, Status: "chat", TLSConfig: &tls.Config{ServerName: host, RootCAs: p.roots, MaxVersion: tls.VersionTLS12}, // as dial says
	}.NewClient()
	if err != nil {
		link.close()
		return nil, err
	}
	c := &person{t: p.t, jid: client.JID(), client: client, link: link}
	c.reader.Go(c.read)
	p.t.Cleanup(c.leave)
	c.send("<iq type='get' id='roster'><query xmlns='jabber:iq:roster'/></iq>") // else no subscription reaches this client
	c.iq("roster")
	return c, nil
}

func (c *person) leave() {
	c.link.cut()
	c.reader.Wait()
	c.link.close()
}

func (c *person) read() {
	defer c.ended.Store(true)
	for {
		stanza, err := c.client.Recv()
		if err != nil && !benign(stanza, err) {
			return
		}
		c.mu.Lock()
		switch v := stanza.(type) {
		case xmpp.Chat:
			c.chats = append(c.chats, v)
		case xmpp.IQ:
			c.iqs = append(c.iqs, v)
		case xmpp.Presence:
			c.said = append(c.said, v)
		}
		c.mu.Unlock()
	}
}

func (c *person) send(format string, args ...any) {
	c.t.Helper()
	if _, err := c.client.SendOrg(fmt.Sprintf(format, args...)); err != nil {
		c.t.Fatalf("%s: %v", c.jid, err)
	}
}

func (c *person) say(text string) {
	c.t.Helper()
	c.send("<message to='%s' type='chat'><body>%s</body></message>", botJID, text)
}

// ping waits until the server has dealt with everything sent so far.
func (c *person) ping() {
	c.t.Helper()
	id := randomHex(8)
	c.send("<iq type='get' to='%s' id='%s'><ping xmlns='urn:xmpp:ping'/></iq>", host, id)
	c.iq(id)
}

func (c *person) iq(id string) xmpp.IQ {
	c.t.Helper()
	return find(c, &c.iqs, "answer to "+id, func(a xmpp.IQ) bool { return a.ID == id })
}

func (c *person) has(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.iqs, func(a xmpp.IQ) bool { return a.ID == id })
}

func (c *person) chat(what string, is func(xmpp.Chat) bool) xmpp.Chat {
	c.t.Helper()
	return find(c, &c.chats, what, is)
}

func find[T any](c *person, list *[]T, what string, is func(T) bool) T {
	c.t.Helper()
	var found T
	if !eventually(10*time.Second, func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		for _, v := range *list {
			if is(v) {
				found = v
				return true
			}
		}
		return false
	}) {
		c.t.Fatalf("%s: no %s", c.jid, what)
	}
	return found
}

// eventually polls a condition; the deadline only bounds a failing test.
func eventually(limit time.Duration, condition func() bool) bool {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(limit); time.Now().Before(deadline); <-tick.C {
		if condition() {
			return true
		}
	}
	return condition()
}

// weather is the network between the gateway and the server: it carries, holds
// everything back, or tears every connection.
type weather struct {
	t        *testing.T
	listener net.Listener
	server   string
	accepts  sync.WaitGroup

	mu    sync.Mutex
	calm  *sync.Cond
	hole  bool
	left  int // bytes until the connections are torn; 0 for no end
	conns []net.Conn
	done  bool
}

func newWeather(t *testing.T, server string) *weather {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &weather{t: t, listener: l, server: server}
	w.calm = sync.NewCond(&w.mu)
	w.accepts.Go(w.accept)
	t.Cleanup(func() {
		l.Close()
		w.mu.Lock()
		w.done = true
		w.mu.Unlock()
		w.set(false)
		w.reset()
		w.accepts.Wait()
	})
	return w
}

func (w *weather) addr() string { return w.listener.Addr().String() }

func (w *weather) accept() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", w.server)
		if err != nil {
			near.Close()
			continue
		}
		w.mu.Lock()
		w.conns = append(w.conns, near, far)
		if w.done {
			near.Close()
			far.Close()
		}
		w.mu.Unlock()
		w.accepts.Go(func() { w.carry(near, far) })
		w.accepts.Go(func() { w.carry(far, near) })
	}
}

func (w *weather) carry(to, from net.Conn) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 16<<10)
	for {
		n, err := from.Read(buffer)
		w.mu.Lock()
		for w.hole {
			w.calm.Wait()
		}
		w.mu.Unlock()
		n, last := w.allow(n)
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil || last {
			return
		}
	}
}

// cutAfter lets so many more bytes through, and then tears all connections.
func (w *weather) cutAfter(bytes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.left = bytes
}

// allow is how much of n bytes goes through, and whether it is the last.
func (w *weather) allow(n int) (allowed int, last bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.left == 0 || n < w.left {
		w.left = max(0, w.left-n)
		return n, false
	}
	n, w.left = w.left, 0
	return n, true
}

// set makes a black hole or ends it. What was held back goes on then, unless reset
// has torn its connection meanwhile.
func (w *weather) set(hole bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hole = hole
	w.calm.Broadcast()
}

// reset tears all connections with RST, losing what they hold.
func (w *weather) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.conns {
		if tcp, ok := c.(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.Close()
	}
	w.conns = nil
}

var _ io.Writer = (*logSink)(nil)

// logSink writes the log of a gateway to its test.
type logSink struct {
	mu   sync.Mutex
	t    testing.TB
	text strings.Builder
}

func (l *logSink) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

func (l *logSink) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logSink) dump() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.t.Failed() {
		l.t.Log(l.text.String())
	}
}
