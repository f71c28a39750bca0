package rehearsal

import (
	"cmp"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"deskbell/ticket"
)

// Totals sum up the courses of some tickets.
type Totals struct {
	Messages, Calls      int
	Taken, Late, Overdue int
	waits                []time.Duration // of those taken, sorted
}

// Wait returns the time within which so many of 100, at least 1, of the taken tickets
// were taken; zero when none was.
func (t Totals) Wait(percent int) time.Duration {
	if len(t.waits) == 0 {
		return 0
	}
	return t.waits[(len(t.waits)*percent+99)/100-1]
}

// Sum is what some tickets came to, as they were and as they would have been.
type Sum struct {
	Priority ticket.Priority // empty: all
	Tickets  int
	Was, New Totals
}

// Sums are the sums by priority and, last, of all; those without tickets are left out.
func Sums(all []Compared) []Sum {
	var sums []Sum
	for _, priority := range []ticket.Priority{ticket.P1, ticket.P2, ticket.P3, ticket.P4, ""} {
		s := Sum{Priority: priority}
		for _, c := range all {
			if priority == "" || c.Priority == priority {
				s.Tickets++
				s.Was.add(c.Was)
				s.New.add(c.New)
			}
		}
		slices.Sort(s.Was.waits)
		slices.Sort(s.New.waits)
		if s.Tickets > 0 {
			sums = append(sums, s)
		}
	}
	return sums
}

func (t *Totals) add(c Course) {
	t.Messages += c.Messages
	t.Calls += c.Calls
	if c.Taken {
		t.Taken++
		t.waits = append(t.waits, c.Wait)
	}
	if c.Late {
		t.Late++
	}
	if c.Overdue {
		t.Overdue++
	}
}

// Row is one figure of a report.
type Row struct {
	Priority, What, Was, New string
}

// Rows are the sums in words and figures.
func Rows(sums []Sum) (rows []Row) {
	for _, s := range sums {
		first := fmt.Sprintf("%s: %d tickets", cmp.Or(string(s.Priority), "all"), s.Tickets)
		add := func(what string, was, new any) {
			rows = append(rows, Row{first, what, fmt.Sprint(was), fmt.Sprint(new)})
			first = ""
		}
		add("messages to ask and call", s.Was.Messages, s.New.Messages)
		add("of them calls", s.Was.Calls, s.New.Calls)
		add("half taken within", s.Was.Wait(50).Round(time.Second), s.New.Wait(50).Round(time.Second))
		add("9 of 10 taken within", s.Was.Wait(90).Round(time.Second), s.New.Wait(90).Round(time.Second))
		add("not taken", s.Tickets-s.Was.Taken, s.Tickets-s.New.Taken)
		add("respond target missed", s.Was.Late, s.New.Late)
		add("resolve target missed", s.Was.Overdue, s.New.Overdue)
	}
	return rows
}

// Bar is how many of the tickets were taken within a time, and not within the one
// before.
type Bar struct {
	Within   string
	Was, New int
}

var limits = []struct {
	within time.Duration
	words  string
}{
	{time.Minute, "1 min"}, {5 * time.Minute, "5 min"}, {15 * time.Minute, "15 min"}, {30 * time.Minute, "30 min"},
	{time.Hour, "1 h"}, {4 * time.Hour, "4 h"}, {24 * time.Hour, "1 day"}, {1 << 62, "longer"},
}

