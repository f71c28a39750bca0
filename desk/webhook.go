package desk

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"syscall"
	"time"

	enums "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"deskbell/activities"
	"deskbell/store"
	"deskbell/ticket"
	"deskbell/workflows"
)

// Webhook is somebody who is told by HTTP what happens to tickets; WebhookTry is a line
// of its log.
type (
	Webhook    = store.Webhook
	WebhookTry = store.WebhookTry
)

const (
	maxWebhookURL = 2000
	webhookPage   = 100
	webhookSecret = 32 // bytes
	// webhookTimeout is how long a receiver may take to answer.
	webhookTimeout = 15 * time.Second
)

// webhookEvents are what may be asked for: what happens to a ticket and is somebody's
// deed or a deadline, as its timeline names it.
var webhookEvents = []ticket.Kind{ticket.Opened, ticket.Taken, ticket.Released, ticket.Lapsed, ticket.Solved, ticket.Shut, ticket.Noted, ticket.Asked, ticket.Told,
	ticket.Written, ticket.Answered, ticket.Withdrawn, ticket.Reopened, ticket.Passed, ticket.TakenOver, ticket.Promised, ticket.Slipped, ticket.Breached, ticket.Snoozed, ticket.Kept, ticket.Undone,
	ticket.AssignedTo, ticket.Reprioritised, ticket.MergedInto, ticket.Hushed, ticket.Escalated}

// CreateWebhook has somebody told, from now on, and returns the secret that signs what
// they are told. It is kept encrypted. An *InvalidError names what is wrong.
func (d *Desk) CreateWebhook(ctx context.Context, by Caller, address string, events []ticket.Kind) (w Webhook, secret string, err error) {
	u, err := url.Parse(address)
	switch {
	case len(d.Key) == 0:
		return w, "", &InvalidError{"url", "this helpdesk has no DESKBELL_TOKEN_KEY to keep a webhook's secret with"}
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || len(address) > maxWebhookURL:
		return w, "", &InvalidError{"url", "write it as https://example.org/path, without a name and a password"}
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !d.mayCall(ip) {
		return w, "", &InvalidError{"url", "the helpdesk does not call this network"}
	}
	if len(events) == 0 {
		events = webhookEvents
	}
	for _, e := range events {
		if !slices.Contains(webhookEvents, e) {
			return w, "", &InvalidError{"events", fmt.Sprintf("no event is called %q", e)}
		}
	}
	random := make([]byte, webhookSecret)
	rand.Read(random)
	w, err = d.Store.CreateWebhook(ctx, Webhook{URL: address, Events: events, Secret: d.seal(random)}, Audit{Actor: by.Person.ID, Channel: by.Channel})
	if err != nil {
		return w, "", outside(err)
	}
	return w, "whsec_" + base64.StdEncoding.EncodeToString(random), nil
}

// Webhooks returns all webhooks, ended ones too, the oldest first.
func (d *Desk) Webhooks(ctx context.Context) ([]Webhook, error) {
	list, err := d.Store.Webhooks(ctx)
	return list, outside(err)
}

// EndWebhook has somebody told no more; ErrNotFound when there is no such webhook.
func (d *Desk) EndWebhook(ctx context.Context, by Caller, id int64) (Webhook, error) {
	w, err := d.Store.EndWebhook(ctx, id, Audit{Actor: by.Person.ID, Channel: by.Channel})
	return w, outside(err)
}

// WebhookLog returns a webhook's deliveries, the newest first. below is the last id of
// the page before, more that there is a page after.
func (d *Desk) WebhookLog(ctx context.Context, id, below int64) (list []WebhookTry, more bool, err error) {
	list, err = d.Store.WebhookLog(ctx, id, below, webhookPage+1)
	if more = len(list) > webhookPage; more {
		list = list[:webhookPage]
	}
	return list, more, outside(err)
}

// startWebhooks has the engine make the deliveries that are due. One that was started
// and not noted is started again, which changes nothing: its workflow has its id.
func (d *Desk) startWebhooks(ctx context.Context) {
	due, err := d.Store.DueWebhooks(ctx, webhookPage)
	var begun []int64
	for _, id := range due {
		start, cancel := context.WithTimeout(ctx, 5*time.Second)
		_, failed := d.Engine.ExecuteWorkflow(start, client.StartWorkflowOptions{ID: workflows.WebhookID(id), TaskQueue: workflows.WebhookQueue,
			WorkflowIDConflictPolicy: enums.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING, WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE}, workflows.WebhookType, id)
		cancel()
		if _, exists := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](failed); failed != nil && !exists {
			err = errors.Join(err, failed)
			break
		}
		begun = append(begun, id)
	}
	if len(begun) > 0 {
		err = errors.Join(err, d.Store.WebhooksSending(ctx, begun))
	}
	if err != nil && ctx.Err() == nil {
		d.Log.WarnContext(ctx, "webhooks wait", slog.Any("error", err))
	}
}

