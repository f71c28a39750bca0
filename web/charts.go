package web

import (
	"encoding/csv"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"deskbell/desk"
	"deskbell/ticket"
)

// chart is how the figures of one name are shown. Columns are those of the figures;
// the plot shows the first so many.
type chart struct {
	name, title string
	unit        string // time (seconds), count or percent
	key         string
	columns     []string
	plot        int  // columns that are drawn; 0: a table only
	bars        bool // the columns are parts of a whole, drawn on top of each other
	says        func(rows []desk.ChartRow) string
}

var charts = []chart{
	{"claim", "Time until somebody takes it", "time", "Day", []string{"median", "9 of 10 within", "tickets", "within target"}, 2, false, func(rows []desk.ChartRow) string {
		return shareOf(rows, 3, 2, "taken within the target")
	}},
	{"resolve", "Time until it is solved", "time", "Day", []string{"median", "9 of 10 within", "tickets", "within target"}, 2, false, func(rows []desk.ChartRow) string {
		return shareOf(rows, 3, 2, "solved within the target") + " Time in which the requester was asked does not count."
	}},
	{"promises", "Promised wait and real wait", "time", "Day", []string{"promised at most", "waited, median", "promises", "within", "longer"}, 2, false, func(rows []desk.ChartRow) string {
		return shareOf(rows, 3, 2, "taken within the promised time") + " " + shareOf(rows, 4, 2, "later than promised")
	}},
	{"escalations", "Calls to the people on call", "count", "Day", []string{"first step", "second step", "later steps"}, 3, true, func(rows []desk.ChartRow) string {
		return fmt.Sprintf("%.0f calls in all. Each is a ticket that nobody took in time.", sum(rows, 0)+sum(rows, 1)+sum(rows, 2))
	}},
	{"nights", "Calls per night", "count", "Night of", []string{"calls between 22 and 6"}, 1, true, func(rows []desk.ChartRow) string {
		return fmt.Sprintf("%.0f calls woke somebody, in %d nights.", sum(rows, 0), len(rows))
	}},
	{"channels", "How tickets are taken", "count", "Day", []string{"text message", "chat", "page", "API"}, 4, true, func(rows []desk.ChartRow) string {
		phone, all := sum(rows, 0)+sum(rows, 1), sum(rows, 0)+sum(rows, 1)+sum(rows, 2)+sum(rows, 3)
		if all == 0 {
			return ""
		}
		return fmt.Sprintf("%.0f %% are taken from a phone or a chat.", 100*phone/all)
	}},
	{"load", "Who has how much", "count", "Person", []string{"holds now", "took", "solved", "offers", "declined", "left to others"}, 0, false, func([]desk.ChartRow) string {
		return "For planning, not for ranking: who is asked first gets the hardest ones."
	}},
	{"reopened", "Solved, and reopened", "count", "Day", []string{"solved", "reopened"}, 2, false, func(rows []desk.ChartRow) string {
		return shareOf(rows, 1, 0, "came back")
	}},
	{"delivery", "What became of messages", "count", "Day", []string{"text delivered", "text without receipt", "chat sent", "chat failed", "text failed"}, 5, true, func(rows []desk.ChartRow) string {
		sent := sum(rows, 0) + sum(rows, 1) + sum(rows, 4)
		if sent == 0 {
			return ""
		}
		return fmt.Sprintf("%.1f %% of the text messages were delivered for certain, %.1f %% failed.", 100*sum(rows, 0)/sent, 100*sum(rows, 4)/sent)
	}},
	{"queue", "When tickets wait", "count", "Hour", []string{"waiting", "oldest, minutes"}, 0, false, func([]desk.ChartRow) string {
		return "How many wait at each hour of the week, on average."
	}},
	{"unknown", "Messages that were not understood", "count", "Day", []string{"text message", "chat"}, 2, true, func(rows []desk.ChartRow) string {
		return fmt.Sprintf("%.0f in all.", sum(rows, 0)+sum(rows, 1))
	}},
	{"words", "Words that were not understood", "count", "Word", []string{"times"}, 0, false, func([]desk.ChartRow) string {
		return "In short messages, at least twice: the next synonyms."
	}},
}