// Bars are the waits.
func Bars(all []Compared) []Bar {
	bars := make([]Bar, 0, len(limits)+1)
	never := Bar{Within: "not taken"}
	for i, limit := range limits {
		in := func(c Course) bool {
			return c.Taken && c.Wait <= limit.within && (i == 0 || c.Wait > limits[i-1].within)
		}
		b := Bar{Within: limit.words}
		for _, c := range all {
			b.Was += count(in(c.Was))
			b.New += count(in(c.New))
		}
		bars = append(bars, b)
	}
	for _, c := range all {
		never.Was += count(!c.Was.Taken)
		never.New += count(!c.New.Taken)
	}
	return append(bars, never)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

// barWidth is the longest bar on a terminal.
const barWidth = 40

// Write prints the table and the bars for a terminal, with what is assumed.
func Write(w io.Writer, all []Compared) error {
	table := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintln(table, "\t\twas\twould have been")
	for _, r := range Rows(Sums(all)) {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", r.Priority, r.What, r.Was, r.New)
	}
	if err := table.Flush(); err != nil {
		return err
	}
	bars := Bars(all)
	most := 1
	for _, b := range bars {
		most = max(most, b.Was, b.New)
	}
	fmt.Fprintln(w, "\nTaken within")
	for _, b := range bars {
		fmt.Fprintf(w, "%10s  was %6d %s\n%10s  new %6d %s\n", b.Within, b.Was, strings.Repeat("█", b.Was*barWidth/most), "", b.New, strings.Repeat("▒", b.New*barWidth/most))
	}
	_, err := fmt.Fprintf(w, "\n%s", Assumptions)
	return err
}

// WriteHTML writes the same as a page of its own, with the waits as a picture (SVG),
// light or dark as the reader has it.
func WriteHTML(w io.Writer, title string, all []Compared) error {
	const height, base = 220, 180
	type column struct {
		X, WasY, WasH, NewY, NewH int
		Bar
	}
	view := struct {
		Title, Assumptions string
		Rows               []Row
		Columns            []column
		Width, Height      int
	}{Title: title, Assumptions: Assumptions, Rows: Rows(Sums(all)), Height: height}
	bars := Bars(all)
	most := 1
	for _, b := range bars {
		most = max(most, b.Was, b.New)
	}
	for i, b := range bars {
		was, now := b.Was*(base-20)/most, b.New*(base-20)/most
		view.Columns = append(view.Columns, column{20 + i*90, base - was, was, base - now, now, b})
	}
	view.Width = 20 + len(bars)*90
	return page.Execute(w, view)
}

var page = template.Must(template.New("").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{{.Title}}</title>
<style>
:root { --was: #535e6e; --new: #1c657f; font: 1rem/1.45 system-ui, sans-serif; }
@media (prefers-color-scheme: dark) { :root { --was: #a3aebd; --new: #7cc4de; } }
body { max-width: 60rem; margin: 1.5rem auto; padding: 0 1rem; }
table { border-collapse: collapse; } td, th { padding: 0.15rem 0.9rem 0.15rem 0; text-align: left; } td:nth-child(n+3) { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; } svg text { fill: currentcolor; font-size: 12px; text-anchor: middle; }
.was { fill: var(--was); } .new { fill: var(--new); } pre { white-space: pre-wrap; }
</style>
</head>
<body>
<h1>{{.Title}}</h1>
<svg viewBox="0 0 {{.Width}} {{.Height}}" role="img" aria-label="Tickets by the time within which they were taken, as it was and as it would have been">
{{range .Columns}}<g transform="translate({{.X}} 0)"><rect class="was" x="0" y="{{.WasY}}" width="34" height="{{.WasH}}"><title>was: {{.Was}} within {{.Within}}</title></rect><rect class="new" x="36" y="{{.NewY}}" width="34" height="{{.NewH}}"><title>new: {{.New}} within {{.Within}}</title></rect><text x="17" y="{{.WasY}}" dy="-4">{{.Was}}</text><text x="53" y="{{.NewY}}" dy="-4">{{.New}}</text><text x="35" y="198">{{.Within}}</text></g>
{{end}}</svg>
<p>Tickets by the time within which they were taken: as it was on the left, as it would have been on the right.</p>
<table><thead><tr><th></th><th></th><th>was</th><th>would have been</th></tr></thead><tbody>
{{range .Rows}}<tr><td>{{.Priority}}</td><td>{{.What}}</td><td>{{.Was}}</td><td>{{.New}}</td></tr>
{{end}}</tbody></table>
<pre>{{.Assumptions}}</pre>
</body>
</html>
`))
