package sms

import (
	"errors"
	"fmt"
	"time"

	"github.com/fiorix/go-smpp/smpp/pdu"
)

// Command statuses (SMPP 3.4, 5.1.3); go-smpp has their words, not their names.
const (
	StatusOK          pdu.Status = 0x00
	StatusInvalidLen  pdu.Status = 0x02 // ESME_RINVCMDLEN
	StatusInvalidID   pdu.Status = 0x03 // ESME_RINVCMDID
	StatusNotBound    pdu.Status = 0x04 // ESME_RINVBNDSTS
	StatusSystemError pdu.Status = 0x08 // ESME_RSYSERR
	StatusBindFailed  pdu.Status = 0x0D // ESME_RBINDFAIL
	StatusPassword    pdu.Status = 0x0E // ESME_RINVPASWD
	StatusSystemID    pdu.Status = 0x0F // ESME_RINVSYSID
	StatusQueueFull   pdu.Status = 0x14 // ESME_RMSGQFUL
	StatusDestination pdu.Status = 0x0B // ESME_RINVDSTADR
	StatusThrottled   pdu.Status = 0x58 // ESME_RTHROTTLED
	StatusTemporary   pdu.Status = 0x64 // ESME_RX_T_APPN
	StatusPermanent   pdu.Status = 0x65 // ESME_RX_P_APPN
)

// The three ways in which an operation ends without success.
var (
	// ErrNotSent says that the request was never written: it may be repeated.
	ErrNotSent = errors.New("not sent")
	// ErrUnknown says that the request was written, wholly or partly, and not
	// answered: the peer may have acted on it or not.
	ErrUnknown = errors.New("sent, fate unknown")
)

// Rejected is the peer's refusal of an operation.
type Rejected struct{ Status pdu.Status }

// Error gives the status in words and as SMPP's number.
func (r *Rejected) Error() string {
	return fmt.Sprintf("rejected: %s (0x%02X)", r.Status.Error(), uint32(r.Status))
}

// retry says how a refusal of submit_sm is met: the first wait, doubled while it
// goes on; whether the whole bind waits; and after how many attempts it is final
// (0: never, the message's validity ends it).
type retry struct {
	after    time.Duration
	pause    bool
	attempts int
}

// retries are the refusals that pass. Every other status is final.
var retries = map[pdu.Status]retry{
	StatusThrottled:   {after: time.Second, pause: true},
	StatusQueueFull:   {after: 2 * time.Second, pause: true},
	StatusSystemError: {after: 5 * time.Second, attempts: 5},
	StatusTemporary:   {after: 5 * time.Second, attempts: 5},
	StatusNotBound:    {after: time.Second},
}
