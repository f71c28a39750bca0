package deskbell_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "deskbell"

// mayImport is who may import whom of ours. An entry governs the packages below
// it that have none of their own; those of one entry may import each other.
// Everybody may import clock, and nobody what has no entry.
var mayImport = map[string][]string{
	"clock":        {},
	"ticket":       {},
	"roster":       {},
	"gateway":      {},
	"policy":       {"ticket"},
	"command":      {"ticket"},
	"notice":       {"ticket"},
	"config":       {"policy", "roster"},
	"ical":         {"roster"},
	"ldap":         {"roster"},
	"activities":   {"ticket", "roster", "notice", "policy"},
	"rehearsal":    {"ticket", "roster", "policy", "activities"},
	"store":        {"ticket", "roster", "policy", "gateway"},
	"workflows":    {"ticket", "activities", "notice"},                                                                              // notice is pure: cards and summaries
	"desk":         {"ticket", "roster", "policy", "command", "notice", "gateway", "store", "activities", "workflows", "rehearsal"}, // docs/adr/0001
	"workers":      {"workflows", "activities"},
	"signin":       {"roster", "desk"},
	"api":          {"ticket", "roster", "desk", "signin"},
	"web":          {"ticket", "roster", "desk", "signin"},
	"gateway/im":   {"gateway"},
	"gateway/sms":  {"gateway"},
	"devstack":     {"gateway/sms"},
	"e2e":          {"devstack"},                      // and cmd/deskbell, as a program
	"bench":        {"ticket", "roster", "workflows"}, // workflows for the bare one's start; the desk is reached by its wires
	"cmd/deskbell": {"*"},
}

// standardOnly are the packages without a dependency.
var standardOnly = []string{"clock", "ticket", "roster", "gateway"}

// onlyIn names who may import what is not ours; a name covers the packages below
// it. The reason is for whom the rule stops.
var onlyIn = []struct {
	imported string
	by       []string
	reason   string
}{
	{"net", []string{"config", "ldap", "store", "desk", "workers", "signin", "api", "web", "gateway/im", "gateway/sms", "devstack", "e2e", "bench", "cmd/deskbell"},
		"decisions, and what a workflow replays, know no network"},
	{"database/sql", []string{"store", "devstack", "cmd/deskbell"}, "store is the only way to the database"},
	{"github.com/jackc/pgx", []string{"store", "devstack", "e2e", "cmd/deskbell"}, "store is the only way to the database"},
	{"go.temporal.io", []string{"workflows", "activities", "workers", "desk", "devstack", "e2e", "bench", "cmd/deskbell"},
		"the API, the pages and the gateways reach a ticket through desk"},
	{"go.temporal.io/sdk/client", []string{"workers", "desk", "devstack", "e2e", "bench", "cmd/deskbell"},
		"desk hands a command over, nobody else; the bench drives a workflow of its own and reads histories"},
	{"go.temporal.io/sdk/worker", []string{"workers", "bench", "cmd/deskbell"}, "workers decide which process runs which queue"},
	{"github.com/emersion/go-ical", []string{"ical"}, "calendars are read in one place"},
	{"github.com/teambition/rrule-go", []string{"ical"}, "calendars are read in one place"},
	{"github.com/go-ldap/ldap", []string{"ldap"}, "directories are read in one place"},
	{"github.com/rickar/cal", []string{"policy"}, "holidays change between releases, a replay must not see them"},
	{"github.com/mattn/go-xmpp", []string{"gateway/im", "e2e", "bench"}, "XMPP stays inside gateway/im; a test or a measurement chats as a person does"},
	{"github.com/fiorix/go-smpp", []string{"gateway/sms", "devstack", "e2e"}, "SMPP stays inside gateway/sms"},
}

// readsMachineClock are the files outside clock, devstack, e2e, bench and cmd that may
// read the machine's time, each with the reason why a moved clock must not reach
// it.
var readsMachineClock = map[string]string{
	"gateway/lease.go":                   "a lease is kept against the database's clock, which no test moves",
	"api/middleware.go":                  "how long an answer took is a measurement",
	"gateway/im/im.go":                   "how long a login stood decides the pause before the next",
	"web/hub.go":                         "deadlines of a connection are the kernel's time",
	"gateway/sms/session.go":             "deadlines and silence of a connection are the kernel's time",
	"gateway/im/xmppbench/xmppbench.go":  "it measures",
	"gateway/sms/smppbench/smppbench.go": "it measures",
	"gateway/sms/check.go":               "how long a text was on its way is a measurement",
	"gateway/sms/inbound.go":             "how long an unacknowledged PDU waits is the connection's time",
}

// pkg is what go list says of a package.
type pkg struct {
	ImportPath string
	Dir        string
	GoFiles    []string
	Imports    []string
}

func (p pkg) path() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

func listPackages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-e", "-json=ImportPath,Dir,GoFiles,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var pkgs []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 { // the root has tests only
			pkgs = append(pkgs, p)
		}
	}
	if len(pkgs) < 5 {
		t.Fatalf("go list found %d packages", len(pkgs))
	}
	return pkgs
}

