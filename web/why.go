package web

import (
	"time"

	"deskbell/desk"
	"deskbell/ticket"
)

// why is what the page of a ticket's decisions shows. Like the board it names nobody
// who asked for help, and repeats nobody's words.
type why struct {
	Number      int
	Status      string
	WorkflowURL string
	Decisions   []decision
	Next        string
}

type decision struct {
	At        moment
	Words     string
	There     []string // who could be chosen, and how they stood
	NotThere  []string
	Delivered []string
}

func (v viewer) why(w desk.WhyView) why {
	out := why{Number: w.Number, Status: statusWords[w.Status], WorkflowURL: v.workflow(w.Number), Next: w.Next}
	today := time.Time{}
	if n := len(w.Decisions); n > 0 {
		today = w.Decisions[n-1].At
	}
	for _, d := range w.Decisions {
		if d.Event == ticket.Planned {
			continue
		}
		view := decision{At: v.when(d.At, today), Words: decided(d)}
		for _, s := range d.Seen {
			if s.Out != "" {
				view.NotThere = append(view.NotThere, s.Name+" ("+s.Out+")")
				continue
			}
			view.There = append(view.There, s.Name+stands(s))
		}
		for _, f := range d.Delivered {
			view.Delivered = append(view.Delivered, delivered(f))
		}
		out.Decisions = append(out.Decisions, view)
	}
	return out
}
