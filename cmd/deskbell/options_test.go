package main

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"deskbell/clock"
	"deskbell/policy"
	"deskbell/roster"
	"deskbell/store"
	"deskbell/ticket"
)

// effect is one command line without an option, and with it: only then it says or
// asks for what is wanted, and no longer what was there.
type effect struct {
	without, with string
	wanted, gone  string
}

// Every option and argument of the rota, the rehearsal, the backtest and the incidents shows: in what
// is printed, or in what the API is asked for.
func TestEveryOptionShows(t *testing.T) {
	directory := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(directory, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	begin := time.Now().UTC().Truncate(24 * time.Hour).Add(32 * time.Hour) // tomorrow at eight
	shifts := file("shifts.ics", fmt.Sprintf("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:dana\r\nDTSTART:%s\r\nDTEND:%s\r\nRRULE:FREQ=WEEKLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n",
		begin.Format("20060102T150405"), begin.Add(10*time.Hour).Format("20060102T150405")))
	others := strings.ReplaceAll(string(must(os.ReadFile(shifts))(t)), "dana", "sam")
	shy := file("shy.yaml", "priorities: {P1: {steps: [{after: 3m, to: oncall}, {after: 4m, to: manager}]}}")
	page := filepath.Join(directory, "page.html")

	const set, stand = "rota set nights dana --start 2026-03-02T08:00:00Z", "rota override add sam dana --zone UTC --from 2026-03-02T18:00:00Z --until 2026-03-03T08:00:00Z"
	const rehearse, monday = "rehearse P1 2026-03-02T03:00:00Z --zone UTC", "Mon 2 Mar 03:00:00"
	imports := "rota import --zone UTC --name imported --days 8 " + shifts
	effects := map[string]effect{
		"rota show --days":            {"rota", "rota --days 2", "PERSON", "1. dana"},
		"rota show --ical":            {"rota --days 2", "rota --ical dana", "BEGIN:VCALENDAR", "ROTATION"},
		"rota show --feed":            {"rota", "rota --feed dana", "PUT /v1/rota/feeds/dana", "1. dana"},
		"rota show --end-feed":        {"rota", "rota --end-feed dana", "DELETE /v1/rota/feeds/dana", "1. dana"},
		"rota set <name>":             {set, strings.Replace(set, "nights", "days", 1), `"name":"days"`, `"name":"nights"`},
		"rota set <people>":           {set, strings.Replace(set, "dana", "sam dana", 1), `"people":["sam","dana"]`, `"people":["dana"]`},
		"rota set --group":            {set, set + " --group it", `"group":"it"`, ""},
		"rota set --zone":             {set, "rota set nights dana --start 2026-03-02_08:00 --zone Europe/Berlin", `"zone":"Europe/Berlin"`, `"start":"2026-03-02T08:00:00Z"`},
		"rota set --start":            {set, strings.Replace(set, "08:00", "09:00", 1), `"start":"2026-03-02T09:00:00Z"`, `"start":"2026-03-02T08:00:00Z"`},
		"rota set --every":            {set, set + " --every 12h", `"every":"12h"`, `"every":"week"`},
		"rota remove <name>":          {"rota remove nights", "rota remove days", "name=days", "name=nights"},
		"rota remove --group":         {"rota remove nights", "rota remove nights --group it", "group=it&name=nights", ""},
		"rota import <file>":          {imports, strings.Replace(imports, shifts, file("others.ics", others), 1), `"person":"sam"`, `"person":"dana"`},
		"rota import --name":          {imports, strings.Replace(imports, "--name imported", "--name summer", 1), `"name":"summer"`, `"name":"imported"`},
		"rota import --group":         {imports, imports + " --group it", `"group":"it"`, ""},
		"rota import --zone":          {imports, strings.Replace(imports, "--zone UTC", "--zone Asia/Tokyo", 1), begin.Add(-9 * time.Hour).Format(time.RFC3339), begin.Format(time.RFC3339)},
		"rota import --days":          {imports, strings.Replace(imports, "--days 8", "--days 15", 1), begin.AddDate(0, 0, 14).Format(time.RFC3339), ""},
		"rota override add <person>":  {stand, strings.Replace(stand, "sam", "meg", 1), `"person":"meg"`, `"person":"sam"`},
		"rota override add <instead>": {stand, strings.Replace(stand, "dana", "bob", 1), `"instead":"bob"`, `"instead":"dana"`},
		"rota override add --from":    {stand, strings.Replace(stand, "18:00:00Z", "17:00:00Z", 1), `"from":"2026-03-02T17:00:00Z"`, `"from":"2026-03-02T18:00:00Z"`},
		"rota override add --until":   {stand, strings.Replace(stand, "08:00:00Z", "07:00:00Z", 1), `"until":"2026-03-03T07:00:00Z"`, `"until":"2026-03-03T08:00:00Z"`},
		"rota override add --zone": {stand, "rota override add sam dana --zone Asia/Tokyo --from 2026-03-02_18:00 --until 2026-03-03_08:00",
			`"from":"2026-03-02T18:00:00+09:00"`, `"from":"2026-03-02T18:00:00Z"`},
		"rota override add --group":   {stand, stand + " --group it", `"group":"it"`, ""},
		"rota override remove <id>":   {"rota override remove 7", "rota override remove 8", "/v1/rota/overrides/8", "/v1/rota/overrides/7"},
		"rehearse <priority>":         {rehearse, strings.Replace(rehearse, "P1", "P3", 1), "+8h0m0s", "+15m0s"},
		"rehearse <at>":               {rehearse, strings.Replace(rehearse, "2026-03-02T03", "2026-03-03T03", 1), "Tue 3 Mar 03:00:00", monday},
		"rehearse --group":            {rehearse, rehearse + " --group water", "+15m0s  sam", "+15m0s  dana"},
		"rehearse --for":              {rehearse, rehearse + " --for 16m", "", "meg"},
		"rehearse --zone":             {rehearse, strings.Replace(rehearse, "UTC", "Asia/Tokyo", 1), "Mon 2 Mar 12:00:00", monday},
		"rehearse --policy":           {rehearse, rehearse + " --policy " + shy, "+3m0s", "+15m0s"},
		"incidents announce <number>": {"incidents announce 142 Mail_is_down", "incidents announce 143 Mail_is_down", "PUT /v1/tickets/143/incident", "PUT /v1/tickets/142/incident"},
		"incidents announce <text>":   {"incidents announce 142 Mail_is_down", "incidents announce 142 Mail is back", `{"text":"Mail is back"}`, "Mail is down"},
		"incidents join <number>":     {"incidents join 142", "incidents join 143", "POST /v1/incidents/143/affected", "POST /v1/incidents/142/affected"},
		"incidents withdraw <number>": {"incidents withdraw 142", "incidents withdraw 143", "DELETE /v1/tickets/143/incident", "DELETE /v1/tickets/142/incident"},
		"backtest --policy":           {"backtest --policy " + file("same.yaml", ""), "backtest --policy " + shy, "calls             0      12", "calls             0      2\n"},
		"backtest --since":            {"backtest --policy " + shy, "backtest --since 1d --policy " + shy, "1 ticket", "2 tickets"},
		"backtest --out":              {"backtest --policy " + shy, "backtest --policy " + shy + " --out " + page, "<svg", ""},
	}
	do := atDesk(t)
	before := map[string]string{} // by the line without the option
	for option, e := range effects {
		t.Run(option, func(t *testing.T) {
			if _, known := before[e.without]; !known {
				before[e.without] = do(t, e.without)
			}
			before, after := before[e.without], do(t, e.with)
			if strings.HasSuffix(option, "--out") {
				after += string(must(os.ReadFile(page))(t))
			}
			if !strings.Contains(after, e.wanted) || e.wanted != "" && strings.Contains(before, e.wanted) || e.gone != "" && (strings.Contains(after, e.gone) || !strings.Contains(before, e.gone)) {
				t.Errorf("%s\n%s\n%s\n%s", e.without, before, e.with, after)
			}
		})
	}
	var known []string
	model := must(kong.New(&cli{}, kong.Vars{"verbs": "claim", "scopes": "agent"}))(t).Model
	for _, command := range model.Children {
		if slices.Contains([]string{"rota", "rehearse", "backtest", "incidents"}, command.Name) {
			known = append(known, options(command.Name, command)...)
		}
	}
	slices.Sort(known)
	if diff := cmp.Diff(known, slices.Sorted(maps.Keys(effects))); diff != "" {
		t.Errorf("options and their effects: %s", diff)
	}
}

// options are the flags and arguments of a command and of those below it; without those
// that every command of the API has.
func options(path string, command *kong.Node) (names []string) {
	for _, a := range command.Positional {
		names = append(names, path+" <"+a.Name+">")
	}
	for _, f := range command.Flags {
		if name := strings.TrimPrefix(f.Name, "api-"); !slices.Contains([]string{"url", "token", "json"}, name) {
			names = append(names, path+" --"+f.Name)
		}
	}
	for _, below := range command.Children {
		names = append(names, options(path+" "+below.Name, below)...)
	}
	return names
}

func must[T any](got T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
}

// atDesk makes a database with people, two groups' rotations and two tickets, one of them
// ten days old, and an API that repeats what it is asked for. It returns what runs a
// command line there, in which _ is a blank within a word, and tells what that prints and asks
// for.
func atDesk(t *testing.T) func(t *testing.T, line string) string {
	t.Helper()
	var asked []string
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // in memory by now
		asked = append(asked, r.Method+" "+r.URL.String()+" "+string(body))
		if r.URL.Path == "/v1/agents" {
			_, _ = io.WriteString(w, `[{"id":"dana","name":"Dana"},{"id":"sam","name":"Sam"}]`) // to a recorder in this process
			return
		}
		_, _ = io.WriteString(w, "{}")
	}))
	t.Cleanup(api.Close)
	for name, value := range map[string]string{"DATABASE_URL": server.Database(t), "DESKBELL_PUBLIC_URL": api.URL, "DESKBELL_TOKEN": "secret"} {
		t.Setenv(name, value)
	}
	var now clock.Movable
	s := must(store.Open(t.Context(), os.Getenv("DATABASE_URL"), &now, slog.New(slog.DiscardHandler)))(t)
	defer s.Close()
	member := func(id, phone string, role roster.Role) roster.Person {
		return roster.Person{ID: id, Name: id, Phone: phone, Roles: roster.Roles{role}}
	}
	turns := func(group, person string) roster.Rotation {
		return roster.Rotation{Group: group, Name: group, Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Every: "week", People: []string{person}}
	}
	people := roster.File{Rota: []roster.Rotation{turns("it", "dana"), turns("water", "sam")}, People: []roster.Person{member("ann", "+15550201", roster.Requester),
		member("dana", "+15550101", roster.OnCallee), member("sam", "+15550102", roster.OnCallee), member("meg", "+15550103", roster.Manager)}}
	must(0, s.Import(t.Context(), people))(t)
	for _, age := range []time.Duration{10 * 24 * time.Hour, 2 * time.Hour} {
		now.Set(-age)
		o := ticket.Opening{Subject: "x", Priority: ticket.P1, Requester: ticket.Party{ID: "ann", Name: "ann", Via: "sms"}, Group: "it", Plan: policy.Default().For(ticket.P1)}
		row, _, err := s.Submit(t.Context(), store.Submission{Opening: o})
		must(0, err)(t)
		o.Number, o.CreatedAt = row.Number, row.CreatedAt
		waiting, events := ticket.Open(o, o.CreatedAt)
		take := ticket.Command{ID: "take", Verb: ticket.Take, Actor: ticket.Party{ID: "dana", Name: "dana", Via: "sms"}, Works: true}
		taken, more, err := ticket.Apply(waiting, take, o.CreatedAt.Add(20*time.Minute))
		must(0, err)(t)
		must(0, s.Project(t.Context(), store.Projection{Ticket: taken, Events: append(events, more...)}))(t)
	}
	return func(t *testing.T, line string) string {
		t.Helper()
		asked = nil
		args, stdout, stderr := os.Args, os.Stdout, os.Stderr
		file := must(os.Create(filepath.Join(t.TempDir(), "out")))(t)
		os.Args, os.Stdout, os.Stderr = []string{"deskbell"}, file, file
		for word := range strings.FieldsSeq(line) {
			os.Args = append(os.Args, strings.ReplaceAll(word, "_", " "))
		}
		err := run()
		os.Args, os.Stdout, os.Stderr = args, stdout, stderr
		must(0, file.Close())(t)
		return fmt.Sprintf("%s%s\n%v", must(os.ReadFile(file.Name()))(t), strings.Join(asked, "\n"), err)
	}
}
