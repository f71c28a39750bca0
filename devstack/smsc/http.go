package smsc

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"deskbell/gateway/sms"

	"github.com/gin-gonic/gin"
)

//go:embed page
var page embed.FS

// maxText is the longest text that can be typed, in octets; a text is at most
// 255 segments anyway.
const maxText = 64 << 10

// contentPolicy lets the page load its own files and nothing else, and nobody
// frame it.
const contentPolicy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// Handler returns the page of phones, its API and what is mounted beside them.
func (s *Server) Handler() http.Handler {
	gin.SetMode(gin.ReleaseMode)
	r := gin.New()
	r.Use(gin.Recovery())
	r.NoRoute(func(c *gin.Context) { problem(c, http.StatusNotFound, "there is nothing here") })
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // the folder is embedded
	}
	r.Match([]string{http.MethodGet, http.MethodHead}, "/", func(c *gin.Context) {
		c.Header("Content-Security-Policy", contentPolicy)
		c.Header("X-Content-Type-Options", "nosniff")
		c.Header("Referrer-Policy", "no-referrer")
		c.FileFromFS("phones.html", http.FS(files))
	})
	r.GET("/assets/:file", func(c *gin.Context) {
		c.Header("X-Content-Type-Options", "nosniff")
		c.FileFromFS(c.Param("file"), http.FS(files))
	})
	r.GET("/api/phones", s.listPhones)
	r.GET("/api/phones/:number/messages", s.listMessages)
	r.POST("/api/phones/:number/messages", s.typeMessage)
	r.POST("/api/phones/:number/power", s.switchPower)
	r.GET("/api/faults", s.showFaults)
	r.POST("/api/faults", s.setFaults)
	r.GET("/api/ledger", s.showLedger)
	r.GET("/api/links", s.listLinks)
	r.GET("/api/events", s.streamEvents)

	mux := http.NewServeMux()
	mux.Handle("/", r)
	for pattern, h := range s.config.Mount {
		mux.Handle(pattern, h)
	}
	return http.NewCrossOriginProtection().Handler(mux)
}

func problem(c *gin.Context, status int, detail string) {
	c.Header("Content-Type", "application/problem+json")
	c.AbortWithStatusJSON(status, gin.H{"title": http.StatusText(status), "status": status, "detail": detail})
}

type phoneView struct {
	Number string `json:"number"`
	Name   string `json:"name"`
	Role   string `json:"role"`
	On     bool   `json:"on"`
}

func (s *Server) listPhones(c *gin.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []phoneView{}
	for _, n := range s.order {
		p := s.phones[n]
		list = append(list, phoneView{Number: n, Name: p.name(), Role: p.Role, On: p.on})
	}
	c.JSON(http.StatusOK, list)
}

func (s *Server) listMessages(c *gin.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c.JSON(http.StatusOK, s.messages(c.Param("number")))
}

func (s *Server) typeMessage(c *gin.Context) {
	var body typed
	n := c.Param("number")
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, 6*maxText)
	if err := c.ShouldBindJSON(&body); err != nil {
		problem(c, http.StatusBadRequest, "the body is {\"text\": \"...\"}, and perhaps sent_at and part")
		return
	}
	if !number.MatchString(n) {
		problem(c, http.StatusUnprocessableEntity, "that is not a phone number")
		return
	}
	if body.Text == "" || len(body.Text) > maxText || !utf8.ValidString(body.Text) {
		problem(c, http.StatusUnprocessableEntity, "a text has 1 to 65536 octets")
		return
	}
	text, err := sms.EncodeText(body.Text, 0)
	if err != nil {
		problem(c, http.StatusUnprocessableEntity, err.Error())
		return
	}
	if p := body.Part; p != nil && (len(text.Bodies) > 1 || p.Number < 1 || p.Number > p.Total || p.Total < 2 || p.Total > sms.MaxSegments) {
		problem(c, http.StatusUnprocessableEntity, "a part is one segment, and its number is 1 to total")
		return
	}
	m, err := s.typeOn(n, body)
	switch {
	case errors.Is(err, errPhoneOff):
		problem(c, http.StatusConflict, err.Error())
	case err != nil:
		problem(c, http.StatusInternalServerError, "the message could not be stored")
	default:
		c.JSON(http.StatusCreated, m)
	}
}

var errPhoneOff = errors.New("the phone is off")

// typed is what somebody wrote on a phone.
type typed struct {
	Text string `json:"text"`
	// SentAt is the network's stamp of a message that was under way for a while; now
	// when it is not set.
	SentAt time.Time `json:"sent_at"`
	// Part says that the text is one part of a longer one, whose others come, or do
	// not, by themselves.
	Part *struct {
		Ref    uint8 `json:"ref"`
		Number int   `json:"number"`
		Total  int   `json:"total"`
	} `json:"part"`
}

