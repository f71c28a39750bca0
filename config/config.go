// Package config is what an operator sets: one struct from the environment,
// checked before anything starts, and the two files it points to. It knows no
// server and opens no connection.
package config

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"deskbell/roster"
)

// The roles of `deskbell serve`.
const (
	API     = "api"
	Tickets = "tickets"
	SMS     = "sms"
	IM      = "im"
)

// Roles are all roles, what `deskbell serve` runs when none is named.
func Roles() []string { return []string{API, Tickets, SMS, IM} }

// Config is everything the environment says. What no role asked of Load needs is
// zero.
type Config struct {
	Database Secret // a PostgreSQL URL
	// Temporal is as the environment names it, empty when it does not: the SDK
	// reads its own variables.
	TemporalAddress   string
	TemporalNamespace string
	HTTPAddr          string // where the API and the pages listen, host:port
	PublicURL         string // how people reach the pages; no slash at the end
	TemporalUIURL     string // no slash at the end; empty when there is none
	SMSCs             []SMSC // at least one with the role sms
	XMPP              XMPP
	PolicyFile        string         // empty: the built-in policy
	PeopleFile        string         // empty: nobody is imported
	Keep              time.Duration  // how long what is over is kept; 0: for ever
	TokenKey          Secret         // at least 32 characters
	OpenBoard         bool           // the board and the wall need no sign-in
	FilesDir          string         // folder of tickets' files; empty: none are kept
	ScanCommand       []string       // looks at each file; empty: nobody does
	WebhookNetworks   []netip.Prefix // that webhooks may go to beside the Internet
	TrustedProxies    []netip.Prefix // whose X-Forwarded-For is believed
	OIDC              OIDC
}

// OIDC is an OpenID Connect provider to sign in with; none without an Issuer.
type OIDC struct {
	Issuer       string // URL, as the provider writes it
	ClientID     string
	ClientSecret Secret // empty for a public client
	Claim        string // holds a person's id
}

// SMSC is one short message centre.
type SMSC struct {
	Addr     string // host:port
	SystemID string
	Password Secret
	Source   string // our number, digits with or without +
	TLS      bool
	// StampTag is the vendor's TLV that carries the time a message was sent; 0 when
	// the SMSC has none.
	StampTag uint16
	Network  string   // SMSCs of one network share message ids; Addr when it is not set
	Separate bool     // a receiver and a transmitter in place of a transceiver
	Latin1   bool     // data_coding 0 is Latin-1, not GSM 7-bit
	IA5AsGSM bool     // data_coding 1 is GSM 7-bit, not ASCII
	Rate     float64  // segments per second, 0 for no limit
	Window   int      // submits without an answer
	Prefixes []string // numbers it takes, each with a plus; none: every number
	Region   string   // home of national numbers, ISO 3166 alpha-2
	// ReceiptIDs is how receipts write message ids where it is not as submit_sm_resp
	// does: hex or decimal.
	ReceiptIDs string
}

// XMPP is the helpdesk's IM account.
type XMPP struct {
	Addr     string // host:port
	JID      string // bare, lower case
	Password Secret
	CAFile   string // PEM; empty: the system's
	Room     string // the team's room, bare, lower case; empty: none
}

