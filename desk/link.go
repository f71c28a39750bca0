package desk

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"deskbell/gateway"
	"deskbell/notice"
	"deskbell/roster"
)

// outage is how long a channel's link is down before the managers hear of it: a
// network that reconnects, or another process that takes over, is no news.
const outage = 30 * time.Second

// watchLink tells the managers that the link of the channel that this process holds
// is down, and that it is up again.
func (d *Desk) watchLink(ctx context.Context, channel gateway.Channel) {
	var since time.Time // when it was first seen down; zero while it is up
	told := false
	_ = every(ctx, time.Second, func(ctx context.Context) {
		views, err := d.Gateways(ctx)
		if err != nil {
			return // no database: there is nothing to tell with
		}
		for _, v := range views {
			if v.Channel != string(channel) {
				continue
			}
			now := d.Clock.Now()
			switch {
			case v.Up && told:
				err = d.tellManagers(ctx, channel, "mgr_back", v.Backlog, since)
				told = err != nil
			case v.Up:
				since = time.Time{}
			case since.IsZero():
				since = now
			case !told && now.Sub(since) >= outage:
				err = d.tellManagers(ctx, channel, "mgr_gateway", v.Backlog, since)
				told = err == nil
			}
			if err != nil && ctx.Err() == nil {
				d.Log.WarnContext(ctx, "cannot tell the managers of a link", slog.Any("error", err))
			}
		}
	})
}

// tellManagers tells of a channel on the other one.
func (d *Desk) tellManagers(ctx context.Context, channel gateway.Channel, message string, backlog int, since time.Time) error {
	members, err := d.Store.Members(ctx)
	if err != nil {
		return err
	}
	via, word := gateway.IM, "SMS"
	if channel == gateway.IM {
		via, word = gateway.SMS, "IM"
	}
	for _, m := range members {
		if !m.Is(roster.Manager) || via == gateway.IM && m.JID == "" || via == gateway.SMS && m.Phone == "" {
			continue
		}
		now := d.Clock.Now()
		values := map[string]string{
			"word": word, "count": strconv.Itoa(backlog), "time": notice.Clock(since, now, d.Zone, m.Language), "age": notice.Age(now.Sub(since), m.Language),
		}
		if err := d.tell(ctx, m.Person, via, message, values, fmt.Sprintf("%s/%s/%d/%s", message, channel, since.UnixMilli(), m.ID)); err != nil {
			return err
		}
	}
	return nil
}
