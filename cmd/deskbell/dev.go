package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"deskbell/clock"
	"deskbell/config"
	"deskbell/devstack"
	"deskbell/devstack/chat"
	"deskbell/devstack/smsc"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/store"
)

type devCmd struct {
	State  string `help:"Folder that keeps everything; default: the user's state folder." type:"path"`
	Ports  string `default:"8080" help:"\"auto\" takes free ports, a number is the first of eight."`
	Ready  string `help:"Write addresses and accounts to this file when everything answers." type:"path"`
	Policy string `help:"Policy file; default: a policy that is impatient enough to watch." type:"existingfile"`
	People string `help:"People file; default: a demo desk." type:"existingfile"`
}

// stopIn is how long everything has to stop in order.
const stopIn = 15 * time.Second

// stack is the development desk: servers, and what the roles need to know of them.
type stack struct {
	cmd      devCmd
	log      *slog.Logger
	clock    clock.Clock
	state    *devstack.State
	ports    *devstack.Ports
	people   roster.File
	progress *progress
	config   config.Config
	ready    ready
	noIM     error // why there is no IM

	mu      sync.Mutex
	pages   map[string]http.Handler       // beside the phones
	servers map[string]*devstack.Server   // by name
	stop    []func(context.Context) error // in the order of the starts
}

// ready is the file that tells others where everything is.
type ready struct {
	HTTP              string          `json:"http"`
	Temporal          string          `json:"temporal"`
	TemporalNamespace string          `json:"temporal_namespace"`
	TemporalUI        string          `json:"temporal_ui,omitempty"`
	Phones            string          `json:"phones,omitempty"`
	SMPP              string          `json:"smpp"`
	SMPPSystemID      string          `json:"smpp_system_id"`
	SMPPPassword      string          `json:"smpp_password"`
	XMPP              string          `json:"xmpp,omitempty"`
	XMPPCA            string          `json:"xmpp_ca,omitempty"`
	DatabaseURL       string          `json:"database_url"`
	Token             string          `json:"token"`
	Number            string          `json:"number"`
	Desk              string          `json:"desk,omitempty"` // the desk's JID
	Room              string          `json:"room,omitempty"` // the team's, a JID
	People            []roster.Person `json:"people"`
}

func (c devCmd) Run(ctx context.Context, log *slog.Logger) error {
	dir := c.State
	if dir == "" {
		var err error
		if dir, err = stateFolder(); err != nil {
			return err
		}
	}
	state, err := devstack.OpenState(dir)
	if err != nil {
		return err
	}
	s := &stack{cmd: c, log: log, clock: present(), state: state, progress: newProgress(os.Stdout)}
	defer s.down()
	if s.ports, err = state.Ports(c.Ports); err != nil {
		return err
	}
	return s.run(ctx)
}

// stateFolder follows the XDG rules; root, whose home the servers' users cannot
// enter, keeps it where system services do.
func stateFolder() (string, error) {
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "deskbell"), nil
	}
	if os.Geteuid() == 0 {
		return "/var/lib/deskbell", nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("where is your home folder? name a folder with --state: %w", err)
	}
	return filepath.Join(home, ".local", "state", "deskbell"), nil
}

func (s *stack) run(ctx context.Context) error {
	var err error
	if s.people, err = people(s.cmd.People, s.state.Path("passwords.json")); err != nil {
		return err
	}
	pol := policy.Development()
	if s.cmd.Policy != "" {
		if pol, err = config.Policy(s.cmd.Policy); err != nil {
			return fmt.Errorf("--policy: %w", err)
		}
	}
	if err := s.up(ctx); err != nil {
		return err
	}
	roles := config.Roles()
	if s.noIM != nil {
		roles = []string{config.API, config.Tickets, config.SMS}
	}
	sys, err := newSystem(ctx, s.config, roles, pol, s.clock, s.log)
	if err != nil {
		return err
	}
	defer sys.close()
	if err := s.settle(ctx, sys); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", s.config.HTTPAddr)
	if err != nil {
		return err
	}
	g, gctx := errgroup.WithContext(ctx)
	g.Go(func() error { return sys.run(gctx, listener) })
	g.Go(func() error {
		if err := s.await(gctx, sys, roles); err != nil {
			return err
		}
		return s.announce(pol)
	})
	err = g.Wait()
	if ctx.Err() != nil {
		fmt.Println("\nStopping. Tickets stay in", s.state.Dir())
		if errors.Is(err, context.Canceled) {
			err = nil
		}
	}
	return err
}