// Load reads the environment through getenv (os.Getenv) and checks what the
// roles need; without a role only the database, which everything needs. The
// error has one line for every value that is missing or malformed, and names it.
// No error contains a secret.
func Load(getenv func(string) string, roles []string) (Config, error) {
	r := reader{getenv: getenv, roles: roles}
	for _, role := range roles {
		if !slices.Contains(Roles(), role) {
			r.errs = append(r.errs, fmt.Errorf("role %q: use %s", role, strings.Join(Roles(), ", ")))
		}
	}
	c := Config{
		Database:          secret(&r, "DATABASE_URL", "", databaseURL),
		TemporalAddress:   read(&r, "TEMPORAL_ADDRESS", "", verbatim),
		TemporalNamespace: read(&r, "TEMPORAL_NAMESPACE", "", verbatim),
		HTTPAddr:          read(&r, "DESKBELL_HTTP_ADDR", "", listenAddr),
		PublicURL:         read(&r, "DESKBELL_PUBLIC_URL", "", webURL),
		TemporalUIURL:     read(&r, "DESKBELL_TEMPORAL_UI_URL", "", webURL),
		XMPP: XMPP{
			Addr:     read(&r, "DESKBELL_XMPP_ADDR", "", dialAddr),
			JID:      read(&r, "DESKBELL_XMPP_JID", "", bareJID),
			Password: secret(&r, "DESKBELL_XMPP_PASSWORD", "", anything),
			CAFile:   read(&r, "DESKBELL_XMPP_CA_FILE", "", certificates),
			Room:     read(&r, "DESKBELL_XMPP_ROOM", "", bareJID),
		},
		PolicyFile: read(&r, "DESKBELL_POLICY_FILE", "", verbatim),
		PeopleFile: read(&r, "DESKBELL_PEOPLE_FILE", "", verbatim),
		Keep:       read(&r, "DESKBELL_KEEP_DAYS", "", keptDays),
		TokenKey:   secret(&r, "DESKBELL_TOKEN_KEY", "", longEnough),
		OpenBoard:  read(&r, "DESKBELL_OPEN_BOARD", "", yesOrNo),

		FilesDir:    read(&r, "DESKBELL_FILES_DIR", "", folder),
		ScanCommand: read(&r, "DESKBELL_SCAN_COMMAND", "", words),

		WebhookNetworks: read(&r, "DESKBELL_WEBHOOK_NETWORKS", "", networks),
		TrustedProxies:  read(&r, "DESKBELL_TRUSTED_PROXIES", "", networks),
		OIDC: OIDC{
			Issuer:       read(&r, "DESKBELL_OIDC_ISSUER", "", issuer),
			ClientID:     read(&r, "DESKBELL_OIDC_CLIENT_ID", "", verbatim),
			ClientSecret: secret(&r, "DESKBELL_OIDC_CLIENT_SECRET", "", anything),
			Claim:        read(&r, "DESKBELL_OIDC_CLAIM", "", verbatim),
		},
	}
	if c.OIDC.Issuer != "" && c.OIDC.ClientID == "" {
		r.fail("DESKBELL_OIDC_CLIENT_ID", errors.New("is missing: DESKBELL_OIDC_ISSUER needs it"))
	}
	if _, port, err := net.SplitHostPort(c.HTTPAddr); c.PublicURL == "" && err == nil {
		c.PublicURL = "http://localhost:" + port
	}
	if slices.Contains(roles, SMS) {
		c.SMSCs = r.smscs()
	}
	return c, errors.Join(r.errs...)
}

// maxSMSCs is how far the numbered suffixes are looked for: the environment can
// only be asked by name.
const maxSMSCs = 9

func (r *reader) smscs() []SMSC {
	var out []SMSC
	for n := 1; n <= maxSMSCs; n++ {
		suffix := ""
		if n > 1 {
			suffix = "_" + strconv.Itoa(n)
			if !r.anySMPP(suffix) {
				continue
			}
		}
		out = append(out, SMSC{
			Addr:     read(r, "DESKBELL_SMPP_ADDR", suffix, dialAddr),
			SystemID: read(r, "DESKBELL_SMPP_SYSTEM_ID", suffix, systemID),
			Password: secret(r, "DESKBELL_SMPP_PASSWORD", suffix, smppPassword),
			Source:   read(r, "DESKBELL_SMPP_SOURCE", suffix, ourNumber),
			TLS:      read(r, "DESKBELL_SMPP_TLS", suffix, yesOrNo),
			StampTag: read(r, "DESKBELL_SMPP_STAMP_TAG", suffix, tag),
			Network:  read(r, "DESKBELL_SMPP_NETWORK", suffix, verbatim),
			Separate: read(r, "DESKBELL_SMPP_BIND", suffix, oneOf("transceiver", "separate")) == "separate",
			Latin1:   read(r, "DESKBELL_SMPP_ALPHABET", suffix, oneOf("gsm", "latin1")) == "latin1",
			IA5AsGSM: read(r, "DESKBELL_SMPP_IA5", suffix, oneOf("ascii", "gsm")) == "gsm",
			Rate:     read(r, "DESKBELL_SMPP_RATE", suffix, segmentRate),
			Window:   read(r, "DESKBELL_SMPP_WINDOW", suffix, windowSize),
			Prefixes: read(r, "DESKBELL_SMPP_PREFIXES", suffix, prefixes),
			Region:   read(r, "DESKBELL_SMPP_REGION", suffix, region),

			ReceiptIDs: read(r, "DESKBELL_SMPP_RECEIPT_IDS", suffix, oneOf("hex", "decimal")),
		})
		if n := len(out) - 1; slices.ContainsFunc(out[:n], func(s SMSC) bool { return s.Addr != "" && s.Addr == out[n].Addr }) {
			r.fail("DESKBELL_SMPP_ADDR"+suffix, fmt.Errorf("%q: is given twice", out[n].Addr))
		}
	}
	return out
}

// anySMPP tells whether the environment has anything for one more SMSC: half a
// description is a mistake to name, not an SMSC to leave out.
func (r *reader) anySMPP(suffix string) bool {
	for _, v := range Known() {
		if v.Numbered && (r.getenv(v.Name+suffix) != "" || v.Secret && r.getenv(v.Name+suffix+"_FILE") != "") {
			return true
		}
	}
	return false
}

// The checks. Each takes a value that is not empty and returns what it means, or
// an error that says what to write.

func verbatim(s string) (string, error) { return s, nil }
func anything(string) error             { return nil }

func databaseURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("write it as postgres://user:password@host:5432/database")
	}
	return nil
}

