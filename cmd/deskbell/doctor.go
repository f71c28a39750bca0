package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"go.temporal.io/api/serviceerror"

	"deskbell/clock"
	"deskbell/config"
	"deskbell/gateway/im"
	"deskbell/gateway/sms"
	"deskbell/roster"
	"deskbell/store"
)

type doctorCmd struct {
	Roles []string `arg:"" optional:"" help:"Check what these roles need; all when none is named."`
	Text  bool     `help:"Also send a text to our own number by each SMSC, which carriers charge, and wait for it; not while a bind of ours stands."`
}

// Limits of the checks.
const (
	doctorPatience = 15 * time.Second // for one part
	leastPostgres  = 150000
	clockWarn      = 2 * time.Second  // leases and validity are in seconds
	clockFail      = 30 * time.Second // alerts would expire before they leave
	rotaAhead      = 14 * 24 * time.Hour
	rotaStep       = time.Hour
)

func (c doctorCmd) Run(ctx context.Context, log *slog.Logger) error {
	d := &doctor{out: os.Stdout, roles: c.Roles, text: c.Text}
	if len(d.roles) == 0 {
		d.roles = config.Roles()
	}
	d.examine(ctx, log)
	if d.failed > 0 {
		return fmt.Errorf("%d of %d checks failed", d.failed, d.checks)
	}
	return nil
}

// doctor writes one line for each check.
type doctor struct {
	out            io.Writer
	roles          []string
	text           bool // try one on its way out and in again
	checks, failed int
}

func (d *doctor) line(verdict, part, format string, args ...any) {
	d.checks++
	if verdict == "fail" {
		d.failed++
	}
	fmt.Fprintf(d.out, "%-4s  %-17s %s\n", verdict, part, fmt.Sprintf(format, args...))
}

func (d *doctor) ok(part, format string, args ...any)   { d.line("ok", part, format, args...) }
func (d *doctor) warn(part, format string, args ...any) { d.line("warn", part, format, args...) }
func (d *doctor) fail(part, format string, args ...any) { d.line("fail", part, format, args...) }

func (d *doctor) examine(ctx context.Context, log *slog.Logger) {
	c, err := config.Load(os.Getenv, d.roles)
	if err != nil {
		for _, line := range lines(err) {
			d.fail("configuration", "%s", line)
		}
		return
	}
	d.ok("configuration", "complete for %s", strings.Join(d.roles, ", "))
	quiet := slog.New(slog.DiscardHandler) // the lines below say it better
	tenures := map[string]store.Tenure{}
	var people []roster.Person
	if s := d.postgres(ctx, c, quiet); s != nil {
		defer s.Close()
		people = d.people(ctx, s, ownAddresses(c))
		held, err := s.Tenures(ctx)
		if err != nil {
			d.fail("leases", "%v", err)
		}
		for _, t := range held {
			tenures[t.Name] = t
		}
		d.watch(ctx, s, tenures[watchLease])
	}
	d.temporal(ctx, c, quiet)
	for _, smsc := range c.SMSCs {
		d.link(ctx, "smpp", tenures[config.SMS], func(ctx context.Context) (string, error) { return d.smpp(ctx, smsc) })
		if !tenures[config.SMS].UpSince.IsZero() {
			break // the holder has one bind at least, and deskbell_smpp_bound tells them apart
		}
	}
	if slices.Contains(d.roles, config.IM) {
		d.link(ctx, "xmpp", tenures[config.IM], func(ctx context.Context) (string, error) { return d.xmpp(ctx, c, people) })
	}
}

// postgres returns the open store when its schema can be read.
func (d *doctor) postgres(ctx context.Context, c config.Config, log *slog.Logger) *store.Store {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	began := time.Now()
	s, err := store.Open(ctx, c.Database.Reveal(), clock.System{}, log)
	if err != nil {
		d.fail("postgresql", "%v: check DATABASE_URL, and that the server runs and lets this machine in", err)
		return nil
	}
	version, now, err := s.Server(ctx)
	if err != nil {
		d.fail("postgresql", "%v", err)
		s.Close()
		return nil
	}
	if version < leastPostgres {
		d.fail("postgresql", "version %d: Deskbell needs 15 or newer", version/10000)
	} else {
		d.ok("postgresql", "version %d, answers in %s", version/10000, time.Since(began).Round(time.Millisecond))
	}
	d.clock(time.Now(), now)
	switch have, need, err := store.Schema(ctx, c.Database.Reveal()); {
	case err != nil:
		d.fail("schema", "%v", err)
	case have < need:
		d.fail("schema", "version %d, this program needs %d: run deskbell migrate", have, need)
	case have > need:
		d.warn("schema", "version %d is newer than this program's %d: an older deskbell runs here", have, need)
		return s
	default:
		d.ok("schema", "version %d", have)
		return s
	}
	s.Close()
	return nil
}

