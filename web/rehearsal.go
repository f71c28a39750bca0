package web

import (
	"cmp"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"deskbell/desk"
	"deskbell/ticket"
)

// rehearsed is what the page of a rehearsal shows.
type rehearsed struct {
	Page       page
	Priority   ticket.Priority
	Priorities []ticket.Priority
	Group      string
	At         string // as a datetime-local field has it
	From       moment
	Holes      int
	Lines      []rehearsedLine
	Picture    picture
	Problem    string // with what was asked for
}

type rehearsedLine struct {
	At    moment
	After string
	Words string
	Hole  bool
}

// picture is the timeline, in the units of its view box.
type picture struct {
	Ticks []tick
	Rows  []pictureRow
	Marks []mark
}

type tick struct {
	X     int
	Label string
}

type pictureRow struct {
	Y    int
	Name string
}

type mark struct {
	X, Y  int
	Kind  string // offer, reminder, page, mgr_nobody, hole
	Title string
}

// rehearsedWords say what somebody gets.
var rehearsedWords = map[string]string{"offer": "is asked", "reminder": "is asked again", "page": "is called", "mgr_nobody": "is called as manager"}

const fieldTime = "2006-01-02T15:04"

// rehearse shows what would happen to a ticket that nobody takes.
func (p *pages) rehearse(w http.ResponseWriter, r *http.Request) {
	priority, at, problem := ticket.Priority(cmp.Or(r.FormValue("priority"), string(ticket.P1))), p.now(), ""
	if _, known := priorityWords[priority]; !known {
		priority, problem = ticket.P1, "There is no such priority; this is for P1."
	}
	if text := r.FormValue("at"); text != "" {
		if t, err := time.ParseInLocation(fieldTime, text, p.viewer.zone); err == nil {
			at = t
		} else {
			problem = "That is no time; this is for now."
		}
	}
	view, err := p.desk.Rehearse(r.Context(), priority, r.FormValue("group"), at)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	out := p.viewer.rehearsed(view)
	out.Page, out.Problem = p.page(r, "Rehearsal", time.Time{}), problem
	p.write(w, http.StatusOK, "rehearsal page", out)
}

func (v viewer) rehearsed(r desk.RehearsalView) rehearsed {
	out := rehearsed{Priority: r.Priority, Priorities: slices.Sorted(maps.Keys(priorityWords)), Group: r.Group,
		At: r.At.In(v.zone).Format(fieldTime), From: v.when(r.At, time.Time{}), Holes: r.Holes, Picture: v.picture(r)}
	for _, l := range r.Lines {
		out.Lines = append(out.Lines, rehearsedLine{v.when(l.At, r.At), "+" + distance(l.At.Sub(r.At)), rehearsedText(l), l.Hole != ""})
	}
	return out
}

func rehearsedText(l desk.RehearsedLine) string {
	if l.Hole != "" {
		return l.Hole
	}
	return l.Name + " " + rehearsedWords[l.Message] + " " + reachWords[l.Channel]
}

// distance is a duration in its two largest units.
func distance(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour && d%time.Minute == 0:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	case d%time.Hour == 0:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// Sizes of the picture: a row is a line of text, and the labels have room for a name of
// twenty letters.
const (
	pictureWidth = 900
	pictureLeft  = 170
	pictureRight = 870
	rowHeight    = 34
	pictureTicks = 5
)

// row adds a row and returns where it is.
func (p *picture) row(name string) (y int) {
	y = rowHeight/2 + len(p.Rows)*rowHeight
	p.Rows = append(p.Rows, pictureRow{y, name})
	return y
}

func (p picture) Width() int  { return pictureWidth }
func (p picture) Left() int   { return pictureLeft }
func (p picture) Right() int  { return pictureRight }
func (p picture) Bottom() int { return max(1, len(p.Rows)) * rowHeight }
func (p picture) Height() int { return p.Bottom() + rowHeight }

func (v viewer) picture(r desk.RehearsalView) picture {
	var p picture
	whole := max(r.Until.Sub(r.At), time.Second)
	x := func(at time.Time) int {
		return pictureLeft + int(float64(pictureRight-pictureLeft)*float64(at.Sub(r.At))/float64(whole))
	}
	rows := map[string]int{}
	for _, l := range r.Lines {
		name := l.Name
		if l.Hole != "" {
			name = "nobody"
		}
		if _, known := rows[name]; !known {
			rows[name] = p.row(name)
		}
		m := mark{x(l.At), rows[name], l.Message, v.when(l.At, r.At).Text + " " + rehearsedText(l)}
		if l.Hole != "" {
			m.Kind = "hole"
		}
		if !slices.ContainsFunc(p.Marks, func(o mark) bool { return o.X == m.X && o.Y == m.Y && o.Kind == m.Kind }) { // two channels, one call
			p.Marks = append(p.Marks, m)
		}
	}
	for i := range pictureTicks {
		at := r.At.Add(whole * time.Duration(i) / (pictureTicks - 1))
		label := v.when(at, r.At).Text
		if whole < pictureTicks*time.Minute { // a minute would stand there twice
			label = "+" + distance(at.Sub(r.At))
		}
		p.Ticks = append(p.Ticks, tick{x(at), label})
	}
	return p
}
