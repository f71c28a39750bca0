package desk

import (
	"slices"
	"strings"
	"time"

	"deskbell/command"
)

// Limits of answers that bring nobody on: two machines must not talk for ever.
const (
	sameAnswer    = 5 * time.Minute // the same one is not given twice
	manyAnswers   = 5               // within tooSoon
	tooSoon       = time.Hour
	manyUnknown   = 20 // messages that are not understood, within unknownFor
	unknownFor    = 10 * time.Minute
	notUnderstood = "err_word"
)

// guarded are the answers that the limits hold for: errors and help, but not what
// tells of a command that was not carried out.
func guarded(message string) bool {
	switch message {
	case "err_busy", "err_many", "err_error", "err_expired", "err_part", "err_edit", "err_pin", "err_time":
		return false
	}
	return strings.HasPrefix(message, "err_") || strings.HasPrefix(message, "help_") || message == "req_help"
}

// guard tells what to answer with instead of a message: itself, err_many, or nothing
// when its sender had it lately or had many like it. change notes the answer.
func guard(m command.Memory, message, text string, now time.Time) (instead string, change func(*command.Memory)) {
	if !guarded(message) {
		return message, nil
	}
	unknown := m.Unknown
	if message == notUnderstood {
		unknown = append(recent(m.Unknown, now.Add(-unknownFor)), now)
	}
	given := slices.DeleteFunc(slices.Clone(m.Given), func(g command.Given) bool { return now.Sub(g.At) > tooSoon })
	had := func(text string) bool {
		return slices.ContainsFunc(given, func(g command.Given) bool { return g.Text == text && now.Sub(g.At) < sameAnswer })
	}
	switch {
	case message == notUnderstood && len(unknown) >= manyUnknown:
		instead, text = "err_many", "err_many"
		if slices.ContainsFunc(given, func(g command.Given) bool { return g.Text == text && now.Sub(g.At) < unknownFor }) {
			instead = ""
		}
	case had(text) || len(given) >= manyAnswers:
		instead = ""
	default:
		instead = message
	}
	if instead != "" {
		given = append(given, command.Given{Text: text, At: now})
	}
	return instead, func(m *command.Memory) { m.Unknown, m.Given = unknown, given }
}

func recent(times []time.Time, since time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(times), func(t time.Time) bool { return t.Before(since) })
}
