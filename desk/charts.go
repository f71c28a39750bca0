package desk

import (
	"context"
	"fmt"
	"sync"
	"time"

	"deskbell/store"
	"deskbell/ticket"
)

// ChartRow is a row of a chart's figures: what it is about, such as 2026-03-02, and a
// value for each column.
type ChartRow struct {
	Key    string
	Values []float64
}

// Charts are the figures of every chart by its name.
type Charts struct {
	At      time.Time // when they were read
	Since   time.Time
	Figures map[string][]ChartRow
	Targets map[ticket.Priority][]Target // of the policy: of all, then of the groups that have others
}

// Target is how long a claim and a solution may take; 0 for no target.
type Target struct {
	Group            string // empty: of all that have none of their own
	Respond, Resolve time.Duration
}

// ChartFilter says what the charts are about.
type ChartFilter struct {
	Weeks    bool            // a row stands for a week, not for a day
	Priority ticket.Priority // empty for all
}

const (
	chartDays  = 28 // four of each weekday
	chartWeeks = 26 // half a year; what they show must not be forgotten sooner, see DESKBELL_KEEP_DAYS
	// chartsLast is how old figures may be before they are read again. They are about
	// days; reading a hundred thousand tickets takes seconds.
	chartsLast = 5 * time.Minute
	// chartsPatience bounds a reading whose caller may have left.
	chartsPatience = time.Minute
)

// charts keeps the figures that were read. Old ones are shown while new ones are
// read.
type charts struct {
	mu   sync.Mutex
	kept map[ChartFilter]*keptCharts
}

type keptCharts struct {
	known   chan struct{} // closed when the figures were read for the first time
	reading bool
	charts  Charts
	err     error
}

// Charts returns the figures, at most some minutes old while somebody looks at them:
// of those who look when they are too old, the first reads them anew, and the others
// see the old ones.
func (d *Desk) Charts(ctx context.Context, f ChartFilter) (Charts, error) {
	k, mine := d.charts.take(f, d.Clock.Now())
	if mine {
		return d.readCharts(ctx, f, k)
	}
	select {
	case <-ctx.Done():
		return Charts{}, ctx.Err()
	case <-k.known:
		d.charts.mu.Lock()
		defer d.charts.mu.Unlock()
		return k.charts, k.err
	}
}

// take returns the figures that are kept, and whether the caller must read them.
func (c *charts) take(f ChartFilter, now time.Time) (k *keptCharts, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[ChartFilter]*keptCharts{}
	}
	k = c.kept[f]
	switch {
	case k == nil || k.err != nil:
		k = &keptCharts{known: make(chan struct{}), reading: true}
		c.kept[f] = k
		return k, true
	case k.reading:
		return k, false
	}
	age := now.Sub(k.charts.At)
	k.reading = age > chartsLast || age < 0
	return k, k.reading
}

// readCharts goes on when its caller leaves: others wait.
func (d *Desk) readCharts(ctx context.Context, f ChartFilter, k *keptCharts) (Charts, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), chartsPatience)
	defer cancel()
	read, err := d.chartsNow(ctx, f)
	d.charts.mu.Lock()
	defer d.charts.mu.Unlock()
	first := k.charts.At.IsZero()
	if k.reading = false; err == nil || first {
		k.charts, k.err = read, err
	}
	if first {
		close(k.known)
	}
	return k.charts, k.err
}

func (d *Desk) chartsNow(ctx context.Context, f ChartFilter) (Charts, error) {
	now := d.Clock.Now()
	day := now.In(d.Zone)
	since := time.Date(day.Year(), day.Month(), day.Day()-chartDays+1, 0, 0, 0, 0, d.Zone)
	unit := "day"
	if f.Weeks {
		monday := day.Day() - (int(day.Weekday())+6)%7
		since, unit = time.Date(day.Year(), day.Month(), monday-7*(chartWeeks-1), 0, 0, 0, 0, d.Zone), "week"
	}
	c := Charts{At: now, Since: since, Figures: map[string][]ChartRow{}, Targets: map[ticket.Priority][]Target{}}
	figures, err := d.Store.Charts(ctx, store.ChartFilter{Since: since, Unit: unit, Zone: zoneName(now.In(d.Zone)), Priority: f.Priority})
	if err != nil {
		return Charts{}, outside(err)
	}
	for name, rows := range figures {
		list := make([]ChartRow, len(rows))
		for i, r := range rows {
			list[i] = ChartRow(r)
		}
		c.Figures[name] = list
	}
	for _, p := range []ticket.Priority{ticket.P1, ticket.P2, ticket.P3, ticket.P4} {
		c.Targets[p] = d.targets(p)
	}
	return c, nil
}

// targets are a priority's, each group with its own.
func (d *Desk) targets(p ticket.Priority) []Target {
	all := d.Policy.For(p)
	list := []Target{{"", all.Respond, all.Resolve}}
	for _, group := range d.Policy.Groups() {
		own := d.Policy.Group(group).For(p)
		if own.Respond != all.Respond || own.Resolve != all.Resolve {
			list = append(list, Target{group, own.Respond, own.Resolve})
		}
	}
	return list
}

// zoneName is the zone of a time as PostgreSQL knows it. The machine's own has no
// name, and stands for its distance of that day, which PostgreSQL counts westward.
func zoneName(at time.Time) string {
	if name := at.Location().String(); name != "Local" {
		return name
	}
	_, east := at.Zone()
	sign := '-'
	if east < 0 {
		sign, east = '+', -east
	}
	return fmt.Sprintf("%c%02d:%02d", sign, east/3600, east/60%60)
}
