package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"
)

// watchedPhones is the development SMSC, asked again only for what it says has
// changed: stories look at their phones all the time.
type watchedPhones struct {
	phonesAPI
	stop   context.CancelFunc
	reader sync.WaitGroup

	mu      sync.Mutex
	changes int            // of anything
	changed map[string]int // when a number changed last, counted in changes
	lost    int            // when the events were lost last; everything may have changed
	known   map[string]answer
	ledger  answer
}

// answer is what the SMSC said, and how many changes there were when it was asked.
type answer struct {
	changes  int
	messages []Message
	rows     []LedgerRow
}

func watchPhones(url string) *watchedPhones {
	ctx, stop := context.WithCancel(context.Background())
	w := &watchedPhones{phonesAPI: phonesAPI{url}, stop: stop, changed: map[string]int{}, known: map[string]answer{}}
	w.reader.Go(func() {
		for ctx.Err() == nil {
			w.listen(ctx)
		}
	})
	return w
}

func (w *watchedPhones) close() {
	w.stop()
	w.reader.Wait()
}

// listen follows the events until they end. Until they flow, and after they
// ended, nothing known counts.
func (w *watchedPhones) listen(ctx context.Context) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/api/events", nil)
	if err != nil {
		return
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		select { // the SMSC is away
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
		return
	}
	defer response.Body.Close()
	defer w.note(false, "")
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "retry:") {
			w.note(true, "")
		}
		var event struct{ Number string }
		if data, ok := strings.CutPrefix(lines.Text(), "data: "); ok && json.Unmarshal([]byte(data), &event) == nil {
			w.note(true, event.Number)
		}
	}
}

// never is a count of changes that no answer reaches.
const never = 1 << 60

// note counts a change: of a number, or of everything.
func (w *watchedPhones) note(flowing bool, number string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes++
	switch {
	case !flowing:
		w.lost = never
	case number == "":
		w.lost = w.changes
	default:
		w.changed[number] = w.changes
	}
}

// fresh tells whether nothing that an answer speaks of has changed since it was
// asked for.
func (w *watchedPhones) fresh(a answer, changed int) bool {
	return w.lost > 0 && a.changes > 0 && a.changes >= max(changed, w.lost)
}

// send writes a text on a phone. Its event may come late: who looks next must see
// it in any case.
func (w *watchedPhones) send(number, text string) error {
	err := w.phonesAPI.send(number, text)
	w.note(true, number)
	return err
}

// again has everything asked for again, whatever events are still to come.
func (w *watchedPhones) again() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.changes++
	if w.lost > 0 && w.lost != never {
		w.lost = w.changes
	}
}

func (w *watchedPhones) messages(number string) ([]Message, error) {
	w.mu.Lock()
	a := w.known[number]
	if w.fresh(a, w.changed[number]) {
		w.mu.Unlock()
		return a.messages, nil
	}
	a.changes = w.changes
	w.mu.Unlock()
	var err error
	if a.messages, err = w.phonesAPI.messages(number); err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.known[number] = a
	w.mu.Unlock()
	return a.messages, nil
}

func (w *watchedPhones) rows() ([]LedgerRow, error) {
	w.mu.Lock()
	a := w.ledger
	if w.fresh(a, w.changes) {
		w.mu.Unlock()
		return a.rows, nil
	}
	a.changes = w.changes
	w.mu.Unlock()
	var err error
	if a.rows, err = w.phonesAPI.rows(); err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.ledger = a
	w.mu.Unlock()
	return a.rows, nil
}
