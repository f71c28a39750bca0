package desk_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"deskbell/roster"
)

// turns puts Bob, Eve and Kim on call, a day each from eight in the morning, Bob
// today, and has a manager.
func turns(w *world) {
	w.t.Helper()
	start := time.Date(2026, 3, 3, 8, 0, 0, 0, time.UTC)
	must(w.t, w.store.Import(w.t.Context(), roster.File{
		People: []roster.Person{{ID: "meg", Name: "Meg", Roles: roster.Roles{roster.Manager}, Phone: "+15550901"},
			{ID: "kim", Name: "Kim", Roles: roster.Roles{roster.OnCallee}, Phone: "+15550902"}},
		Rota: []roster.Rotation{{Name: "primary", Start: start, Every: "day", People: []string{"bob", "eve", "kim"}}},
	}))
}

// onCall is who is called first at noon of the next days, from tomorrow on.
func onCall(w *world, days int) string {
	w.t.Helper()
	people, err := w.store.People(w.t.Context())
	must(w.t, err)
	rota, overrides, err := w.store.Rota(w.t.Context())
	must(w.t, err)
	var list []string
	for d := range days {
		chain, _ := roster.OnCall(rota, overrides, people, "", time.Date(2026, 3, 4+d, 12, 0, 0, 0, time.UTC))
		list = append(list, chain[0])
	}
	return strings.Join(list, " ")
}

// heard are the texts that somebody got unasked, without their wording.
func heard(w *world, who string) string {
	return strings.Join(w.rows("SELECT reason FROM deliveries WHERE person = $1 AND answers = '' ORDER BY id", who), " ")
}

func TestSwap(t *testing.T) {
	const usual = "eve kim bob eve kim bob"
	for name, tt := range map[string]struct {
		says  []string // who: what -> the answer's reason
		rota  string
		heard map[string]string
	}{
		"agreed": {
			[]string{"bob: swap fri eve -> swap_sent", "eve: swap yes -> swap_ok", "eve: swap yes -> swap_nothing"},
			"bob kim eve eve kim bob", map[string]string{"bob": "swap_done", "eve": "swap_ask", "meg": "mgr_swap"}},
		"a plain yes, and the day after the name": {
			[]string{"bob: swap eve fri -> swap_sent", "pass 6s", "eve: 1 -> swap_ok"},
			"bob kim eve eve kim bob", map[string]string{"bob": "swap_done", "meg": "mgr_swap"}},
		"the next shift, and swapped back": {
			[]string{"pin 2468", "bob: swap eve -> swap_sent", "eve: swap yes bob -> swap_ok", "eve: swap bob fri -> swap_sent", "bob: swap yes 2468 -> swap_ok"},
			usual, map[string]string{"meg": "mgr_swap mgr_swap"}},
		"declined":   {[]string{"bob: swap fri eve -> swap_sent", "eve: swap no -> swap_no"}, usual, map[string]string{"bob": "swap_declined", "eve": "swap_ask", "meg": ""}},
		"taken back": {[]string{"bob: swap fri eve -> swap_sent", "bob: swap no -> swap_back", "eve: swap yes -> swap_nothing"}, usual, map[string]string{"bob": "", "eve": "swap_ask swap_gone"}},
		"never answered": {[]string{"bob: swap fri eve -> swap_sent", "pass 22h", "expired", "eve: swap yes -> swap_nothing"}, usual,
			map[string]string{"bob": "swap_expired", "eve": "swap_ask swap_gone"}},
		"a PIN by text": {[]string{"pin 2468", "eve: swap wed bob -> swap_sent", "bob: swap yes -> swap_pin", "bob: swap yes 1111 -> err_pin", "bob: swap yes 2468 -> swap_ok"},
			"bob kim eve eve kim bob", map[string]string{"eve": "swap_done", "bob": "swap_ask"}},
		"two who ask": {[]string{"bob: swap fri eve -> swap_sent", "kim: swap thu eve -> swap_sent", "eve: swap yes -> swap_many", "eve: swap no kim -> swap_no", "eve: swap yes -> swap_ok"},
			"bob kim eve eve kim bob", map[string]string{"kim": "swap_declined"}},
		"one request at a time": {[]string{"bob: swap fri eve -> swap_sent", "bob: swap fri kim -> swap_open"}, usual, nil},
		"a shift of nobody":     {[]string{"bob: swap thu eve -> swap_none", "bob: swap fri zoe -> swap_nobody", "bob: swap -> swap_how", "ann: swap fri eve -> req_confirm_new"}, usual, nil},
		"with nobody to give one back": {[]string{"bob: swap fri meg -> swap_sent_one", "meg: swap yes -> swap_ok_one"},
			"eve kim meg eve kim bob", map[string]string{"bob": "swap_done_one"}},
		"the rota changed": {[]string{"bob: swap fri eve -> swap_sent", "new rota", "eve: swap yes -> swap_moved"},
			"kim kim kim kim kim kim", map[string]string{"bob": "swap_moved", "meg": ""}},
		"an offer that came later is what yes means": {[]string{"bob: swap fri eve -> swap_sent", "pass 1m", "offer", "pass 1m", "eve: yes -> take_ok", "eve: swap yes -> swap_ok"},
			"bob kim eve eve kim bob", nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t, "")
			turns(w)
			phones := map[string]string{"meg": "+15550901", "kim": "+15550902"}
			for _, say := range tt.says {
				switch who, rest, speaks := strings.Cut(say, ": "); {
				case speaks:
					text, want, _ := strings.Cut(rest, " -> ")
					if number, more := phones[who]; more {
						who = number
					}
					if got := w.say(who, text); !strings.HasPrefix(got, want+": ") {
						t.Errorf("%s: %q", say, got)
					}
				case say == "expired":
					w.until("the request has ended", func() bool {
						return fmt.Sprint(w.rows("SELECT state FROM swaps")) == "[expired]"
					})
				case say == "new rota":
					must(t, w.desk.SetRotation(t.Context(), roster.Rotation{Name: "primary", Start: morning, Every: "day", People: []string{"kim"}}, "meg"))
				case strings.HasPrefix(say, "pin "):
					w.givePIN(strings.TrimPrefix(say, "pin "))
				case say == "offer":
					w.submit("Printer jams", "eve")
				default:
					d, err := time.ParseDuration(strings.TrimPrefix(say, "pass "))
					must(t, err)
					w.clock.pass(d)
				}
			}
			if got := onCall(w, 6); got != tt.rota {
				t.Errorf("on call %s, want %s", got, tt.rota)
			}
			for who, want := range tt.heard {
				if got := heard(w, who); got != want {
					t.Errorf("%s heard %q, want %q", who, got, want)
				}
			}
		})
	}
}
