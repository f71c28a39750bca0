package store

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"deskbell/store/internal/db"
	"deskbell/ticket"
)

// ChartFilter says what the charts are about.
type ChartFilter struct {
	Since    time.Time
	Unit     string // "day" or "week": what a row stands for
	Zone     string // IANA name, of the days
	Priority ticket.Priority
}

// ChartRow is one row of a chart's figures: a day such as 2026-03-02, a person, or
// an hour of the week, and a value for each of the chart's columns.
type ChartRow struct {
	Key    string
	Values []float64
}

// chartsAtOnce leaves connections to those who work while somebody looks at charts.
const chartsAtOnce = 2

// Charts returns the figures of every chart by its name. It reads all that happened
// since: seconds for a hundred thousand tickets, so callers keep what it returns for
// a while.
func (s *Store) Charts(ctx context.Context, f ChartFilter) (map[string][]ChartRow, error) {
	charts := make(map[string][]ChartRow, len(chartQueries))
	read := make([][]ChartRow, len(chartQueries))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(chartsAtOnce)
	for i, c := range chartQueries {
		g.Go(func() (err error) {
			read[i], err = c.rows(ctx, s.q, f, s.now())
			return fail("chart "+c.name, err)
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, c := range chartQueries {
		charts[c.name] = read[i]
	}
	return charts, nil
}

type chartQuery struct {
	name string
	rows func(ctx context.Context, q *db.Queries, f ChartFilter, now time.Time) ([]ChartRow, error)
}

// chartQueries are the charts by name, with their columns in order.
var chartQueries = []chartQuery{
	{"claim", func(ctx context.Context, q *db.Queries, f ChartFilter, _ time.Time) ([]ChartRow, error) {
		rows, err := q.ClaimTimes(ctx, db.ClaimTimesParams{Since: f.Since, Unit: f.Unit, Zone: f.Zone, Priority: string(f.Priority)})
		return chartRows(rows, err, func(r db.ClaimTimesRow) ChartRow { return dayRow(r.Day, r.P50, r.P90, count(r.Count), count(r.Within)) })
	}},
	{"resolve", func(ctx context.Context, q *db.Queries, f ChartFilter, _ time.Time) ([]ChartRow, error) {
		rows, err := q.ResolveTimes(ctx, db.ResolveTimesParams{Since: f.Since, Unit: f.Unit, Zone: f.Zone, Priority: string(f.Priority)})
		return chartRows(rows, err, func(r db.ResolveTimesRow) ChartRow {
			return dayRow(r.Day, r.P50, r.P90, count(r.Count), count(r.Within))
		})
	}},
	{"escalations", func(ctx context.Context, q *db.Queries, f ChartFilter, _ time.Time) ([]ChartRow, error) {
		rows, err := q.Escalations(ctx, db.EscalationsParams{Since: f.Since, Unit: f.Unit, Zone: f.Zone, Priority: string(f.Priority)})
		return chartRows(rows, err, func(r db.EscalationsRow) ChartRow {
			return dayRow(r.Day, count(r.First), count(r.Second), count(r.Later))
		})
	}},
	{"nights", func(ctx context.Context, q *db.Queries, f ChartFilter, _ time.Time) ([]ChartRow, error) {
		rows, err := q.NightPages(ctx, db.NightPagesParams{Since: f.Since, Unit: f.Unit, Zone: f.Zone, Priority: string(f.Priority)})
		return chartRows(rows, err, func(r db.NightPagesRow) ChartRow { return dayRow(r.Day, count(r.Pages)) })
	}},
	{"load", func(ctx context.Context, q *db.Queries, f ChartFilter, _ time.Time) ([]ChartRow, error) {
		rows, err := q.Loads(ctx, db.LoadsParams{Since: f.Since, Priority: string(f.Priority)})
		return chartRows(rows, err, func(r db.LoadsRow) ChartRow {
			return ChartRow{r.Name, []float64{count(r.Held), count(r.Taken), count(r.Solved), count(r.Offered), count(r.Declined), count(r.PassedBy)}}
		})
	}},
	{"delivery", func(ctx context.Context, q *db.Queries, f ChartFilter, _ time.Time) ([]ChartRow, error) {
		rows, err := q.DeliveryFates(ctx, db.DeliveryFatesParams{Since: f.Since, Unit: f.Unit, Zone: f.Zone, Priority: string(f.Priority)})
		return chartRows(rows, err, func(r db.DeliveryFatesRow) ChartRow {
			return dayRow(r.Day, count(r.SmsDelivered), count(r.SmsOpen), count(r.ImSent), count(r.ImFailed), count(r.SmsFailed))
		})
	}},
	{"queue", func(ctx context.Context, q *db.Queries, f ChartFilter, now time.Time) ([]ChartRow, error) {
		rows, err := q.QueueByHour(ctx, db.QueueByHourParams{Since: f.Since, Now: now, Zone: f.Zone, Priority: string(f.Priority)})
		return chartRows(rows, err, func(r db.QueueByHourRow) ChartRow {
			return ChartRow{fmt.Sprintf("%s %02d:00", time.Weekday(r.Weekday % 7).String()[:3], r.Hour), []float64{r.Waiting, r.Oldest}}
		})
	}},
	{"promises", func(ctx context.Context, q *db.Queries, f ChartFilter, _ time.Time) ([]ChartRow, error) {
		rows, err := q.Promises(ctx, db.PromisesParams{Since: f.Since, Unit: f.Unit, Zone: f.Zone, Priority: string(f.Priority)})
		return chartRows(rows, err, func(r db.PromisesRow) ChartRow {
			return dayRow(r.Day, r.High, r.Waited, count(r.Promised), count(r.Within), count(r.Longer))
		})
	}},
	{"reopened", func(ctx context.Context, q *db.Queries, f ChartFilter, _ time.Time) ([]ChartRow, error) {
		rows, err := q.Reopenings(ctx, db.ReopeningsParams{Since: f.Since, Unit: f.Unit, Zone: f.Zone, Priority: string(f.Priority)})
		return chartRows(rows, err, func(r db.ReopeningsRow) ChartRow { return dayRow(r.Day, count(r.Solved), count(r.Reopened)) })
	}},
	{"channels", func(ctx context.Context, q *db.Queries, f ChartFilter, _ time.Time) ([]ChartRow, error) {
		rows, err := q.ClaimChannels(ctx, db.ClaimChannelsParams{Since: f.Since, Unit: f.Unit, Zone: f.Zone, Priority: string(f.Priority)})
		return chartRows(rows, err, func(r db.ClaimChannelsRow) ChartRow {
			return dayRow(r.Day, count(r.Sms), count(r.Im), count(r.Web), count(r.Rest))
		})
	}},
	{"unknown", func(ctx context.Context, q *db.Queries, f ChartFilter, _ time.Time) ([]ChartRow, error) {
		rows, err := q.NotUnderstood(ctx, db.NotUnderstoodParams{Since: f.Since, Unit: f.Unit, Zone: f.Zone})
		return chartRows(rows, err, func(r db.NotUnderstoodRow) ChartRow { return dayRow(r.Day, count(r.Sms), count(r.Im)) })
	}},
	{"words", func(ctx context.Context, q *db.Queries, f ChartFilter, _ time.Time) ([]ChartRow, error) {
		rows, err := q.UnknownWords(ctx, f.Since)
		return chartRows(rows, err, func(r db.UnknownWordsRow) ChartRow { return ChartRow{r.Word, []float64{count(r.Count)}} })
	}},
}

func chartRows[R any](rows []R, err error, shape func(R) ChartRow) ([]ChartRow, error) {
	out := make([]ChartRow, len(rows))
	for i, r := range rows {
		out[i] = shape(r)
	}
	return out, err
}

func dayRow(day time.Time, values ...float64) ChartRow {
	return ChartRow{day.Format(time.DateOnly), values}
}

func count(n int) float64 { return float64(n) }