// watch tells what the desk itself finds wrong with it.
func (d *doctor) watch(ctx context.Context, s *store.Store, t store.Tenure) {
	troubles, err := s.Troubles(ctx)
	switch {
	case err != nil:
		d.fail("watch", "%v", err)
	case t.Holder == "":
		d.warn("watch", "no role runs, so nobody looks after the desk")
	case len(troubles) == 0:
		d.ok("watch", "%s looks after the desk and finds nothing wrong", t.Holder)
	}
	for _, wrong := range troubles {
		const format = "%s since %s, %d wait; "
		since := wrong.Since.Local().Format("2006-01-02 15:04:05")
		if wrong.ToldAt.IsZero() { // it may pass by itself
			d.warn("watch", format+"the managers are not told yet", wrong.Name, since, wrong.Count)
		} else {
			d.fail("watch", format+"the managers know", wrong.Name, since, wrong.Count)
		}
	}
}

func (d *doctor) clock(ours, theirs time.Time) {
	off := ours.Sub(theirs).Abs().Round(time.Millisecond)
	switch {
	case off > clockFail:
		d.fail("clock", "%s apart from the database's: let NTP set both", off)
	case off > clockWarn:
		d.warn("clock", "%s apart from the database's: let NTP set both", off)
	default:
		d.ok("clock", "%s apart from the database's", off)
	}
}

func (d *doctor) temporal(ctx context.Context, c config.Config, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	e, err := newEngine(ctx, c, log)
	if err != nil {
		d.fail("temporal", "%v", err)
		return
	}
	defer e.Close()
	if _, err := e.CheckHealth(ctx, nil); err != nil {
		d.fail("temporal", "%s does not answer: %v: check TEMPORAL_ADDRESS and that the server runs", e.address, err)
		return
	}
	d.ok("temporal", "%s answers", e.address)
	missing, err := e.missingAttributes(ctx)
	if _, unknown := errors.AsType[*serviceerror.NamespaceNotFound](err); unknown {
		d.fail("namespace", "%s is not known: run deskbell migrate, or correct TEMPORAL_NAMESPACE", e.namespace)
		return
	}
	if err != nil {
		d.fail("search attributes", "%v", err)
		return
	}
	d.ok("namespace", "%s", e.namespace)
	if len(missing) > 0 {
		d.fail("search attributes", "%s missing, no ticket can start: run deskbell migrate", strings.Join(slices.Sorted(maps.Keys(missing)), ", "))
		return
	}
	d.ok("search attributes", "all there")
}

// link checks a bind or a login, unless one stands: a second one would disturb it.
func (d *doctor) link(ctx context.Context, part string, t store.Tenure, check func(context.Context) (string, error)) {
	switch {
	case !t.UpSince.IsZero():
		d.ok(part, "up since %s, held by %s", t.UpSince.Local().Format("2006-01-02 15:04:05"), t.Holder)
		return
	case t.Holder != "":
		d.warn(part, "%s holds the channel and its link is down; its log says why", t.Holder)
	}
	ctx, cancel := context.WithTimeout(ctx, doctorPatience)
	defer cancel()
	if said, err := check(ctx); err != nil {
		d.fail(part, "%v: %s", err, said)
	} else {
		d.ok(part, "%s", said)
	}
}

// smpp returns what it found, or what to do about an error.
func (d *doctor) smpp(ctx context.Context, smsc config.SMSC) (string, error) {
	err := sms.Check(ctx, smscConfig(smsc))
	rejected, refused := errors.AsType[*sms.Rejected](err)
	switch {
	case err == nil && d.text:
		return d.loop(ctx, smsc)
	case err == nil:
		return smsc.Addr + " lets " + smsc.SystemID + " bind", nil
	case refused && (rejected.Status == sms.StatusPassword || rejected.Status == sms.StatusSystemID):
		return "check DESKBELL_SMPP_SYSTEM_ID and DESKBELL_SMPP_PASSWORD with the carrier", err
	case refused:
		return "the SMSC knows us and refuses this bind: ask the carrier; one that is bound elsewhere must unbind first", err
	}
	return "check DESKBELL_SMPP_ADDR and DESKBELL_SMPP_TLS, and that the carrier lets this address in", err
}

// loop sends a text to our own number.
func (d *doctor) loop(ctx context.Context, smsc config.SMSC) (string, error) {
	took, err := sms.Loop(ctx, smscConfig(smsc), "Deskbell doctor "+uuid.NewString())
	if err != nil {
		return "texts do not come back: ask the carrier whether " + smsc.Source + " is routed to this bind", err
	}
	return fmt.Sprintf("%s brought a text to ourselves in %s", smsc.Addr, took.Round(time.Millisecond)), nil
}

