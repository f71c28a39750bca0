package devstack

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/template"
	"time"
)

const (
	// XMPPDomain is the private server's own domain, always present.
	XMPPDomain = "desk.localhost"
	// XMPPRooms is where its rooms are; whoever comes first makes one.
	XMPPRooms = "rooms." + XMPPDomain

	// archiveFile is the name that Prosody gives its SQLite database, in its data folder.
	archiveFile = "prosody.sqlite"

	prosodyStartTimeout = 30 * time.Second
	prosodyPoll         = 20 * time.Millisecond
)

//go:embed prosody.cfg.lua.tmpl
var prosodyConfiguration string

//go:embed prosody_modules
var prosodyModules embed.FS

// Account is one XMPP login of the private server.
type Account struct {
	JID      string // bare, local@domain
	Password string
	Name     string // as which it stands in other people's rosters
}

// ProsodyConfig says where and how Prosody runs and whom it knows.
type ProsodyConfig struct {
	Dir      string // its folder: data, certificates, configuration, log; created if need be
	Bot      Account
	Accounts []Account // each sees the bot's presence and the bot sees theirs
	Port     int       // for clients, on 127.0.0.1; 0 takes a free one
	HTTPPort int       // for BOSH and WebSocket, on 127.0.0.1; 0 takes a free one
}

// Prosody is a private XMPP server with the system's program.
type Prosody struct {
	*Server
	dir            string
	port, httpPort int
}

// StartProsody writes accounts, rosters, certificates and configuration and starts the
// server. Accounts that an earlier start made stay, as do archives. It returns when the
// server answers for every domain. Without Prosody the error is a *MissingError, with a
// port in use a *PortTakenError.
func StartProsody(ctx context.Context, c ProsodyConfig) (*Prosody, error) {
	program, err := exec.LookPath("prosody")
	if err != nil {
		return nil, &MissingError{Program: "Prosody", Hint: installHint(
			"apt-get install --no-install-recommends prosody", "brew install prosody/prosody/prosody")}
	}
	s, err := newProsodySite(c)
	if err != nil {
		return nil, fmt.Errorf("prosody: %w", err)
	}
	if err := s.stopStale(ctx); err != nil {
		return nil, err
	}
	if s.Port, err = choosePort(PortXMPP, c.Port); err != nil {
		return nil, err
	}
	if s.HTTPPort, err = choosePort(PortXMPPHTTP, c.HTTPPort); err != nil {
		return nil, err
	}
	if err := s.write(c); err != nil {
		return nil, fmt.Errorf("prosody: %w", err)
	}
	server, err := newServer(ctx, func(ctx context.Context) (*process, error) { return s.launch(ctx, program) })
	if err != nil {
		return nil, err
	}
	return &Prosody{Server: server, dir: s.dir, port: s.Port, httpPort: s.HTTPPort}, nil
}

// Addr for clients (STARTTLS), host:port.
func (p *Prosody) Addr() string { return net.JoinHostPort(localhost, strconv.Itoa(p.port)) }

// CAFile holds the certificate authority to trust, PEM.
func (p *Prosody) CAFile() string { return filepath.Join(p.dir, authorityFile) }

// SlowArchive says why reading the archive takes longer the more is in it, and what to do
// about it; nil when it does not.
func (p *Prosody) SlowArchive() error {
	_, err := os.Stat(filepath.Join(p.dir, "data", archiveFile))
	if errors.Is(err, fs.ErrNotExist) {
		return &MissingError{Program: "Prosody's SQLite module", Hint: installHint(
			"apt-get install --no-install-recommends lua-dbi-sqlite3", "luarocks install luadbi-sqlite3")}
	}
	return err
}

// WebsocketURL for chat clients in a browser.
func (p *Prosody) WebsocketURL() string {
	return "ws://" + net.JoinHostPort(localhost, strconv.Itoa(p.httpPort)) + "/xmpp-websocket"
}

// prosodySite is the server's folder; the exported fields are the configuration template's.
type prosodySite struct {
	dir  string
	user *account

	PidFile, Data, Modules, Groups, Key, Certificate string
	DefaultHost                                      string
	Hosts                                            []string
	Rooms                                            string
	Port, HTTPPort                                   int
}

