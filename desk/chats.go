package desk

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"deskbell/gateway"
	"deskbell/notice"
	"deskbell/roster"
	"deskbell/store"
)

// standingEvery is the least time between two changes of the desk's presence text:
// every change goes to everybody's clients.
const standingEvery = 10 * time.Second

// Standing is the state of the desk in one line.
func (d *Desk) Standing(ctx context.Context) (string, error) {
	counts, err := d.Store.Counts(ctx)
	if err != nil {
		return "", outside(err)
	}
	agents, err := d.Agents(ctx)
	if err != nil {
		return "", err
	}
	free, onDuty := 0, 0
	for _, a := range agents {
		if !a.OnDuty {
			continue
		}
		onDuty++
		if len(a.Holding) == 0 && a.Presence != string(roster.Away) && a.Presence != string(roster.Busy) {
			free++
		}
	}
	id := "standing"
	if counts.New == 0 {
		id = "standing_quiet"
	}
	text, err := notice.Render(notice.Message{ID: id, Channel: string(gateway.IM), Values: map[string]string{
		"count": strconv.Itoa(counts.New), "age": notice.Age(d.Clock.Now().Sub(counts.Oldest), ""), "count2": strconv.Itoa(free), "count3": strconv.Itoa(onDuty),
	}})
	return text.Body, err
}

// TellStanding calls tell with the state of the desk, now and whenever it has
// changed, at most every 10 s, until ctx ends.
func (d *Desk) TellStanding(ctx context.Context, tell func(string)) error {
	return d.tellStanding(ctx, d.Watch(ctx), d.Standing, tell)
}

func (d *Desk) tellStanding(ctx context.Context, changes <-chan Change, look func(context.Context) (string, error), tell func(string)) error {
	minute := time.NewTicker(time.Minute) // the age of the oldest
	defer minute.Stop()
	for told := ""; ; {
		text, err := look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			d.Log.WarnContext(ctx, "cannot tell the state of the desk", slog.Any("error", err))
		case text != told:
			tell(text)
			told = text
		}
		wait(ctx, nil, standingEvery)
		select {
		case <-ctx.Done():
			return nil
		case <-changes:
		case <-minute.C:
		}
	}
}

// textUnread sends by SMS what asks somebody to act and was not read in the chat.
func (d *Desk) textUnread(ctx context.Context) {
	unread, err := d.Store.UnreadAlerts(ctx, 100)
	if err != nil {
		if ctx.Err() == nil {
			d.Log.WarnContext(ctx, "cannot look for unread chats", slog.Any("error", err))
		}
		return
	}
	for _, u := range unread {
		if u.Phone != "" && !u.Seen {
			text := u.Outgoing
			text.Key, text.Channel, text.Address = "text/"+u.Key, gateway.SMS, u.Phone
			if _, err := d.Store.Write(ctx, store.Write{Outgoing: []store.Outgoing{text}}); err != nil {
				d.Log.WarnContext(ctx, "cannot send an unread chat by SMS", slog.Any("error", err))
				continue
			}
		}
		if err := d.Store.Reported(ctx, u.ID); err != nil {
			d.Log.WarnContext(ctx, "cannot note an unread chat", slog.Any("error", err))
		}
	}
}
