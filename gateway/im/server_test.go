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
	"testing"
	"time"

	"github.com/mattn/go-xmpp"
)

const (
	host     = "helpdesk.test"
	botJID   = "desk@" + host
	password = "correct horse"
)

// prosody is a private XMPP server of one test. alice and bob know the desk and
// are known to it; carol is known to nobody yet; eve is a stranger.
type prosody struct {
	t       testing.TB
	dir     string
	addr    string
	ca      string
	roots   *x509.CertPool
	process *exec.Cmd
}

func startProsody(t testing.TB) *prosody {
	t.Helper()
	return startProsodyWith(t, "sqlite_tune", "archive_readable") // the first brings the archive
}

// startProsodyWith starts one with more modules.
func startProsodyWith(t testing.TB, more ...string) *prosody {
	t.Helper()
	if _, err := exec.LookPath("prosody"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("prosody is not installed; apt-get install prosody")
		}
		t.Skip("prosody is not installed; apt-get install prosody")
	}
	p := &prosody{t: t, dir: t.TempDir(), addr: freePort(t)}
	p.ca = filepath.Join(p.dir, "ca.pem")
	p.certificates()
	p.accounts()
	_, port, _ := net.SplitHostPort(p.addr)
	rooms := "time"
	if slices.Contains(more, "sqlite_tune") {
		rooms = "muc_mam"
	}
	modules, err := filepath.Abs("../../devstack/prosody_modules")
	if err != nil {
		t.Fatal(err)
	}
	p.file("prosody.cfg.lua", fmt.Sprintf(`
run_as_root = true
pidfile = %[1]q .. "/prosody.pid"
data_path = %[1]q .. "/data"
certificates = %[1]q
interfaces = { "127.0.0.1" }
c2s_ports = { %[2]s }; c2s_direct_tls_ports = {}; s2s_ports = {}; http_ports = {}; https_ports = {}
modules_disabled = { "s2s" }
c2s_require_encryption = true
authentication = "internal_plain"
storage = pcall(require, "dbd.sqlite3") and { archive = "sql" } or "internal"
mam_include_total = false
network_settings = { nagle = false }
plugin_paths = { %[4]q }
archive_expires_after = "1w"
c2s_stanza_size_limit = 262144
log = { warn = %[1]q .. "/prosody.log" }
modules_enabled = { "roster", "saslauth", "tls", "disco", "ping", "carbons", "offline", "pep", "vcard_legacy", "%[5]s" }
VirtualHost "%[3]s"
	ssl = { key = %[1]q .. "/key.pem", certificate = %[1]q .. "/cert.pem" }
Component "rooms.%[3]s" "muc"
	modules_enabled = { %[6]q }
`, p.dir, port, host, modules, strings.Join(more, `", "`), rooms))
	p.start()
	t.Cleanup(p.kill)
	return p
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

func (p *prosody) start() {
	p.t.Helper()
	p.process = exec.Command("prosody", "-F", "--config", filepath.Join(p.dir, "prosody.cfg.lua"))
	output := &strings.Builder{}
	p.process.Stdout, p.process.Stderr = output, output
	if err := p.process.Start(); err != nil {
		p.t.Fatal(err)
	}
	if !eventually(20*time.Second, func() bool {
		c, err := net.Dial("tcp", p.addr)
		if err == nil {
			c.Close()
		}
		return err == nil
	}) {
		p.kill()
		p.t.Fatalf("prosody does not listen:\n%s", output)
	}
}

// kill is kill -9.
func (p *prosody) kill() {
	p.process.Process.Kill()
	p.process.Wait()
}

func (p *prosody) file(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *prosody) accounts() {
	contact := func(user string) string {
		return fmt.Sprintf("[%q] = { subscription = \"both\", groups = {} };", user+"@"+host)
	}
	rosters := map[string]string{
		"desk": contact("alice") + contact("bob"), "alice": contact("desk"), "bob": contact("desk"), "carol": "", "eve": "",
	}
	for user, roster := range rosters {
		p.file("data/helpdesk%2etest/accounts/"+user+".dat", fmt.Sprintf("return { password = %q };", password))
		p.file("data/helpdesk%2etest/roster/"+user+".dat", "return { [false] = { version = 1 };"+roster+"};")
	}
}

func (p *prosody) certificates() {
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

	mu    sync.Mutex
	chats []xmpp.Chat
	iqs   []xmpp.IQ
	said  []xmpp.Presence
}

func (p *prosody) login(user, resource string) *person {
	p.t.Helper()
	c, err := p.tryLogin(user, resource)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

func (p *prosody) tryLogin(user, resource string) (*person, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second) // bounds a failing test
	defer cancel()
	link, err := openRelay(ctx, p.addr)
	if err != nil {
		return nil, err
	}
	defer context.AfterFunc(ctx, link.cut)()
	client, err := xmpp.Options{
		Host: link.address(), User: user + "@" + host, Password: password, Resource: resource,
		NoTLS: true, StartTLS: true, Status: "chat", TLSConfig: &tls.Config{ServerName: host, RootCAs: p.roots},
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
