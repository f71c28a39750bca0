package notice

import (
	"fmt"
	"strconv"
	"time"

	"deskbell/ticket"
)

// dictionary is the words that values are made of, in one language.
type dictionary struct {
	states     map[ticket.Status]string
	priorities map[ticket.Priority]string
	prefixes   map[ticket.Priority]string
	weekdays   [7]string // from Sunday
	months     [12]string
	day, days  string
	hour       string
	minute     string
	nothing    string
	nobody     string

	// Of a ticket's story: what alarms do, what somebody did, after their name (%s
	// takes the names of those it was done to), and what WHY says besides.
	alarms             map[ticket.AlarmKind]string
	deeds              map[ticket.Kind]string
	fates              map[string]string // by the state of a delivery
	presences          map[string]string
	outs               map[string]string // why somebody could not be chosen
	in, notIn, holding string
	now, idle, over    string
}

var dictionaries = map[string]dictionary{
	"en": {
		states: map[ticket.Status]string{
			ticket.New: "waiting", ticket.Assigned: "claimed", ticket.Pending: "on hold",
			ticket.Resolved: "solved", ticket.Closed: "closed", ticket.Cancelled: "withdrawn",
		},
		priorities: map[ticket.Priority]string{ticket.P1: "urgent", ticket.P2: "high", ticket.P3: "normal", ticket.P4: "low"},
		prefixes:   map[ticket.Priority]string{ticket.P1: "URGENT ", ticket.P2: "HIGH "},
		weekdays:   [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"},
		months:     [12]string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"},
		day:        "1 day", days: "%d days", hour: "h", minute: "m",
		nothing: "nothing", nobody: "nobody",
		alarms: map[ticket.AlarmKind]string{
			ticket.PlanAlarm:    "work out the targets",
			ticket.WaveAlarm:    "ask the next people",
			ticket.ReplaceAlarm: "ask somebody else",
			ticket.StepAlarm:    "call the next person on call",
			ticket.RepeatAlarm:  "call the last person again",
			ticket.PromiseAlarm: "tell the requester that it is late, and ask the holder for news",
			ticket.BreachAlarm:  "call somebody to help, because it should be solved by then",
			ticket.StaleAlarm:   "ask the holder for news",
			ticket.LapseAlarm:   "give it back to the queue, because the holder does not answer",
			ticket.AnswerAlarm:  "tell the holder that no answer came",
			ticket.WakeAlarm:    "wake it",
			ticket.PassAlarm:    "end the hand-over that nobody took",
			ticket.CloseAlarm:   "close it",
		},
		deeds: map[ticket.Kind]string{
			ticket.Opened: "asked", ticket.Offered: "offered to %s", ticket.Declined: "declined", ticket.Taken: "took it", ticket.Promised: "promised a time", ticket.Released: "gave it back",
			ticket.Solved: "solved it", ticket.Shut: "closed it", ticket.Noted: "noted", ticket.Asked: "asked the requester", ticket.Told: "told the requester",
			ticket.Written: "wrote", ticket.Answered: "answered", ticket.Withdrawn: "withdrew it", ticket.Reopened: "opened it again", ticket.Escalated: "called %s",
			ticket.PagedAgain: "called %s again", ticket.PageFailed: "could not reach %s", ticket.OfferFailed: "could not reach %s", ticket.Raised: "asked for the next person on call",
			ticket.PassOffered: "offered it to %s", ticket.PassRefused: "hand-over was not taken", ticket.Passed: "took it over as asked", ticket.TakenOver: "took it over",
			ticket.Snoozed: "put it off", ticket.Woken: "is back", ticket.WentStale: "asked the holder for news", ticket.Slipped: "promised time passed without news", ticket.Breached: "not solved in time", ticket.Kept: "is still on it",
			ticket.Lapsed: "no news: back in the queue", ticket.Unanswered: "no answer yet", ticket.Undone: "took the last step back", ticket.AssignedTo: "gave it to %s",
			ticket.Reprioritised: "changed the priority", ticket.Replanned: "brought it to the present policy", ticket.MergedInto: "merged it into another", ticket.Hushed: "stopped the escalation",
		},
		fates: map[string]string{
			"due": "on its way", "sending": "on its way", "sent": "sent", "delivered": "delivered", "failed": "failed", "expired": "expired", "cancelled": "not sent", "bundled": "sent in a bundle", "unknown": "outcome unknown",
		},
		presences: map[string]string{"available": "in chat", "away": "away in chat", "busy": "busy in chat"},
		outs:      map[string]string{ticket.OutAway: "away", ticket.OutOffDuty: "off duty", ticket.OutOfReach: "not reachable"},
		in:        "there: ", notIn: "not: ", holding: "on %s",
		now: "now", idle: "nothing by itself", over: "nothing; this is over",
	},
	"de": {
		states: map[ticket.Status]string{
			ticket.New: "wartend", ticket.Assigned: "vergeben", ticket.Pending: "in Pause",
			ticket.Resolved: "gelöst", ticket.Closed: "geschlossen", ticket.Cancelled: "zurückgezogen",
		},
		priorities: map[ticket.Priority]string{ticket.P1: "dringend", ticket.P2: "hoch", ticket.P3: "normal", ticket.P4: "niedrig"},
		prefixes:   map[ticket.Priority]string{ticket.P1: "DRINGEND ", ticket.P2: "HOCH "},
		weekdays:   [7]string{"So", "Mo", "Di", "Mi", "Do", "Fr", "Sa"},
		months:     [12]string{"Jan.", "Feb.", "März", "April", "Mai", "Juni", "Juli", "Aug.", "Sept.", "Okt.", "Nov.", "Dez."},
		day:        "1 Tag", days: "%d Tage", hour: "h", minute: "min",
		nothing: "nichts", nobody: "niemand",
		alarms: map[ticket.AlarmKind]string{
			ticket.PlanAlarm:    "die Ziele ausrechnen",
			ticket.WaveAlarm:    "die Nächsten fragen",
			ticket.ReplaceAlarm: "jemand anderen fragen",
			ticket.StepAlarm:    "die nächste Bereitschaft rufen",
			ticket.RepeatAlarm:  "den zuletzt Gerufenen noch einmal rufen",
			ticket.PromiseAlarm: "sagen, dass es sich verspätet, und den Bearbeiter nach Neuem fragen",
			ticket.BreachAlarm:  "Hilfe rufen, weil es bis dahin gelöst sein soll",
			ticket.StaleAlarm:   "den Bearbeiter nach Neuem fragen",
			ticket.LapseAlarm:   "zurück in die Schlange, weil der Bearbeiter nicht antwortet",
			ticket.AnswerAlarm:  "dem Bearbeiter sagen, dass keine Antwort kam",
			ticket.WakeAlarm:    "wieder vorlegen",
			ticket.PassAlarm:    "die Übergabe beenden, die niemand annahm",
			ticket.CloseAlarm:   "schließen",
		},
		deeds: map[ticket.Kind]string{
			ticket.Opened:        "hat gefragt",
			ticket.Offered:       "%s angeboten",
			ticket.Declined:      "hat abgelehnt",
			ticket.Taken:         "hat es genommen",
			ticket.Promised:      "hat einen Zeitpunkt zugesagt",
			ticket.Released:      "hat es zurückgegeben",
			ticket.Solved:        "hat es gelöst",
			ticket.Shut:          "hat es geschlossen",
			ticket.Noted:         "hat notiert",
			ticket.Asked:         "hat nachgefragt",
			ticket.Told:          "hat Bescheid gegeben",
			ticket.Written:       "hat geschrieben",
			ticket.Answered:      "hat geantwortet",
			ticket.Withdrawn:     "hat es zurückgezogen",
			ticket.Reopened:      "hat es wieder geöffnet",
			ticket.Escalated:     "%s gerufen",
			ticket.PagedAgain:    "%s noch einmal gerufen",
			ticket.PageFailed:    "%s nicht erreicht",
			ticket.OfferFailed:   "%s nicht erreicht",
			ticket.Raised:        "hat um die nächste Bereitschaft gebeten",
			ticket.PassOffered:   "hat es %s angeboten",
			ticket.PassRefused:   "Übergabe nicht angenommen",
			ticket.Passed:        "hat es wie gebeten übernommen",
			ticket.TakenOver:     "hat es übernommen",
			ticket.Snoozed:       "hat es zurückgestellt",
			ticket.Woken:         "ist wieder da",
			ticket.Slipped:       "zugesagte Zeit ohne Neues verstrichen",
			ticket.Breached:      "nicht rechtzeitig gelöst",
			ticket.WentStale:     "Bearbeiter nach Neuem gefragt",
			ticket.Kept:          "ist noch dran",
			ticket.Lapsed:        "nichts Neues: wieder in der Schlange",
			ticket.Unanswered:    "noch keine Antwort",
			ticket.Undone:        "hat den letzten Schritt zurückgenommen",
			ticket.AssignedTo:    "hat es %s gegeben",
			ticket.Reprioritised: "hat die Priorität geändert",
			ticket.Replanned:     "hat die geltenden Regeln übernommen",
			ticket.MergedInto:    "hat es mit einem anderen vereint",
			ticket.Hushed:        "hat die Eskalation gestoppt",
		},
		fates: map[string]string{
			"due": "unterwegs", "sending": "unterwegs", "sent": "gesendet", "delivered": "zugestellt", "failed": "gescheitert", "expired": "verfallen", "cancelled": "nicht gesendet", "bundled": "in einem Bündel gesendet", "unknown": "Ausgang ungewiss",
		},
		presences: map[string]string{"available": "im Chat", "away": "im Chat abwesend", "busy": "im Chat beschäftigt"},
		outs:      map[string]string{ticket.OutAway: "weg", ticket.OutOffDuty: "nicht im Dienst", ticket.OutOfReach: "nicht erreichbar"},
		in:        "da: ", notIn: "nicht: ", holding: "mit %s",
		now: "jetzt", idle: "nichts von selbst", over: "nichts mehr",
	},
}

func words(tag string) dictionary { return dictionaries[language(tag)] }

func nothing(lang string) string { return words(lang).nothing }

// Age writes how long something has lasted, in at most six characters up to a
// day: "1m" (also for less), "45m", "2h", "2h05m", "3d", "3d4h".
func Age(d time.Duration, lang string) string {
	w := words(lang)
	minutes := max(int(d/time.Minute), 1)
	h, m := minutes/60, minutes%60
	switch {
	case h == 0:
		return strconv.Itoa(m) + w.minute
	case h < 24 && m == 0:
		return strconv.Itoa(h) + w.hour
	case h < 24:
		return fmt.Sprintf("%d%s%02d", h, w.hour, m) + w.minute[:1]
	case h%24 == 0:
		return strconv.Itoa(h/24) + "d"
	}
	return fmt.Sprintf("%dd%dh", h/24, h%24)
}

// Window writes how long an offer of ours stands: "3 days", "90m".
func Window(d time.Duration, lang string) string {
	w := words(lang)
	switch days := int(d / (24 * time.Hour)); {
	case d%(24*time.Hour) != 0 || days == 0:
		return Age(d, lang)
	case days == 1:
		return w.day
	default:
		return fmt.Sprintf(w.days, days)
	}
}

// At writes a time for somebody in loc, in 24 hours: "14:05" today, "Mon 9:00"
// within a week, "9 Mar 9:00" beyond.
func At(t, now time.Time, loc *time.Location, lang string) string {
	if loc == nil {
		loc = time.UTC
	}
	w := words(lang)
	t, now = t.In(loc), now.In(loc)
	clock := fmt.Sprintf("%d:%02d", t.Hour(), t.Minute())
	switch days := calendarDays(now, t); {
	case days == 0:
		return clock
	case days > -7 && days < 7:
		return w.weekdays[t.Weekday()] + " " + clock
	case language(lang) == "de":
		return fmt.Sprintf("%d. %s %s", t.Day(), w.months[t.Month()-1], clock)
	default:
		return fmt.Sprintf("%d %s %s", t.Day(), w.months[t.Month()-1], clock)
	}
}

// calendarDays counts midnights between two times in the same zone.
func calendarDays(from, to time.Time) int {
	noon := func(t time.Time) time.Time {
		y, m, d := t.Date()
		return time.Date(y, m, d, 12, 0, 0, 0, time.UTC)
	}
	return int(noon(to).Sub(noon(from)) / (24 * time.Hour))
}

// Prio names a priority: "urgent". Unknown ones are "normal".
func Prio(p ticket.Priority, lang string) string {
	w := words(lang).priorities
	if s, ok := w[p]; ok {
		return s
	}
	return w[ticket.P3]
}

// Prefix makes a value for {PRIO}: "URGENT ", "HIGH ", or nothing.
func Prefix(p ticket.Priority, lang string) string { return words(lang).prefixes[p] }

// State names a status as people read it: "waiting", "claimed".
func State(s ticket.Status, lang string) string {
	if w, ok := words(lang).states[s]; ok {
		return w
	}
	return string(s)
}

// Clock is At for a value that stands after "at" or "since": {time}.
func Clock(t, now time.Time, loc *time.Location, lang string) string { return At(t, now, loc, lang) }