func newProsodySite(c ProsodyConfig) (*prosodySite, error) {
	dir, err := filepath.Abs(c.Dir)
	if err != nil {
		return nil, err
	}
	s := &prosodySite{
		dir: dir, DefaultHost: XMPPDomain, Hosts: []string{XMPPDomain}, Rooms: XMPPRooms,
		Data:        filepath.Join(dir, "data"),
		Modules:     filepath.Join(dir, "modules"), // with prosody_modules in it
		PidFile:     filepath.Join(dir, "data", "prosody.pid"),
		Groups:      filepath.Join(dir, "groups.txt"),
		Key:         filepath.Join(dir, "server.key"),
		Certificate: filepath.Join(dir, "server.pem"),
	}
	for _, a := range append([]Account{c.Bot}, c.Accounts...) {
		local, domain, found := strings.Cut(a.JID, "@")
		if !found || local == "" || domain == "" || strings.ContainsAny(a.JID, " \t\r\n/[]=") || a.Password == "" {
			return nil, fmt.Errorf("account %q needs an address like name@%s and a password", a.JID, XMPPDomain)
		}
		if domain = strings.ToLower(domain); !slices.Contains(s.Hosts, domain) {
			s.Hosts = append(s.Hosts, domain)
		}
	}
	if err := os.MkdirAll(s.Data, 0o711); err != nil {
		return nil, err
	}
	if s.user, err = ordinaryUser(s.Data, "prosody"); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *prosodySite) write(c ProsodyConfig) error {
	for _, a := range append([]Account{c.Bot}, c.Accounts...) {
		if err := writeAccount(s.Data, a); err != nil {
			return fmt.Errorf("account %s: %w", a.JID, err)
		}
	}
	if err := writeFile(s.Groups, rosterGroups(c.Bot, c.Accounts), 0o600); err != nil {
		return err
	}
	if err := ensureCertificates(s.dir, s.Certificate, s.Key, s.Hosts, time.Now()); err != nil {
		return fmt.Errorf("certificates: %w", err)
	}
	if err := os.RemoveAll(s.Modules); err != nil {
		return err
	}
	if err := os.CopyFS(s.Modules, prosodyModules); err != nil {
		return err
	}
	configuration, err := template.New("").Funcs(template.FuncMap{"lua": luaString}).Parse(prosodyConfiguration)
	if err != nil {
		return err
	}
	var text bytes.Buffer
	if err := configuration.Execute(&text, s); err != nil {
		return err
	}
	if err := writeFile(s.configuration(), text.Bytes(), 0o600); err != nil {
		return err
	}
	for _, path := range []string{s.Data, s.Modules, s.Groups, s.Key, s.Certificate, s.configuration()} {
		if err := s.user.own(path); err != nil {
			return err
		}
	}
	return nil
}

func (s *prosodySite) configuration() string { return filepath.Join(s.dir, "prosody.cfg.lua") }

func (s *prosodySite) stopStale(ctx context.Context) error {
	return stopStale(ctx, s.PidFile, s.configuration(), syscall.SIGTERM)
}

func (s *prosodySite) launch(ctx context.Context, program string) (*process, error) {
	ctx, cancel := context.WithTimeout(ctx, prosodyStartTimeout)
	defer cancel()
	proc, err := startProcess(command{
		name: "prosody", path: program, args: []string{"-F", "--config", s.configuration()},
		env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.Data, "LC_ALL=C"},
		log: filepath.Join(s.dir, "prosody.log"), user: s.user,
		stopSignal: syscall.SIGTERM, deathSignal: syscall.SIGTERM,
	})
	if err != nil {
		return nil, err
	}
	return proc, proc.waitReady(ctx, prosodyPoll, s.probe)
}

// probe asks for a stream to every domain; a domain that is not loaded yet answers with an
// error instead of the stream's features.
func (s *prosodySite) probe(ctx context.Context) error {
	for _, host := range s.Hosts {
		if err := probeStream(ctx, net.JoinHostPort(localhost, strconv.Itoa(s.Port)), host); err != nil {
			return err
		}
	}
	return nil
}

func probeStream(ctx context.Context, address, host string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := fmt.Fprintf(conn, "<stream:stream xmlns='jabber:client' "+
		"xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='%s'>", host); err != nil {
		return err
	}
	var answer []byte
	for buffer := make([]byte, 4096); !bytes.Contains(answer, []byte("</stream:features>")); {
		n, err := conn.Read(buffer)
		if err != nil {
			return fmt.Errorf("no stream to %s: %w", host, err)
		}
		answer = append(answer, buffer[:n]...)
	}
	return nil
}
