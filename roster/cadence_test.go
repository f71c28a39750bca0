package roster

import (
	"strings"
	"testing"
	"time"
)

// Hand-overs at times of the week keep their time on the wall through both clock
// changes; a time that the wall skips comes an hour later.
func TestHandOverTimes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ zone, every, start, want string }{
		"day and night": {"Europe/Berlin", "08:00, 18:00", "2026-03-02T08:00:00+01:00",
			"Mon 08:00 a, Mon 18:00 b, Tue 08:00 a, Tue 18:00 b, Wed 08:00 a, Wed 18:00 b, Thu 08:00 a, Thu 18:00 b"},
		"week and weekend": {"Europe/Berlin", "mon 08:00, fri 17:00", "2026-03-23T08:00:00+01:00",
			"Mon 08:00 a, Fri 17:00 b, Mon 08:00 a, Fri 17:00 b, Mon 08:00 a, Fri 17:00 b, Mon 08:00 a, Fri 17:00 b"},
		"it begins before the first of its week": {"Europe/Berlin", "mon 08:00, fri 17:00", "2026-03-02T06:00:00+01:00",
			"Mon 06:00 a, Mon 08:00 b, Fri 17:00 a, Mon 08:00 b, Fri 17:00 a, Mon 08:00 b, Fri 17:00 a, Mon 08:00 b"},
		"it begins at one": {"Asia/Kolkata", "mon 08:00, fri 17:00", "2026-03-06T17:00:00+05:30",
			"Fri 17:00 a, Mon 08:00 b, Fri 17:00 a, Mon 08:00 b, Fri 17:00 a, Mon 08:00 b, Fri 17:00 a, Mon 08:00 b"},
		"it begins between two": {"Europe/Berlin", "mon 08:00, fri 17:00", "2026-10-21T12:00:00+02:00",
			"Wed 12:00 a, Fri 17:00 b, Mon 08:00 a, Fri 17:00 b, Mon 08:00 a, Fri 17:00 b, Mon 08:00 a, Fri 17:00 b"},
		"a time that is skipped": {"Europe/Berlin", "02:30", "2026-03-27T02:30:00+01:00",
			"Fri 02:30 a, Sat 02:30 b, Sun 03:30 a, Mon 02:30 b, Tue 02:30 a, Wed 02:30 b, Thu 02:30 a, Fri 02:30 b"},
		"a time that is skipped, west of Greenwich": {"America/New_York", "02:30", "2026-03-06T02:30:00-05:00",
			"Fri 02:30 a, Sat 02:30 b, Sun 03:30 a, Mon 02:30 b, Tue 02:30 a, Wed 02:30 b, Thu 02:30 a, Fri 02:30 b"},
		"half an hour that is skipped": {"Australia/Lord_Howe", "02:15", "2026-10-02T02:15:00+10:30",
			"Fri 02:15 a, Sat 02:15 b, Sun 02:45 a, Mon 02:15 b, Tue 02:15 a, Wed 02:15 b, Thu 02:15 a, Fri 02:15 b"},
		"a shift that begins in a skipped hour": {"America/New_York", "12h", "2026-03-07T02:30:00-05:00",
			"Sat 02:30 a, Sat 14:30 b, Sun 03:30 a, Sun 14:30 b, Mon 02:30 a, Mon 14:30 b, Tue 02:30 a, Tue 14:30 b"},
		"a time that comes twice": {"America/New_York", "01:30", "2026-10-30T01:30:00-04:00",
			"Fri 01:30 a, Sat 01:30 b, Sun 01:30 a, Mon 01:30 b, Tue 01:30 a, Wed 01:30 b, Thu 01:30 a, Fri 01:30 b"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			zone, err := time.LoadLocation(tt.zone)
			if err != nil {
				t.Fatal(err)
			}
			r := Rotation{Zone: tt.zone, Every: tt.every, Start: at(tt.start), People: []string{"a", "b"}}
			var got []string
			for now := r.Start; len(got) < 8; {
				line, begin, next := r.line(now)
				if !begin.Equal(now) || !next.After(now) {
					t.Fatalf("at %v: since %v until %v", now, begin, next)
				}
				got = append(got, now.In(zone).Format("Mon 15:04 ")+line[0])
				now = next
			}
			if have := strings.Join(got, ", "); have != tt.want {
				t.Errorf("got  %s\nwant %s", have, tt.want)
			}
		})
	}
}

// What a cadence may say, to the hour and the minute.
func TestParseCadence(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"1h": true, "8784h": true, "8785h": false, "-1h": false, "h": false, "": false,
		"08:00": true, "08:00, 09:00": true, "08:00, 08:59": false, "mon 08:00, mon 08:30, fri 09:00": false, "sun 23:30, mon 00:29": false, "sun 23:30, mon 00:30": true,
		"MON 08:00": true, "mon 08:00 09:00": false, "08:00,": false, "mon 24:00": false, "mon": false,
	} {
		if _, err := parseCadence(text); (err == nil) != want {
			t.Errorf("%q: %v", text, err)
		}
	}
}