// within tells whether a path is root or below it.
func within(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// governor returns the entry of mayImport that governs a package.
func governor(path string) string {
	best := ""
	for entry := range maps.Keys(mayImport) {
		if within(path, entry) && len(entry) > len(best) {
			best = entry
		}
	}
	return best
}

// breaches returns the rules that a package breaks.
func breaches(p pkg) []string {
	var out []string
	from := governor(p.path())
	if from == "" {
		return []string{fmt.Sprintf("%s has no place: say in mayImport whom it may import", p.path())}
	}
	for _, path := range p.Imports {
		if ours, ok := strings.CutPrefix(path, module+"/"); ok {
			to, allowed := governor(ours), mayImport[from]
			if to != from && to != "clock" && !slices.Contains(allowed, to) && !slices.Contains(allowed, "*") || to == "" {
				out = append(out, fmt.Sprintf("%s imports %s; it may import %v", p.path(), ours, allowed))
			}
			continue
		}
		if first, _, _ := strings.Cut(path, "/"); strings.Contains(first, ".") && slices.Contains(standardOnly, from) {
			out = append(out, fmt.Sprintf("%s imports %s; it may import the standard library", p.path(), path))
		}
		for _, rule := range onlyIn {
			if within(path, rule.imported) && !slices.Contains(rule.by, from) {
				out = append(out, fmt.Sprintf("%s imports %s: %s", p.path(), path, rule.reason))
			}
		}
	}
	return out
}

func TestLayering(t *testing.T) {
	t.Parallel()
	for _, p := range listPackages(t) {
		for _, breach := range breaches(p) {
			t.Error(breach)
		}
	}
}

// The rules themselves: each of these must be refused, or must not.
func TestLayeringRules(t *testing.T) {
	t.Parallel()
	tests := []struct {
		from, imports string
		refused       bool
	}{
		{"ticket", "slices", false},
		{"ticket", "deskbell/clock", false},
		{"ticket", "deskbell/roster", true},
		{"ticket", "net/http", true},
		{"roster", "go.yaml.in/yaml/v3", true},
		{"roster", "deskbell/ticket", true},
		{"gateway", "deskbell/gateway/sms", true},
		{"gateway/sms", "deskbell/gateway", false},
		{"gateway/sms", "deskbell/ticket", true},
		{"gateway/im", "deskbell/store", true},
		{"gateway/im", "go.temporal.io/sdk/client", true},
		{"workflows", "deskbell/notice", false},
		{"workflows", "deskbell/policy", true},
		{"workflows", "deskbell/store", true},
		{"workflows", "github.com/jackc/pgx/v5", true},
		{"workflows", "net", true},
		{"workflows", "go.temporal.io/sdk/workflow", false},
		{"activities", "deskbell/workflows", true},
		{"rehearsal", "deskbell/activities", false},
		{"rehearsal", "deskbell/store", true},
		{"rehearsal", "go.temporal.io/sdk/workflow", true},
		{"activities", "deskbell/gateway/sms", true},
		{"api", "go.temporal.io/api/serviceerror", true},
		{"api", "github.com/jackc/pgx/v5/pgxpool", true},
		{"web", "deskbell/store", true},
		{"desk", "deskbell/store", false},
		{"desk", "deskbell/gateway/sms", true},
		{"activities", "deskbell/store", true},
		{"devstack/smsc", "deskbell/gateway/sms", false},
		{"devstack/smsc", "deskbell/devstack", false},
		{"devstack", "deskbell/ticket", true},
		{"store/queries", "deskbell/store", false},
		{"store", "github.com/jackc/pgx/v5", false},
		{"desk", "deskbell/cmd/deskbell", true},
		{"e2e", "deskbell/desk", true},
		{"cmd/deskbell", "deskbell/store", false},
		{"cmd/deskbell", "deskbell/helpers", true},
		{"helpers", "fmt", true},
	}
	for _, tt := range tests {
		got := breaches(pkg{ImportPath: module + "/" + tt.from, Imports: []string{tt.imports}})
		if (len(got) > 0) != tt.refused {
			t.Errorf("%s imports %s: got %q, want refused %v", tt.from, tt.imports, got, tt.refused)
		}
	}
}

// clockReads returns the calls in a file that read the machine's time.
func clockReads(fset *token.FileSet, file *ast.File) []token.Position {
	var out []token.Position
	ast.Inspect(file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == "time" && slices.Contains([]string{"Now", "Since", "Until"}, sel.Sel.Name) {
				out = append(out, fset.Position(sel.Pos()))
			}
		}
		return true
	})
	return out
}

func TestOnlyClockReadsTheTime(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, p := range listPackages(t) {
		if slices.Contains([]string{"clock", "devstack", "e2e", "bench", "cmd/deskbell"}, governor(p.path())) {
			continue
		}
		for _, name := range p.GoFiles {
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			path := p.path() + "/" + name
			for _, pos := range clockReads(fset, file) {
				used[path] = true
				if _, ok := readsMachineClock[path]; !ok {
					t.Errorf("%s:%d reads the machine's time: take a clock.Clock", path, pos.Line)
				}
			}
		}
	}
	for path := range readsMachineClock {
		if !used[path] {
			t.Errorf("%s reads no time: take it off the list", path)
		}
	}
}
