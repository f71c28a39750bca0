package desk

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"deskbell/store"
	"deskbell/ticket"
)

// ChartRow is a row of a chart's figures: what it is about, such as 2026-03-02, and a
// value for each column.
type ChartRow = store.ChartRow

// Charts are the figures of every chart by its name.
type Charts struct {
	At      time.Time // when they were counted
	Since   time.Time
	Figures store.Charts
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
	chartWeeks = 26 // half a year; DESKBELL_KEEP_DAYS keeps more than that
	// chartsLast is how old figures may be before they are read again: they are about
	// days.
	chartsLast = 5 * time.Minute
	// chartsPatience bounds a reading whose caller may have left.
	chartsPatience = time.Minute
	// countEvery is how often days are counted while nobody looks, so that whoever does
	// waits for some days at most.
	countEvery = time.Hour
)

// charts keeps the figures that were read, of days and of weeks. Old ones are shown while
// new ones are read.
type charts struct {
	mu   sync.Mutex
	kept map[bool]*keptCharts
}

type keptCharts struct {
	known   chan struct{} // closed when the figures were read for the first time
	reading bool
	charts  map[ticket.Priority]Charts
	at      time.Time // when they were counted
	err     error
}

// Charts returns the figures, at most some minutes old while somebody looks at them:
// of those who look when they are too old, the first reads them anew, and the others
// see the old ones.
func (d *Desk) Charts(ctx context.Context, f ChartFilter) (Charts, error) {
	k, mine := d.charts.take(f.Weeks, d.Clock.Now())
	if mine {
		return d.readCharts(ctx, f, k)
	}
	select {
	case <-ctx.Done():
		return Charts{}, ctx.Err()
	case <-k.known:
		d.charts.mu.Lock()
		defer d.charts.mu.Unlock()
		return k.charts[f.Priority], k.err
	}
}

// take returns the figures that are kept, and whether the caller must read them.
func (c *charts) take(weeks bool, now time.Time) (k *keptCharts, mine bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.kept == nil {
		c.kept = map[bool]*keptCharts{}
	}
	k = c.kept[weeks]
	switch {
	case k == nil || k.err != nil:
		k = &keptCharts{known: make(chan struct{}), reading: true}
		c.kept[weeks] = k
		return k, true
	case k.reading:
		return k, false
	}
	age := now.Sub(k.at)
	k.reading = age > chartsLast || age < 0
	return k, k.reading
}

// readCharts goes on when its caller leaves: others wait.
func (d *Desk) readCharts(ctx context.Context, f ChartFilter, k *keptCharts) (Charts, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), chartsPatience)
	defer cancel()
	read, at, err := d.chartsNow(ctx, f.Weeks)
	d.charts.mu.Lock()
	defer d.charts.mu.Unlock()
	first := k.at.IsZero()
	if k.reading = false; err == nil || first {
		k.charts, k.at, k.err = read, at, err
	}
	if first {
		close(k.known)
	}
	return k.charts[f.Priority], k.err
}

func (d *Desk) chartsNow(ctx context.Context, weeks bool) (all map[ticket.Priority]Charts, at time.Time, err error) {
	day := d.Clock.Now().In(d.Zone)
	if at, err = d.count(ctx, day); err != nil {
		return nil, at, err
	}
	since := time.Date(day.Year(), day.Month(), day.Day()-chartDays+1, 0, 0, 0, 0, d.Zone)
	if weeks {
		since = firstWeek(day)
	}
	figures, err := d.Store.Charts(ctx, since, weeks)
	if err != nil {
		return nil, at, outside(err)
	}
	targets := map[ticket.Priority][]Target{}
	for _, p := range []ticket.Priority{ticket.P1, ticket.P2, ticket.P3, ticket.P4} {
		targets[p] = d.targets(p)
	}
	all = map[ticket.Priority]Charts{}
	for p, charts := range figures {
		all[p] = Charts{At: at, Since: since, Figures: charts, Targets: targets}
	}
	return all, at, nil
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

// count counts what the charts show up to a day's time, unless that was done lately.
func (d *Desk) count(ctx context.Context, day time.Time) (at time.Time, err error) {
	at, err = d.Store.CountCharts(ctx, firstWeek(day), zoneName(day), chartsLast)
	return at, outside(err)
}

// countDays has the days counted that nobody looked at.
func (d *Desk) countDays(ctx context.Context) {
	if _, err := d.count(ctx, d.Clock.Now().In(d.Zone)); err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "cannot count for the charts", slog.Any("error", err))
	}
}

// firstWeek is the first Monday that the charts show of weeks: their oldest day.
func firstWeek(day time.Time) time.Time {
	monday := day.Day() - (int(day.Weekday())+6)%7
	return time.Date(day.Year(), day.Month(), monday-7*(chartWeeks-1), 0, 0, 0, 0, day.Location())
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
