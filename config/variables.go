package config

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Variable is one variable of the environment.
type Variable struct {
	Name     string
	Roles    []string // the roles that read it; none: always read
	Required bool     // by those roles
	Default  string
	Secret   bool   // may be given as Name_FILE, the path of a file that holds it
	Numbered bool   // Name_2 to Name_9 describe more of the same
	Help     string // what it is, its unit, and why the default is what it is
}

// Known returns every variable that Deskbell reads itself. The Temporal SDK reads
// more of its own (TEMPORAL_TLS and the like).
func Known() []Variable {
	sms, im, api := []string{SMS}, []string{IM}, []string{API}
	return []Variable{
		{Name: "DATABASE_URL", Required: true, Secret: true, Help: "PostgreSQL, as postgres://user:password@host:5432/database"},
		{Name: "TEMPORAL_ADDRESS", Help: "the Temporal server, host:port; the SDK's default is 127.0.0.1:7233"},
		{Name: "TEMPORAL_NAMESPACE", Help: "its namespace; the SDK's default is default"},
		{Name: "DESKBELL_HTTP_ADDR", Default: ":8080", Help: "where the API and the pages listen, host:port; every interface, because people and load balancers come from elsewhere. Other roles serve /healthz, /readyz and /metrics there when it is set"},
		{Name: "DESKBELL_PUBLIC_URL", Help: "how people reach the pages, as texts print it; by default localhost with the port of DESKBELL_HTTP_ADDR"},
		{Name: "DESKBELL_TEMPORAL_UI_URL", Roles: api, Help: "the Temporal Web UI, linked from the pages; no link without it"},
		{Name: "DESKBELL_SMPP_ADDR", Roles: sms, Required: true, Numbered: true, Help: "the SMSC, host:port"},
		{Name: "DESKBELL_SMPP_SYSTEM_ID", Roles: sms, Required: true, Numbered: true, Help: "our login there, at most 15 characters"},
		{Name: "DESKBELL_SMPP_PASSWORD", Roles: sms, Required: true, Secret: true, Numbered: true, Help: "its password, at most 8 characters"},
		{Name: "DESKBELL_SMPP_SOURCE", Roles: sms, Required: true, Numbered: true, Help: "our number, 3 to 15 digits: what people answer to"},
		{Name: "DESKBELL_SMPP_TLS", Roles: sms, Default: "false", Numbered: true, Help: "true or false; false, because SMPP has no port of its own for it and carriers that use it say so"},
		{Name: "DESKBELL_SMPP_STAMP_TAG", Roles: sms, Numbered: true, Help: "the tag of the vendor's TLV with the time a message was sent, such as 0x1401; SMPP 3.4 itself has none"},
		{Name: "DESKBELL_SMPP_NETWORK", Roles: sms, Numbered: true, Help: "the same word for SMSCs of one carrier that share their message ids, so that a receipt or a repeated message is known on each; by default every SMSC is its own"},
		{Name: "DESKBELL_SMPP_BIND", Roles: sms, Default: "transceiver", Numbered: true, Help: "transceiver, or separate for a receiver and a transmitter; transceiver, because one link cannot fail by half"},
		{Name: "DESKBELL_SMPP_ALPHABET", Roles: sms, Default: "gsm", Numbered: true, Help: "what data_coding 0 carries, gsm or latin1; gsm, because that is the networks' own"},
		{Name: "DESKBELL_SMPP_IA5", Roles: sms, Default: "ascii", Numbered: true, Help: "what data_coding 1 carries, ascii or gsm; ascii, as SMPP says"},
		{Name: "DESKBELL_SMPP_RATE", Roles: sms, Numbered: true, Help: "the agreed segments per second; no limit without it, the SMSC then throttles"},
		{Name: "DESKBELL_SMPP_WINDOW", Roles: sms, Default: "10", Numbered: true, Help: "submits that may wait for an answer; 10, which every SMSC we know takes"},
		{Name: "DESKBELL_SMPP_PREFIXES", Roles: sms, Numbered: true, Help: "the numbers it takes, such as +49,+43; the longest match sends, + is every other number; without it every number that no other SMSC names better"},
		{Name: "DESKBELL_SMPP_REGION", Roles: sms, Default: "DE", Numbered: true, Help: "the country whose national numbers it writes, ISO 3166; DE, as the built-in policy's office"},
		{Name: "DESKBELL_SMPP_RECEIPT_IDS", Roles: sms, Numbered: true, Help: "hex or decimal, where receipts write message ids so and submit_sm_resp does not"},
		{Name: "DESKBELL_XMPP_ADDR", Roles: im, Required: true, Help: "the XMPP server, host:port"},
		{Name: "DESKBELL_XMPP_JID", Roles: im, Required: true, Help: "the helpdesk's account, a bare JID in lower case"},
		{Name: "DESKBELL_XMPP_PASSWORD", Roles: im, Required: true, Secret: true, Help: "its password"},
		{Name: "DESKBELL_XMPP_CA_FILE", Roles: im, Help: "the path of the PEM certificates that vouch for the server; by default the system's"},
		{Name: "DESKBELL_XMPP_ROOM", Roles: []string{IM, Tickets}, Help: "the team's room (XEP-0045), a bare JID in lower case: new, taken and closed tickets are told there, and what people write to the desk there counts if the room shows who they are; no room without it"},
		{Name: "DESKBELL_POLICY_FILE", Help: "the path of the policy, YAML; by default the built-in one"},
		{Name: "DESKBELL_PEOPLE_FILE", Help: "the path of people, numbers, JIDs and rota to import at the start, YAML or JSON, or people alone as CSV; the same file is not imported twice"},
		{Name: "DESKBELL_KEEP_DAYS", Default: "400", Help: "days for which messages, the audit and the timelines of ended tickets are kept, 190 or more because the charts show half a year, or 0 for ever; 400, so that a month can be held against that of the year before"},
		{Name: "DESKBELL_TOKEN_KEY", Roles: api, Required: true, Secret: true, Help: "encrypts the secrets of webhooks; at least 32 characters"},
		{Name: "DESKBELL_OPEN_BOARD", Roles: api, Default: "false", Help: "true shows the board and the wall to whoever reaches them, without a sign-in; false, because subjects of tickets are nobody's but the desk's"},
		{Name: "DESKBELL_TRUSTED_PROXIES", Roles: api, Help: "networks such as 10.0.0.0/8 whose X-Forwarded-For is believed, so that tries are counted by client and not by proxy"},
		{Name: "DESKBELL_FILES_DIR", Roles: api, Help: "the folder of tickets' files, the same for every process with the role; no files are taken without it"},
		{Name: "DESKBELL_SCAN_COMMAND", Roles: api, Help: "a command that looks at each file before it is kept, such as clamdscan --no-summary --fdpass; it gets the path, and its status 1 refuses the file. Nobody looks without it"},
		{Name: "DESKBELL_WEBHOOK_NETWORKS", Roles: api, Help: "networks such as 10.1.0.0/16 that webhooks may go to beside the Internet; without it to no private network, because whoever may add a webhook need not be who may look around there"},
		{Name: "DESKBELL_OIDC_ISSUER", Roles: api, Help: "an OpenID Connect provider to sign in with, its URL as it writes it itself; its callback is DESKBELL_PUBLIC_URL/sign-in/oidc/callback. Without it people sign in by a link from a text or a chat"},
		{Name: "DESKBELL_OIDC_CLIENT_ID", Roles: api, Help: "our name there"},
		{Name: "DESKBELL_OIDC_CLIENT_SECRET", Roles: api, Secret: true, Help: "our password there; none for a public client"},
		{Name: "DESKBELL_OIDC_CLAIM", Roles: api, Default: "preferred_username", Help: "the claim that holds a person's id; an email must be verified there"},
	}
}

