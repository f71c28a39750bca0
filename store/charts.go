package store

import (
	"cmp"
	"context"
	"slices"
	"time"

	"deskbell/store/internal/db"
	"deskbell/ticket"
)

// ChartRow is one row of a chart's figures: a day such as 2026-03-02, a person, or
// an hour of the week, and a value for each of the chart's columns.
type ChartRow struct {
	Key    string
	Values []float64
}

// Charts are the rows of every chart by its name.
type Charts map[string][]ChartRow

// openDays is how many days after its end a day is still counted anew: so long may the
// receipt of a text be on its way, and so long may an engine have been away whose events
// come late.
const openDays = 3

// CountCharts counts what the charts show, by the days of a zone, an IANA name or a
// distance as PostgreSQL writes it, from the midnight at which the oldest day begins
// there. Days that are over are counted once, so that it costs what the last days cost.
// Nothing is done when the count is younger than lasts. It returns when it was made, and
// may run in several processes at once.
func (s *Store) CountCharts(ctx context.Context, oldest time.Time, zone string, lasts time.Duration) (at time.Time, err error) {
	err = s.tx(ctx, "count for the charts", func(q *db.Queries) error {
		last, err := q.ChartCounts(ctx)
		if err != nil {
			return err
		}
		now := s.now()
		if at = last.CountedAt.UTC(); last.Zone == zone && now.Sub(at) >= 0 && now.Sub(at) < lasts {
			return nil
		}
		at = now
		today := now.In(oldest.Location())
		open := time.Date(today.Year(), today.Month(), today.Day()-openDays, 0, 0, 0, 0, today.Location())
		since := last.OpenFrom.In(oldest.Location())
		if open.Before(since) { // the clock was put back
			since = open
		}
		if last.Zone != zone || since.Before(oldest) {
			since = oldest
		}
		if err := q.DropChartDays(ctx, db.DropChartDaysParams{FirstOpen: since, Oldest: oldest}); err != nil {
			return err
		}
		if err := countSince(ctx, q, since, now, zone); err != nil {
			return err
		}
		return q.SetChartCounts(ctx, db.SetChartCountsParams{Zone: zone, CountedAt: now, OpenFrom: open})
	})
	return at, err
}

// daysSince is what the parameters of most counts are.
type daysSince interface {
	~struct {
		Zone  string
		Since time.Time
	}
}

func countSince(ctx context.Context, q *db.Queries, since, now time.Time, zone string) error {
	if err := q.RoomToCount(ctx); err != nil {
		return err
	}
	for _, count := range []func() error{
		counting(ctx, q.CountClaims, zone, since), counting(ctx, q.CountSolutions, zone, since), counting(ctx, q.CountEscalations, zone, since),
		counting(ctx, q.CountNights, zone, since), counting(ctx, q.CountDeeds, zone, since), counting(ctx, q.CountOffers, zone, since),
		counting(ctx, q.CountDeliveries, zone, since), counting(ctx, q.CountReopenings, zone, since), counting(ctx, q.CountChannels, zone, since),
		counting(ctx, q.CountUnknown, zone, since), counting(ctx, q.CountWords, zone, since),
		func() error { return q.CountQueue(ctx, db.CountQueueParams{Zone: zone, Since: since, Now: now}) },
	} {
		if err := count(); err != nil {
			return err
		}
	}
	return nil
}

func counting[P daysSince](ctx context.Context, count func(context.Context, P) error, zone string, since time.Time) func() error {
	return func() error {
		return count(ctx, P(struct {
			Zone  string
			Since time.Time
		}{zone, since}))
	}
}

// Charts returns what was counted of the days from a midnight on until now, in rows of
// days or of weeks: for each priority, and under the empty one for all.
func (s *Store) Charts(ctx context.Context, since time.Time, weeks bool) (map[ticket.Priority]Charts, error) {
	const what = "charts"
	days, err := s.q.ChartDays(ctx, since)
	if err != nil {
		return nil, fail(what, err)
	}
	crew, err := s.q.Crew(ctx)
	if err != nil {
		return nil, fail(what, err)
	}
	all := map[ticket.Priority]Charts{}
	for _, p := range []ticket.Priority{"", ticket.P1, ticket.P2, ticket.P3, ticket.P4} {
		f := Charts{}
		for _, c := range dayCharts {
			f[c.name] = c.rows(days, p, weeks)
		}
		f["load"], f["queue"], f["words"] = loads(days, crew, p), queue(days, p, since, s.now()), words(days)
		all[p] = f
	}
	return all, nil
}

// dayChart is a chart with a row for each day or week.
type dayChart struct {
	name   string
	wide   bool // about no ticket: the same for every priority
	values func(sum db.ChartDay) []float64
}

var dayCharts = []dayChart{
	{"claim", false, timed}, {"resolve", false, timed},
	{"promises", false, func(d db.ChartDay) []float64 {
		return append([]float64{percentile(d.Others, 50), percentile(d.Samples, 50)}, d.Sums...)
	}},
	{"escalations", false, counted}, {"nights", false, counted}, {"reopened", false, counted}, {"channels", false, counted}, {"delivery", false, counted},
	{"unknown", true, counted},
}

func counted(d db.ChartDay) []float64 { return d.Sums }

func timed(d db.ChartDay) []float64 {
	return append([]float64{percentile(d.Samples, 50), percentile(d.Samples, 90)}, d.Sums...)
}