// up starts the servers that the environment does not name.
func (s *stack) up(ctx context.Context) error {
	env, err := s.environment()
	if err != nil {
		return err
	}
	s.config = env
	s.config.PublicURL = "http://" + env.HTTPAddr
	s.config.OpenBoard = true
	s.config.WebhookNetworks = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")} // a receiver on this machine
	s.config.FilesDir = s.state.Path("files")
	if err := os.MkdirAll(s.config.FilesDir, 0o700); err != nil {
		return err
	}
	key, err := kept(s.state.Path("token-key"), 32)
	if err != nil {
		return err
	}
	s.config.TokenKey = config.NewSecret(key)
	s.ready = ready{HTTP: s.config.PublicURL, TemporalNamespace: cmp.Or(env.TemporalNamespace, "default"), People: s.people.People}
	postgres, err := s.postgres(ctx)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.temporal(ctx, postgres) })
	g.Go(func() error { return s.prosody(ctx) })
	if err := g.Wait(); err != nil {
		return err
	}
	if err := s.phones(ctx); err != nil {
		return err
	}
	s.ready.DatabaseURL, s.ready.Temporal = s.config.Database.Reveal(), s.config.TemporalAddress
	s.ready.TemporalUI = s.config.TemporalUIURL
	return nil
}

// environment reads what the environment names; the parts that it does not name
// are left to the embedded servers.
func (s *stack) environment() (config.Config, error) {
	var roles []string
	if os.Getenv("DESKBELL_SMPP_ADDR") != "" {
		roles = append(roles, config.SMS)
	}
	if os.Getenv("DESKBELL_XMPP_ADDR") != "" {
		roles = append(roles, config.IM)
	}
	port, err := s.ports.Take(devstack.PortHTTP)
	if err != nil {
		return config.Config{}, s.taken(err)
	}
	addr := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	c, err := config.Load(func(name string) string {
		value := os.Getenv(name)
		switch {
		case value != "":
		case name == "DATABASE_URL":
			return "postgres://embedded/"
		case name == "DESKBELL_HTTP_ADDR":
			return addr
		}
		return value
	}, roles)
	c.HTTPAddr = cmp.Or(os.Getenv("DESKBELL_HTTP_ADDR"), addr)
	return c, err
}

func (s *stack) taken(err error) error {
	if _, ok := errors.AsType[*devstack.PortTakenError](err); ok {
		return fmt.Errorf("%w: stop what uses it, or choose others with --ports auto or --ports BASE", err)
	}
	return err
}

func (s *stack) postgres(ctx context.Context) (*devstack.Postgres, error) {
	if os.Getenv("DATABASE_URL") != "" && os.Getenv("TEMPORAL_ADDRESS") != "" {
		return nil, s.migrate(ctx)
	}
	defer s.progress.step("PostgreSQL")()
	port, err := s.ports.Take(devstack.PortPostgres)
	if err != nil {
		return nil, s.taken(err)
	}
	p, err := devstack.StartPostgres(ctx, devstack.PostgresConfig{Dir: s.state.Path("postgresql"), Port: port})
	if err != nil {
		return nil, s.taken(err)
	}
	s.supervise("PostgreSQL", p.Server)
	if os.Getenv("DATABASE_URL") == "" {
		if err := p.EnsureDatabase(ctx, "deskbell"); err != nil {
			return nil, err
		}
		s.config.Database = config.NewSecret(p.URL("deskbell"))
	}
	return p, s.migrate(ctx)
}

func (s *stack) migrate(ctx context.Context) error {
	return store.Migrate(ctx, s.config.Database.Reveal(), s.log)
}