// WebhookActivities are the activities of the webhooks' queue.
func (d *Desk) WebhookActivities() *activities.Webhooks {
	dialer := &net.Dialer{Timeout: 5 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			return err
		}
		if !d.mayCall(to.Addr()) {
			return errPrivate
		}
		return nil
	}}
	return &activities.Webhooks{Sender: &webhooks{desk: d, client: &http.Client{
		Timeout: webhookTimeout,
		// Of its own, without a proxy: what is dialled is what was looked up and checked.
		Transport:     &http.Transport{DialContext: dialer.DialContext, TLSHandshakeTimeout: 5 * time.Second, MaxIdleConnsPerHost: 2, IdleConnTimeout: time.Minute, ForceAttemptHTTP2: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}}
}

var errPrivate = errors.New("the helpdesk does not call this network")

// special are networks that are nobody's on the Internet and that netip has no word for
// (IANA's special-purpose registries).
var special = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"), netip.MustParsePrefix("2001::/23"),
	netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"),
}

// mayCall tells whether a webhook may go to an address: on the Internet, or where the
// operator lets it.
func (d *Desk) mayCall(ip netip.Addr) bool {
	ip = ip.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(ip) }
	if slices.ContainsFunc(d.WebhookNetworks, in) {
		return true
	}
	return ip.IsGlobalUnicast() && !ip.IsPrivate() && !slices.ContainsFunc(special, in)
}

// webhooks makes deliveries.
type webhooks struct {
	desk   *Desk
	client *http.Client
}

// told is the body of a delivery.
type told struct {
	Type      string    `json:"type"` // ticket.taken
	Timestamp time.Time `json:"timestamp"`
	Data      toldData  `json:"data"`
}

type toldData struct {
	Number  int    `json:"number"`
	Seq     int    `json:"seq"`
	Actor   string `json:"actor"`
	Channel string `json:"channel,omitempty"`
	Text    string `json:"text,omitempty"`
	// The ticket as it was when this was sent.
	Status    ticket.Status   `json:"status"`
	Priority  ticket.Priority `json:"priority"`
	Requester string          `json:"requester"`
	Assignee  string          `json:"assignee"`
	Version   int             `json:"version"`
}

// Deliver tries a delivery once, signed as Standard Webhooks says.
func (w *webhooks) Deliver(ctx context.Context, delivery int64) error {
	one, err := w.desk.Store.WebhookDelivery(ctx, delivery)
	if errors.Is(err, store.ErrNotFound) || err == nil && one.Over {
		return nil
	}
	if err != nil {
		return err
	}
	secret, err := w.desk.unseal(one.Secret)
	if err != nil {
		return errors.Join(err, w.desk.Store.WebhookTried(ctx, delivery, 0, "the secret cannot be read: was DESKBELL_TOKEN_KEY changed?"))
	}
	t, e := one.Ticket, one.Event
	body, err := json.Marshal(told{"ticket." + string(e.Kind), e.At.UTC(), toldData{Number: t.Number, Seq: e.Seq, Actor: e.Actor.ID, Channel: e.Channel, Text: e.Text,
		Status: t.Status, Priority: t.Priority, Requester: t.Requester.ID, Assignee: t.Assignee.ID, Version: t.Version}})
	if err != nil {
		return fmt.Errorf("word a webhook: %w", err)
	}
	status, err := w.post(ctx, one.URL, secret, strconv.FormatInt(delivery, 10), body)
	why := ""
	if err != nil {
		why = err.Error()
	} else if status < 200 || status > 299 {
		why = "the receiver answered " + strconv.Itoa(status)
	}
	if failed := w.desk.Store.WebhookTried(ctx, delivery, status, why); failed != nil {
		return failed
	}
	if why != "" {
		return errors.New(why)
	}
	return nil
}

// GiveUp notes that a delivery is not tried again.
func (w *webhooks) GiveUp(ctx context.Context, delivery int64) error {
	return w.desk.Store.WebhookGivenUp(ctx, delivery)
}

func (w *webhooks) post(ctx context.Context, address string, secret []byte, id string, body []byte) (status int, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	at := w.desk.Clock.Now()
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "Deskbell")
	r.Header.Set("Webhook-Id", id)
	r.Header.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	r.Header.Set("Webhook-Signature", Signature(secret, id, at, body))
	answer, err := w.client.Do(r)
	if err != nil {
		if errors.Is(err, errPrivate) {
			return 0, errPrivate
		}
		if inner, ok := errors.AsType[*url.Error](err); ok {
			return 0, inner.Err // without the address
		}
		return 0, err
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	return answer.StatusCode, answer.Body.Close()
}

// Signature signs a webhook's id, time and body (Standard Webhooks, v1).
func Signature(secret []byte, id string, at time.Time, body []byte) string {
	mac := hmac.New(sha256.New, secret)
	fmt.Fprintf(mac, "%s.%d.%s", id, at.Unix(), body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// sealer encrypts what must be read again.
func (d *Desk) sealer() cipher.AEAD {
	key := sha256.Sum256([]byte("webhook secrets " + d.Key))
	block, err := aes.NewCipher(key[:])
	if err != nil {
		panic(err) // 32 bytes are a key
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return aead
}

func (d *Desk) seal(secret []byte) []byte { return d.sealer().Seal(nil, nil, secret, nil) }

func (d *Desk) unseal(sealed []byte) ([]byte, error) { return d.sealer().Open(nil, nil, sealed, nil) }
