package main

import (
	"cmp"
	"context"
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

	"deskbell/config"
	"deskbell/devstack"
	"deskbell/devstack/chat"
	"deskbell/devstack/smsc"
	"deskbell/store"
)

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