// typeOn writes a text on a phone, as if somebody typed it there.
func (s *Server) typeOn(number string, what typed) (Message, error) {
	s.mu.Lock()
	p := s.phones[number]
	off := p != nil && !p.on
	s.mu.Unlock()
	if off {
		return Message{}, errPhoneOff
	}
	r := record{Op: opTyped, Phone: number, Text: what.Text, Stamp: what.SentAt}
	if p := what.Part; p != nil {
		r.Ref, r.Number, r.Total = uint16(p.Ref), p.Number, p.Total
	}
	if s.faults.isReorder() {
		r.State = reordered
	}
	var m Message
	synced, _ := s.record(r, func(st *state, r record) { m = *st.typed[r.ID] })
	return m, <-synced
}

func (s *Server) switchPower(c *gin.Context) {
	var body struct {
		On *bool `json:"on"`
	}
	n := c.Param("number")
	if err := c.ShouldBindJSON(&body); err != nil || body.On == nil || !number.MatchString(n) {
		problem(c, http.StatusBadRequest, "the body is {\"on\": true} or {\"on\": false}")
		return
	}
	synced, _ := s.record(record{Op: opPower, Phone: n, On: *body.On}, nil)
	if err := <-synced; err != nil {
		problem(c, http.StatusInternalServerError, "the switch could not be stored")
		return
	}
	c.JSON(http.StatusOK, gin.H{"on": *body.On})
}

func (s *Server) setFaults(c *gin.Context) {
	var want Faults
	if err := c.ShouldBindJSON(&want); err != nil {
		problem(c, http.StatusBadRequest, "the body names faults: throttle, queue_full, refuse, drop, silent, stop_reading, duplicate, reorder, lose_responses, receipts, down")
		return
	}
	if err := s.faults.set(want, s.clock.Now()); err != nil {
		problem(c, http.StatusUnprocessableEntity, err.Error())
		return
	}
	if want.Drop {
		s.dropLinks()
	}
	s.events.publish("")
	c.Status(http.StatusNoContent)
}

// showFaults tells what is wrong at the moment, in the words that set it.
func (s *Server) showFaults(c *gin.Context) {
	c.JSON(http.StatusOK, s.faults.now(s.clock.Now()))
}

func (s *Server) showLedger(c *gin.Context) {
	s.mu.Lock()
	rows := make([]LedgerRow, len(s.ledger))
	for i, row := range s.ledger {
		rows[i] = *row
	}
	s.mu.Unlock()
	c.JSON(http.StatusOK, rows)
}

// listLinks shows who is bound: transceiver, receiver or transmitter, one entry for
// each link.
func (s *Server) listLinks(c *gin.Context) {
	binds := []string{}
	s.mu.Lock()
	for l := range s.links {
		switch {
		case l.sends && l.receives:
			binds = append(binds, "transceiver")
		case l.receives:
			binds = append(binds, "receiver")
		case l.sends:
			binds = append(binds, "transmitter")
		}
	}
	s.mu.Unlock()
	slices.Sort(binds)
	c.JSON(http.StatusOK, gin.H{"binds": binds})
}

// events tells pages which phone has changed; the faults have no number.
type events struct {
	mu     sync.Mutex
	listen map[chan string]bool
}

// publish never waits: a listener that does not keep up is closed and comes
// again.
func (e *events) publish(number string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for ch := range e.listen {
		select {
		case ch <- number:
		default:
			delete(e.listen, ch)
			close(ch)
		}
	}
}

func (e *events) subscribe() chan string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.listen == nil {
		e.listen = map[chan string]bool{}
	}
	ch := make(chan string, 64)
	e.listen[ch] = true
	return ch
}

func (e *events) unsubscribe(ch chan string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.listen, ch)
}

const heartbeat = 15 * time.Second

// streamEvents sends the number of each phone that changes, as server-sent events;
// an empty one when somebody has set the faults.
func (s *Server) streamEvents(c *gin.Context) {
	ch := s.events.subscribe()
	defer s.events.unsubscribe(ch)
	c.Header("Content-Type", "text/event-stream")
	c.Header("Cache-Control", "no-store")
	_, _ = c.Writer.WriteString("retry: 1000\n\n")
	c.Writer.Flush()
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		select {
		case <-c.Request.Context().Done():
			return
		case <-beat.C:
			_, _ = c.Writer.WriteString(": alive\n\n")
		case n, ok := <-ch:
			if !ok {
				return
			}
			_, _ = fmt.Fprintf(c.Writer, "event: phone\ndata: {\"number\":%q}\n\n", n)
		}
		c.Writer.Flush()
	}
}
