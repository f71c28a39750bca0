package web

import (
	"net/http"
	"time"

	"deskbell/desk"
	"deskbell/ticket"
)

// policy shows the policy that runs, in words and pictures.
func (p *pages) policy(w http.ResponseWriter, r *http.Request) {
	v, err := p.desk.RunningPolicy(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	p.write(w, http.StatusOK, "policy page", struct {
		Page page
		desk.PolicyView
	}{p.page(r, "Policy", p.now()), v})
}

// shownWaves keeps the marks of waves apart; the words say how often they come.
const shownWaves = 12

// planned draws who is asked and called by a plan while nobody takes a ticket, until its
// last step.
func planned(plan ticket.Plan) picture {
	var p picture
	until := plan.Wave.Every
	if n := len(plan.Steps); n > 0 {
		until = plan.Steps[n-1].After
	}
	x := func(after time.Duration) int {
		return pictureLeft + int(float64(pictureRight-pictureLeft)*float64(after)/float64(until))
	}
	asked := p.row("people on duty")
	every := plan.Wave.Every * max(1, until/plan.Wave.Every/shownWaves)
	for after := time.Duration(0); after < until; after += every {
		p.Marks = append(p.Marks, mark{x(after), asked, "offer", "asked after " + distance(after)})
	}
	p.Ticks = []tick{{x(0), "comes in"}}
	for _, s := range plan.Steps {
		kind := "page"
		if s.To == "manager" {
			kind = "mgr_nobody"
		}
		p.Marks = append(p.Marks, mark{x(s.After), p.row(stepWords(s.To)), kind, "after " + distance(s.After) + ": " + stepWords(s.To) + " is called"})
		p.Ticks = append(p.Ticks, tick{x(s.After), distance(s.After)})
	}
	return p
}