// reader reads variables and keeps what is wrong with them.
type reader struct {
	getenv func(string) string
	roles  []string
	errs   []error
}

func (r *reader) fail(name string, err error) {
	r.errs = append(r.errs, fmt.Errorf("%s: %w", name, err))
}

// lookup returns a variable's entry in the table, and whether a role needs it.
func (r *reader) lookup(name string) (v Variable, needed bool) {
	known := Known()
	v = known[slices.IndexFunc(known, func(v Variable) bool { return v.Name == name })]
	return v, len(v.Roles) == 0 || slices.ContainsFunc(v.Roles, func(role string) bool { return slices.Contains(r.roles, role) })
}

// read returns what a variable means; zero when it is not set, not needed or
// malformed.
func read[T any](r *reader, name, suffix string, parse func(string) (T, error)) (out T) {
	v, needed := r.lookup(name)
	if !needed {
		return out
	}
	text := r.getenv(name + suffix)
	if text == "" {
		text = v.Default
	}
	if text == "" {
		if v.Required {
			r.fail(name+suffix, errors.New("is missing: "+v.Help))
		}
		return out
	}
	parsed, err := parse(text)
	if err != nil {
		r.fail(name+suffix, err)
		return out
	}
	return parsed
}

// secret is read for a secret, from the variable or from the file that
// its ..._FILE names. The check's error must not contain the value.
func secret(r *reader, name, suffix string, check func(string) error) Secret {
	v, needed := r.lookup(name)
	if !needed {
		return Secret{}
	}
	name += suffix
	text, path := r.getenv(name), r.getenv(name+"_FILE")
	switch {
	case text != "" && path != "":
		r.fail(name, fmt.Errorf("is given twice, also as %s_FILE: keep one", name))
		return Secret{}
	case path != "":
		content, err := os.ReadFile(path)
		if err != nil {
			r.fail(name+"_FILE", err)
			return Secret{}
		}
		name += "_FILE"
		text = strings.TrimRight(string(content), "\r\n")
		if text == "" {
			r.fail(name, fmt.Errorf("%s is empty", path))
			return Secret{}
		}
	case text == "":
		if v.Required {
			r.fail(name, errors.New("is missing: "+v.Help))
		}
		return Secret{}
	}
	if err := check(text); err != nil {
		r.fail(name, err)
		return Secret{}
	}
	return Secret{&text}
}