func longEnough(s string) error {
	if len(s) < 32 {
		return errors.New("use at least 32 characters, such as openssl rand -base64 32 prints")
	}
	return nil
}

// An SMPP 3.4 bind carries at most 15 octets of system id and 8 of password.
func systemID(s string) (string, error) {
	if len(s) > 15 {
		return "", errors.New("use at most 15 characters, SMPP has no room for more")
	}
	return s, nil
}

func smppPassword(s string) error {
	if len(s) > 8 {
		return errors.New("use at most 8 characters, SMPP has no room for more")
	}
	return nil
}

func splitAddr(s string) (host string, err error) {
	host, port, err := net.SplitHostPort(s)
	if n, perr := strconv.Atoi(port); err != nil || perr != nil || n < 0 || n > 65535 {
		return "", fmt.Errorf("%q: write it as host:port", s)
	}
	return host, nil
}

func listenAddr(s string) (string, error) {
	_, err := splitAddr(s)
	return s, err
}

func dialAddr(s string) (string, error) {
	host, err := splitAddr(s)
	if err == nil && host == "" {
		err = fmt.Errorf("%q: the host is missing, write it as host:port", s)
	}
	return s, err
}

func webURL(s string) (string, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return "", fmt.Errorf("%q: write it as https://desk.example.org", s)
	}
	return strings.TrimRight(s, "/"), nil
}

// issuer is kept as it is written: it must be what the provider says of itself.
func issuer(s string) (string, error) {
	_, err := webURL(s)
	return s, err
}

func folder(path string) (string, error) {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = fmt.Errorf("%s: is no folder", path)
	}
	return path, err
}

func words(s string) ([]string, error) { return strings.Fields(s), nil }

func networks(s string) ([]netip.Prefix, error) {
	var list []netip.Prefix
	for one := range strings.SplitSeq(s, ",") {
		p, err := netip.ParsePrefix(strings.TrimSpace(one))
		if err != nil {
			return nil, fmt.Errorf("%q: use networks such as 10.0.0.0/8, separated by commas", one)
		}
		list = append(list, p)
	}
	return list, nil
}

var numberPattern = regexp.MustCompile(`^\+?[0-9]{3,15}$`)

func ourNumber(s string) (string, error) {
	if !numberPattern.MatchString(s) {
		return "", fmt.Errorf("%q: use a number of 3 to 15 digits, people could not answer to anything else", s)
	}
	return s, nil
}

func bareJID(s string) (string, error) {
	if !roster.IsBareJID(s) {
		return "", fmt.Errorf("%q: write it in lower case without a resource, such as helpdesk@example.org", s)
	}
	return s, nil
}

func yesOrNo(s string) (bool, error) {
	b, err := strconv.ParseBool(s)
	if err != nil {
		return false, fmt.Errorf("%q: use true or false", s)
	}
	return b, nil
}

// leastKept is more than the 26 weeks that the charts show.
const leastKept = 190

func keptDays(s string) (time.Duration, error) {
	days, err := strconv.ParseUint(s, 10, 16)
	if err != nil || days != 0 && days < leastKept {
		return 0, fmt.Errorf("%q: use a number of days, %d or more, or 0 for ever", s, leastKept)
	}
	return time.Duration(days) * 24 * time.Hour, nil
}

func tag(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 0, 16)
	if err != nil {
		return 0, fmt.Errorf("%q: use a tag number such as 0x1401", s)
	}
	return uint16(n), nil
}

func oneOf(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", fmt.Errorf("%q: use %s", s, strings.Join(words, " or "))
		}
		return s, nil
	}
}

func segmentRate(s string) (float64, error) {
	rate, err := strconv.ParseFloat(s, 64)
	if err != nil || !(rate > 0 && rate <= 10_000) {
		return 0, fmt.Errorf("%q: use segments per second, such as 10 or 0.5", s)
	}
	return rate, nil
}

func windowSize(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 || n > 1000 {
		return 0, fmt.Errorf("%q: use a number of messages, 1 to 1000", s)
	}
	return n, nil
}

var prefixPattern = regexp.MustCompile(`^\+[0-9]{0,15}$`)

func prefixes(s string) ([]string, error) {
	list := strings.Split(strings.ReplaceAll(s, " ", ""), ",")
	for _, p := range list {
		if !prefixPattern.MatchString(p) {
			return nil, fmt.Errorf("%q: use the beginnings of numbers with a plus, such as +49,+43", p)
		}
	}
	return list, nil
}

var regionPattern = regexp.MustCompile(`^[A-Z]{2}$`)

func region(s string) (string, error) {
	if !regionPattern.MatchString(s) {
		return "", fmt.Errorf("%q: use two capital letters, such as DE", s)
	}
	return s, nil
}

func certificates(path string) (string, error) {
	pem, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return "", fmt.Errorf("%s: no certificate in PEM form in it", path)
	}
	return path, nil
}