func sum(rows []desk.ChartRow, column int) float64 {
	total := 0.0
	for _, r := range rows {
		total += r.Values[column]
	}
	return total
}

func shareOf(rows []desk.ChartRow, part, whole int, words string) string {
	all := sum(rows, whole)
	if all == 0 {
		return ""
	}
	return fmt.Sprintf("%.0f %% of %.0f %s.", 100*sum(rows, part)/all, all, words)
}

// chartView is a chart on the page.
type chartView struct {
	ID, Title, Says, Key, CSV string
	Columns                   []string
	Rows                      []chartRow
	Table                     bool // the table is the chart
	Plot                      *plot
	Heat                      *heat
}

type chartRow struct {
	Key   string
	Cells []string
}

// plot is what the script draws.
type plot struct {
	X      []int64  `json:"x"` // seconds
	Unit   string   `json:"unit"`
	Series []series `json:"series"`
}

type series struct {
	Name   string     `json:"name"`
	Bars   bool       `json:"bars,omitempty"`
	Target bool       `json:"target,omitempty"`
	Values []*float64 `json:"values"`
}

// heat is the hours of a week, each with how much it has of the most, in four levels.
type heat struct {
	Hours []string
	Days  []heatDay
}

type heatDay struct {
	Name  string
	Cells []heatCell
}

type heatCell struct {
	Text  string
	Level int
}

func (c chart) view(all desk.Charts, f desk.ChartFilter) chartView {
	rows := all.Figures[c.name]
	out := chartView{ID: c.name, Title: c.title, Key: c.key, Columns: c.columns, Table: c.plot == 0, CSV: "/charts/" + c.name + ".csv?" + query(f).Encode()}
	if len(rows) > 0 {
		out.Says = c.says(rows)
	}
	if c.name == "queue" {
		if len(rows) > 0 {
			out.Heat = heatOf(rows)
		}
		out.Table = false
	}
	for _, r := range rows {
		row := chartRow{Key: r.Key}
		for i, v := range r.Values {
			row.Cells = append(row.Cells, c.cell(i, v))
		}
		out.Rows = append(out.Rows, row)
	}
	if c.plot > 0 && len(rows) > 0 {
		out.Plot = c.plotOf(rows, all, f)
	}
	return out
}

// cell is a figure for a reader. Only the drawn columns have the chart's unit.
func (c chart) cell(column int, value float64) string {
	if c.unit == "time" && column < c.plot {
		return brief(time.Duration(value * float64(time.Second)))
	}
	return strconv.FormatFloat(math.Round(value*10)/10, 'f', -1, 64)
}

// plotOf fills days of which there is nothing to tell: with 0 where things are
// counted, with nothing where they are measured.
func (c chart) plotOf(rows []desk.ChartRow, all desk.Charts, f desk.ChartFilter) *plot {
	p := &plot{Unit: c.unit, Series: make([]series, c.plot)}
	for i := range p.Series {
		p.Series[i].Name, p.Series[i].Bars = c.columns[i], c.bars
	}
	known := map[string][]float64{}
	for _, r := range rows {
		known[r.Key] = r.Values
	}
	step := 1
	if f.Weeks {
		step = 7
	}
	first := time.Date(all.Since.Year(), all.Since.Month(), all.Since.Day(), 0, 0, 0, 0, time.UTC)
	local := all.At.In(all.Since.Location())
	last := time.Date(local.Year(), local.Month(), local.Day(), 0, 0, 0, 0, time.UTC)
	for day := first; !day.After(last); day = day.AddDate(0, 0, step) {
		p.X = append(p.X, day.Unix())
		values, ok := known[day.Format(time.DateOnly)]
		for i := range p.Series {
			switch {
			case ok:
				p.Series[i].Values = append(p.Series[i].Values, &values[i])
			case c.unit == "count":
				p.Series[i].Values = append(p.Series[i].Values, new(0.0))
			default:
				p.Series[i].Values = append(p.Series[i].Values, nil)
			}
		}
	}
	for _, t := range all.Targets[f.Priority] {
		within := map[string]time.Duration{"claim": t.Respond, "resolve": t.Resolve}[c.name]
		if within == 0 {
			continue
		}
		line := series{Name: "target", Target: true, Values: slices.Repeat([]*float64{new(within.Seconds())}, len(p.X))}
		if t.Group != "" {
			line.Name += " of " + t.Group
		}
		p.Series = append(p.Series, line)
	}
	return p
}