func (c dayChart) rows(days []db.ChartDay, p ticket.Priority, weeks bool) []ChartRow {
	sums := added(days, c.name, func(d db.ChartDay) (string, bool) {
		day := d.Day
		if weeks {
			day = day.AddDate(0, 0, -(int(day.Weekday())+6)%7) // its Monday
		}
		return day.Format(time.DateOnly), c.wide || of(d, p)
	})
	rows := make([]ChartRow, len(sums))
	for i, sum := range sums {
		rows[i] = ChartRow{sum.Key, c.values(sum)}
	}
	return rows
}

func of(d db.ChartDay, p ticket.Priority) bool { return p == "" || d.Priority == string(p) }

// added adds up the rows of a chart that belong together, in the order in which each of
// their keys comes first.
func added(days []db.ChartDay, chart string, keyOf func(db.ChartDay) (key string, ok bool)) []db.ChartDay {
	var sums []db.ChartDay
	place := map[string]int{}
	for _, d := range days {
		if d.Chart != chart {
			continue
		}
		key, ok := keyOf(d)
		if !ok {
			continue
		}
		i, known := place[key]
		if !known {
			i = len(sums)
			place[key] = i
			sums = append(sums, db.ChartDay{Key: key, Sums: make([]float64, len(d.Sums))})
		}
		for column, v := range d.Sums {
			sums[i].Sums[column] += v
		}
		sums[i].Samples, sums[i].Others = append(sums[i].Samples, d.Samples...), append(sums[i].Others, d.Others...)
	}
	return sums
}

// loads is who did how much: held now, taken, solved, offered, declined, left to others.
func loads(days []db.ChartDay, crew []db.CrewRow, p ticket.Priority) []ChartRow {
	byPerson := func(chart string) map[string][]float64 {
		sums := map[string][]float64{}
		for _, d := range added(days, chart, func(d db.ChartDay) (string, bool) { return d.Key, of(d, p) }) {
			sums[d.Key] = d.Sums
		}
		return sums
	}
	deeds, offers := byPerson("deeds"), byPerson("offers")
	rows := []ChartRow{}
	for i, c := range crew {
		if i == 0 || crew[i-1].ID != c.ID {
			d, o := append(deeds[c.ID], 0, 0, 0), append(offers[c.ID], 0, 0)
			rows = append(rows, ChartRow{c.Name, []float64{0, d[0], d[1], o[0], d[2], o[1]}})
		}
		if p == "" || c.Priority == string(p) {
			rows[len(rows)-1].Values[0] += float64(c.Held)
		}
	}
	return rows
}

// queue is how many waited at each hour of the week and for how many minutes the oldest,
// on average over the weeks.
func queue(days []db.ChartDay, p ticket.Priority, since, now time.Time) []ChartRow {
	const hour = "Mon 15:00"
	at := map[string]*ChartRow{}
	hours := map[string]float64{}
	var rows []*ChartRow
	for h := since; !h.After(now); h = h.Add(time.Hour) {
		key := h.Format(hour)
		if hours[key]++; at[key] == nil {
			at[key] = &ChartRow{key, []float64{0, 0}}
			rows = append(rows, at[key])
		}
	}
	oldest := map[string]float64{} // by day and hour: the longest wait of all priorities
	for _, d := range days {
		row := at[d.Day.Format("Mon ")+d.Key+":00"]
		if d.Chart != "queue" || row == nil || !of(d, p) {
			continue
		}
		row.Values[0] += d.Sums[0]
		moment := d.Day.Format(time.DateOnly) + d.Key
		row.Values[1] += max(d.Sums[1]-oldest[moment], 0)
		oldest[moment] = max(d.Sums[1], oldest[moment])
	}
	week := func(r *ChartRow) int {
		h, _ := time.Parse("15:00", r.Key[4:]) // written above
		return slices.Index([]string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"}, r.Key[:3])*24 + h.Hour()
	}
	slices.SortFunc(rows, func(a, b *ChartRow) int { return week(a) - week(b) })
	out := make([]ChartRow, len(rows))
	for i, r := range rows {
		n := hours[r.Key]
		out[i] = ChartRow{r.Key, []float64{r.Values[0] / n, r.Values[1] / n}}
	}
	return out
}

const shownWords = 30

// words are those of messages that were not understood which came at least twice: the
// next synonyms.
func words(days []db.ChartDay) []ChartRow {
	rows := []ChartRow{}
	for _, d := range added(days, "words", func(d db.ChartDay) (string, bool) { return d.Key, true }) {
		if d.Sums[0] > 1 {
			rows = append(rows, ChartRow{d.Key, d.Sums})
		}
	}
	slices.SortFunc(rows, func(a, b ChartRow) int {
		return cmp.Or(cmp.Compare(b.Values[0], a.Values[0]), cmp.Compare(a.Key, b.Key))
	})
	return rows[:min(len(rows), shownWords)]
}

// percentile is what so many percent of the samples are not above, between two of them
// if need be. It sorts them.
func percentile(samples []int, percent int) float64 {
	if len(samples) == 0 {
		return 0
	}
	slices.Sort(samples)
	rank := float64(len(samples)-1) * float64(percent) / 100
	low := int(rank)
	high := min(low+1, len(samples)-1)
	return float64(samples[low]) + (rank-float64(low))*float64(samples[high]-samples[low])
}
