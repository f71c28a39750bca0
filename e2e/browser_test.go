package e2e

import (
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// browser is a headless Chromium.
type browser struct{ *node }

// see waits until one element of the selector has all the texts.
func (b browser) see(page, selector string, texts ...string) {
	b.t.Helper()
	b.do("see", page, map[string]any{"selector": selector, "texts": texts})
}

func (b browser) press(page, selector string) {
	b.t.Helper()
	b.do("press", page, map[string]any{"selector": selector})
}

func (b browser) fill(page, selector, text string) {
	b.t.Helper()
	b.do("fill", page, map[string]any{"selector": selector, "text": text})
}

// signIn has a person sign in with the link that the phone gets. The page is the
// person's own.
func (b browser) signIn(desk *Desk, p *Person) {
	b.t.Helper()
	b.do("open", p.ID, map[string]any{"url": desk.HTTP + "/sign-in", "as": p.ID})
	b.enter(p)
}

// enter is the rest of a sign-in, from the page that asks who is there.
func (b browser) enter(p *Person) {
	b.t.Helper()
	b.do("type", p.ID, map[string]any{"selector": "#who", "text": p.ID})
	b.see(p.ID, "h1", "Look at your")
	said := p.Phone().Read("Helpdesk sign-in").Text
	link := regexp.MustCompile(`http://\S+/sign-in/\S+`).FindString(said)
	if link == "" {
		b.t.Fatalf("no link in %q", said)
	}
	b.do("open", p.ID, map[string]any{"url": link, "as": p.ID})
	b.press(p.ID, "form:not([action]) button")
	b.see(p.ID, ".top .you", p.Name)
}

// inspect looks at a page in both colours and at two widths. With -artifacts it keeps
// pictures.
func (b browser) inspect(page, name string) {
	b.t.Helper()
	var more map[string]any
	if flag.Lookup("test.artifacts").Value.String() == "true" {
		more = map[string]any{"path": filepath.Join(b.t.ArtifactDir(), name)}
	}
	_, wrong := b.do("inspect", page, more)
	if wrong != "" {
		b.t.Errorf("%s:\n%s", name, wrong)
	}
}

// byPages is a request from its first word to its end, by the pages of whoever asks,
// of an agent with a phone and of a manager; every page is inspected on the way.
func byPages(desk *Desk, b browser) {
	ann, bob, joe, meg := desk.Person("ann"), desk.Person("bob"), desk.Person("joe"), desk.Person("meg")
	aside(desk, "is on your request", "is solved", "is open again", "NO", "answer", "not fixed", "closed")
	desk.Advance(time.Minute) // offers within a minute are bundled
	b.signIn(desk, ann)
	b.signIn(desk, meg)
	visit := func(who *Person, path string) {
		b.do("open", who.ID, map[string]any{"url": desk.HTTP + path, "as": who.ID})
	}
	b.inspect("board", "board")
	visit(ann, "/new")
	b.inspect("ann", "new")
	b.fill("ann", "[name=subject]", "Plotter draws only circles")
	b.fill("ann", "[name=body]", "Since this morning.\nEverything is round.")
	b.press("ann", "main button")
	b.see("ann", ".steps .now", "Taken")
	b.see("ann", ".talk", "Everything is round.")
	b.inspect("ann", "request")
	offer := bob.Phone().Read("Plotter draws only circles", "to take").Text
	n, err := strconv.Atoi(regexp.MustCompile(`#(\d+)`).FindStringSubmatch(offer)[1])
	if err != nil {
		b.t.Fatal(err)
	}
	desk.mine = append(desk.mine, n)

	visit(meg, fmt.Sprintf("/tickets/%d", n))
	bob.Phone().Reply(fmt.Sprint(n)).Expect(number(n) + " is yours")
	b.see("ann", ".steps .now", "Taken", "Bob")
	b.see("meg", "#live", "Bob is on it")
	bob.Phone().Reply(fmt.Sprintf("ask %d Which plotter, the old one?", n))
	b.see("ann", ".talk .said", "Which plotter, the old one?")
	b.see("ann", ".steps .now", "Question")
	ann.Phone().Expect("Which plotter")
	b.fill("ann", "[name=text]", "The old one, yes.")
	b.press("ann", "form[action$='/write'] button")
	bob.Phone().Expect("The old one, yes.")
	b.see("meg", ".talk .said", "The old one, yes.")
	b.do("attach", "ann", map[string]any{"selector": "#file", "name": "circles.txt", "text": "O O O"})
	b.press("ann", "#add-file button")
	bob.Phone().Expect("circles.txt")
	b.see("ann", "section[aria-labelledby=files] a", "circles.txt")
	b.see("meg", "section[aria-labelledby=files] a", "circles.txt")
	b.press("meg", "#verb-note summary")
	b.fill("meg", "#verb-note textarea", "Third time this month.")
	b.press("meg", "#verb-note button")
	b.see("meg", ".talk .note", "Third time this month.")
	b.press("meg", "#announce summary")
	b.fill("meg", "#announce textarea", "Plotters draw only circles.")
	b.press("meg", "#announce button")
	b.see("meg", "section[aria-labelledby=incident]", "1 person is affected")
	b.inspect("meg", "ticket")
	b.see("board", ".incident", "Plotters draw only circles.")
	b.inspect("board", "board-incident")
	visit(joe, "/")
	b.press("joe", ".incident button") // nobody knows yet whose
	b.enter(joe)
	b.see("joe", "h1", "Does this affect you too?")
	b.inspect("joe", "incident")
	b.press("joe", ".incident button")
	b.see("joe", ".incident", "2 people are affected", "You are counted")
	visit(joe, "/new")
	b.fill("joe", "[name=subject]", " ")
	b.press("joe", "form[action='/new'] button")
	b.see("joe", "[role=alert]", "Please say in a few words")
	b.inspect("joe", "new-refused")
	bob.Phone().Reply(fmt.Sprintf("c%d new pen", n)).Expect("closed")
	joe.Phone().Expect("Solved: Plotters draw only circles")
	b.see("board", "main:not(:has(.incident))", "Who is here")
	b.see("ann", ".steps .done", "Solved", "Bob")
	b.press("ann", "#verb-reopen summary")
	b.fill("ann", "#verb-reopen textarea", "Now it draws squares.")
	b.press("ann", "#verb-reopen button")
	b.see("ann", ".steps .now", "Taken")
	bob.Phone().Expect("Now it draws squares.")
	b.see("meg", "#live", "Bob is on it")
	if _, text := b.do("text", "ann", nil); strings.Contains(text, "Third time this month") {
		b.t.Error("the requester reads an internal note")
	}
	b.press("meg", "form[action$='/close'] button")
	b.see("ann", ".steps .done", "Solved")
	desk.Await(n, "closed", "bob")
	joe.Phone().Expect("Solved: Plotters draw only circles") // it was known again

	b.inspect("ann", "request-solved")
	lostClaim(desk, b)
	laterOrElsewhere(desk, b)
	crowded(desk, b)
	holes(desk, b)

	visit(ann, "/charts")
	b.see("ann", "main", "for those who work here")
	b.inspect("ann", "forbidden")
	visit(meg, "/tickets?q=unheardof")
	b.inspect("meg", "tickets-none")
	visit(meg, "/charts?priority=P4")
	b.see("meg", ".card", "Nothing to show for this time.")
	b.inspect("meg", "charts-none")
	visit(meg, "/directory")
	b.fill("meg", "[name=id]", "bob")
	b.fill("meg", "[name=name]", "Bob")
	b.press("meg", "form[action='/directory'][method=post] button")
	b.see("meg", "[role=alert]", "Please look at it again")
	b.inspect("meg", "directory-refused")
	for _, path := range []string{"tickets?status=all", "people", "charts", "rehearsal", "policy", "directory", "directory/ann", "wall", fmt.Sprintf("tickets/%d/why", n)} {
		visit(meg, "/"+path)
		name, _, _ := strings.Cut(path, "?")
		b.inspect("meg", path[strings.LastIndex(name, "/")+1:len(name)])
	}
	b.do("open", "stranger", map[string]any{"url": desk.HTTP + "/sign-in", "as": "stranger"})
	b.inspect("stranger", "sign-in")
	b.do("open", "stranger", map[string]any{"url": desk.HTTP + "/sign-in/used", "as": "stranger"})
	b.press("stranger", "form:not([action]) button")
	b.see("stranger", "h1", "not good any more")
	b.inspect("stranger", "sign-in-refused")
	b.do("open", "stranger", map[string]any{"url": desk.HTTP + "/t/nothing", "as": "stranger"})
	b.inspect("stranger", "missing")
}

// lostClaim has a manager take what somebody else just took, on a page that has not heard
// of it and on one without scripts; then whoever asked withdraws it.
func lostClaim(desk *Desk, b browser) {
	ann, bob := desk.Person("ann"), desk.Person("bob")
	aside(desk, "to take")
	n := ann.Submit("Scanner beeps", "P3")
	open := map[string]any{"url": fmt.Sprintf("%s/tickets/%d", desk.HTTP, n), "as": "meg"}
	open["still"] = true
	b.do("open", "still", open)
	delete(open, "still")
	open["scripts"] = false
	b.do("open", "plain", open)
	bob.Phone().Reply(fmt.Sprint(n)).Expect(number(n) + " is yours")
	for _, page := range []string{"still", "plain"} {
		b.press(page, "form[action$='/claim'] button")
		b.do("read", page, map[string]any{"selector": "[role=alert]", "texts": []string{"Bob"}})
	}
	b.inspect("still", "ticket-refused")
	b.do("open", "ann", map[string]any{"url": fmt.Sprintf("%s/tickets/%d", desk.HTTP, n)})
	b.press("ann", "form[action$='/withdraw'] button")
	b.see("ann", ".steps .done", "Withdrawn")
	bob.Phone().Expect("has withdrawn " + number(n))
	b.inspect("ann", "request-withdrawn")
}

// laterOrElsewhere looks at a ticket that waits for its time, and at one that goes on as another.
func laterOrElsewhere(desk *Desk, b browser) {
	ann, bob := desk.Person("ann"), desk.Person("bob")
	aside(desk, "to take", "is planned for")
	first, second := ann.Submit("Keyboard sticks", "P3"), ann.Submit("Keys stick", "P3")
	for _, n := range []int{first, second} {
		bob.Phone().Reply(fmt.Sprint(n)).Expect(number(n) + " is yours")
	}
	see := func(page string, n int, selector, text, name string) {
		b.do("open", page, map[string]any{"url": fmt.Sprintf("%s/tickets/%d", desk.HTTP, n)})
		b.see(page, selector, text)
		b.inspect(page, name)
	}
	bob.Phone().Reply(fmt.Sprintf("snooze %d 2h", first)).Expect("sleeps until")
	desk.Await(first, "pending", "bob")
	see("meg", first, "#live", "on hold", "ticket-pending")
	see("ann", first, ".steps .now", "", "request-pending")
	b.do("open", "meg", map[string]any{"url": fmt.Sprintf("%s/tickets/%d", desk.HTTP, second)})
	b.press("meg", "#verb-merge summary")
	b.fill("meg", "#verb-merge [name=to]", fmt.Sprint(first))
	b.press("meg", "#verb-merge button")
	see("meg", second, "#live", number(first), "ticket-merged")
	see("ann", second, ".steps", number(first), "request-merged")
	bob.Phone().Reply(fmt.Sprintf("c%d cleaned", first)).Expect("closed")
}

// holes looks at a rehearsal while nobody who is on call or manages can be reached.
func holes(desk *Desk, b browser) {
	const stop = "UPDATE people SET stopped = $1 WHERE roles && '{oncall,manager}'"
	if _, err := desk.db.Exec(b.t.Context(), stop, true); err != nil {
		b.t.Fatal(err)
	}
	defer func() {
		if _, err := desk.db.Exec(b.t.Context(), stop, false); err != nil {
			b.t.Error(err)
		}
	}()
	b.do("open", "meg", map[string]any{"url": desk.HTTP + "/rehearsal"})
	b.see("meg", "li.hole", "Hole:")
	b.inspect("meg", "rehearsal-holes")
}

// crowded looks at the pages while more waits, and more is in work, than they name.
func crowded(desk *Desk, b browser) {
	if _, err := desk.db.Exec(b.t.Context(), crowd); err != nil {
		b.t.Fatal(err)
	}
	defer func() {
		if _, err := desk.db.Exec(b.t.Context(), "DELETE FROM tickets WHERE number > 900000"); err != nil {
			b.t.Error(err)
		}
	}()
	b.do("open", "board", map[string]any{"url": desk.HTTP + "/"})
	b.see("board", "section[aria-labelledby=waiting] .none", "and 20 more")
	b.see("board", "section[aria-labelledby=working] .none", "and 21 more") // Bob held one before
	b.see("board", ".people li", "Bob", "and 116 more")
	b.inspect("board", "board-crowded")
	b.do("open", "meg", map[string]any{"url": desk.HTTP + "/tickets?status=all"})
	b.press("meg", "main .lead a")
	b.see("meg", "td.number", "#900")
	b.inspect("meg", "tickets-older")
}

// crowd copies the first ticket: 120 that wait, 120 in work and 60 that are over, by turns,
// of every priority.
const crowd = `
INSERT INTO tickets (number, version, status, priority, requester, assignee, created_at, doc)
SELECT n, version, s, p, requester, a, created_at, doc || jsonb_build_object('number', n, 'status', s, 'priority', p, 'assignee', jsonb_build_object('id', a, 'name', initcap(a)))
FROM (SELECT * FROM tickets ORDER BY number LIMIT 1) one,
    LATERAL (SELECT 900000 + i AS n, (ARRAY['new', 'assigned', 'new', 'pending', (ARRAY['resolved', 'closed', 'cancelled'])[1 + i % 3]])[1 + i % 5] AS s, 'P' || 1 + i % 4 AS p,
        CASE WHEN i % 5 IN (0, 2) THEN '' ELSE 'bob' END AS a FROM generate_series(1, 300) i) each`

// wallOfAKilled kills the server behind a wall: its dot must say so, and that it lives
// when the server is back.
func wallOfAKilled(desk *Desk, b browser) {
	address := freeAddress()
	serve := func() *exec.Cmd {
		command := exec.Command(program(b.t), "serve", "api")
		command.Env = append(environment(), "DATABASE_URL="+desk.DatabaseURL, "TEMPORAL_ADDRESS="+desk.Temporal, "DESKBELL_HTTP_ADDR="+address,
			"DESKBELL_PUBLIC_URL=http://"+address, "DESKBELL_OPEN_BOARD=true", "DESKBELL_TOKEN_KEY="+strings.Repeat("k", 32))
		command.Stderr = b.t.Output()
		if err := command.Start(); err != nil {
			b.t.Fatal(err)
		}
		if !eventually(startLimit, func() bool {
			response, err := http.Get("http://" + address + "/healthz")
			if err == nil {
				_ = response.Body.Close()
			}
			return err == nil
		}) {
			b.t.Fatal("no server")
		}
		return command
	}
	kill := func(command *exec.Cmd) {
		if err := command.Process.Kill(); err != nil {
			b.t.Fatal(err)
		}
		_ = command.Wait() // it was killed
	}
	first := serve()
	b.do("open", "wall", map[string]any{"url": "http://" + address + "/wall"})
	b.see("wall", "#freshness", "live")
	kill(first)
	b.see("wall", "#freshness[data-state=lost]", "disconnected")
	b.inspect("wall", "wall-lost")
	second := serve()
	defer kill(second)
	b.see("wall", "#freshness[data-state=live]", "live")
	b.do("kept", "wall", nil)
}

// do has a command done and returns when it was, in milliseconds, and its text.
func (b browser) do(command string, page string, more map[string]any) (int64, string) {
	b.t.Helper()
	c := map[string]any{"do": command, "page": page, "timeout": 2 * Patience.Milliseconds()}
	for k, v := range more {
		c[k] = v
	}
	b.tell(c)
	var answer struct {
		At          int64
		Error, Text string
	}
	if err := b.hear(&answer); err != nil {
		b.t.Fatal(err)
	}
	if answer.Error != "" {
		if command != "open" {
			_, text := b.do("text", page, nil)
			b.t.Logf("the page %s:\n%s", page, text)
		}
		b.t.Fatalf("%s on %s: %s", command, page, answer.Error)
	}
	return answer.At, answer.Text
}

// pages claims by the page of phones and by a browser chat, and watches the board.
func pages(t *testing.T, desk *Desk) {
	b := browser{startNode(t, "testdata/browser", "drive.js", chromium(t))}
	ann, bob := desk.Person("ann"), desk.Person("bob")
	aside(desk, "we have your request", "is on your request")
	desk.Free("bob")
	b.do("open", "board", map[string]any{"url": desk.HTTP + "/"})
	b.inspect("board", "board-empty")
	b.do("open", "phone", map[string]any{"url": desk.Phones + "/?phone=" + url.QueryEscape(bob.Number)})

	n := ann.Submit("Scanner hums", "P3")
	b.do("see", "board", map[string]any{"selector": "section[aria-labelledby=waiting] li", "texts": []string{number(n), "Scanner hums"}})
	bob.Phone().Expect(number(n), "to take")
	b.do("see", "phone", map[string]any{"selector": "li", "texts": []string{number(n), "Scanner hums"}})
	typed, _ := b.do("type", "phone", map[string]any{"selector": "textarea", "text": fmt.Sprint(n)})
	shown, _ := b.do("see", "board", map[string]any{"selector": "section[aria-labelledby=working] li", "texts": []string{number(n), "Bob"}})
	t.Logf("the board shows a claim %d ms after it was typed", shown-typed)
	if shown-typed > time.Second.Milliseconds() {
		t.Errorf("the board shows a claim after %d ms, want a second", shown-typed)
	}
	b.do("see", "board", map[string]any{"selector": "section[aria-labelledby=people] li", "texts": []string{"Bob", number(n)}})
	b.do("kept", "board", nil)
	bob.Phone().Expect(number(n) + " is yours")
	b.do("see", "phone", map[string]any{"selector": "li", "texts": []string{number(n) + " is yours"}})

	byPages(desk, b)
	wallOfAKilled(desk, b)

	b.do("open", "chat", map[string]any{"url": desk.Phones + "/chat/bob"})
	desk.presence(bob, "available")
	desk.Advance(time.Minute) // offers within a minute are bundled
	n = ann.Submit("Monitor flickers", "P3")
	b.do("see", "chat", map[string]any{"selector": ".chat-msg__text", "texts": []string{number(n), "Monitor flickers"}})
	b.do("type", "chat", map[string]any{"selector": "textarea.chat-textarea", "text": fmt.Sprint(n)})
	b.do("see", "chat", map[string]any{"selector": ".chat-msg__text", "texts": []string{number(n) + " is yours"}})
	b.do("see", "board", map[string]any{"selector": "section[aria-labelledby=working] li", "texts": []string{number(n), "Bob"}})
	b.do("kept", "board", nil)
	desk.Await(n, "assigned", "bob")
}
