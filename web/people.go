package web

import (
	"net/http"
	"slices"

	"deskbell/desk"
	"deskbell/signin"
)

// peopleView is who works here, who is there, and who is called when.
type peopleView struct {
	OnCall []string
	Then   string
	Until  *moment
	Rows   []personRow
	Shifts []shiftRow
}

type personRow struct {
	Name, State, Now, Presence, Channel string
	On                                  []int
	Since, Seen                         *moment
}

type shiftRow struct {
	From, Until                     moment
	Person, Instead, Rotation, Hole string
}

var presenceWords = map[string]string{"available": "available in chat", "away": "away", "busy": "busy in chat", "offline": "not in chat", "unknown": "not known"}

func (v viewer) people(in desk.RosterView) peopleView {
	out := peopleView{Until: v.at(in.OnCall.Until, in.At)}
	for _, id := range in.OnCall.People {
		out.OnCall = append(out.OnCall, nameOf(in.Names, id))
	}
	if len(out.OnCall) > 1 {
		out.Then = list(out.OnCall[1:])
	}
	for _, a := range in.Agents {
		row := personRow{Name: a.Name, Presence: presenceWords[a.Presence], Channel: reachWords[a.Via], Since: v.at(a.Since, in.At), Seen: v.at(a.LastSeen, in.At)}
		if a.Reason != "" {
			row.Presence += " (" + a.Reason + ")"
		}
		switch {
		case len(a.Holding) > 0:
			row.State, row.Now, row.On = "working", "on", a.Holding
		case a.Presence == "away":
			row.State, row.Now = "away", "away"
		case slices.Contains(in.OnCall.People, a.ID):
			row.State, row.Now = "oncall", "on call"
		case !a.OnDuty:
			row.State, row.Now = "off", "off duty"
		case a.Presence == "busy":
			row.State, row.Now = "busy", "busy"
		default:
			row.State, row.Now = "free", "free"
		}
		out.Rows = append(out.Rows, row)
	}
	for _, s := range in.Shifts {
		out.Shifts = append(out.Shifts, shiftRow{From: v.when(s.From, in.At), Until: v.when(s.Until, in.At), Person: nameOf(in.Names, s.Person), Instead: nameOf(in.Names, s.Instead), Rotation: s.Rotation, Hole: string(s.Hole)})
	}
	return out
}

func nameOf(names map[string]string, id string) string {
	if name := names[id]; name != "" {
		return name
	}
	return id
}

func (p *pages) people(w http.ResponseWriter, r *http.Request) {
	in, err := p.desk.Roster(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	view := struct {
		Page    page
		People  peopleView
		Manages bool
	}{p.page(r, "People", in.At), p.viewer.people(in), signin.Caller(r.Context()).May(desk.AsManager)}
	view.Page.Live = true
	p.write(w, http.StatusOK, "people page", view)
}