func heatOf(rows []desk.ChartRow) *heat {
	most := 0.0
	known := map[string]float64{}
	for _, r := range rows {
		known[r.Key] = r.Values[0]
		most = max(most, r.Values[0])
	}
	h := &heat{}
	for hour := range 24 {
		h.Hours = append(h.Hours, strconv.Itoa(hour))
	}
	for _, day := range []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"} {
		d := heatDay{Name: day}
		for hour := range 24 {
			v := known[fmt.Sprintf("%s %02d:00", day, hour)]
			cell := heatCell{}
			if v >= 0.05 {
				cell.Text, cell.Level = strconv.FormatFloat(v, 'f', 1, 64), max(1, int(math.Ceil(4*v/most)))
				if v >= 9.95 {
					cell.Text = strconv.Itoa(int(math.Round(v)))
				}
			}
			d.Cells = append(d.Cells, cell)
		}
		h.Days = append(h.Days, d)
	}
	return h
}

func chartFilter(r *http.Request) desk.ChartFilter {
	f := desk.ChartFilter{Weeks: r.FormValue("by") == "week"}
	if p := ticket.Priority(r.FormValue("priority")); priorityWords[p] != "" {
		f.Priority = p
	}
	return f
}

func query(f desk.ChartFilter) url.Values {
	q := url.Values{}
	if f.Weeks {
		q.Set("by", "week")
	}
	if f.Priority != "" {
		q.Set("priority", string(f.Priority))
	}
	return q
}

func (p *pages) charts(w http.ResponseWriter, r *http.Request) {
	f := chartFilter(r)
	all, err := p.desk.Charts(r.Context(), f)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	view := struct {
		Page       page
		At         moment
		Span       string
		Weeks      bool
		Priorities []choice
		Charts     []chartView
	}{Page: p.page(r, "Charts", time.Time{}), At: p.viewer.when(all.At, all.At), Span: "The last four weeks", Weeks: f.Weeks, Priorities: priorities(f.Priority, "")}
	if f.Weeks {
		view.Span = "The last half year"
	}
	for _, c := range charts {
		view.Charts = append(view.Charts, c.view(all, f))
	}
	view.Page.Charts = true
	p.write(w, http.StatusOK, "charts page", view)
}

// csv is the figures behind a chart, unrounded: times in seconds.
func (p *pages) csv(w http.ResponseWriter, r *http.Request) {
	name, ok := strings.CutSuffix(r.PathValue("name"), ".csv")
	i := slices.IndexFunc(charts, func(c chart) bool { return c.name == name })
	if !ok || i < 0 {
		p.fail(w, r, desk.ErrNotFound)
		return
	}
	all, err := p.desk.Charts(r.Context(), chartFilter(r))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="`+name+`.csv"`)
	out := csv.NewWriter(w)
	_ = out.Write(append([]string{charts[i].key}, charts[i].columns...)) // Error tells of all
	for _, row := range all.Figures[name] {
		record := []string{row.Key}
		for _, v := range row.Values {
			record = append(record, strconv.FormatFloat(v, 'f', -1, 64))
		}
		_ = out.Write(record)
	}
	if out.Flush(); out.Error() != nil {
		p.log.DebugContext(r.Context(), "reader gone", "error", out.Error())
	}
}
