package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// dialogues is a file of dialogues: who there is, under which policy, what they
// write to each other and what must come of it.
type dialogues struct {
	Clock     time.Time       `json:"clock"` // at the start of every dialogue
	Policy    json.RawMessage `json:"policy"`
	People    roll            `json:"people"`
	Dialogues []dialogue      `json:"dialogues"`
}

// member is one of the people; what else the file says of them goes into the people
// file as it is.
type member struct {
	id   string
	JID  string `json:"jid"`
	Role any    `json:"role"`
	all  map[string]any
}

// roll is the people in the order of the file, which is the order of the calls.
type roll []member

func (r *roll) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if _, err := d.Token(); err != nil { // {
		return err
	}
	for d.More() {
		id, err := d.Token()
		if err != nil {
			return err
		}
		var raw json.RawMessage
		if err := d.Decode(&raw); err != nil {
			return err
		}
		m := member{id: fmt.Sprint(id)}
		if err := json.Unmarshal(raw, &m); err != nil {
			return err
		}
		if err := json.Unmarshal(raw, &m.all); err != nil {
			return err
		}
		m.all["id"] = m.id
		*r = append(*r, m)
	}
	return nil
}

type dialogue struct {
	ID    string           `json:"id"`
	Title string           `json:"title"`
	Setup setup            `json:"setup"`
	Steps []step           `json:"steps"`
	Final map[string]final `json:"final"` // by number
}

// setup is what is so when a dialogue begins.
type setup struct {
	Tickets   []given             `json:"tickets"`
	Offers    map[string][]string `json:"offers"`
	Free      *[]string           `json:"free"` // agents on duty; everybody when absent
	Paged     map[string][]string `json:"paged"`
	Asked     map[string]string   `json:"asked"` // person: message and number
	Languages map[string]string   `json:"languages"`
	Limits    struct {
		Held int `json:"held"`
	} `json:"limits"`
}

// given is a ticket of the setup.
type given struct {
	N         int    `json:"n"`
	State     string `json:"state"`
	Subject   string `json:"subject"`
	Body      string `json:"body"`
	Priority  string `json:"priority"`
	Requester string `json:"requester"`
	Owner     string `json:"owner"`
	ClaimedAt string `json:"claimed_at"` // 15:04
	Question  string `json:"question"`
}

// The kinds of steps.
const (
	stepIn      = "in"
	stepEvent   = "event"
	stepOut     = "out"
	stepOneOf   = "one_of"
	stepSilence = "silence"
)

// step is one step of any kind.
type step struct {
	Kind string `json:"kind"`
	At   *span  `json:"at"`

	// in
	Who         string `json:"who"`
	Via         string `json:"via"`
	Text        string `json:"text"`
	UDHParts    []int  `json:"udh_parts"` // in the order of arrival
	Missing     []int  `json:"missing"`
	Gap         *span  `json:"gap"`
	SameMessage bool   `json:"same_message"`
	Concurrent  bool   `json:"concurrent"`
	SentAt      *span  `json:"sent_at"`
	ReplyTo     string `json:"reply_to"` // message and number

	// event
	Do       string `json:"do"`
	By       string `json:"by"`
	Subject  string `json:"subject"`
	Body     string `json:"body"`
	Priority string `json:"priority"`
	Becomes  int    `json:"becomes"`
	What     string `json:"what"`
	JID      string `json:"jid"`
	Verb     string `json:"verb"`
	N        int    `json:"n"`

	// out and silence; an act's colleague
	To       string   `json:"to"`
	Message  string   `json:"message"`
	Contains []string `json:"contains"`
	Exactly  *int     `json:"exactly"`
	Language string   `json:"language"`

	Choices [][]step `json:"choices"` // one_of
}

// moves tells whether somebody does something in this step.
func (s step) moves() bool { return s.Kind == stepIn || s.Kind == stepEvent }

// final is how a ticket must be in the end; what is absent may be anything.
type final struct {
	State      string   `json:"state"`
	Owner      *string  `json:"owner"`
	OwnerIn    []string `json:"owner_in"`
	Note       string   `json:"note"`
	Thread     []string `json:"thread"`
	Claims     *int     `json:"claims"`
	Escalation *int     `json:"escalation"`
	Declined   *int     `json:"declined"`
	Reopened   *int     `json:"reopened"`
	Subject    *string  `json:"subject"`
}

// span is a duration such as +2h1m, 12s or 3d.
type span time.Duration

func (s *span) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	text = strings.TrimPrefix(text, "+")
	var days time.Duration
	if n, rest, ok := strings.Cut(text, "d"); ok {
		if _, err := fmt.Sscan(n, &days); err != nil {
			return fmt.Errorf("%q is no duration", text)
		}
		if text = rest; text == "" {
			text = "0s"
		}
	}
	d, err := time.ParseDuration(text)
	*s = span(d + 24*time.Hour*days)
	return err
}

// priorities and statuses are the file's words for the API's.
var (
	priorities = map[string]string{"urgent": "P1", "high": "P2", "normal": "P3", "low": "P4"}
	statuses   = map[string]string{"waiting": "new", "claimed": "assigned", "waiting-for-requester": "pending", "snoozed": "pending",
		"resolved": "resolved", "closed": "closed", "cancelled": "cancelled"}
)

func readDialogues(path string) (f dialogues, err error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return f, err
	}
	if err := json.Unmarshal(data, &f); err != nil {
		return f, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// strangers are the JIDs that write and that no person has.
func (f dialogues) strangers() []string {
	found := map[string]bool{}
	for _, d := range f.Dialogues {
		for _, s := range d.Steps {
			for _, who := range []string{s.Who, s.JID, s.To} {
				if strings.Contains(who, "@") {
					found[who] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// peopleFile is the people as the program reads them. The chat server serves the
// domains of the people, so a stranger's domain gets a requester who never speaks.
func (f dialogues) peopleFile() (string, error) {
	var list []map[string]any
	domains := map[string]bool{}
	for _, m := range f.People {
		list = append(list, m.all)
		_, domain, _ := strings.Cut(m.JID, "@")
		domains[domain] = true
	}
	for i, jid := range f.strangers() {
		if _, domain, _ := strings.Cut(jid, "@"); !domains[domain] {
			domains[domain] = true
			list = append(list, map[string]any{"id": fmt.Sprintf("host-%d", i), "name": "Host", "role": "requester", "jid": "host@" + domain})
		}
	}
	data, err := json.Marshal(map[string]any{"people": list})
	return string(data), err
}

// policyFile is the policy with a limit of held tickets; 0 is none.
func (f dialogues) policyFile(held int) (string, error) {
	var policy map[string]any
	if err := json.Unmarshal(f.Policy, &policy); err != nil {
		return "", fmt.Errorf("policy: %w", err)
	}
	if held > 0 {
		policy["held"] = held
	}
	data, err := json.Marshal(policy)
	return string(data), err
}