func (s *stack) temporal(ctx context.Context, postgres *devstack.Postgres) error {
	if s.config.TemporalAddress != "" {
		return nil
	}
	defer s.progress.step("Temporal")()
	binary, err := engineBinary()
	if err != nil {
		return err
	}
	port, err := s.ports.Take(devstack.PortTemporal)
	if err != nil {
		return s.taken(err)
	}
	ui, err := s.ports.Take(devstack.PortTemporalUI)
	if err != nil {
		return s.taken(err)
	}
	t, err := devstack.StartTemporal(ctx, devstack.TemporalConfig{Binary: binary, Dir: s.state.Path("temporal"), Postgres: postgres.URL("postgres"), Port: port, UIPort: ui})
	if err != nil {
		return s.taken(err)
	}
	s.supervise("Temporal", t.Server)
	s.config.TemporalAddress, s.config.TemporalUIURL = t.Address(), t.UIURL()
	return nil
}

// engineBinary is the embedded engine, built beside this program.
func engineBinary() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	path := filepath.Join(filepath.Dir(self), "deskbell-temporal")
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("the embedded Temporal server %s is not built: run make build", path)
	}
	return path, nil
}

func (s *stack) prosody(ctx context.Context) error {
	if s.config.XMPP.Addr != "" {
		s.ready.XMPP, s.ready.XMPPCA, s.ready.Desk, s.ready.Room = s.config.XMPP.Addr, s.config.XMPP.CAFile, s.config.XMPP.JID, s.config.XMPP.Room
		return nil
	}
	done := s.progress.step("Prosody")
	defer done()
	port, err := s.ports.Take(devstack.PortXMPP)
	if err != nil {
		return s.taken(err)
	}
	web, err := s.ports.Take(devstack.PortXMPPHTTP)
	if err != nil {
		return s.taken(err)
	}
	password, err := kept(s.state.Path("xmpp-password"), 26)
	if err != nil {
		return err
	}
	c := devstack.ProsodyConfig{Dir: s.state.Path("prosody"), Port: port, HTTPPort: web, Bot: devstack.Account{JID: demoBot, Password: password, Name: "Helpdesk"}}
	for _, p := range s.people.People {
		if p.JID != "" {
			c.Accounts = append(c.Accounts, devstack.Account{JID: p.JID, Password: p.Password, Name: p.Name})
		}
	}
	p, err := devstack.StartProsody(ctx, c)
	if missing, ok := errors.AsType[*devstack.MissingError](err); ok {
		s.noIM = missing
		return nil
	}
	if err != nil {
		return s.taken(err)
	}
	if err := p.SlowArchive(); err != nil {
		s.progress.line("chats get slower the longer they are: %v", err)
	}
	s.supervise("Prosody", p.Server)
	s.config.XMPP = config.XMPP{Addr: p.Addr(), JID: demoBot, Password: config.NewSecret(password), CAFile: p.CAFile(), Room: demoRoom}
	s.ready.XMPP, s.ready.XMPPCA, s.ready.Desk, s.ready.Room = p.Addr(), p.CAFile(), demoBot, demoRoom
	s.chat(p.WebsocketURL())
	return nil
}

// chat mounts the browser chats beside the phones.
func (s *stack) chat(websocket string) {
	c := chat.Config{DeskJID: demoBot, WebsocketURL: websocket}
	for _, p := range s.people.People {
		if p.JID != "" {
			c.People = append(c.People, chat.Person{ID: p.ID, Name: p.Name, JID: p.JID, Password: p.Password})
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pages = map[string]http.Handler{"/chat/": chat.New(c)}
}

func (s *stack) phones(ctx context.Context) error {
	if len(s.config.SMSCs) > 0 {
		smsc := s.config.SMSCs[0]
		s.ready.SMPP, s.ready.SMPPSystemID, s.ready.SMPPPassword, s.ready.Number = smsc.Addr, smsc.SystemID, smsc.Password.Reveal(), smsc.Source
		return nil
	}
	defer s.progress.step("Phones")()
	smpp, err := s.ports.Take(devstack.PortSMPP)
	if err != nil {
		return s.taken(err)
	}
	web, err := s.ports.Take(devstack.PortPhones)
	if err != nil {
		return s.taken(err)
	}
	password, err := kept(s.state.Path("smpp-password"), 8)
	if err != nil {
		return err
	}
	local := func(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
	server, err := smsc.Start(ctx, smsc.Config{
		Dir: s.state.Path("smsc"), SMPPAddr: local(smpp), HTTPAddr: local(web), SystemID: "deskbell", Password: password, Number: demoNumber,
		People: phonesOf(s.people), Clock: s.clock, Log: s.log, Mount: s.pages,
	})
	if err != nil {
		return err
	}
	s.atEnd(server.Stop)
	s.config.SMSCs = []config.SMSC{{Addr: server.SMPPAddr(), SystemID: "deskbell", Password: config.NewSecret(password), Source: demoNumber, StampTag: smsc.StampTag}}
	s.ready.SMPP, s.ready.SMPPSystemID, s.ready.SMPPPassword, s.ready.Number, s.ready.Phones = server.SMPPAddr(), "deskbell", password, demoNumber, server.HTTPURL()
	return nil
}

// supervise stops a server at the end and restarts it when it dies before.
func (s *stack) supervise(name string, server *devstack.Server) {
	s.mu.Lock()
	if s.servers == nil {
		s.servers = map[string]*devstack.Server{}
	}
	s.servers[name] = server
	s.mu.Unlock()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case err := <-server.Exited():
				s.log.ErrorContext(ctx, "a server died and is started again", slog.String("server", name), slog.Any("error", err))
			}
			for server.Restart(ctx) != nil && ctx.Err() == nil {
				select {
				case <-ctx.Done():
				case <-time.After(time.Second):
				}
			}
		}
	})
	s.atEnd(func(stop context.Context) error {
		cancel()
		wg.Wait()
		return server.Stop(stop)
	})
}

