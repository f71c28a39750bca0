package desk

import (
	"context"
	"fmt"

	"deskbell/command"
	"deskbell/gateway"
	"deskbell/notice"
	"deskbell/roster"
	"deskbell/store"
)

// say answers the message, unless that would only be noise.
func (t *turn) say(ctx context.Context, message string, values map[string]string, change func(*command.Memory)) error {
	text := message + " " + values["word"] + values["guess"] + values["n"]
	instead, note := guard(t.context.Memory, message, text, t.context.Now)
	changes := func(m *command.Memory) {
		for _, f := range []func(*command.Memory){note, change} {
			if f != nil {
				f(m)
			}
		}
	}
	if instead == "" {
		if err := t.remember(ctx, note); err != nil {
			return err
		}
		return t.desk.drop(ctx, t.row, "an answer too many: "+message)
	}
	return t.desk.say(ctx, t.row, t.person, instead, values, reply{key: "answer/" + t.row.Key, finish: true, change: changes})
}

// remember changes the conversation without an answer.
func (t *turn) remember(ctx context.Context, change func(*command.Memory)) error {
	_, err := t.desk.Store.Write(ctx, store.Write{Contexts: []store.ContextChange{{Person: t.person.ID, Change: changeMemory(t.context.Now, change)}}})
	return err
}

// reply is how a message is answered.
type reply struct {
	key    string // of the delivery
	finish bool   // the message is answered by it
	change func(*command.Memory)
	// bundles are the ids of messages in whose place it is sent.
	bundles []int64
}

// say answers a message, where it came from.
func (d *Desk) say(ctx context.Context, row store.Inbound, to roster.Person, message string, values map[string]string, r reply) error {
	w := store.Write{Tells: row.Key}
	if r.finish {
		w = store.Write{Answers: row.Key}
	}
	w.Bundles = r.bundles
	if to.ID != "" && r.change != nil {
		w.Contexts = []store.ContextChange{{Person: to.ID, Change: changeMemory(d.Clock.Now(), r.change)}}
	}
	if notice.Has(message, string(row.Channel)) {
		text, err := notice.Render(notice.Message{ID: message, Channel: string(row.Channel), Language: to.Language, Values: d.common(values)})
		if err != nil {
			return fmt.Errorf("word %s: %w", message, err)
		}
		w.Outgoing = []store.Outgoing{{Key: r.key, Channel: row.Channel, Person: to.ID, Address: row.ReplyTo, Reason: message, Text: text.Body}}
	}
	if err := d.inRoom(ctx, w.Outgoing); err != nil {
		return err
	}
	if _, err := d.Store.Write(ctx, w); err != nil {
		return err
	}
	if r.finish {
		d.finished(row.Key)
	}
	return nil
}

// tell writes to a person unasked.
func (d *Desk) tell(ctx context.Context, to roster.Person, via gateway.Channel, message string, values map[string]string, key string) error {
	return d.ask(ctx, to, via, message, values, key, nil)
}

// ask writes to a person unasked, and changes the conversation with it.
func (d *Desk) ask(ctx context.Context, to roster.Person, via gateway.Channel, message string, values map[string]string, key string, change func(*command.Memory)) error {
	if !notice.Has(message, string(via)) {
		return nil
	}
	text, err := notice.Render(notice.Message{ID: message, Channel: string(via), Language: to.Language, Values: d.common(values)})
	if err != nil {
		return fmt.Errorf("word %s: %w", message, err)
	}
	address := to.Phone
	if via == gateway.IM {
		address = to.JID
	}
	w := store.Write{Outgoing: []store.Outgoing{{Key: key, Channel: via, Person: to.ID, Address: address, Reason: message, Text: text.Body}}}
	if change != nil {
		w.Contexts = []store.ContextChange{{Person: to.ID, Change: changeMemory(d.Clock.Now(), change), With: key}}
	}
	_, err = d.Store.Write(ctx, w)
	return err
}

func (d *Desk) urls() map[string]string { return map[string]string{"url": d.URL} }

// common adds what any text may speak of.
func (d *Desk) common(values map[string]string) map[string]string {
	out := map[string]string{"url": d.URL, "org": d.Org}
	for k, v := range values {
		out[k] = v
	}
	return out
}
