package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"deskbell/store/storetest"
)

// TestMain lets this program complete in place of the tests, as a shell asks it to.
func TestMain(m *testing.M) {
	if os.Getenv("COMP_LINE") != "" {
		main()
	}
	os.Exit(storetest.Run(m, &server))
}

var server *storetest.Server

func TestTicketTable(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	bob := "bob"
	page := ticketPage{Tickets: []ticketView{
		{Number: 7, Priority: "P1", Status: "new", Subject: "打印机 is jammed 🖨", CreatedAt: now.Add(-90 * time.Second)},
		{Number: 1042, Priority: "P3", Status: "assigned", Assignee: &bob, Subject: "a\x1b[2Jb\nc\u202ed\u009be", CreatedAt: now.Add(-50 * time.Hour), Late: true},
	}}
	for _, tt := range []struct {
		colour bool
		want   string
	}{
		{false, "NUMBER  PRIORITY  STATUS          ASSIGNEE  AGE  SUBJECT\n" +
			"#7      P1        new             -         1m   打印机 is jammed 🖨\n" +
			"#1042   P3        assigned, late  bob       2d   a␛[2Jb␊c\ufffdd\ufffde\n"},
		{true, "\x1b[1mNUMBER\x1b[0m  \x1b[1mPRIORITY\x1b[0m  \x1b[1mSTATUS\x1b[0m          \x1b[1mASSIGNEE\x1b[0m  \x1b[1mAGE\x1b[0m  \x1b[1mSUBJECT\x1b[0m\n" +
			"#7      \x1b[1;31mP1\x1b[0m        \x1b[36mnew\x1b[0m             -         1m   打印机 is jammed 🖨\n" +
			"#1042   P3        \x1b[31massigned, late\x1b[0m  bob       2d   a␛[2Jb␊c\ufffdd\ufffde\n"},
	} {
		var out bytes.Buffer
		if err := page.table(now).write(&out, tt.colour); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != tt.want {
			t.Errorf("got\n%q, want\n%q", got, tt.want)
		}
	}
}

func TestTableAlignsByWhatTextTakes(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tbl := table{{{"打印", ""}, {"x", ""}}, {{"e\u0301e\u0301", ""}, {"x", ""}}, {{"abcd", ""}, {"x", ""}}}
	if err := tbl.write(&out, false); err != nil {
		t.Fatal(err)
	}
	if want := "打印  x\ne\u0301e\u0301    x\nabcd  x\n"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestColoursNeedATerminal(t *testing.T) {
	t.Setenv("NO_COLOR", "")
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if colours(file) {
		t.Error("a file in colours")
	}
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // a character device, as a terminal is
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	t.Setenv("TERM", "xterm")
	if !colours(null) {
		t.Error("no colours on a device")
	}
	t.Setenv("NO_COLOR", "1")
	if colours(null) {
		t.Error("colours in spite of NO_COLOR")
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for line, want := range map[string][]string{
		"deskbell wat":               {"watch"},
		"deskbell act re":            {"release", "reopen", "replan", "reprioritise", "resolve"},
		"deskbell tickets --status ": {"assigned", "cancelled", "closed", "new", "pending", "resolved"},
		"deskbell token re":          {"revoke"},
		"deskbell completion ":       {"bash", "fish", "zsh"},
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "COMP_LINE="+line, fmt.Sprintf("COMP_POINT=%d", len(line)))
		out, err := cmd.Output()
		got := strings.Fields(string(out))
		slices.Sort(got)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v, want %q", line, got, err, want)
		}
	}
}

// told passes on what is written, one write at a time.
type told chan string

func (c told) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}

func (c told) expect(t *testing.T, want string) {
	t.Helper()
	for {
		select {
		case got := <-c:
			if strings.Contains(got, want) {
				return
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("never said %q", want)
		}
	}
}

func TestWatchSurvivesARestart(t *testing.T) {
	t.Parallel()
	serve := func(address, subject string) (string, *http.Server) {
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Get("status") != "new,assigned,pending,resolved" || r.Header.Get("Authorization") != "Bearer secret" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			fmt.Fprintf(w, `{"tickets":[{"number":1,"subject":%q}],"next":null}`, subject)
		})}
		go func() { _ = s.Serve(l) }() // ends with Close
		return l.Addr().String(), s
	}
	address, first := serve("127.0.0.1:0", "before")
	list := ticketsCmd{remote: remote{URL: "http://" + address, Token: "secret"}, Limit: 20, Status: []string{"new", "assigned", "pending", "resolved"}}
	out := make(told)
	b := board{out: out, every: 5 * time.Millisecond, fetch: func(ctx context.Context) ([]byte, error) { return list.fetch(ctx, "GET", list.path(), nil) }}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- b.watch(ctx) }()
	out.expect(t, "before")
	first.Close()
	out.expect(t, "trying again")
	_, second := serve(address, "after")
	defer second.Close()
	out.expect(t, "after")
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("interrupted, it says %v", err)
	}

	refused := board{out: out, every: time.Hour, fetch: func(context.Context) ([]byte, error) { return nil, &refusal{http.StatusUnauthorized, "no"} }}
	if err := refused.watch(t.Context()); err == nil {
		t.Error("a refusal is waited out")
	}
}