func (s *stack) atEnd(f func(context.Context) error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop = append(s.stop, f)
}

// down stops everything in the reverse order of the starts.
func (s *stack) down() {
	ctx, cancel := context.WithTimeout(context.Background(), stopIn)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := len(s.stop) - 1; i >= 0; i-- {
		if err := s.stop[i](ctx); err != nil {
			s.log.Warn("did not stop in order", slog.Any("error", err))
		}
	}
	if err := s.state.Close(); err != nil {
		s.log.Warn("cannot release the state folder", slog.Any("error", err))
	}
}

// settle imports the people and makes the administrator's token.
func (s *stack) settle(ctx context.Context, sys *system) error {
	if err := sys.store.ImportOnce(ctx, s.people); err != nil {
		return fmt.Errorf("import people: %w", err)
	}
	path := s.state.Path("token")
	if data, err := os.ReadFile(path); err == nil {
		if _, _, err := sys.store.Token(ctx, string(data)); err == nil {
			s.ready.Token = string(data)
			return nil
		}
	}
	_, token, err := sys.store.CreateToken(ctx, store.Token{Person: administrator(s.people), Scopes: []string{"admin"}, Name: "development"}, store.Audit{Channel: "cli"})
	if err != nil {
		return fmt.Errorf("make a token: %w", err)
	}
	s.ready.Token = token
	return os.WriteFile(path, []byte(token), 0o600)
}

// administrator is the person whom the administrator's token belongs to.
func administrator(f roster.File) string {
	for _, role := range []roster.Role{roster.Admin, roster.Manager, roster.Agent} {
		for _, p := range f.People {
			if p.Is(role) {
				return p.ID
			}
		}
	}
	return f.People[0].ID
}

// await returns when the binds and logins stand.
func (s *stack) await(ctx context.Context, sys *system, roles []string) error {
	defer s.progress.step("Gateways")()
	changes := sys.desk.Watch(ctx)
	want := len(roles) - 2
	for {
		gateways, err := sys.desk.Gateways(ctx)
		if err != nil {
			return err
		}
		up := 0
		for _, g := range gateways {
			if g.Up {
				up++
			}
		}
		if up >= want {
			return nil
		}
		if _, ok := <-changes; !ok {
			return ctx.Err()
		}
	}
}

// announce writes the ready file and the card.
func (s *stack) announce(p policy.Policy) error {
	data, err := json.MarshalIndent(s.ready, "", "  ")
	if err != nil {
		return err
	}
	for _, path := range []string{s.state.Path("ready.json"), s.cmd.Ready} {
		if path == "" {
			continue
		}
		if err := os.WriteFile(path+".part", data, 0o600); err != nil {
			return fmt.Errorf("--ready: %w", err)
		}
		if err := os.Rename(path+".part", path); err != nil {
			return fmt.Errorf("--ready: %w", err)
		}
	}
	return printCard(os.Stdout, s.ready, s.noIM, p, s.state.Dir())
}