func (d *doctor) xmpp(ctx context.Context, c config.Config, people []roster.Person) (string, error) {
	host, _, _ := net.SplitHostPort(c.XMPP.Addr)
	if _, err := net.DefaultResolver.LookupHost(ctx, host); err != nil {
		return "check the name in DESKBELL_XMPP_ADDR", err
	}
	found, err := im.Check(ctx, im.Config{Addr: c.XMPP.Addr, JID: c.XMPP.JID, Password: c.XMPP.Password.Reveal(), CAFile: c.XMPP.CAFile, Room: im.Room{JID: c.XMPP.Room}})
	switch {
	case err == nil:
		said := c.XMPP.Addr + " lets us in, and has an archive"
		var hidden []string
		for _, p := range people {
			if p.JID != "" && !slices.Contains(found.Contacts, strings.ToLower(p.JID)) {
				hidden = append(hidden, p.ID)
			}
		}
		if len(hidden) > 0 {
			said += "; not in the roster, so their presence is unknown until they add the desk: " + strings.Join(hidden, ", ")
		}
		d.room(c.XMPP.Room, found.Room)
		return said, nil
	case errors.Is(err, im.ErrNoArchive):
		return "switch on XEP-0313 (Prosody: mam) for this account", err
	case strings.Contains(err.Error(), "certificate"):
		return "name the server's authority in DESKBELL_XMPP_CA_FILE; the certificate must be for the JID's domain", err
	case strings.Contains(err.Error(), "not-authorized"), strings.Contains(err.Error(), "auth"):
		return "check DESKBELL_XMPP_JID and DESKBELL_XMPP_PASSWORD", err
	}
	return "check DESKBELL_XMPP_ADDR, and that the server runs and offers STARTTLS", err
}

// room tells whether what people write in the team's room counts.
func (d *doctor) room(name string, found im.RoomFound) {
	switch {
	case name == "":
	case !found.There:
		d.ok("team room", "%s is not there: the desk makes it, if the server lets it", name)
	case !found.Open:
		d.warn("team room", "%s hides who is in it (semi-anonymous), so claims there do not count: its owner should let anyone see real JIDs (muc#roomconfig_whois)", name)
	case !found.Archive:
		d.warn("team room", "%s has no archive (XEP-0313), so claims there do not count: switch it on; in Prosody it is the module muc_mam", name)
	default:
		d.ok("team room", "%s shows who is in it, and has an archive", name)
	}
}

// people checks whom the desk could not reach, and when nobody would be called.
func (d *doctor) people(ctx context.Context, s *store.Store, own []string) []roster.Person {
	people, err := s.People(ctx)
	if err != nil {
		d.fail("people", "%v", err)
		return nil
	}
	people = slices.DeleteFunc(people, func(p roster.Person) bool { return p.Inactive })
	if len(people) == 0 {
		d.fail("people", "nobody is known: run deskbell people --import FILE")
		return nil
	}
	d.addresses(people, own)
	d.rota(ctx, s, people)
	return people
}

// addresses checks how people are reached, and who is there to be.
func (d *doctor) addresses(people []roster.Person, own []string) {
	var unreachable []string
	roles := map[roster.Role]int{}
	for _, p := range people {
		if slices.Contains(own, p.Phone) || slices.Contains(own, p.JID) {
			d.warn("addresses", "%s has the desk's own number or JID, so what they write is dropped: give them theirs", p.ID)
		}
		if p.Phone == "" && p.JID == "" {
			unreachable = append(unreachable, p.ID)
		}
		for _, r := range p.Roles {
			roles[r]++
		}
	}
	if len(unreachable) > 0 {
		d.warn("addresses", "neither phone nor JID: %s", strings.Join(unreachable, ", "))
	} else {
		d.ok("addresses", "everybody of %d can be reached", len(people))
	}
	for _, role := range []roster.Role{roster.Agent, roster.Manager} {
		if roles[role] == 0 {
			d.warn("roles", "nobody is %s: give somebody the role in the people file", role)
		}
	}
}

func (d *doctor) rota(ctx context.Context, s *store.Store, people []roster.Person) {
	rota, overrides, err := s.Rota(ctx)
	if err != nil {
		d.fail("rota", "%v", err)
		return
	}
	phones := map[string]string{}
	for _, p := range people {
		phones[p.ID] = p.Phone
	}
	now := time.Now()
	for at := now; at.Before(now.Add(rotaAhead)); at = at.Add(rotaStep) {
		chain, _ := roster.OnCall(rota, overrides, people, "", at)
		when := at.Local().Format("Mon 2 Jan 15:04")
		if len(chain) == 0 {
			d.warn("rota", "nobody is on call on %s: add a rotation or somebody with the role oncall", when)
			return
		}
		if phones[chain[0]] == "" {
			d.warn("rota", "%s is first on call on %s and has no phone: pages go by SMS", chain[0], when)
			return
		}
	}
	d.ok("rota", "somebody with a phone is on call for the next %d days", int(rotaAhead.Hours()/24))
}
